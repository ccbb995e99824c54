import { describe, expect, test } from '@jest/globals';
import { bits } from './elementary-stream.test.helper.js';
import { readSequenceHeader } from './mpeg-video.js';

interface Options {
  size?: [width: number, height: number];
  /** frame_rate_code */
  rate?: number;
  /** profile_and_level_indication; absent: MPEG-1, without extension. */
  profile?: number;
  /** frame_rate_extension_n and _d */
  extension?: [n: number, d: number];
  /** load_intra_quantiser_matrix */
  matrix?: boolean;
}

/** From the start code's last byte on (ISO/IEC 13818-2 §6.2.2.1, §6.2.2.3). */
function sequence({
  size = [720, 576],
  rate = 3,
  profile,
  extension = [0, 0],
  matrix = false,
}: Options): Uint8Array {
  const [width, height] = size;
  const quantisers = matrix ? `1/1 ${'8/16 '.repeat(64)}` : '1/0';
  const bytes = [
    0xb3,
    ...bits(
      `12/${width & 0xfff} 12/${height & 0xfff} 4/2 4/${rate} 18/5000 1/1 10/112 1/0 ${quantisers} 1/0`,
    ),
  ];
  if (profile !== undefined) {
    // sequence_display_extension comes after it, but any order is taken.
    bytes.push(0, 0, 1, 0xb5, ...bits('4/2 3/1 1/0 14/720 1/1 14/576'));
    const sizes = `2/${width >> 12} 2/${height >> 12}`;
    bytes.push(
      0,
      0,
      1,
      0xb5,
      ...bits(`4/1 8/${profile} 1/1 2/1 ${sizes} 12/0 1/1 8/0 1/0 2/${extension[0]} 5/${extension[1]}`),
    );
  }
  return Uint8Array.from(bytes);
}

describe('sequence header', () => {
  test.each<[string, Options, object]>([
    ['MPEG-1', {}, { codec: 'mp4v.6A', frameRate: 25 }],
    ['simple profile', { profile: 0x58 }, { codec: 'mp4v.60', frameRate: 25 }],
    ['main profile', { profile: 0x48 }, { codec: 'mp4v.61', frameRate: 25 }],
    ['SNR scalable', { profile: 0x38 }, { codec: 'mp4v.62', frameRate: 25 }],
    ['spatially scalable', { profile: 0x28 }, { codec: 'mp4v.63', frameRate: 25 }],
    ['high profile', { profile: 0x14 }, { codec: 'mp4v.64', frameRate: 25 }],
    ['4:2:2 profile', { profile: 0x85 }, { codec: 'mp4v.65', frameRate: 25 }],
    ['reserved profile', { profile: 0x68 }, { codec: 'mp4v.61', frameRate: 25 }],
    ['23.976', { rate: 1, profile: 0x48 }, { frameRate: 23.976 }],
    ['24', { rate: 2, profile: 0x48 }, { frameRate: 24 }],
    ['29.97', { rate: 4, profile: 0x48 }, { frameRate: 29.97 }],
    ['30', { rate: 5, profile: 0x48 }, { frameRate: 30 }],
    ['50', { rate: 6, profile: 0x48 }, { frameRate: 50 }],
    ['59.94', { rate: 7, profile: 0x48 }, { frameRate: 59.94 }],
    ['60', { rate: 8, profile: 0x48 }, { frameRate: 60 }],
    ['60 · 2 / 8', { rate: 8, profile: 0x48, extension: [1, 7] }, { frameRate: 15 }],
    ['with a matrix', { profile: 0x48, matrix: true }, { codec: 'mp4v.61', width: 720, height: 576 }],
    ['larger than 4095', { profile: 0x14, size: [8192, 4320] }, { width: 8192, height: 4320 }],
    ['larger than 12287', { profile: 0x14, size: [12_304, 8200] }, { width: 12_304, height: 8200 }],
  ])('%s', (_, options, expected) => {
    expect(readSequenceHeader(sequence(options))).toMatchObject(expected);
  });

  test.each([0, 9, 15])('frame_rate_code %i says nothing', (rate) => {
    expect(readSequenceHeader(sequence({ rate, profile: 0x48 }))).toEqual({
      codec: 'mp4v.61',
      width: 720,
      height: 576,
    });
  });

  test.each<[string, Uint8Array, string]>([
    ['cut off', sequence({}).subarray(0, 7), 'the sequence header is cut off'],
    ['something else', Uint8Array.of(0xb8, 1, 2, 3, 4, 5, 6, 7), 'the sequence header is cut off'],
    ['of no size', sequence({ size: [0, 576] }), 'a sequence header of 0×576 pixels'],
  ])('refused: %s', (_, bytes, message) => {
    expect(() => readSequenceHeader(bytes)).toThrow(
      expect.objectContaining({ code: 'bad-parameter-set', message: `MPEG video: ${message}` }),
    );
  });
});
