import { describe, expect, test } from '@jest/globals';
import { systemClock } from '@hls-uplink/runtime';
import fc from 'fast-check';
import { Cutting } from '../packages/segmenter/src/cutting.js';
import {
  PACKET,
  newSpool,
  cut,
  of,
  seconds,
  starts,
  pidOf,
  startsUnit,
  checkFiles,
  checkConservation,
  type Result,
} from './helpers/cut.js';
import {
  AUDIO_PID,
  VIDEO_PID,
  generateStream,
  inChunks,
  type StreamOptions,
} from './helpers/ts-generator.js';

describe('cuts', () => {
  test('worked by hand: GOP 2 s from PTS 1.48, target 6', async () => {
    const result = await cut(of({ pictures: 25 * 24 }));
    expect(starts(result)).toEqual([1.48, 7.48, 13.48, 19.48]);
    expect(result.segments.map(seconds)).toEqual([6, 6, 6, 6]);
    expect(result.segments.map(({ ended }) => ended)).toEqual(['cut', 'cut', 'cut', 'leave']);
    expect(result.segments.map(({ discontinuity }) => discontinuity)).toEqual([
      'start',
      undefined,
      undefined,
      undefined,
    ]);
    expect(result.tracks).toEqual([
      {
        gop: 180_000,
        tracks: [
          { kind: 'video', pid: VIDEO_PID, codec: 'avc1.64001f', width: 320, height: 180, frameRate: 25 },
          { kind: 'audio', pid: AUDIO_PID, codec: 'mp4a.40.2', channels: 2, sampleRate: 48_000 },
        ],
      },
    ]);
    expect(result.events[0]).toBe('tracks');
  });

  test('worked by hand: across the wrap, and the same for who joined after it', async () => {
    const wrap: StreamOptions = { pictures: 25 * 30, firstPts: 95_441.48 * 90_000 };
    const all = await cut(of(wrap));
    const late = await cut(of({ ...wrap, join: 125 }));
    expect(starts(all)).toEqual([95_441.48, 95_443.48, 1.762, 7.762, 13.762, 19.762, 25.762]);
    expect(all.segments.map(seconds)).toEqual([2, 2, 6, 6, 6, 6, 2]);
    expect(starts(late)).toEqual([3.762, 7.762, 13.762, 19.762, 25.762]);
    expect(
      all.segments.every(({ discontinuity }, n) => discontinuity === (n === 0 ? 'start' : undefined)),
    ).toBe(true);
    expect(all.counters.wildTimestamps).toBe(0);
  });

  test.each<[string, StreamOptions]>([
    ['pictures and sound', { pictures: 25 * 40 }],
    ['sound that lags behind', { pictures: 25 * 40, audioLag: 70_000 }],
    ['sound alone', { pictures: 0, audio: 'mp3', audioSeconds: 40 }],
  ])('who joined later writes the same files, byte for byte: %s', async (_, shape) => {
    const bytes = generateStream(shape);
    const third = Math.floor(bytes.length / 3 / PACKET) * PACKET;
    const all = await cut(inChunks(bytes, [65_536]));
    const late = await cut(inChunks(bytes.subarray(third), [65_536]));
    expect(late.segments.length).toBeGreaterThan(3);
    for (const { startPts, data, keyPictures } of late.segments.slice(1)) {
      const same = all.segments.find((one) => one.startPts === startPts)!;
      expect(same.keyPictures).toEqual(keyPictures);
      expect(Buffer.compare(same.data, data)).toBe(0);
    }
  });

  test('sound alone is cut at the slot, on a PES', async () => {
    const result = await cut(of({ pictures: 0, audio: 'mp3', audioSeconds: 20 }));
    expect(result.segments.map(({ ended }) => ended)).toEqual(['cut', 'cut', 'cut', 'leave']);
    for (const { startPts, independent, keyPictures } of result.segments.slice(1)) {
      expect(startPts % 540_000).toBeLessThan(2160);
      expect({ independent, keyPictures }).toEqual({ independent: true, keyPictures: [] });
    }
    // 833 frames of 24 ms.
    expect(result.segments.map(seconds).reduce((sum, s) => sum + s)).toBeCloseTo(833 * 0.024, 6);
    checkFiles(result.segments, [AUDIO_PID]);
    checkConservation(generateStream({ pictures: 0, audio: 'mp3', audioSeconds: 20 }), result.segments, [
      AUDIO_PID,
    ]);
    expect(result.tracks[0]).toEqual({
      tracks: [{ kind: 'audio', pid: AUDIO_PID, codec: 'mp4a.40.34', channels: 2, sampleRate: 48_000 }],
    });
  });

  test('the target duration of the channel forces cuts, marked as not independent', async () => {
    const bytes = generateStream({ pictures: 25 * 20, gop: 250 });
    const result = await cut([(c) => c.setTargetDuration(4), ...inChunks(bytes, [5000])]);
    expect(result.segments.map(seconds).every((s) => Math.round(s) <= 4)).toBe(true);
    expect(result.segments.some(({ ended, independent }) => ended === 'forced' || !independent)).toBe(true);
    expect(result.segments[0]!.endPts).toBe(result.segments[1]!.startPts);
    checkFiles(result.segments, [VIDEO_PID, AUDIO_PID]);
    checkConservation(bytes, result.segments, [VIDEO_PID, AUDIO_PID]);
  });
});

describe('files', () => {
  const shapes: [string, StreamOptions][] = [
    ['plain', {}],
    ['B pictures, sound 1 s late in the mux', { bPictures: 2, audioLag: 90_000 }],
    ['sound 0.5 s early in the mux, several frames a PES', { audioLag: -45_000, audioFramesPerPes: 6 }],
    ['recovery points, several slices, a large SEI', { key: 'recovery', slices: 3, seiBytes: 2000 }],
    ['no AUD, joined in mid-GOP', { aud: false, join: 17, language: 'deu' }],
    ['MPEG audio, large pictures', { audio: 'mp3', audioFramesPerPes: 4, sliceBytes: 1500 }],
    ['without sound', { audio: 'none' }],
    ['pairs of fields, each in a PES', { fields: 'one PES' }],
    ['pairs of fields, each field in a PES of its own, without AUD', { fields: 'two PES', aud: false }],
  ];

  test.each(shapes)('%s: tables first, no PES split, nothing lost', async (_, shape) => {
    const bytes = generateStream({ pictures: 25 * 16, ...shape });
    const result = await cut(inChunks(bytes, [7000]));
    const pids = shape.audio === 'none' ? [VIDEO_PID] : [VIDEO_PID, AUDIO_PID];
    expect(result.segments.length).toBeGreaterThanOrEqual(3);
    checkFiles(result.segments, pids);
    checkConservation(bytes, result.segments, pids);
    if (shape.language) expect(result.tracks[0]!.tracks[1]).toMatchObject({ kind: 'audio', language: 'deu' });
  });

  test.each([
    ['late', 90_000],
    ['early', -90_000],
  ])('sound that comes %s in the mux is cut where the picture is', async (_, audioLag) => {
    const { segments } = await cut(of({ pictures: 25 * 16, audioLag }));
    // The first holds the sound from the first whole PES behind its key picture on, wherever that is.
    for (const { data, startPts, endPts } of segments.slice(1, -1)) {
      const times: number[] = [];
      for (let at = 0; at < data.length; at += PACKET) {
        if (pidOf(data, at) !== AUDIO_PID || !startsUnit(data, at)) continue;
        const p = data.indexOf(1, at + 4 + ((data[at + 3]! & 0x20) !== 0 ? data[at + 4]! + 1 : 0)) - 2 + 9;
        times.push(
          ((data[p]! >> 1) & 7) * 2 ** 30 +
            (((data[p + 1]! << 8) | data[p + 2]!) >> 1) * 2 ** 15 +
            (((data[p + 3]! << 8) | data[p + 4]!) >> 1),
        );
      }
      expect(times[0]! - startPts).toBeGreaterThanOrEqual(0);
      expect(times[0]! - startPts).toBeLessThan(1920);
      expect(endPts - times.at(-1)!).toBeGreaterThan(0);
      expect(endPts - times.at(-1)!).toBeLessThanOrEqual(1920);
    }
  });

  test('a sound track that stays away holds nothing up at the next cut', async () => {
    // Sound for the first 5 s only: the first cut waits for it 2 s of stream time, the next not at all.
    const bytes = generateStream({ pictures: 25 * 30 });
    const kept: Uint8Array[] = [];
    let sound = 0;
    for (let at = 0; at < bytes.length; at += PACKET) {
      if (pidOf(bytes, at) === AUDIO_PID && sound++ > 350) continue;
      kept.push(bytes.subarray(at, at + PACKET));
    }
    const closed: [number, number][] = [];
    let pushed = 0;
    const spool = newSpool();
    const cutting = new Cutting({
      targetSeconds: 6,
      spool,
      clock: systemClock,
      // Nothing but the sound is waited for.
      inMemory: true,
      sink: { tracks() {}, segment: ({ endPts }) => closed.push([endPts, pushed]), lost() {} },
    });
    for (const packet of kept) {
      await cutting.push(packet);
      pushed = cutting.position ?? 0;
      // What has been closed is handed on before the next picture, so that `pushed` tells when that was.
      if (startsUnit(packet, 0) && pidOf(packet, 0) === VIDEO_PID) await settled(spool);
    }
    await cutting.finish();
    const waits = closed.slice(0, 3).map(([end, at]) => (at - end) / 90_000);
    expect(waits[0]).toBeGreaterThan(1.9);
    expect(waits[0]).toBeLessThan(2.5);
    expect(waits[1]).toBeLessThan(0.5);
  });

  test('any chunking gives the same segments (property)', async () => {
    const bytes = generateStream({ pictures: 200, seiBytes: 300, audioLag: -20_000, bPictures: 2 });
    const noise = Uint8Array.from({ length: 1000 }, (_, n) => (n * 97) & 0xff);
    const input = Buffer.concat([
      noise,
      bytes.subarray(0, 40_000),
      noise.subarray(0, 300),
      bytes.subarray(40_000),
    ]);
    const plain = await cut([input], { targetSeconds: 2 });
    expect(plain.segments.length).toBeGreaterThan(3);
    expect(plain.counters.resyncs).toBe(1);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 }),
        async (sizes) => {
          const other = await cut(inChunks(input, sizes), { targetSeconds: 2 });
          expect(other.segments.map(stable)).toEqual(plain.segments.map(stable));
          expect({ ...other.counters }).toEqual({ ...plain.counters });
        },
      ),
      { numRuns: 15, examples: [[[1]], [[187]], [[188]], [[189]]] },
    );
  }, 60_000);
});

/** All but what the moment decides. */
const stable = ({ partPath: _, wallClockMs: __, data: ___, ...rest }: Result['segments'][number]): object =>
  rest;

/** The pool has done what it was given: a write of our own behind it has come back. */
async function settled(spool: string): Promise<void> {
  const { promises } = await import('node:fs');
  for (let n = 0; n < 3; n++) await promises.readdir(spool);
}
