import { expect, test } from '@jest/globals';
import { ElementaryTrack } from '@hls-uplink/mpegts';
import { Pace } from './pace.js';

const track = new ElementaryTrack(0x100, 'video', 'h264');

/** A pace that has seen `seconds` of pictures, as they stand in a stream whose clock has `ticks` a unit. */
function measured(rate: number, ticks = 1, seconds = 4): Pace {
  const pace = new Pace();
  for (let n = 0; n < seconds * rate; n++) {
    const pts = 90_000 + Math.floor((n * 90_000) / rate / ticks) * ticks;
    pace.unit(pts, pts, n === 0, n === 0);
  }
  return pace;
}

// 23.976 and 24, 29.97 and 30, 59.94 and 60 are a thousandth apart.
const RATES = [24_000 / 1001, 24, 25, 30_000 / 1001, 30, 50, 60_000 / 1001, 60];

test.each(RATES)('%p pictures a second are measured as what they are', (rate) => {
  expect(measured(rate).frameRate(track)).toBe(Math.round(rate * 1000) / 1000);
});

test.each([24, 25, 30, 60])('%p of timestamps that were milliseconds, too', (rate) => {
  // 33, 33 and 34 ms: the usual step alone would be 30.303.
  expect(measured(rate, 90).frameRate(track)).toBe(rate);
});

test('a segment that has only begun is described by the rate of the one before', () => {
  const pace = measured(30, 90);
  const pts = 90_000 + 4 * 90_000;
  pace.unit(pts, pts, true, true);
  expect(pace.frameRate(track)).toBe(30);
  pace.unit(pts + 42 * 90, pts + 42 * 90, false, false);
  expect(pace.frameRate(track)).not.toBeUndefined();
});

/** Key picture distances, ticks, that a pace is left with when pictures of 25 a second go as `each` says. */
function gopOf(each: (n: number) => { gone?: boolean; damages?: number; by?: number }): number | undefined {
  const pace = new Pace();
  for (let n = 0; n < 300; n++) {
    const { gone = false, damages = 0, by = 0 } = each(n);
    if (gone) continue;
    if (n % 50 === 0) pace.key(damages);
    pace.unit(90_000 + n * 3600 + by, 90_000 + n * 3600 + by, n % 50 === 0, n === 0);
  }
  return pace.gop;
}

test.each<[string, Parameters<typeof gopOf>[0]]>([
  ['good', () => ({})],
  ['a key picture is lost', (n) => ({ gone: n === 100, damages: n > 100 ? 1 : 0 })],
  ['four seconds are lost, which no counter tells', (n) => ({ gone: n > 110 && n < 210 })],
  ['silence of 3 s', (n) => ({ by: n > 120 ? 270_000 : 0 })],
])('the distance of key pictures is 2 s: %s', (_, each) => {
  expect(gopOf(each)).toBe(180_000);
});

test('a picture every 5 s is no hole', () => {
  const pace = new Pace();
  for (let n = 0; n < 12; n++) {
    const isKey = n % 4 === 0;
    if (isKey) pace.key(0);
    pace.unit(n * 450_000, n * 450_000, isKey, n === 0);
  }
  expect(pace.gop).toBe(4 * 450_000);
});
