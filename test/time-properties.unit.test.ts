/** Cuts depend on the pictures alone: not on how the input is chunked, on who joined when, nor on one wild timestamp. */
import './helpers/seed.js';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cut, PACKET, type Result } from './helpers/cut.js';
import {
  generateStream,
  inChunks,
  VIDEO_PID,
  AUDIO_PID,
  type StreamOptions,
} from './helpers/ts-generator.js';
import { MODULUS, operate, setTimes } from './helpers/ts-surgery.js';

const PICTURES = 200;
/** 25 a second. */
const PICTURE = 3600;
const ticks = (s: number): number => Math.round(s * 90_000);

type Shape = StreamOptions & { gop: number; firstPts: number };
const shapes: fc.Arbitrary<Shape> = fc.record({
  pictures: fc.constant(PICTURES),
  gop: fc.integer({ min: 8, max: 50 }),
  bPictures: fc.constantFrom(0 as const, 2 as const),
  firstPts: fc.oneof(fc.nat(MODULUS - 1), fc.integer({ min: MODULUS - ticks(8), max: MODULUS - 1 })),
  audio: fc.constantFrom('aac' as const, 'mp3' as const, 'none' as const),
  audioFramesPerPes: fc.integer({ min: 1, max: 8 }),
  audioLag: fc.integer({ min: -30_000, max: 60_000 }),
  sliceBytes: fc.integer({ min: 20, max: 400 }),
});

/** Where the clock jumps, if it does, and by how much. */
const jumps = fc.option(
  fc.record({
    at: fc.integer({ min: 20, max: PICTURES - 20 }),
    by: fc.oneof(
      fc.integer({ min: ticks(11), max: ticks(40_000) }),
      fc.integer({ min: -ticks(40_000), max: -ticks(11) }),
    ),
  }),
);
const jumping = (shape: Shape, jump: { at: number; by: number } | null): Uint8Array =>
  generateStream({ ...shape, ...(jump && { shift: (picture) => (picture >= jump.at ? jump.by : 0) }) });

const options = { targetSeconds: 2 };

/** All but what the moment decides. */
const stable = ({ partPath: _, wallClockMs: __, data: ___, ...rest }: Result['segments'][number]): object =>
  rest;
/** But for the counters of the tables, too, which begin with each segmenter. */
const alike = ({
  startPts,
  endPts,
  ended,
  discontinuity,
  independent,
  bytes,
}: Result['segments'][number]): object => ({
  startPts,
  endPts,
  ended,
  discontinuity,
  independent,
  bytes,
});

/** Some picture stands on each side of the 33 bits' end. */
const wraps = ({ firstPts }: Shape): boolean => firstPts + PICTURES * PICTURE >= MODULUS;

test('property: the same cuts, bytes and counts whatever the chunks', async () => {
  const seen = { bytewise: 0, wraps: 0, jumps: 0, segments: 0 };
  const chunks = fc.oneof(
    fc.constant([1]),
    fc.constant([1]),
    fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 }),
    fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 8 }),
  );
  await fc.assert(
    fc.asyncProperty(shapes, jumps, chunks, async (shape, jump, sizes) => {
      const bytes = jumping(shape, jump);
      const whole = await cut([bytes], options);
      const parts = await cut(inChunks(bytes, sizes), options);
      expect(parts.segments.map(stable)).toEqual(whole.segments.map(stable));
      expect(parts.counters).toEqual(whole.counters);
      seen.segments += whole.segments.length;
      if (sizes.length === 1 && sizes[0] === 1) seen.bytewise++;
      if (wraps(shape)) seen.wraps++;
      if (jump) seen.jumps++;
    }),
    { numRuns: 24, endOnFailure: true },
  );
  console.log('chunks:', seen);
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(2);
}, 120_000);

test('property: whoever joined when, the same cuts from the first common one on', async () => {
  const seen = { wrapsBetween: 0, jumps: 0, common: 0, amidPacket: 0 };
  await fc.assert(
    fc.asyncProperty(
      shapes,
      jumps,
      fc.double({ min: 0.05, max: 0.8, noNaN: true }),
      async (shape, jump, part) => {
        const bytes = jumping(shape, jump);
        const from = Math.floor(bytes.length * part);
        const all = (await cut([bytes], options)).segments.map(alike) as { startPts: number }[];
        const late = (await cut([bytes.subarray(from)], options)).segments.map(alike) as {
          startPts: number;
        }[];
        // Its first begins where it joined, and may say so.
        const common = all.findIndex(({ startPts }) => startPts === late[1]?.startPts);
        if (late.length > 1 && common < 0)
          throw new Error('rule broken: a cut that the one who was there does not make');
        if (late.length > 1) expect(late.slice(1)).toEqual(all.slice(common));
        seen.common += Math.max(0, late.length - 1);
        if (from % PACKET !== 0) seen.amidPacket++;
        const joined = shape.firstPts + part * PICTURES * PICTURE;
        if (shape.firstPts < MODULUS && wraps(shape) && joined >= MODULUS) seen.wrapsBetween++;
        if (jump) seen.jumps++;
      },
    ),
    { numRuns: 40, endOnFailure: true },
  );
  console.log('joined:', seen);
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(2);
}, 120_000);

/** The times of one PES off by `by`. */
function spoilt(bytes: Uint8Array, pid: number, pes: number, which: Which, by: number): Uint8Array {
  return operate(bytes, (piece) => {
    if (piece.pid === pid && piece.pes === pes && piece.starts) {
      const alone = piece.pts === piece.dts ? 'both' : which;
      setTimes(piece, piece.pts! + (alone === 'DTS' ? 0 : by), piece.dts! + (alone === 'PTS' ? 0 : by));
    }
    return piece.packet;
  });
}

type Which = 'both' | 'PTS' | 'DTS';
const wilds = fc.record({
  picture: fc.oneof(fc.nat(PICTURES - 1), fc.nat(3), fc.integer({ min: PICTURES - 4, max: PICTURES - 1 })),
  /** Of `picture`: the key picture of its GOP. */
  onKey: fc.boolean(),
  which: fc.constantFrom<Which>('both', 'PTS', 'DTS'),
  by: fc.oneof(
    fc.integer({ min: ticks(2.1), max: ticks(11) }),
    fc.integer({ min: -ticks(11), max: -ticks(2.1) }),
    fc.integer({ min: ticks(11), max: ticks(47_000) }),
    fc.integer({ min: -ticks(47_000), max: -ticks(11) }),
  ),
});

test('property: one wild timestamp of a picture changes nothing', async () => {
  const seen = { keys: 0, first: 0, last: 0, PTS: 0, DTS: 0, both: 0, near: 0, far: 0 };
  await fc.assert(
    fc.asyncProperty(shapes, wilds, async (shape, { picture, onKey, which: wanted, by }) => {
      const n = onKey ? picture - (picture % shape.gop) : picture;
      // Nobody could tell that the first PTS is wrong, nor what the last ones should have been.
      const which = n === 0 || n > PICTURES - 4 ? 'both' : wanted;
      const bytes = generateStream(shape);
      const clean = await cut([bytes], options);
      const result = await cut([spoilt(bytes, VIDEO_PID, n, which, by)], options);
      const times = ({ segments }: Result): object[] => segments.map(alike);
      if (JSON.stringify(times(result)) !== JSON.stringify(times(clean)))
        expect({ rule: 'broken: one wild timestamp cuts, jumps or stretches', cuts: times(result) }).toEqual({
          cuts: times(clean),
        });
      expect(result.counters).toEqual({ ...clean.counters, wildTimestamps: 1 });
      if (n % shape.gop === 0) seen.keys++;
      if (n < 4) seen.first++;
      if (n > PICTURES - 4) seen.last++;
      seen[which]++;
      seen[Math.abs(by) <= ticks(11) ? 'near' : 'far']++;
    }),
    { numRuns: 100, endOnFailure: true },
  );
  console.log('wild pictures:', seen);
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(2);
}, 120_000);

test('property: one wild timestamp of sound changes nothing', async () => {
  const seen = { near: 0, far: 0, between: 0 };
  await fc.assert(
    fc.asyncProperty(shapes, fc.integer({ min: 20, max: 40 }), wilds, async (shape, pes, { by }) => {
      const bytes = generateStream({ ...shape, audio: 'aac' });
      const clean = await cut([bytes], options);
      const result = await cut([spoilt(bytes, AUDIO_PID, pes, 'both', by)], options);
      const times = ({ segments }: Result): unknown[] =>
        segments.map(({ startPts, endPts, discontinuity }) => [startPts, endPts, discontinuity]);
      expect(times(result)).toEqual(times(clean));
      expect(result.counters).toEqual({ ...clean.counters, wildTimestamps: 1 });
      seen[Math.abs(by) <= ticks(11) ? 'near' : 'far']++;
      // It may have changed files by one PES, since it goes where the one before it goes.
      if (result.segments.some(({ bytes: size }, n) => size !== clean.segments[n]!.bytes)) seen.between++;
    }),
    { numRuns: 40, endOnFailure: true },
  );
  console.log('wild sound:', seen);
  expect(Math.min(seen.near, seen.far)).toBeGreaterThan(2);
  expect(seen.between).toBeLessThan(10);
}, 120_000);
