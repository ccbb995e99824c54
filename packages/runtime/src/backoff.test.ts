import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Backoff } from './backoff.js';

test('delays double up to the longest, and begin anew after a reset', () => {
  const backoff = new Backoff({ firstMs: 100, longestMs: 1000, random: () => 1 });
  expect(Array.from({ length: 6 }, () => backoff.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
  expect(backoff.attempts).toBe(6);
  backoff.reset();
  expect([backoff.attempts, backoff.next()]).toEqual([0, 100]);
});

test('property: however often it failed, the delay lies between half of its bound and the bound', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (times, random) => {
        const backoff = new Backoff({ firstMs: 50, longestMs: 30_000, random: () => random });
        for (let attempt = 0; attempt < times; attempt++) {
          const bound = Math.min(30_000, 50 * 2 ** attempt);
          const delay = backoff.next();
          expect(delay).toBeGreaterThanOrEqual(bound / 2);
          expect(delay).toBeLessThanOrEqual(bound);
        }
      },
    ),
  );
});
