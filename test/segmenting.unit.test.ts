/** The data path of the segmenter on streams of every shape: DESIGN.md, "The way data flows", 4 and 5. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkConservation, checkFiles, cut, PACKET, pidOf, startsUnit, type Result } from './helpers/cut.js';
import {
  AUDIO_PID,
  VIDEO_PID,
  generateStream,
  inChunks,
  type StreamOptions,
} from './helpers/ts-generator.js';

const WRAP = 2 ** 33;
const TICKS = 90_000;
/** 25 a second. */
const PICTURE_TICKS = 3600;

/** From `from` to `to`, the shorter way round. */
const delta = (from: number, to: number): number => {
  const ahead = (((to - from) % WRAP) + WRAP) % WRAP;
  return ahead < WRAP / 2 ? ahead : ahead - WRAP;
};

function soundTimes({ data }: Result['segments'][number]): number[] {
  const times: number[] = [];
  for (let at = 0; at < data.length; at += PACKET) {
    if (pidOf(data, at) !== AUDIO_PID || !startsUnit(data, at)) continue;
    const stuffed = (data[at + 3]! & 0x20) !== 0 ? data[at + 4]! + 1 : 0;
    const p = at + 4 + stuffed + 9;
    const high = (data[p]! >> 1) & 7;
    const middle = ((data[p + 1]! << 8) | data[p + 2]!) >> 1;
    const low = ((data[p + 3]! << 8) | data[p + 4]!) >> 1;
    times.push(high * 2 ** 30 + middle * 2 ** 15 + low);
  }
  return times;
}

/** As broadcast muxes do it: the packets of a PES of sound stand among those of the pictures, not side by side. */
function interleaved(bytes: Uint8Array): Uint8Array {
  const out: Uint8Array[] = [];
  const sound: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += PACKET) {
    const packet = bytes.subarray(at, at + PACKET);
    if (pidOf(bytes, at) === AUDIO_PID) sound.push(packet);
    else out.push(packet, ...sound.splice(0, 1));
    while (sound.length > 8) out.push(sound.shift()!);
  }
  return Buffer.concat([...out, ...sound]);
}

/** random_access_indicator, as encoders leave it out or set it everywhere; the pictures stay what they are. */
type Indicator = 'right' | 'missing' | 'everywhere';

function indicated(bytes: Uint8Array, indicator: Indicator): Uint8Array {
  for (let at = 0; indicator !== 'right' && at < bytes.length; at += PACKET) {
    const hasField = (bytes[at + 3]! & 0x20) !== 0 && bytes[at + 4]! > 0;
    if (pidOf(bytes, at) !== VIDEO_PID || !startsUnit(bytes, at) || !hasField) continue;
    bytes[at + 5] = indicator === 'everywhere' ? bytes[at + 5]! | 0x40 : bytes[at + 5]! & ~0x40;
  }
  return bytes;
}

interface Shape {
  stream: StreamOptions;
  indicator: Indicator;
  target: number;
  chunk: number;
  /** Pictures that a second segmenter misses at the beginning. */
  late: number;
}

/** Four segments or more, whatever the GOP. */
const shape: fc.Arbitrary<Shape> = fc
  .record({
    gop: fc.integer({ min: 12, max: 60 }),
    bPictures: fc.constantFrom(0 as const, 2 as const),
    audio: fc.constantFrom('aac' as const, 'mp3' as const),
    audioLag: fc.integer({ min: -60_000, max: 120_000 }),
    audioFramesPerPes: fc.integer({ min: 1, max: 8 }),
    key: fc.constantFrom('idr' as const, 'recovery' as const),
    slices: fc.integer({ min: 1, max: 3 }),
    sliceBytes: fc.integer({ min: 20, max: 700 }),
    firstPts: fc.oneof(fc.nat(WRAP - 1), fc.integer({ min: WRAP - 12 * TICKS, max: WRAP - 2 * TICKS })),
    indicator: fc.constantFrom<Indicator>('right', 'missing', 'everywhere'),
    target: fc.constantFrom(2, 3),
    chunk: fc.integer({ min: 100, max: 40_000 }),
    late: fc.integer({ min: 1, max: 130 }),
  })
  .map(({ indicator, target, chunk, late, ...stream }) => {
    const longest = Math.ceil((target * 25) / stream.gop) * stream.gop;
    return {
      indicator,
      target,
      chunk,
      late,
      stream: { ...stream, pictures: Math.max(220, 4 * longest + 30) },
    };
  });

/** Broken here means a named rule; `expect` alone would tell only numbers. */
function check(rule: string, holds: boolean): void {
  if (!holds) throw new Error(`rule broken: ${rule}`);
}

function named(rule: string, assertion: () => void): void {
  try {
    assertion();
  } catch (cause) {
    throw new Error(`rule broken: ${rule}`, { cause });
  }
}

test('property: whatever the stream, cuts, sound, PES and tables are as designed', async () => {
  const seen = { segments: 0, wraps: 0, soundLate: 0, soundEarly: 0, soundChecked: 0, common: 0 };
  const indicators = { right: 0, missing: 0, everywhere: 0 };
  await fc.assert(
    fc.asyncProperty(shape, async ({ stream, indicator, target, chunk, late }) => {
      const bytes = indicated(interleaved(generateStream(stream)), indicator);
      const { segments } = await cut(inChunks(bytes, [chunk]), { targetSeconds: target, inMemory: false });
      const slot = (pts: number): number => Math.floor(pts / (target * TICKS));
      check('segments were cut', segments.length >= 3);
      segments.forEach((segment, n) => {
        const next = segments[n + 1];
        check('a file is whole and synced when it is announced', segment.data.length === segment.bytes);
        check('a segment goes up to the next', !next || next.startPts === segment.endPts);
        const picture = delta(stream.firstPts!, segment.startPts) / PICTURE_TICKS;
        check('a key picture is one by what it is', picture % stream.gop! === 0);
        for (const { pts } of segment.keyPictures) {
          check('cut by floor(raw PTS / target): late', slot(pts) === slot(segment.startPts));
        }
        check(
          'cut by floor(raw PTS / target): early',
          !next || slot(next.startPts) !== slot(segment.startPts),
        );
        if (next && slot(next.startPts) === 0) seen.wraps++;
        // A segment that ends before the sound of the one before it has come takes that with it.
        const lag = Math.abs(stream.audioLag ?? 0) + 16 * 2160;
        const around = segments.slice(Math.max(0, n - 1), n + 2);
        if (n === 0 || !next || around.some(({ startPts, endPts }) => delta(startPts, endPts) <= lag)) return;
        seen.soundChecked++;
        for (const pts of soundTimes(segment)) {
          check('sound is cut by time: before its segment', delta(segment.startPts, pts) >= 0);
          check('sound is cut by time: behind its segment', delta(pts, segment.endPts) > 0);
        }
      });
      named('no PES is split, tables stand first, their counters run on', () =>
        checkFiles(segments, [VIDEO_PID, AUDIO_PID]),
      );
      named('packets are copied as they are, in their order', () =>
        checkConservation(bytes, segments, [VIDEO_PID, AUDIO_PID]),
      );

      const other = await cut(inChunks(interleaved(generateStream({ ...stream, join: late })), [chunk]), {
        targetSeconds: target,
      });
      const starts = other.segments.slice(1).map(({ startPts }) => startPts);
      const first = other.segments[0]!.startPts;
      const expected = segments.map(({ startPts }) => startPts).filter((pts) => delta(first, pts) > 0);
      named('whoever joins later cuts at the same pictures', () => expect(starts).toEqual(expected));
      indicators[indicator]++;
      seen.segments += segments.length;
      seen.common += starts.length;
      seen[(stream.audioLag ?? 0) < 0 ? 'soundEarly' : 'soundLate']++;
    }),
    { numRuns: 20, endOnFailure: true },
  );
  console.log('segmenting:', seen, indicators);
  expect(Math.min(...Object.values(seen), ...Object.values(indicators))).toBeGreaterThan(2);
}, 120_000);

/** Key pictures farther apart than a segment may be long, of which the channel tells before the first. */
const longGops = fc.record({
  gop: fc.integer({ min: 130, max: 300 }),
  bPictures: fc.constantFrom(0 as const, 2 as const),
  firstPts: fc.nat(WRAP - 1),
  told: fc.constantFrom(2, 3, 4),
});

test('property: once the channel has told its target duration, no segment rounds above it', async () => {
  const seen = { forced: 0, notKey: 0 };
  await fc.assert(
    fc.asyncProperty(longGops, async ({ told, ...stream }) => {
      const bytes = interleaved(generateStream({ ...stream, pictures: 2 * stream.gop + 30 }));
      const { segments } = await cut([(cutting) => cutting.setTargetDuration(told), bytes], {
        targetSeconds: 2,
      });
      check('segments were cut', segments.length >= 2);
      for (const { startPts, endPts, independent } of segments) {
        const seconds = delta(startPts, endPts) / TICKS;
        check(
          `no segment rounds above the told target duration: ${seconds} s, ${told}`,
          seconds < told + 0.5,
        );
        if (seconds > told) seen.forced++;
        if (!independent) seen.notKey++;
      }
    }),
    { numRuns: 20, endOnFailure: true },
  );
  console.log('forced cuts:', seen);
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(10);
}, 60_000);
