/** SCTE-35 sections become facts of the segment they arrive in, and stay in it. */
import { expect, test } from '@jest/globals';
import { MUX_TICKS, spliceInsert, timeSignal, withSplices, CUE_PID } from './helpers/splices.js';
import { cut, packetsOf } from './helpers/cut.js';
import { generateStream, inChunks } from './helpers/ts-generator.js';

const TICKS = 90_000;
const FIRST = 132 * TICKS;
const hex = (section: readonly number[]): string => Buffer.from(section).toString('hex').toUpperCase();

/** 30 s in segments of 6 s, the n-th beginning with second 6n. */
const stream = (splices: Parameters<typeof withSplices>[1], firstPts = FIRST): Uint8Array =>
  withSplices(generateStream({ pictures: 750, gop: 50, firstPts }), splices);

test('a splice_insert is told with the segment in which it came, with its time', async () => {
  const out = spliceInsert({ eventId: 7, out: true, pts: FIRST + 20 * TICKS, duration: 30 * TICKS });
  const back = spliceInsert({ eventId: 7, out: false, pts: FIRST + 26 * TICKS });
  const input = stream([
    { second: 9, section: out },
    { second: 10, section: out },
    { second: 14, section: out },
    { second: 22, section: back },
  ]);
  const { segments } = await cut(inChunks(input, [1000, 188, 65_536]));
  expect(segments.map(({ markers }) => markers.map(({ kind }) => kind))).toEqual([
    [],
    ['out'],
    ['out'],
    ['in'],
    [],
  ]);
  expect(segments[1]!.markers).toEqual([
    {
      kind: 'out',
      pts: FIRST + 20 * TICKS,
      immediate: false,
      eventId: 7,
      duration90k: 30 * TICKS,
      section: hex(out),
    },
  ]);
  // They go through as they came: four sections of one packet each.
  expect(packetsOf(CUE_PID, ...segments.map(({ data }) => data))).toEqual(packetsOf(CUE_PID, input));
  expect(packetsOf(CUE_PID, input)).toHaveLength(4);
});

test('pts_adjustment counts, also over the wrap of the 33 bits', async () => {
  const firstPts = 2 ** 33 - 12 * TICKS;
  const signal = timeSignal({
    pts: 2 ** 33 - 3 * TICKS,
    adjustment: 8 * TICKS,
    segments: [
      { eventId: 1, type: 0x34, duration: 12 * TICKS },
      { eventId: 2, type: 0x10 },
    ],
  });
  const { segments } = await cut([stream([{ second: 5, section: signal }], firstPts)]);
  expect(segments.flatMap(({ markers }) => markers)).toMatchObject([
    { kind: 'out', eventId: 1, segmentationType: 0x34, pts: 5 * TICKS, duration90k: 12 * TICKS },
    { kind: 'command', eventId: 2, segmentationType: 0x10, pts: 5 * TICKS },
  ]);
});

test('an immediate one has the time of the newest picture', async () => {
  const { segments } = await cut([stream([{ second: 8, section: spliceInsert({ eventId: 3, out: true }) }])]);
  const [marker, ...more] = segments[1]!.markers;
  expect(more).toEqual([]);
  expect(marker).toMatchObject({ kind: 'out', eventId: 3, immediate: true });
  expect(Math.abs(marker!.pts - (FIRST + 8 * TICKS))).toBeLessThanOrEqual(MUX_TICKS);
});

test('a section over several packets counts where it ends', async () => {
  const segments = Array.from({ length: 12 }, (_, n) => ({ eventId: n, type: 0x30, duration: TICKS }));
  const long = timeSignal({ pts: FIRST + 15 * TICKS, segments });
  expect(long.length).toBeGreaterThan(188);
  // Its first packet stands before the cut at 12 s, its last behind it.
  const result = await cut([stream([{ second: 12, section: long, spread: true }])]);
  expect(result.segments.map(({ markers }) => markers.length)).toEqual([0, 0, 12, 0, 0]);
});

test('what is damaged, encrypted or of no splice makes no marker, and no harm', async () => {
  const good = spliceInsert({ eventId: 9, out: true, pts: FIRST + 20 * TICKS });
  const damaged = good.with(20, good[20]! ^ 1);
  const encrypted = spliceInsert({ eventId: 9, out: true, pts: FIRST, encrypted: true });
  const result = await cut([
    stream([
      { second: 7, section: damaged },
      { second: 8, section: encrypted },
      { second: 9, section: good },
    ]),
  ]);
  expect(result.segments.flatMap(({ markers }) => markers)).toMatchObject([
    { eventId: 9, section: hex(good) },
  ]);
  expect(result.segments).toHaveLength(5);
});

test('a segment has at most 32 markers; what is more stays in its packets alone', async () => {
  const splices = Array.from({ length: 40 }, (_, n) => ({
    second: 7 + n / 10,
    section: spliceInsert({ eventId: n, out: true, pts: FIRST + 20 * TICKS }),
  }));
  const { segments } = await cut([stream(splices)]);
  expect(segments[1]!.markers.map(({ eventId }) => eventId)).toEqual(Array.from({ length: 32 }, (_, n) => n));
  expect(packetsOf(CUE_PID, segments[1]!.data)).toHaveLength(40);
});
