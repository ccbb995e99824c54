import { describe, expect, test } from '@jest/globals';
import type { Picture, PictureHead, RandomAccess } from './access-unit.js';
import { bits } from './elementary-stream.test.helper.js';
import { H264Head } from './h264.js';
import { HevcHead } from './hevc.js';
import { MpegVideoHead } from './mpeg-video.js';

/** What no encoder at hand makes: put together by hand. */
type Case = [
  name: string,
  units: number[][],
  verdict: Picture,
  access?: RandomAccess,
  more?: Partial<PictureHead>,
];

const data = Array.from({ length: 40 }, (_, n) => 0x80 | n);

function check(head: PictureHead, units: number[][], longCodes: boolean): Picture {
  const payload = Uint8Array.from(units.flatMap((unit) => [...(longCodes ? [0] : []), 0, 0, 1, ...unit]));
  for (const step of [1, 3, 50]) {
    head.reset();
    let to = 0;
    let picture: Picture = 'open';
    while (picture === 'open') {
      to = Math.min(payload.length, to + step);
      picture = head.look(payload, 0, to, to === payload.length);
    }
    if (step === 50) return picture;
    const { access, complete, refreshPictures } = head;
    head.reset();
    expect(head.look(payload, 0, payload.length, true)).toBe(picture);
    if (picture === 'key')
      expect([head.access, head.complete, head.refreshPictures]).toEqual([access, complete, refreshPictures]);
  }
  throw new Error('unreachable');
}

function cases(make: () => PictureHead, rows: Case[]): void {
  test.each(rows.map((row) => ({ name: row[0], row })))(
    '$name',
    ({ row: [, units, verdict, access, more] }) => {
      const head = make();
      for (const longCodes of [false, true]) {
        expect(check(head, units, longCodes)).toBe(verdict);
        if (access) expect(head.access).toBe(access);
        if (more) expect(head).toMatchObject(more);
      }
    },
  );
}

describe('H.264', () => {
  const slice = (type: number, firstMb: number, sliceType: number): number[] => [
    type,
    ...bits(`ue:${firstMb} ue:${sliceType} ue:0`),
    ...data,
  ];
  const sps = [0x67, 0x64, 0, 0x0a, 0xac, 0xd9];
  const pps = [0x68, 0xee, 0x3c, 0x80];
  const aud = [9, 0xf0];
  const recovery = (frames: number): number[] => {
    const payload = bits(`ue:${frames} 1/1 1/0 2/0`);
    return [6, 5, 3, 1, 2, 3, 6, payload.length, ...payload, 0x80];
  };
  const IDR = 0x65;
  const OTHER = 0x41;
  const P = 0;
  const I = 2;
  const ALL_P = 5;
  const ALL_I = 7;

  cases(
    () => new H264Head(),
    [
      ['IDR without parameter sets', [aud, slice(IDR, 0, ALL_I)], 'key', 'closed', { complete: false }],
      [
        'IDR with a recovery point',
        [aud, sps, pps, recovery(3), slice(IDR, 0, ALL_I)],
        'key',
        'closed',
        { complete: true, refreshPictures: 0 },
      ],
      [
        'field pair: IDR and P',
        [aud, sps, pps, slice(IDR, 0, ALL_I), slice(OTHER, 0, ALL_P)],
        'key',
        'closed',
      ],
      [
        'field pair: I with recovery point, and P',
        [aud, sps, pps, recovery(0), slice(OTHER, 0, ALL_I), aud, slice(OTHER, 0, ALL_P)],
        'key',
        'open-gop',
      ],
      [
        'field pair of several slices, each saying its own type',
        [
          aud,
          sps,
          pps,
          recovery(0),
          slice(OTHER, 0, I),
          slice(OTHER, 90, I),
          slice(OTHER, 0, P),
          slice(OTHER, 90, P),
        ],
        'key',
        'open-gop',
      ],
      ['the second field in a PES of its own', [aud, slice(OTHER, 0, ALL_P)], 'other'],
      ['the rest of a picture alone', [slice(IDR, 90, ALL_I), slice(IDR, 180, ALL_I)], 'other'],
      [
        'the rest of a P, then an IDR',
        [slice(OTHER, 90, P), aud, sps, pps, slice(IDR, 0, ALL_I)],
        'key',
        'closed',
      ],
      ['the rest of an IDR, then a P', [slice(IDR, 90, ALL_I), slice(OTHER, 0, P)], 'other'],
      ['IDR whose first slice is lost', [aud, sps, pps, slice(IDR, 90, ALL_I)], 'key', 'closed'],
      [
        'P, then IDR: the PTS is that of the P',
        [aud, slice(OTHER, 0, P), aud, sps, pps, slice(IDR, 0, ALL_I)],
        'other',
      ],
      ['IDR, then P', [aud, sps, pps, slice(IDR, 0, ALL_I), aud, slice(OTHER, 0, P)], 'key', 'closed'],
      ['I with its SPS', [aud, sps, pps, slice(OTHER, 0, ALL_I)], 'key', 'open-gop', { complete: true }],
      [
        'I slices with their SPS',
        [aud, sps, pps, slice(OTHER, 0, I), slice(OTHER, 90, I)],
        'key',
        'open-gop',
      ],
      ['I and P slices with their SPS', [aud, sps, pps, slice(OTHER, 0, I), slice(OTHER, 90, P)], 'other'],
      ['I alone: a change of scene', [aud, pps, slice(OTHER, 0, ALL_I)], 'other'],
      ['P with parameter sets', [aud, sps, pps, slice(OTHER, 0, ALL_P)], 'other'],
      ['P with a recovery point of no frames', [aud, sps, pps, recovery(0), slice(OTHER, 0, ALL_P)], 'other'],
      [
        'P with a recovery point of 28 frames',
        [aud, sps, pps, recovery(28), slice(OTHER, 0, ALL_P)],
        'key',
        'gradual',
        { refreshPictures: 28, complete: true },
      ],
      [
        'I and P slices with a recovery point of 28 frames',
        [aud, recovery(28), slice(OTHER, 0, I), slice(OTHER, 90, P)],
        'key',
        'gradual',
        { refreshPictures: 28, complete: false },
      ],
      [
        'I with a recovery point of 28 frames',
        [aud, sps, pps, recovery(28), slice(OTHER, 0, ALL_I)],
        'key',
        'open-gop',
        { refreshPictures: 0 },
      ],
      [
        'a prefix before each slice, the second of P',
        [aud, recovery(0), [14, 0x40, 0, 7], slice(OTHER, 0, I), [14, 0x40, 0, 7], slice(OTHER, 90, P)],
        'other',
      ],
      [
        'data partitions',
        [aud, sps, pps, recovery(0), slice(0x42, 0, ALL_I), [0x43, 1, 2], [0x44, 1, 2]],
        'key',
        'open-gop',
      ],
      [
        'primary_pic_type I spares waiting for the other slices',
        [[9, 0x10], recovery(0), slice(OTHER, 0, I)],
        'key',
        'open-gop',
      ],
      ['a recovery point that is cut off', [aud, [6, 6, 9], slice(OTHER, 0, ALL_I)], 'other'],
      ['a slice header of nothing', [aud, sps, pps, recovery(0), [OTHER]], 'other'],
      [
        'SPS extension and end of sequence',
        [aud, [13, 1], [10], sps, pps, slice(IDR, 0, ALL_I)],
        'key',
        'closed',
      ],
      ['nothing', [], 'other'],
    ],
  );
});

describe('HEVC', () => {
  /** Of the first slice segment; `bits` behind slice_pic_parameter_set_id. */
  const slice = (type: number, fields = 'ue:2', layer = 0): number[] => [
    (type << 1) | (layer >> 5),
    ((layer & 31) << 3) | 1,
    ...bits(`1/1 ${type >= 16 && type <= 23 ? '1/0 ' : ''}ue:0 ${fields}`),
    ...data,
  ];
  const rest = (type: number): number[] => [type << 1, 1, 0x20, ...data];
  const vps = [0x40, 1, 0x0c, 1];
  const sps = [0x42, 1, 1, 1];
  const pps = (extraBits = 0): number[] => [0x44, 1, ...bits(`ue:0 ue:0 2/0 3/${extraBits} 5/0`)];
  const sets = [vps, sps, pps()];
  const aud = [0x46, 1, 0x10];
  const recovery = (pictures: number): number[] => {
    const payload = bits(`se:${pictures} 1/1 1/0`);
    return [0x4e, 1, 6, payload.length, ...payload, 0x80];
  };
  const TRAIL = 1;
  const P = 'ue:1';
  const I = 'ue:2';

  cases(
    () => new HevcHead(),
    [
      ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((type): Case => [
        `no start: type ${type}`,
        [aud, ...sets, slice(type)],
        'other',
      ]),
      ['BLA_W_LP', [aud, ...sets, slice(16)], 'key', 'open-gop', { complete: true }],
      ['BLA_W_RADL', [aud, ...sets, slice(17)], 'key', 'closed'],
      ['BLA_N_LP', [aud, ...sets, slice(18)], 'key', 'closed'],
      ['IDR_W_RADL', [aud, ...sets, slice(19)], 'key', 'closed'],
      ['IDR_N_LP', [aud, ...sets, slice(20)], 'key', 'closed'],
      ['CRA', [aud, ...sets, slice(21)], 'key', 'open-gop'],
      ['reserved IRAP', [aud, ...sets, slice(22), slice(23)], 'other'],
      ['CRA without VPS', [aud, sps, pps(), slice(21)], 'key', 'open-gop', { complete: false }],
      ['a CRA of another layer, then a P of this one', [aud, slice(21, I, 1), slice(TRAIL, P)], 'other'],
      [
        'parameter sets of another layer',
        [aud, [0x42, 9, 1, 1], slice(19)],
        'key',
        'closed',
        { spsFrom: -1 },
      ],
      ['the rest of a picture, then an IDR', [rest(TRAIL), aud, ...sets, slice(19)], 'key', 'closed'],
      ['the rest of an IDR, then a P', [rest(19), slice(TRAIL, P)], 'other'],
      ['the rest of an IDR', [rest(19), rest(19)], 'other'],
      ['P, then IDR', [aud, slice(TRAIL, P), aud, ...sets, slice(19)], 'other'],
      ['I with a recovery point at once', [aud, recovery(0), slice(TRAIL, I)], 'key', 'open-gop'],
      [
        'I with a recovery point before it',
        [aud, recovery(-2), slice(TRAIL, I)],
        'key',
        'open-gop',
        { refreshPictures: 0 },
      ],
      ['P with a recovery point at once', [aud, recovery(0), slice(TRAIL, P)], 'other'],
      [
        'P with a recovery point later',
        [aud, ...sets, recovery(9), slice(TRAIL, P)],
        'key',
        'gradual',
        { refreshPictures: 9, complete: true },
      ],
      [
        'extra slice header bits by the PPS',
        [aud, vps, sps, pps(2), recovery(0), slice(TRAIL, `2/3 ${I}`)],
        'key',
        'open-gop',
      ],
      ['extra slice header bits, P', [aud, vps, sps, pps(2), recovery(0), slice(TRAIL, `2/3 ${P}`)], 'other'],
      ['I with parameter sets alone', [aud, ...sets, slice(TRAIL, I)], 'other'],
      ['nothing', [], 'other'],
    ],
  );

  test('the VPS belongs to what is handed to the reader', () => {
    const head = new HevcHead();
    check(head, [aud, ...sets, slice(19)], false);
    // Behind the start code of the delimiter, the delimiter and its own start code.
    expect([head.spsFrom, head.spsTo]).toEqual([9, 9 + vps.length + 3 + sps.length]);
  });
});

describe('MPEG video', () => {
  const sequence = [0xb3, 6, 0, 0x40, 0x14, 0xff, 0xff, 0xe0, 0x18];
  const extension = [0xb5, 0x18, 0x5c, 0, 1, 0, 0];
  const display = [0xb5, 0x23, 5, 5, 5, 6, 0];
  const userData = [0xb2, 0x47, 0x41, 0x39, 0x34];
  /** time_code of 25 bits, closed_gop, broken_link */
  const group = (closed: boolean): number[] => [0xb8, 0, 8, 0, closed ? 0x40 : 0];
  const picture = (type: number): number[] => [0, 0x02, (1 << 6) | (type << 3) | 7, 0xff, 0xf8];
  const slices = [1, 2, 3].map((n) => [n, 0x22, ...data]);
  const I = 1;
  const P = 2;
  const B = 3;

  cases(
    () => new MpegVideoHead(),
    [
      [
        'I of a closed GOP',
        [sequence, extension, group(true), picture(I), ...slices],
        'key',
        'closed',
        { complete: true },
      ],
      [
        'I of an open GOP',
        [sequence, extension, display, userData, group(false), picture(I), ...slices],
        'key',
        'open-gop',
      ],
      ['I without a GOP header', [sequence, extension, picture(I), ...slices], 'key', 'open-gop'],
      ['I behind a sequence end', [[0xb7], sequence, extension, group(true), picture(I)], 'key', 'closed'],
      [
        'field pair: I and P',
        [sequence, extension, group(true), picture(I), ...slices, picture(P), ...slices],
        'key',
        'closed',
      ],
      ['the second field in a PES of its own', [picture(P), ...slices], 'other'],
      ['I without a sequence header', [group(true), picture(I), ...slices], 'other'],
      ['P with a sequence header', [sequence, extension, picture(P), ...slices], 'other'],
      ['B', [picture(B), ...slices], 'other'],
      ['the rest of a picture', slices, 'other'],
      [
        'the rest of a B, then an I',
        [...slices, sequence, extension, group(false), picture(I), ...slices],
        'key',
        'open-gop',
      ],
      [
        'slices where the picture header is lost',
        [sequence, extension, group(true), ...slices, picture(I)],
        'other',
      ],
      ['P, then I', [picture(P), ...slices, sequence, extension, group(true), picture(I)], 'other'],
      ['a GOP header cut off', [sequence, [0xb8, 0, 8]], 'other'],
      ['a picture header cut off', [sequence, [0, 0]], 'other'],
      ['nothing', [], 'other'],
    ],
  );

  test('the sequence header is handed over with its extensions', () => {
    const head = new MpegVideoHead();
    check(head, [sequence, extension, userData, group(true), picture(I)], false);
    expect([head.spsFrom, head.spsTo]).toEqual([3, 3 + sequence.length + 3 + extension.length]);
  });
});
