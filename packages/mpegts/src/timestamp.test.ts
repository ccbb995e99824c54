import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readTimestamp, timestampDelta, TIMESTAMP_MODULUS, wrapTimestamp } from './timestamp.js';

describe('timestamps', () => {
  test.each([
    // [bytes, ticks]; markers and prefix bits are ignored
    [[0x21, 0x00, 0x01, 0x00, 0x01], 0],
    [[0x21, 0x00, 0x07, 0xd8, 0x61], 126_000],
    [[0x2f, 0xff, 0xff, 0xff, 0xff], TIMESTAMP_MODULUS - 1],
    [[0x29, 0x00, 0x01, 0x00, 0x01], 2 ** 32],
  ])('%j is %i', (bytes, ticks) => {
    expect(readTimestamp(Uint8Array.from(bytes), 0)).toBe(ticks);
  });

  test('the shorter way round the circle (property)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: TIMESTAMP_MODULUS - 1 }),
        fc.integer({ min: -(2 ** 32), max: 2 ** 32 - 1 }),
        (from, delta) => {
          expect(timestampDelta(from, wrapTimestamp(from + delta))).toBe(delta);
        },
      ),
    );
  });
});
