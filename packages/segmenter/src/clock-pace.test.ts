import { describe, expect, test } from '@jest/globals';
import { ClockPace } from './clock-pace.js';

const MODULUS = 2 ** 33;

function clockPacket(pid: number, ticks: number): Uint8Array {
  const base = BigInt(((ticks % MODULUS) + MODULUS) % MODULUS);
  const bytes = new Uint8Array(188).fill(0xff);
  bytes.set([0x47, pid >> 8, pid & 255, 0x20, 183, 0x10]);
  bytes.set(
    [25n, 17n, 9n, 1n].map((shift) => Number((base >> shift) & 255n)),
    6,
  );
  bytes[10] = Number((base & 1n) << 7n) | 0x7e;
  return bytes;
}

const dues = (packets: readonly [pid: number, seconds: number][]): (number | undefined)[] => {
  const pace = new ClockPace();
  return packets.map(([pid, seconds]) => pace.due(clockPacket(pid, Math.round(seconds * 90_000)), 0));
};

describe('when packets are due, milliseconds', () => {
  const wrap = MODULUS / 90_000;
  test.each<[string, [number, number][], (number | undefined)[]]>([
    ['counts from the first clock', [[256, 10], [256, 10.04], [256, 10.5]], [0, 40, 500]], // prettier-ignore
    ['goes on over the wrap', [[256, wrap - 0.1], [256, wrap + 0.1]], [0, 200]], // prettier-ignore
    ['a jump on takes no time', [[256, 1], [256, 100], [256, 100.1]], [0, 0, 100]], // prettier-ignore
    ['a jump back takes none either', [[256, 100], [256, 1], [256, 1.1]], [0, 0, 100]], // prettier-ignore
    ['follows one program', [[256, 1], [300, 50], [256, 1.1], [300, 50.1]], [0, undefined, 100, undefined]], // prettier-ignore
  ])('%s', (_what, packets, expected) => {
    const result = dues(packets);
    expect(result.map((due) => due && Math.round(due * 1000) / 1000)).toEqual(expected);
  });

  test('follows a program to its new clock', () => {
    const others = Array.from({ length: 60 }, (_, n): [number, number] => [300, 50 + n / 10]);
    const result = dues([[256, 1], ...others]);
    expect(result.slice(1, 50).every((due) => due === undefined)).toBe(true);
    expect(result[50]).toBe(0);
    expect(result.at(-1)).toBeCloseTo(1000, 6);
  });

  test('without PCRs: by the DTS of the first PID, until there are some', () => {
    const pes = (pid: number, seconds: number): Uint8Array => {
      const ticks = Math.round(seconds * 90_000);
      const bytes = new Uint8Array(188).fill(0xff);
      // PTS alone, in 3, 15 and 15 bits with a marker behind each.
      const stamp = [
        0x21,
        ticks >> 22,
        ((ticks >> 14) & 0xfe) | 1,
        (ticks >> 7) & 255,
        ((ticks << 1) & 0xfe) | 1,
      ];
      bytes.set([0x47, 0x40 | (pid >> 8), pid & 255, 0x10, 0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, ...stamp]);
      return bytes;
    };
    // I P B B P B B in decoding order; what goes back is due at once.
    const seconds = [10, 10.12, 10.04, 10.08, 10.24, 10.16, 10.2];
    const own = new ClockPace();
    expect(seconds.map((at) => own.due(pes(256, at), 0))).toEqual(
      [0, 120, undefined, undefined, 240, undefined, undefined].map((due) => due && expect.closeTo(due, 6)),
    );
    expect(own.due(pes(300, 77), 0)).toBeUndefined();
    // A PCR takes over where it stands; then it alone tells.
    expect(own.due(clockPacket(400, 90_000), 0)).toBeCloseTo(240, 6);
    expect(own.due(pes(256, 99), 0)).toBeUndefined();
    expect(own.due(clockPacket(400, 99_000), 0)).toBeCloseTo(340, 6);
  });

  test('packets without a clock, and damaged ones, say nothing', () => {
    const pace = new ClockPace();
    const plain = clockPacket(256, 1);
    plain[5] = 0;
    const short = clockPacket(256, 1);
    short[4] = 1;
    const damaged = clockPacket(256, 1);
    damaged[1]! |= 0x80;
    for (const bytes of [plain, short, damaged]) expect(pace.due(bytes, 0)).toBeUndefined();
  });
});
