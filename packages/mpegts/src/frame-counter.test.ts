import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { adts } from './adts.js';
import type { AudioFraming } from './audio-frame.js';
import { FrameCounter } from './frame-counter.js';
import { mpegAudio } from './mpeg-audio.js';

/** LC, 44.1 kHz, stereo, 20 bytes in all. */
const aac = [0xff, 0xf1, 0x50, 0x80, 0x02, 0x9f, 0xfc, ...Array<number>(13).fill(0x55)];

describe('headers', () => {
  test.each<[string, AudioFraming, number[], number, number, object]>([
    [
      'AAC LC 44.1 kHz stereo',
      adts,
      aac,
      20,
      1024 / 44.1,
      { codec: 'mp4a.40.2', channels: 2, sampleRate: 44_100 },
    ],
    [
      'AAC Main 48 kHz mono',
      adts,
      [0xff, 0xf9, 0x0c, 0x40, 0x10, 0, 0],
      128,
      1024 / 48,
      { codec: 'mp4a.40.1', channels: 1, sampleRate: 48_000 },
    ],
    [
      'AAC LC 5.1, two blocks',
      adts,
      [0xff, 0xf1, 0x4d, 0x80, 0x10, 0, 1],
      128,
      2048 / 48,
      { codec: 'mp4a.40.2', channels: 6, sampleRate: 48_000 },
    ],
    [
      'AAC with channels in the data',
      adts,
      [0xff, 0xf1, 0x4c, 0x00, 0x10, 0, 0],
      128,
      1024 / 48,
      { codec: 'mp4a.40.2', sampleRate: 48_000 },
    ],
    [
      'layer III 44.1 kHz 128 kbit/s',
      mpegAudio,
      [0xff, 0xfb, 0x90, 0x00],
      417,
      1152 / 44.1,
      { codec: 'mp4a.40.34', channels: 2, sampleRate: 44_100 },
    ],
    [
      'layer III padded, mono',
      mpegAudio,
      [0xff, 0xfb, 0x92, 0xc0],
      418,
      1152 / 44.1,
      { codec: 'mp4a.40.34', channels: 1, sampleRate: 44_100 },
    ],
    [
      'layer II 48 kHz 192 kbit/s',
      mpegAudio,
      [0xff, 0xfd, 0xa4, 0x00],
      576,
      1152 / 48,
      { codec: 'mp4a.40.33', channels: 2, sampleRate: 48_000 },
    ],
    [
      'layer I 32 kHz 32 kbit/s',
      mpegAudio,
      [0xff, 0xff, 0x18, 0x00],
      48,
      384 / 32,
      { codec: 'mp4a.40.32', channels: 2, sampleRate: 32_000 },
    ],
    [
      'MPEG-2 layer III 24 kHz 64 kbit/s',
      mpegAudio,
      [0xff, 0xf3, 0x84, 0x00],
      192,
      576 / 24,
      { codec: 'mp4a.40.34', channels: 2, sampleRate: 24_000 },
    ],
    [
      'MPEG-2.5 layer III 8 kHz 8 kbit/s',
      mpegAudio,
      [0xff, 0xe3, 0x18, 0x00],
      72,
      576 / 8,
      { codec: 'mp4a.40.34', channels: 2, sampleRate: 8_000 },
    ],
  ])('%s', (_, framing, header, bytes, milliseconds, parameters) => {
    const frame = Uint8Array.from(header);
    expect(framing.frameBytes(frame, 0)).toBe(bytes);
    expect(framing.frameTicks(frame, 0) / 90).toBeCloseTo(milliseconds, 9);
    expect(framing.parameters(frame, 0)).toEqual(parameters);
  });

  test.each<[string, AudioFraming, number[]]>([
    ['ADTS with a layer', adts, [0xff, 0xf3, 0x50, 0x80, 0x02, 0x9f, 0xfc]],
    ['ADTS with a reserved rate', adts, [0xff, 0xf1, 0x7c, 0x80, 0x02, 0x9f, 0xfc]],
    ['ADTS shorter than its header', adts, [0xff, 0xf1, 0x50, 0x80, 0x00, 0x9f, 0xfc]],
    ['reserved MPEG version', mpegAudio, [0xff, 0xeb, 0x90, 0]],
    ['reserved layer', mpegAudio, [0xff, 0xf9, 0x90, 0]],
    ['free bit rate', mpegAudio, [0xff, 0xfb, 0x00, 0]],
    ['reserved sample rate', mpegAudio, [0xff, 0xfb, 0x9c, 0]],
  ])('none: %s', (_, framing, header) => {
    expect(framing.frameBytes(Uint8Array.from(header), 0)).toBe(0);
  });
});

describe('counting', () => {
  const counted = (bytes: readonly number[], sizes: readonly number[]): FrameCounter => {
    const counter = new FrameCounter(adts);
    const all = Uint8Array.from(bytes);
    for (let from = 0, n = 0; from < all.length; n++) {
      const to = Math.min(all.length, from + Math.max(1, sizes[n % sizes.length]!));
      counter.take(all, from, to);
      from = to;
    }
    return counter;
  };
  const frameTicks = (1024 * 90_000) / 44_100;

  test('frames that end in the next PES count where they begin', () => {
    const counter = new FrameCounter(adts);
    const two = Uint8Array.from([...aac, ...aac]);
    counter.take(two, 0, 25);
    expect(counter.ticks).toBeCloseTo(frameTicks);
    counter.restart();
    counter.take(two, 25, 40);
    expect(counter.ticks).toBeCloseTo(frameTicks);
  });

  test('whether a PES begins with a frame', () => {
    const bytes = Uint8Array.from([9, 9, ...aac, ...aac]);
    const counter = new FrameCounter(adts);
    // Nothing has come: only a header tells.
    expect([0, 2].map((at) => counter.isAligned(bytes, at, bytes.length))).toEqual([false, true]);
    counter.take(bytes, 0, 30);
    expect(counter.isAligned(bytes, 30, bytes.length)).toBe(false);
    // Where the frame ends another begins, though its header is damaged, or not all there.
    counter.take(bytes, 30, 42);
    expect(counter.isAligned(bytes, 0, 2)).toBe(true);
    counter.lose();
    expect(counter.isAligned(bytes, 0, 2)).toBe(false);
    expect(counter.isAligned(bytes, 2, 8)).toBe(false);
    expect(counter.isAligned(bytes, 2, 9)).toBe(true);
  });

  test('however the bytes are divided (property)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 20 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
        (n, sizes) => {
          const counter = counted(Array.from({ length: n }, () => aac).flat(), sizes);
          expect(counter.ticks).toBeCloseTo(n * frameTicks);
          expect(counter.parameters).toEqual({ codec: 'mp4a.40.2', channels: 2, sampleRate: 44_100 });
          expect(counter.changes).toBe(1);
        },
      ),
    );
  });

  test('parameters change only when two frames agree', () => {
    const mono = aac.map((byte, n) => (n === 3 ? 0x40 : byte));
    expect(counted([...aac, ...aac, ...mono, ...aac, ...aac], [9]).changes).toBe(1);
    const changed = counted([...aac, ...aac, ...mono, ...mono], [9]);
    expect(changed.changes).toBe(2);
    expect(changed.parameters?.channels).toBe(1);
  });

  test('garbage between frames is stepped over, any bytes do no harm (property)', () => {
    expect(counted([1, 2, 0xff, ...aac, ...aac, 0xff, 0xff, 9, ...aac], [4]).ticks).toBeCloseTo(
      3 * frameTicks,
    );
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 300 }), (bytes) => {
        expect(counted(bytes, [3]).ticks).toBeCloseTo(counted(bytes, [1000]).ticks, 6);
      }),
    );
  });
});
