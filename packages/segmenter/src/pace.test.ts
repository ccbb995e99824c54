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
