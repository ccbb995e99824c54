import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { emptyPesHeader, NO_TIMESTAMP, readPesHeader } from './pes.js';

const pts = [0x21, 0x00, 0x07, 0xd8, 0x61]; // 126000
const both = [0x31, 0x00, 0x07, 0xd8, 0x61, 0x11, 0x00, 0x07, 0xa0, 0x01]; // 126000, 118784

describe('PES header', () => {
  test.each<[string, number[], object]>([
    [
      'video without length',
      [0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, ...pts, 9, 9],
      { at: 14, pts: 126_000, dts: 126_000, payloadBytes: -1 },
    ],
    [
      'DTS of its own',
      [0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, ...both],
      { at: 19, pts: 126_000, dts: 118_784, payloadBytes: -1 },
    ],
    [
      'sound with its length',
      [0, 0, 1, 0xc0, 0, 108, 0x80, 0x80, 5, ...pts],
      { at: 14, pts: 126_000, dts: 126_000, payloadBytes: 100 },
    ],
    [
      'stuffed',
      [0, 0, 1, 0xc0, 0, 10, 0x80, 0x80, 7, ...pts, 0xff, 0xff],
      { at: 16, pts: 126_000, dts: 126_000, payloadBytes: 0 },
    ],
    [
      'no timestamps',
      [0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0],
      { at: 9, pts: NO_TIMESTAMP, dts: NO_TIMESTAMP, payloadBytes: -1 },
    ],
    [
      'flags without room',
      [0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 3, 1, 2, 3],
      { at: 12, pts: NO_TIMESTAMP, dts: NO_TIMESTAMP, payloadBytes: -1 },
    ],
    [
      'cut off',
      [0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, 0x21],
      { at: -1, pts: NO_TIMESTAMP, dts: NO_TIMESTAMP, payloadBytes: -1 },
    ],
    ['too short to tell', [0, 0], { at: -1, pts: NO_TIMESTAMP, dts: NO_TIMESTAMP, payloadBytes: -1 }],
    [
      'none',
      [0, 0, 2, 0xe0, 0, 0, 0x80, 0, 0],
      { at: -2, pts: NO_TIMESTAMP, dts: NO_TIMESTAMP, payloadBytes: -1 },
    ],
  ])('%s', (_, bytes, expected) => {
    const header = emptyPesHeader();
    header.pts = 1;
    const at = readPesHeader(Uint8Array.from([7, ...bytes]), 1, bytes.length + 1, header);
    expect({ at: at > 0 ? at - 1 : at, ...header }).toEqual(expected);
  });

  test('any bytes are read without a throw, within bounds (property)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (rest) => {
        const bytes = Uint8Array.from([0, 0, 1, ...rest]);
        const at = readPesHeader(bytes, 0, bytes.length, emptyPesHeader());
        expect(at).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
