import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PTS_MODULUS, ptsAdd, ptsDifference, ptsDuration, ptsSlot } from './pts.js';

const pts = fc.integer({ min: 0, max: PTS_MODULUS - 1 });
const last = PTS_MODULUS - 1;

describe('33-bit timestamps', () => {
  test.each([
    [0, 0, 0],
    [90_000, 180_000, 90_000],
    [last, 0, 1],
    [0, last, last],
    [8_589_733_200, 158_580, 359_972],
  ])('from %i forward to %i it is %i ticks', (start, end, ticks) => {
    expect(ptsDuration(start, end)).toBe(ticks);
    expect(ptsAdd(start, ticks)).toBe(end);
  });

  test.each([
    [5, 3, 2],
    [3, 5, -2],
    [0, last, 1],
    [last, 0, -1],
    [PTS_MODULUS / 2, 0, -PTS_MODULUS / 2],
    [PTS_MODULUS / 2 - 1, 0, PTS_MODULUS / 2 - 1],
  ])('%i − %i is %i', (a, b, difference) => {
    expect(ptsDifference(a, b)).toBe(difference);
  });

  test('property: adding undoes the difference, either way round', () => {
    fc.assert(
      fc.property(pts, pts, fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), (a, b, ticks) => {
        expect(ptsAdd(b, ptsDifference(a, b))).toBe(a);
        expect(ptsAdd(a, ptsDuration(a, b))).toBe(b);
        expect(ptsAdd(ptsAdd(a, ticks), -ticks)).toBe(a);
        expect(Math.abs(ptsDifference(a, b))).toBeLessThanOrEqual(PTS_MODULUS / 2);
        expect(Object.is(ptsDifference(a, a), 0)).toBe(true);
      }),
    );
  });
});

describe('slots', () => {
  // GOP 2 s from PTS 1.48 with target 6: the cuts are at 7.48, 13.48, 19.48.
  test.each([
    [1.48, 0],
    [5.48, 0],
    [7.48, 1],
    [11.48, 1],
    [13.48, 2],
    [19.48, 3],
    [95_441.48, 15_906],
    [95_443.48, 15_907],
    [1.762, 0],
  ])('a picture at %f s is in slot %i of 6 s', (seconds, slot) => {
    expect(ptsSlot(Math.round(seconds * 90_000), 6)).toBe(slot);
  });

  test('a target with decimals has whole ticks', () => {
    // 1.1 × 90000 is 99000.00000000001 in floating point.
    expect(ptsSlot(99_000, 1.1)).toBe(1);
    expect(ptsSlot(98_999, 1.1)).toBe(0);
  });
});
