import { closeSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { systemClock, type Clock } from '@hls-uplink/runtime';
import fc from 'fast-check';
import type { LostSegment } from '../packages/segmenter/src/cut-segment.js';
import { Cutting } from '../packages/segmenter/src/cutting.js';
import {
  PACKET,
  root,
  newSpool,
  cut,
  of,
  seconds,
  starts,
  pidOf,
  packetsOf,
  checkFiles,
  checkConservation,
} from './helpers/cut.js';
import { accessUnit, adtsFrame } from './helpers/es-generator.js';
import {
  AUDIO_PID,
  PacketWriter,
  PMT_PID,
  VIDEO_PID,
  generateStream,
  inChunks,
  patSection,
  pes,
  pmtSection,
  type StreamOptions,
} from './helpers/ts-generator.js';
import { decodeEach, expectDecoded } from './player/decode.js';

/** libuv's default. */
const POOL_THREADS = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);

describe('timestamps', () => {
  const jumpAt = 25 * 9;
  test.each([
    ['forward', 3600 * 90_000],
    ['back', -100 * 90_000],
  ])('a jump %s ends the segment with exact durations on both sides', async (_, by) => {
    const options: StreamOptions = {
      pictures: 25 * 20,
      firstPts: 500 * 90_000,
      audio: 'none',
      shift: (n) => (n >= jumpAt ? by : 0),
    };
    const result = await cut(of(options));
    const broken = result.segments.findIndex(({ ended }) => ended === 'break');
    const { endPts } = result.segments[broken]!;
    expect(endPts).toBe(509 * 90_000);
    // Picture 250 is the first key picture behind the jump.
    expect(result.segments[broken + 1]).toMatchObject({
      startPts: 510 * 90_000 + by,
      discontinuity: 'timestamps',
    });
    expect(result.segments.filter(({ discontinuity }) => discontinuity)).toHaveLength(2);
  });

  test('a jump right at a key picture loses no picture', async () => {
    const bytes = generateStream({
      pictures: 25 * 20,
      audio: 'none',
      shift: (n) => (n >= 250 ? 7_000_000 : 0),
    });
    const result = await cut([bytes]);
    expect(result.segments.filter(({ ended }) => ended === 'break')).toHaveLength(1);
    checkConservation(bytes, result.segments, [VIDEO_PID]);
  });

  test.each([3, 100, 150, 151, 299])('a single wild timestamp (picture %i) changes nothing', async (wild) => {
    const options: StreamOptions = { pictures: 25 * 16, audio: 'none' };
    const bytes = generateStream({ ...options, shift: (n) => (n === wild ? 5_000_000_000 : 0) });
    const result = await cut([bytes]);
    expect(result.counters.wildTimestamps).toBe(1);
    expect(result.segments.filter(({ discontinuity }) => discontinuity)).toHaveLength(1);
    expect(result.segments.map(seconds).reduce((sum, s) => sum + s)).toBeCloseTo(16, 6);
    checkConservation(bytes, result.segments, [VIDEO_PID]);
  });

  test('an input that went and came back starts anew', async () => {
    const bytes = generateStream({ pictures: 25 * 8 });
    const result = await cut([bytes, (c) => c.break('the writer went'), bytes]);
    expect(result.segments.map(({ ended }) => ended)).toEqual(['cut', 'break', 'cut', 'leave']);
    expect(result.segments.map(({ discontinuity }) => discontinuity)).toEqual([
      'start',
      undefined,
      'start',
      undefined,
    ]);
    expect(result.segments.map(seconds)).toEqual([6, 2, 6, 2]);
    expect(result.counters.continuityErrors).toBe(0);
  });
});

describe('tables', () => {
  /** Two seconds of pictures under tables of one's own. */
  function stretch(
    out: PacketWriter,
    from: number,
    pictures: number,
    options: { width?: number; sound?: boolean },
  ): void {
    const { width = 320, sound = true } = options;
    for (let n = from; n < from + pictures; n++) {
      if ((n - from) % 25 === 0) {
        out.section(0, patSection([[1, PMT_PID]]));
        const audio = sound ? [{ type: 0x0f, pid: AUDIO_PID }] : [];
        out.section(
          PMT_PID,
          pmtSection(1, VIDEO_PID, [{ type: 0x1b, pid: VIDEO_PID }, ...audio], sound ? 0 : 1),
        );
      }
      const sps = { width, timing: [1, 50] as [number, number] };
      const payload = accessUnit({ kind: n % 50 === 0 ? 'idr' : 'P', sps });
      out.unit(VIDEO_PID, pes(0xe0, payload, { pts: 90_000 + n * 3600, bounded: false }));
      if (sound)
        out.unit(AUDIO_PID, pes(0xc0, [...adtsFrame(99), ...adtsFrame(99)], { pts: 90_000 + n * 3600 }));
    }
  }

  test('a track that goes ends the segment at the next key picture; the new file has the new tables', async () => {
    const out = new PacketWriter();
    stretch(out, 0, 110, {});
    stretch(out, 110, 200, { sound: false });
    const result = await cut([out.bytes()]);
    // Cut by the rule at 5 s + … : slots of 6 s from PTS 1 s on; the tables change at picture 110, the key is 150.
    const changed = result.segments.findIndex(({ discontinuity }) => discontinuity === 'tables');
    expect(result.segments[changed]!.startPts).toBe(90_000 + 150 * 3600);
    expect(result.segments[changed - 1]).toMatchObject({ ended: 'break', endPts: 90_000 + 150 * 3600 });
    expect(result.tracks.map(({ tracks }) => tracks.length)).toEqual([2, 1]);
    expect(packetsOf(PMT_PID, result.segments[changed]!.data)).not.toEqual(
      packetsOf(PMT_PID, result.segments[0]!.data),
    );
  });

  test('other pictures (SPS) start a new segment with a discontinuity', async () => {
    const out = new PacketWriter();
    stretch(out, 0, 100, {});
    stretch(out, 100, 100, { width: 640 });
    const result = await cut([out.bytes()]);
    expect(result.segments.map(({ discontinuity }) => discontinuity)).toContain('tables');
    expect(result.tracks.map(({ tracks }) => tracks[0]!.width)).toEqual([320, 640]);
  });

  test('of several programs the first with video is taken, and only its PIDs', async () => {
    const out = new PacketWriter();
    out.section(
      0,
      patSection([
        [1, 0x20],
        [2, 0x30],
        [3, 0x40],
      ]),
    );
    out.section(0x40, pmtSection(3, 0x41, [{ type: 0x1b, pid: 0x41 }]));
    out.section(0x20, pmtSection(1, 0x21, [{ type: 0x0f, pid: 0x21 }]));
    out.section(
      0x30,
      pmtSection(2, 0x31, [
        { type: 0x1b, pid: 0x31 },
        { type: 0x06, pid: 0x32 },
      ]),
    );
    for (let n = 0; n < 60; n++) {
      for (const pid of [0x31, 0x41])
        out.unit(pid, pes(0xe0, accessUnit({ kind: n % 50 === 0 ? 'idr' : 'P' }), { pts: n * 3600 }));
      out.unit(0x32, pes(0xbd, [1, 2, 3], { pts: n * 3600 }));
      out.unit(0x21, pes(0xc0, adtsFrame(50), { pts: n * 1920 }));
      out.null();
    }
    const { segments, counters } = await cut([out.bytes()]);
    const pids = new Set<number>();
    for (let at = 0; at < segments[0]!.data.length; at += PACKET) pids.add(pidOf(segments[0]!.data, at));
    expect([...pids].sort()).toEqual([0, 0x30, 0x31, 0x32]);
    expect(counters.nullPackets).toBe(60);
    expect(counters.foreignPackets).toBe(120);
  });
});

describe('refusals', () => {
  const withTables = (entries: Parameters<typeof pmtSection>[2]): Uint8Array => {
    const out = new PacketWriter();
    for (let n = 0; n < 5; n++) {
      out.section(0, patSection([[1, PMT_PID]]));
      out.section(PMT_PID, pmtSection(1, 0x100, entries));
    }
    return out.bytes();
  };
  const jpeg = Uint8Array.from([
    0xff,
    0xd8,
    0xff,
    0xe0,
    ...Array.from({ length: 9000 }, (_, n) => (n * n) & 0xff),
  ]);
  const noKeys = new PacketWriter();
  noKeys.section(0, patSection([[1, PMT_PID]]));
  noKeys.section(PMT_PID, pmtSection(1, 0x100, [{ type: 0x1b, pid: 0x100 }]));
  for (let n = 0; n < 30; n++)
    noKeys.unit(0x100, pes(0xe0, accessUnit({ kind: n % 5 ? 'P' : 'I' }), { pts: n * 3600 }), {
      randomAccess: true,
    });

  test.each<[string, Uint8Array]>([
    ['empty', new Uint8Array(0)],
    ['no-sync', Buffer.from('Going, going, gone.\n'.repeat(300))],
    ['no-sync', jpeg],
    ['no-sync', new Uint8Array(2 << 20)],
    ['no-tables', generateStream({ pictures: 20, audio: 'none' }).filter((_, n) => n >= 2 * PACKET)],
    ['no-media', withTables([{ type: 0x15, pid: 0x100 }])],
    ['no-media', withTables([{ type: 0x1b, pid: 0x100 }])],
    ['no-key-picture', noKeys.bytes()],
    ['unsupported-video', withTables([{ type: 0x33, pid: 0x100 }])],
    [
      'unsupported-video',
      withTables([
        { type: 0x10, pid: 0x100 },
        { type: 0x0f, pid: 0x101 },
      ]),
    ],
    [
      'unsupported-video',
      withTables([{ type: 0x06, pid: 0x100, descriptors: [5, 4, ...Buffer.from('AV01')] }]),
    ],
  ])('%s', async (code, bytes) => {
    const spool = newSpool();
    const result = await cut(inChunks(bytes, [4096]), { spool });
    expect(result.refused).toBe(code);
    expect(result.message).not.toMatch(/\n/);
    expect(result.segments).toEqual([]);
    expect(readdirSync(spool)).toEqual([]);
  });

  test('not in mid-stream: what was cut before is kept', async () => {
    const bytes = generateStream({ pictures: 200 });
    const result = await cut([bytes, withTables([{ type: 0x33, pid: 0x100 }])]);
    expect(result.refused).toBeUndefined();
    expect(starts(result)).toEqual([1.48, 7.48]);
    expect(result.segments.map(seconds)).toEqual([6, 2]);
  });

  test('a table with a wrong CRC is counted and ignored', async () => {
    const out = new PacketWriter();
    const bad = pmtSection(1, 0x100, [{ type: 0x24, pid: 0x100 }]);
    bad[20]! ^= 1;
    out.section(0, patSection([[1, PMT_PID]]));
    out.section(PMT_PID, bad);
    const result = await cut([out.bytes(), generateStream({ pictures: 100 })]);
    expect(result.counters.crcErrors).toBe(1);
    expect(result.segments).toHaveLength(1);
  });

  test('random bytes, and streams damaged at random, throw nothing but MediaErrors (property)', async () => {
    const good = generateStream({ pictures: 120, gop: 25 });
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            fc.nat(good.length - 1),
            fc.integer({ min: 0, max: 255 }),
            fc.integer({ min: 0, max: 400 }),
          ),
          {
            maxLength: 60,
          },
        ),
        fc.uint8Array({ maxLength: 4000 }),
        async (damages, noise) => {
          const parts: Uint8Array[] = [];
          let from = 0;
          for (const [at, value, loss] of [...damages].sort((a, b) => a[0] - b[0])) {
            if (at < from) continue;
            parts.push(good.slice(from, at), Uint8Array.of(value));
            from = at + loss;
          }
          parts.push(good.slice(from), noise);
          const result = await cut([Buffer.concat(parts)], { targetSeconds: 2 });
          for (const { data } of result.segments) {
            expect(data.length % PACKET).toBe(0);
            for (let at = 0; at < data.length; at += PACKET) expect(data[at]).toBe(0x47);
          }
          const what = result.refused ?? `${Math.min(3, result.segments.length)} segments`;
          seen.set(what, (seen.get(what) ?? 0) + 1);
        },
      ),
      { numRuns: 100 },
    );
    expect(seen.size).toBeGreaterThan(1);
  }, 60_000);
});

describe('a spool that cannot be written', () => {
  test('each segment is lost, with times and reason, and reading goes on', async () => {
    const spool = join(root, 'is-a-file');
    writeFileSync(spool, '');
    const result = await cut(of({ pictures: 25 * 14 }), { spool });
    expect(result.events.filter((event) => event !== 'tracks')).toEqual(['lost', 'lost', 'lost']);
    expect(result.lost.map(seconds)).toEqual([6, 6, 2]);
    expect(result.lost[0]).toMatchObject({
      discontinuity: 'start',
      reason: expect.stringMatching(/cannot create .*ENOTDIR/),
    });
    expect(result.refused).toBeUndefined();
  });

  test('a disk that does not answer: given up after one target duration', async () => {
    let fire: (() => void)[] = [];
    const clock: Clock = { ...systemClock, after: (_, callback) => (fire.push(callback), () => {}) };
    const spool = newSpool();
    const lost: LostSegment[] = [];
    const cutting = new Cutting({
      targetSeconds: 6,
      spool,
      clock,
      inMemory: false,
      sink: { tracks() {}, segment() {}, lost: (segment) => lost.push(segment) },
    });
    const letGo = occupyPool();
    void cutting.push(generateStream({ pictures: 25 * 8 }));
    for (const callback of fire) callback();
    fire = [];
    await cutting.finish();
    await letGo();
    expect(lost[0]!.reason).toMatch(/has not answered for 6 s/);
    await expect(eventually(() => readdirSync(spool).length === 0)).resolves.toBe(true);
  });
});

/** As on a disk that hangs: each thread of the pool waits for a writer of a FIFO. */
function occupyPool(): () => Promise<void> {
  const fifos = Array.from({ length: POOL_THREADS }, (_, n) => join(root, `fifo-${n}`));
  expect(spawnSync('mkfifo', fifos).status).toBe(0);
  const readers = fifos.map((fifo) => open(fifo, 'r'));
  return async () => {
    const writers = fifos.map((fifo) => openSync(fifo, 'r+'));
    for (const reader of await Promise.all(readers)) await reader.close();
    for (const writer of writers) closeSync(writer);
  };
}

async function eventually(condition: () => boolean): Promise<boolean> {
  const { promises } = await import('node:fs');
  for (let n = 0; n < 1000 && !condition(); n++) await promises.stat(tmpdir());
  return condition();
}

describe('real encoders', () => {
  test('ffmpeg with x264 and AAC: exact cuts, and every segment decodes alone without a word', async () => {
    const made = spawnSync(
      'ffmpeg',
      (
        '-v error -f lavfi -i testsrc2=s=320x180:r=25 -f lavfi -i sine -t 20 -c:v libx264 -preset ultrafast -g 50 ' +
        '-keyint_min 50 -sc_threshold 0 -bf 2 -c:a aac -pes_payload_size 0 -f mpegts -'
      ).split(' '),
      { maxBuffer: 1 << 26 },
    );
    expect(made.stderr.toString()).toBe('');
    const result = await cut(inChunks(made.stdout, [65_536]), {}, true);
    expect(starts(result)).toEqual([1.48, 7.48, 13.48, 19.48]);
    expect(result.segments.map(seconds)).toEqual([6, 6, 6, 2]);
    checkFiles(result.segments, [VIDEO_PID, AUDIO_PID]);
    checkConservation(made.stdout, result.segments, [VIDEO_PID, AUDIO_PID]);
    expectDecoded(await decodeEach(result.segments.map(({ partPath }) => partPath)));
  }, 60_000);
});
