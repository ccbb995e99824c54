import { describe, expect, test } from '@jest/globals';
import type { AudioParameters } from './audio-frame.js';
import { bits, walk } from './elementary-stream.test.helper.js';
import { ImplicitSbr } from './implicit-sbr.js';

describe('HE-AAC in ADTS', () => {
  /** LC, 24 kHz, stereo; `end` in bits from the fill element on. */
  const frame = (end: string, size: number, { rateIndex = 6, blocks = 1 } = {}): number[] => {
    // Chance bytes that hold no fill element by chance.
    const block = [...Array<number>(size).fill(0x24), ...bits(end)];
    const length = 7 + block.length;
    const rate = 0x40 | (rateIndex << 2);
    return [
      0xff,
      0xf1,
      rate,
      0x80 | (length >> 11),
      (length >> 3) & 0xff,
      (length & 7) << 5,
      0xfc | (blocks - 1),
      ...block,
    ];
  };
  // id_syn_ele 6, count, extension_type, data, and id_syn_ele 7, whose last bit is the stop bit.
  const sbr = (count: number, type = 13): string =>
    `3/6 ${count < 15 ? `4/${count}` : `4/15 8/${count - 14}`} 4/${type} 4/0 ${'8/36 '.repeat(count - 1)} 2/3`;
  const read = (...frames: number[][]): AudioParameters[] =>
    walk(new ImplicitSbr(), Uint8Array.from(frames.flat())).parameters;
  const many = (count: number, end: (n: number) => string, options = {}): number[][] =>
    Array.from({ length: count }, (_, n) => frame(end(n), 10 + (n % 20), options));
  const LC = { codec: 'mp4a.40.2', channels: 2, sampleRate: 24_000 };
  const HE = { codec: 'mp4a.40.5', channels: 2, sampleRate: 48_000 };

  test.each([
    ['short elements', 3, 13],
    ['of 14 bytes', 14, 13],
    ['of 15 bytes', 15, 13],
    ['of 200 bytes', 200, 13],
    ['with a CRC', 20, 14],
  ])('SBR, %s', (_, count, type) => {
    expect(read(...many(50, () => sbr(count, type)))).toEqual([HE]);
  });

  test.each([
    ['no fill element', () => '2/3'],
    ['padding', () => sbr(10, 0)],
    ['a few by chance', (n: number) => (n % 10 === 0 ? sbr(10) : '2/3')],
  ])('none: %s', (_, end) => {
    expect(read(...many(60, end))).toEqual([LC]);
  });

  test('nothing is said before it is known, and nothing changes later', () => {
    expect(read(...many(39, () => '2/3'))).toEqual([]);
    expect(read(...many(50, () => '2/3'), ...many(50, () => sbr(10)))).toEqual([LC]);
    const framing = new ImplicitSbr();
    expect(framing.lookBytes).toBe(8191);
    walk(framing, Uint8Array.from(many(50, () => sbr(10)).flat()));
    expect(framing.lookBytes).toBe(7);
  });

  test('a core of 32 kHz and more is taken at its word', () => {
    expect(read(...many(2, () => sbr(10), { rateIndex: 5 }))).toEqual([{ ...LC, sampleRate: 32_000 }]);
  });
});
