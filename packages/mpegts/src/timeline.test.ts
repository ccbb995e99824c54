import { describe, expect, test } from '@jest/globals';
import { NO_TIMESTAMP } from './pes.js';
import { Timeline } from './timeline.js';
import { TIMESTAMP_MODULUS, wrapTimestamp } from './timestamp.js';

const STEP = 3600;
const SECOND = 90_000;

/** What becomes of pictures with these timestamps; `pts-dts` where they differ, a key picture each. */
function verdicts(
  times: readonly (number | [pts: number, dts: number])[],
  announced = -1,
): { said: string[]; wild: number } {
  const timeline = new Timeline();
  const pictures = times.map((time): [number, number] => (Array.isArray(time) ? time : [time, time]));
  const said = pictures.map(([pts, dts], n) => {
    if (n === announced) timeline.announce();
    let verdict: string = timeline.check(pts, dts, true) === 'sure' ? timeline.believed : 'open';
    for (let next = n + 1; verdict === 'open' && next < pictures.length; next++)
      verdict = timeline.resolve(pictures[next]![1]);
    if (verdict === 'open') verdict = timeline.end();
    return verdict === 'wild' ? `wild ${timeline.pts}-${timeline.dts}` : verdict;
  });
  return { said, wild: timeline.wild };
}

const steady = (count: number, first = 0): number[] =>
  Array.from({ length: count }, (_, n) => first + n * STEP);
const good = (count: number): string[] => Array<string>(count).fill('good');

describe('timelines', () => {
  test.each<[string, (number | [number, number])[], string[]]>([
    ['steady', steady(6), good(6)],
    ['across the wrap', steady(6, TIMESTAMP_MODULUS - 9000).map(wrapTimestamp), good(6)],
    [
      'a wild one',
      [...steady(5), 999_000, 6 * STEP, 7 * STEP],
      [...good(5), 'wild 18000-18000', 'good', 'good'],
    ],
    [
      'two wild ones',
      [...steady(5), 300_000, 9_999_000, 7 * STEP, 8 * STEP],
      [...good(5), 'wild 18000-18000', 'wild 21600-21600', 'good', 'good'],
    ],
    ['a wild one at the end', [...steady(5), 999_000], [...good(5), 'wild 18000-18000']],
    ['a wild one at the beginning', [999_000, STEP, 2 * STEP], ['wild 0-0', 'good', 'good']],
    [
      'a wild one right behind it',
      [0, 999_000, 2 * STEP, 3 * STEP],
      ['good', 'wild 3600-3600', 'good', 'good'],
    ],
    ['a jump', [...steady(4), ...steady(3, 9_999_000)], [...good(4), 'jump', 'good', 'good']],
    ['a jump back by 1 s', [...steady(40), ...steady(3, 15 * STEP)], [...good(40), 'jump', 'good', 'good']],
    ['a silence of 9 s', [...steady(4), ...steady(3, 9 * SECOND)], [...good(4), 'silence', 'good', 'good']],
    ['one picture in 12 s', [0, 1, 2, 3, 4, 5].map((n) => n * 12 * SECOND), good(6)],
    ['one in 5 s, not quite evenly', [0, 5, 10.1, 15, 20].map((n) => n * SECOND), good(5)],
    ['one picture a second', [0, 1, 2, 3, 4, 5, 6].map((n) => n * SECOND), good(7)],
    [
      'PTS wild, DTS not',
      [...steady(4), [999_000, 4 * STEP], 5 * STEP],
      [...good(4), 'wild 14400-14400', 'good'],
    ],
    [
      'DTS wild, PTS not',
      [...steady(4), [4 * STEP, 999_000], 5 * STEP],
      [...good(4), 'wild 14400-14400', 'good'],
    ],
    [
      'PTS further from DTS than usual, but always',
      steady(6).map((dts): [number, number] => [dts + 5 * SECOND, dts]),
      good(6),
    ],
  ])('%s', (_, times, said) => {
    const result = verdicts(times);
    expect(result.said).toEqual(said);
    expect(result.wild).toBe(said.filter((text) => text.startsWith('wild')).length);
  });

  test.each([
    ['0.3 s on', 4 * STEP + 0.3 * SECOND],
    ['0.1 s back', 4 * STEP - 0.1 * SECOND],
    ['6 s on', 4 * STEP + 6 * SECOND],
  ])('another clock is announced: %s is a jump', (_, first) => {
    expect(verdicts([...steady(4), ...steady(3, first)], 4).said).toEqual([
      ...good(4),
      'jump',
      'good',
      'good',
    ]);
  });

  test('another clock is announced that is the same', () => {
    expect(verdicts(steady(7), 4)).toEqual({ said: good(7), wild: 0 });
  });

  test('pictures without timestamps are none to judge', () => {
    const timeline = new Timeline();
    expect([timeline.check(NO_TIMESTAMP, NO_TIMESTAMP, true), timeline.believed]).toEqual(['sure', 'good']);
    expect([timeline.check(0, 0, true), timeline.resolve(NO_TIMESTAMP)]).toEqual(['doubt', 'open']);
  });
});
