import { expect, test } from '@jest/globals';
import { NO_TIMESTAMP, TIMESTAMP_MODULUS } from '@hls-uplink/mpegts';
import { SoundStart } from './sound-start.js';

const ticks = (seconds: number): number => Math.round(seconds * 90_000);

test.each<[what: string, before: number | undefined, at: number, isGood: boolean, starts: boolean]>([
  ['one that begins with a frame', 5.9, 6, true, true],
  ['another at the beginning of a slot', 5.9, 6, false, false],
  ['another whose successor comes in time', 6.04, 6.14, false, false],
  ['another whose successor comes too late', 6.06, 6.16, false, true],
  ['another that is long itself', 5.7, 6, false, true],
  ['another far behind the beginning of the slot', 10.9, 11, false, true],
  ['the first of all', undefined, 6.2, false, false],
  ['one behind a step back', 100, 6.2, false, false],
  ['one behind the wrap', TIMESTAMP_MODULUS / 90_000 - 0.05, 0.05, false, false],
  ['one without PTS', 5.9, NO_TIMESTAMP / 90_000, true, false],
])('%s', (_, before, at, isGood, starts) => {
  const start = new SoundStart(6);
  if (before !== undefined) start.take(ticks(before), true);
  expect(start.take(ticks(at), isGood)).toBe(starts);
});

test('one without PTS is not the one before', () => {
  const start = new SoundStart(6);
  start.take(ticks(5.7), true);
  start.take(NO_TIMESTAMP, true);
  expect(start.take(ticks(6), false)).toBe(true);
});
