import { expect, test } from '@jest/globals';
import { Regularity } from './regularity.js';
import { TICKS_PER_SECOND } from './timestamp.js';

const HOUR = 3600 * TICKS_PER_SECOND;

function noted(...timestamps: number[]): Regularity {
  const regularity = new Regularity();
  for (const timestamp of timestamps) regularity.note(timestamp);
  return regularity;
}

test('half a second, or four of the usual steps, lie between timestamps that follow each other', () => {
  const pictures = noted(0, 3600, 7200, 10_800);
  expect(pictures.near).toBe(45_000);
  expect(pictures.follows(10_800, 55_800)).toBe(true);
  expect(pictures.follows(10_800, 55_801)).toBe(false);
  const slides = noted(0, 90_000, 180_000, 270_000);
  expect(slides.near).toBe(360_000);
});

test('two jumps among three pictures are no pace at which anything would follow', () => {
  const jumped = noted(0, 3600, 7200, HOUR, HOUR + 3600, 3 * HOUR);
  expect(jumped.near).toBe(45_000);
  expect(jumped.follows(HOUR + 3600, 3 * HOUR)).toBe(false);
});

test('timestamps that only ever went on do not go back by half a second; those of a muxer that reorders do', () => {
  const [ordered, reordered] = [new Regularity(), new Regularity()];
  for (let n = 0; n < 60; n++) {
    ordered.note(90_000 + n * 3600);
    // P B B: 3, 1, 2.
    reordered.note(90_000 + (n + [2, -1, -1][n % 3]!) * 3600);
  }
  const last = 90_000 + 59 * 3600;
  const back = last - 41_400;
  expect([ordered.follows(last, back), reordered.follows(last, back)]).toEqual([false, true]);
  // Nor does what comes behind it show that it stood alone.
  expect(ordered.goesOn(last, back + 3600)).toBe(false);
  // A little, as times are rounded.
  expect(ordered.follows(last, last - 3600)).toBe(true);
});
