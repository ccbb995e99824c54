import { describe, expect, test } from '@jest/globals';
import { ElementaryTrack, NO_TIMESTAMP } from '@hls-uplink/mpegts';
import { PictureSilence } from './picture-silence.js';

const SECOND = 90_000;
const MODULUS = 2 ** 33;

/** How many of `steps` come before it tells. */
function until(steps: number, tells: (n: number) => unknown): number {
  for (let n = 0; n < steps; n++) if (tells(n)) return n;
  return steps;
}

describe('without pictures', () => {
  test('PCRs tell the time, across the wrap', () => {
    const silence = new PictureSilence();
    const from = MODULUS - 3 * SECOND;
    // Ten a second: more than 15 s after the first one.
    expect(until(300, (n) => silence.passes((from + (n * SECOND) / 10) % MODULUS))).toBe(151);
  });

  test('PCRs that jump tell nothing but where they jump to', () => {
    const silence = new PictureSilence();
    expect(until(300, (n) => silence.passes(((n % 2) * 1000 + Math.floor(n / 2) * 0.1) * SECOND))).toBe(300);
    expect(until(300, (n) => silence.passes((5000 + n / 10) * SECOND))).toBe(151);
  });

  test('a picture begins the time anew', () => {
    const silence = new PictureSilence();
    const tells = (n: number): boolean => {
      if (n === 100) silence.end();
      return silence.passes((n * SECOND) / 10);
    };
    // The step to the one at 10 s counts already.
    expect(until(400, tells)).toBe(100 + 150);
  });

  test('sound without PTS tells no time', () => {
    const silence = new PictureSilence();
    const sound = new ElementaryTrack(0x101, 'audio', 'aac');
    expect(until(100, () => silence.hears(sound, NO_TIMESTAMP, false))).toBe(100);
    expect(until(100, (n) => silence.hears(sound, n * SECOND, false))).toBe(16);
  });

  test('the wall clock tells it, of pauses a second each at most', () => {
    const silence = new PictureSilence();
    // The first bytes are those with the picture: 30 s after them, and no sooner.
    expect(until(1000, (n) => silence.reads(1, n * 100))).toBe(301);
    silence.end();
    expect(until(1000, (n) => silence.reads(1, n * 60_000))).toBe(31);
  });

  test('bytes tell it of a file that is read at once', () => {
    const silence = new PictureSilence();
    const megabytes = (): unknown => silence.reads(1 << 20, 0);
    expect(until(1000, megabytes)).toBe(257);
    silence.end();
    expect(silence.reads(1 << 30, 0)).toBeUndefined();
    expect(silence.reads((256 << 20) + 1, 0)).toBe('bytes');
  });
});
