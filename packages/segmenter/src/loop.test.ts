import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { crc32Mpeg, PACKET_SIZE, readPesHeader, emptyPesHeader, readTimestamp } from '@hls-uplink/mpegts';
import { Loop, readClockBase } from './loop.js';

const MODULUS = 2 ** 33;

interface Parts {
  pid?: number;
  counter?: number;
  start?: boolean;
  /** Without the length byte. */
  field?: readonly number[];
  payload?: readonly number[];
}

function packet({ pid = 256, counter = 0, start = false, field, payload }: Parts): Uint8Array {
  const bytes = new Uint8Array(PACKET_SIZE).fill(0xff);
  const control = (field ? 0x20 : 0) | (payload ? 0x10 : 0);
  bytes.set([0x47, (start ? 0x40 : 0) | (pid >> 8), pid & 255, control | counter]);
  if (field) bytes.set([field.length, ...field], 4);
  if (payload) bytes.set(payload, field ? 5 + field.length : 4);
  return bytes;
}

/** 33 bits by another way than the code's: as text. */
const bits = (value: number, count = 33): string => value.toString(2).padStart(count, '0');
const bytesOf = (text: string): number[] => text.match(/.{8}/g)!.map((byte) => parseInt(byte, 2));

const stamp = (prefix: string, ticks: number): number[] => {
  const b = bits(ticks);
  return bytesOf(`${prefix}${b.slice(0, 3)}1${b.slice(3, 18)}1${b.slice(18)}1`);
};
const clockField = (ticks: number, extension: number): number[] =>
  bytesOf(`${bits(ticks)}111111${bits(extension, 9)}`);

const pes = (pts: number, dts?: number): number[] =>
  dts === undefined
    ? [0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, ...stamp('0010', pts), 0xaa]
    : [0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, ...stamp('0011', pts), ...stamp('0001', dts), 0xaa];

/** splice_info_section of a splice_null, by ANSI/SCTE 35 §9.6. */
function splice(adjustment: number): number[] {
  const body = [0, ...bytesOf(`0000000${bits(adjustment)}`), 0, 0xff, 0xf0, 0, 0, 0, 0];
  const head = [0xfc, 0x30, body.length + 4, ...body];
  const crc = crc32Mpeg(Uint8Array.from(head));
  return [0, ...head, crc >>> 24, (crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255];
}

const run = (loop: Loop, bytes: Uint8Array): Uint8Array | undefined =>
  loop.packet(bytes, 0) ? bytes : undefined;

const shifted = (ticks: number, offset: number): number => (ticks + offset) % MODULUS;

const times: [number, number][] = [
  [0, 1],
  [900_000, 450_000],
  [MODULUS - 1, 1],
  [MODULUS - 3600, 3600],
  [MODULUS - 3600, 900_001],
  [2 ** 32 - 1, 2 ** 32],
];

describe('the second round', () => {
  test.each(times)('PTS and DTS %d move on by %d', (ticks, offset) => {
    const loop = new Loop();
    loop.next(offset);
    const dts = (ticks + MODULUS - 1800) % MODULUS;
    for (const [given, expected] of [
      [pes(ticks), pes(shifted(ticks, offset))],
      [pes(ticks, dts), pes(shifted(ticks, offset), shifted(dts, offset))],
    ] as const) {
      const before = packet({ start: true, payload: given });
      const after = packet({ start: true, payload: expected });
      after[3] = (after[3]! & 0xf0) | (loop.packet(before, 0) ? before[3]! & 0x0f : 0);
      expect(before).toEqual(after);
    }
  });

  test.each(times)('PCR and OPCR %d move on by %d, their 27 MHz part stays', (ticks, offset) => {
    const loop = new Loop();
    loop.next(offset);
    const field = (base: number): number[] => [0x18, ...clockField(base, 299), ...clockField(base, 1)];
    const given = packet({ field: field(ticks), payload: [1, 2, 3] });
    expect(run(loop, given)).toEqual(packet({ field: field(shifted(ticks, offset)), payload: [1, 2, 3] }));
    expect(readClockBase(given, 6)).toBe(shifted(ticks, offset));
  });

  test.each(times)('the adjustment %d of a splice moves on by %d', (ticks, offset) => {
    const loop = new Loop();
    loop.next(offset);
    const given = packet({ start: true, payload: splice(ticks) });
    expect(run(loop, given)).toEqual(packet({ start: true, payload: splice(shifted(ticks, offset)) }));
  });

  test.each<[string, Parts]>([
    ['a section', { start: true, payload: [0, 0x02, 0xb0, 0x12, 0, 1] }],
    ['a splice with a wrong CRC', { start: true, payload: splice(0).with(-1, 0) }],
    ['a PES without times', { start: true, payload: [0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0, 1] }],
    ['padding', { start: true, payload: [0, 0, 1, 0xbe, 0, 9, 0xff, 0xff, 0xff, 0xff] }],
    ['bytes in the middle of a PES that look like one', { payload: pes(1) }],
    ['an empty adaptation field', { field: [] }],
    ['a clock that is cut off', { field: [0x10, 1, 2] }],
  ])('%s stays', (_what, parts) => {
    const loop = new Loop();
    loop.next(90_000);
    expect(run(loop, packet(parts))).toEqual(packet(parts));
  });

  test('a scrambled PES, a null packet and a damaged one stay', () => {
    const loop = new Loop();
    loop.next(90_000);
    for (const [at, mask] of [
      [3, 0x80],
      [1, 0x80],
    ] as const) {
      const given = packet({ start: true, payload: pes(1) });
      given[at]! |= mask;
      expect(run(loop, Uint8Array.from(given))).toEqual(given);
    }
    const stuffing = packet({ pid: 0x1fff, payload: [], counter: 7 });
    expect(run(loop, Uint8Array.from(stuffing))).toEqual(stuffing);
  });

  test('a header divided between packets is counted', () => {
    const loop = new Loop();
    loop.packet(
      packet({ start: true, field: new Array<number>(171).fill(0), payload: pes(1).slice(0, 12) }),
      0,
    );
    expect(loop.unreachable).toBe(1);
  });
});

test('the first round changes nothing', () => {
  const loop = new Loop();
  for (const parts of [
    { start: true, payload: pes(1, 2), counter: 3 },
    { field: [0x10, ...clockField(7, 8)], counter: 3 },
    { payload: [1], counter: 9 },
  ]) {
    expect(run(loop, packet(parts))).toEqual(packet(parts));
  }
});

describe('continuity counters', () => {
  /** `v5`: PID 256, counter 5, the start of a unit; small: no start; `-`: no payload. */
  function counters(loop: Loop, given: string): string {
    return given
      .split(' ')
      .flatMap((word) => {
        const [, kind = '', number] = /^([vV-])(\d+)$/.exec(word) ?? [];
        const bytes = packet({
          counter: Number(number),
          start: kind === 'V',
          ...(kind === '-' ? { field: [0] } : { payload: kind === 'V' ? pes(1) : [1] }),
        });
        return loop.packet(bytes, 0) ? [`${kind}${bytes[3]! & 15}`] : [];
      })
      .join(' ');
  }

  test.each([
    ['go on', 'V0 v1 v2', 'V3 v4 v5'],
    ['go on over 15', 'V3 v4 v5', 'V6 v7 v8'],
    [
      'of a whole number of rounds stay',
      ['V0', ...new Array(15).keys()].map((n) => (n === 'V0' ? n : `v${+n + 1}`)).join(' '),
      null,
    ],
    ['keep their losses and repetitions', 'V3 v5 v5', 'V6 v8 v8'],
    ['do not count packets without payload', 'V3 -3 v4 -4', 'V5 -5 v6 -6'],
    ['begin with one without payload', '-9 V10 v11', '-11 V12 v13'],
    ['leave out the rest of a unit that the beginning cut off', 'v3 V4 v5', 'V6 v7'],
    ['of PIDs without units are kept', 'v3 v4', 'v5 v6'],
  ])('%s', (_what, given, expected) => {
    const loop = new Loop();
    expect(counters(loop, given)).toBe(given);
    loop.next(1);
    expect(counters(loop, given)).toBe(expected ?? given);
    loop.next(1);
    const third = counters(loop, given);
    if (expected === null) expect(third).toBe(given);
  });

  test('of each PID by themselves', () => {
    const loop = new Loop();
    const round = (): number[] =>
      [
        packet({ pid: 256, counter: 0, start: true, payload: pes(1) }),
        packet({ pid: 257, counter: 5, start: true, payload: pes(1) }),
        packet({ pid: 256, counter: 1, payload: [1] }),
      ].map((bytes) => (loop.packet(bytes, 0) ? bytes[3]! & 15 : -1));
    expect(round()).toEqual([0, 5, 1]);
    loop.next(1);
    expect(round()).toEqual([2, 6, 3]);
    loop.next(1);
    expect(round()).toEqual([4, 7, 5]);
  });
});

test('any times, any number of rounds: what the reader of PES headers reads is the sum', () => {
  let wraps = 0;
  const ticks = fc.bigInt(0n, 2n ** 33n - 1n).map(Number);
  fc.assert(
    fc.property(ticks, ticks, fc.array(ticks, { minLength: 1, maxLength: 5 }), (pts, dts, rounds) => {
      const loop = new Loop();
      rounds.forEach((offset) => loop.next(offset));
      const sum = Number(rounds.reduce((all, offset) => all + BigInt(offset), 0n) % 2n ** 33n);
      const bytes = packet({ start: true, payload: pes(pts, dts), field: [0x10, ...clockField(dts, 77)] });
      loop.packet(bytes, 0);
      const header = emptyPesHeader();
      expect(readPesHeader(bytes, 5 + 7, PACKET_SIZE, header)).toBeGreaterThan(0);
      expect(header).toMatchObject({ pts: shifted(pts, sum), dts: shifted(dts, sum) });
      expect(readClockBase(bytes, 6)).toBe(shifted(dts, sum));
      expect(readTimestamp(bytes, 5 + 7 + 14)).toBe(shifted(dts, sum));
      if (pts + sum >= MODULUS) wraps++;
    }),
  );
  expect(wraps).toBeGreaterThan(10);
});
