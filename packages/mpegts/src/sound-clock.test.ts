import { expect, test } from '@jest/globals';
import { NO_TIMESTAMP } from './pes.js';
import { SoundClock } from './sound-clock.js';

const FRAME = 1920;
const frames = (count: number, first = 0): number[] =>
  Array.from({ length: count }, (_, n) => first + n * FRAME);
const NONE = NO_TIMESTAMP;

test.each<[string, number[], number[], number]>([
  ['steady', frames(6), frames(6), 0],
  [
    'a wild one',
    [...frames(4), 999_000, ...frames(3, 5 * FRAME)],
    [...frames(4), NONE, ...frames(3, 5 * FRAME)],
    1,
  ],
  [
    'a jump',
    [...frames(4), ...frames(3, 999_000)],
    [...frames(4), NONE, 999_000 + FRAME, 999_000 + 2 * FRAME],
    0,
  ],
  [
    'two wild ones of different opinions',
    [...frames(4), 999_000, 5_000_000, ...frames(2, 6 * FRAME)],
    [...frames(4), NONE, NONE, ...frames(2, 6 * FRAME)],
    2,
  ],
  ['without PTS', [0, NONE, FRAME], [0, NONE, FRAME], 0],
])('%s', (_, times, believed, wild) => {
  const clock = new SoundClock();
  expect(times.map((pts) => clock.take(pts))).toEqual(believed);
  expect(clock.wild).toBe(wild);
});

test.each([true, false])(
  'where the picture has gone before, sound is believed at once (jump: %s)',
  (jumped) => {
    const clock = new SoundClock();
    for (const pts of frames(5)) clock.take(pts);
    clock.expect(50_000, jumped);
    expect([clock.take(5 * FRAME), clock.jumped]).toEqual([5 * FRAME, false]);
    expect([clock.take(48_000), clock.jumped]).toEqual([48_000, jumped]);
    expect([clock.take(48_000 + FRAME), clock.jumped]).toEqual([48_000 + FRAME, false]);
  },
);
