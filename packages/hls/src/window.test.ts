import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fitsTargetDuration, playlistDuration90k, targetDurationFor, windowStart } from './window.js';

const seconds = (...durations: number[]) =>
  durations.map((duration) => ({ duration90k: Math.round(duration * 90_000) }));

describe('targetDurationFor', () => {
  test.each([
    [0, 1],
    [0.4, 1],
    [1.49, 1],
    [6, 6],
    [6.006, 6],
    [6.499_99, 6],
    [6.5, 7],
    [9.6, 10],
  ])('segments of %f s need %i', (duration, target) => {
    expect(targetDurationFor(Math.round(duration * 90_000))).toBe(target);
  });

  test('property: it is the least that all segments up to it fit under', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 33 }),
        fc.nat(9999).map((part) => part / 10_000),
        (longest, part) => {
          const target = targetDurationFor(longest);
          expect(fitsTargetDuration(longest, target)).toBe(true);
          expect(fitsTargetDuration(Math.floor(longest * part), target)).toBe(true);
          expect(target === 1 || !fitsTargetDuration(longest, target - 1)).toBe(true);
        },
      ),
    );
  });
});

test('playlistDuration90k', () => {
  expect(playlistDuration90k([])).toBe(0);
  expect(playlistDuration90k(seconds(6, 6.006, 4))).toBe(16.006 * 90_000);
});

describe('windowStart', () => {
  const six = { minSegments: 6, targetDuration: 6 };
  test.each([
    ['nothing yet', [], six, 0],
    ['fewer than the window', seconds(6, 6, 6), six, 0],
    ['exactly the window', seconds(6, 6, 6, 6, 6, 6), six, 0],
    ['one more', seconds(6, 6, 6, 6, 6, 6, 6), six, 1],
    ['a smaller window: 18 s and two', seconds(6, 6, 6, 6, 6, 6, 6), { ...six, minSegments: 1 }, 2],
    ['short segments must make up 18 s', seconds(6, 6, 6, 6, 2, 2, 2, 2, 2, 2, 2), six, 1],
    [
      'a short one at the head counts as one of the two',
      seconds(6, 0.3, 6, 6, 6, 6),
      { ...six, minSegments: 3 },
      1,
    ],
    ['not yet 18 s', seconds(2, 2, 2, 2, 2, 2, 2, 2), six, 0],
    ['a longer window', seconds(6, 6, 6, 6, 6, 6, 6, 6, 6, 6), { ...six, minSegments: 9 }, 1],
    ['30 s', seconds(6, 6, 6, 6, 6, 6), { ...six, minSegments: 3, minSeconds: 30 }, 1],
    ['a little more than 30 s', seconds(6, 6, 6, 6, 6, 6), { ...six, minSegments: 3, minSeconds: 30.1 }, 0],
    ['less time than 18 s and two', seconds(6, 6, 6, 6, 6, 6), { ...six, minSegments: 3, minSeconds: 1 }, 1],
    ['not yet so much time', seconds(6, 6, 6, 6, 6, 6), { ...six, minSegments: 3, minSeconds: 90 }, 0],
  ])('%s', (_name, segments, options, start) => {
    expect(windowStart(segments, options)).toBe(start);
  });

  test('property: what is kept is enough, and one less would not be', () => {
    type Least = Parameters<typeof windowStart>[1] & { minSeconds: number };
    const enough = (kept: { duration90k: number }[], least: Least): boolean =>
      kept.length >= least.minSegments &&
      playlistDuration90k(kept) >= least.minSeconds * 90_000 &&
      playlistDuration90k(kept.slice(2)) >= 3 * least.targetDuration * 90_000;
    let cut = 0;
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 540_000 }), { maxLength: 40, size: 'max' }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 0, max: 90 }),
        (durations, minSegments, minSeconds) => {
          const least = { minSegments, minSeconds, targetDuration: 6 };
          const segments = durations.map((duration90k) => ({ duration90k }));
          const start = windowStart(segments, least);
          if (start > 0) {
            cut++;
            expect(enough(segments.slice(start), least)).toBe(true);
          }
          expect(enough(segments.slice(start + 1), least)).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
    expect(cut).toBeGreaterThan(50);
  });
});
