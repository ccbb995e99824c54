import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Picture, PictureHead, RandomAccess } from './access-unit.js';
import { elementaryStream, encode, probe } from './elementary-stream.test.helper.js';
import { MediaError } from './errors.js';
import { streamKind } from './stream-type.js';
import { videoCodings } from './video-coding.js';

type VideoCodingName = keyof typeof videoCodings;
const codings = Object.keys(videoCodings) as VideoCodingName[];

/** As the demuxer looks: again and again, with `step` more bytes each time, in a buffer that holds other things around. */
function look(head: PictureHead, bytes: Uint8Array, step: number, around = 0): Picture {
  head.reset();
  const before = 7;
  const all = new Uint8Array(before + bytes.length + 64).fill(around);
  for (let length = Math.min(step, bytes.length); ; length = Math.min(length + step, bytes.length)) {
    all.fill(around);
    all.set(bytes.subarray(0, length), before);
    const last = length === bytes.length;
    const picture = head.look(all, before, before + length, last);
    if (picture !== 'open' || last) return picture;
  }
}

const facts = ({ spsFrom, spsTo, access, complete, refreshPictures }: PictureHead): object => ({
  spsFrom,
  spsTo,
  access,
  complete,
  refreshPictures,
});

const testPicture = '-f lavfi -i testsrc2=s=96x64:r=25 -t 1.6';
const x264 = (parameters: string): string =>
  `${testPicture} -c:v libx264 -threads 1 -x264-params keyint=10:min-keyint=10:scenecut=0:${parameters}`;
const x265 = (parameters: string): string =>
  `${testPicture} -c:v libx265 -x265-params pools=1:frame-threads=1:log-level=none:keyint=10:min-keyint=10:scenecut=0:${parameters}`;
const mpeg2 = (parameters: string): string =>
  `${testPicture} -c:v mpeg2video -g 10 -sc_threshold 1000000000 ${parameters}`;

interface Row {
  name: string;
  make: string;
  coding: VideoCodingName;
  /** Of the first key picture and of the later ones. */
  access: [first: RandomAccess, later: RandomAccess];
  codec: string | RegExp;
  frameRate?: number;
  refreshPictures?: number;
}

const rows: Row[] = [
  {
    name: 'H.264, closed GOP',
    make: x264('bframes=2:open-gop=0'),
    coding: 'h264',
    access: ['closed', 'closed'],
    codec: 'avc1.64000a',
  },
  {
    name: 'H.264 of four slices a picture',
    make: x264('slices=4'),
    coding: 'h264',
    access: ['closed', 'closed'],
    codec: 'avc1.64000a',
  },
  {
    name: 'H.264 without delimiters or repeated SEI',
    make: `${x264('bframes=2')} -bsf:v filter_units=remove_types=6|9`,
    coding: 'h264',
    access: ['closed', 'closed'],
    codec: 'avc1.64000a',
  },
  {
    name: 'H.264, open GOP',
    make: x264('bframes=2:open-gop=1'),
    coding: 'h264',
    access: ['closed', 'open-gop'],
    codec: 'avc1.64000a',
  },
  {
    name: 'H.264, intra refresh',
    make: x264('bframes=0:intra-refresh=1'),
    coding: 'h264',
    access: ['closed', 'gradual'],
    codec: 'avc1.64000a',
    // Six columns of macroblocks, one a picture; x264 counts from the first on and rounds down.
    refreshPictures: 4,
  },
  {
    name: 'H.264 of interlaced frames (MBAFF)',
    make: x264('tff=1:bframes=2'),
    coding: 'h264',
    access: ['closed', 'closed'],
    codec: 'avc1.640015',
  },
  {
    name: 'H.264, every picture a key picture',
    make: `${testPicture} -c:v libx264 -g 1`,
    coding: 'h264',
    access: ['closed', 'closed'],
    codec: /^avc1\.64[0-9a-f]{4}$/,
  },
  {
    name: 'H.264, cropped, 23.976 a second',
    make: '-f lavfi -i testsrc2=s=426x238:r=24000/1001 -t 1 -c:v libx264 -preset ultrafast -profile:v baseline -g 10',
    coding: 'h264',
    access: ['closed', 'closed'],
    codec: 'avc1.42c015',
    frameRate: 23.976,
  },
  {
    name: 'HEVC, closed GOP',
    make: x265('open-gop=0'),
    coding: 'hevc',
    access: ['closed', 'closed'],
    codec: 'hvc1.1.6.L30.90',
  },
  {
    name: 'HEVC, open GOP (CRA)',
    make: x265('open-gop=1:bframes=3'),
    coding: 'hevc',
    access: ['closed', 'open-gop'],
    codec: 'hvc1.1.6.L30.90',
  },
  {
    name: 'HEVC Main 10, cropped, 59.94 a second',
    make: '-f lavfi -i testsrc2=s=426x238:r=60000/1001 -t 0.5 -pix_fmt yuv420p10le -c:v libx265 -x265-params pools=1:log-level=none:keyint=15',
    coding: 'hevc',
    access: ['closed', 'open-gop'],
    codec: /^hvc1\.2\.4\.L\d+\.90$/,
    frameRate: 59.94,
  },
  {
    name: 'HEVC 4:2:2, of temporal layers',
    make: `${testPicture} -pix_fmt yuv422p10le -c:v libx265 -x265-params pools=1:log-level=none:temporal-layers=1:keyint=10`,
    coding: 'hevc',
    access: ['closed', 'open-gop'],
    codec: /^hvc1\.4\.10\.L\d+\.9D\.8$/,
  },
  {
    name: 'MPEG-2, open GOP',
    make: mpeg2('-bf 2'),
    coding: 'mpeg-video',
    access: ['closed', 'open-gop'],
    codec: 'mp4v.61',
  },
  {
    name: 'MPEG-2, closed GOP',
    make: mpeg2('-bf 2 -flags +cgop'),
    coding: 'mpeg-video',
    access: ['closed', 'closed'],
    codec: 'mp4v.61',
  },
  {
    name: 'MPEG-2 of interlaced frames, 4:2:2, 29.97 a second',
    make: '-f lavfi -i testsrc2=s=96x64:r=30000/1001 -t 1 -pix_fmt yuv422p -c:v mpeg2video -g 10 -flags +ildct+ilme',
    coding: 'mpeg-video',
    access: ['closed', 'open-gop'],
    codec: 'mp4v.65',
    frameRate: 29.97,
  },
  {
    name: 'MPEG-1',
    make: `${testPicture} -c:v mpeg1video -g 10 -bf 0`,
    coding: 'mpeg-video',
    access: ['closed', 'open-gop'],
    codec: 'mp4v.6A',
  },
];

describe('streams of real encoders, against ffprobe', () => {
  test.each(rows)('$name', (row) => {
    const ts = encode(row.make);
    const { stream, units } = elementaryStream(ts);
    const { coding } = streamKind(stream);
    expect(coding).toBe(row.coding);
    const { head: make, parameters } = videoCodings[row.coding];
    const head = make();
    const seen = probe(ts);
    const keys: { pts: number; access: RandomAccess; refreshPictures: number }[] = [];
    const described = new Set<string>();
    for (const { pts, payload } of units) {
      const picture = look(head, payload, payload.length);
      const whole = facts(head);
      for (const step of [1, 184]) {
        expect(look(head, payload, step)).toBe(picture);
        if (picture === 'key') expect(facts(head)).toEqual(whole);
      }
      if (picture !== 'key') continue;
      expect(head.complete).toBe(true);
      keys.push({ pts, access: head.access, refreshPictures: head.refreshPictures });
      described.add(JSON.stringify(parameters(payload.subarray(head.spsFrom, head.spsTo))));
    }
    expect(keys.map(({ pts }) => pts)).toEqual(
      seen.packets.filter(({ flags }) => flags.startsWith('K')).map(({ pts }) => pts),
    );
    expect(keys.length).toBeGreaterThan(1);
    expect(keys.map(({ access }) => access)).toEqual([
      row.access[0],
      ...keys.slice(1).map(() => row.access[1]),
    ]);
    expect(keys.at(-1)!.refreshPictures).toBe(row.refreshPictures ?? 0);
    expect([...described].map((text) => JSON.parse(text) as unknown)).toEqual([
      {
        codec: row.codec instanceof RegExp ? expect.stringMatching(row.codec) : row.codec,
        width: seen.width,
        height: seen.height,
        frameRate: row.frameRate ?? 25,
      },
    ]);
    const [numerator, denominator] = seen.r_frame_rate.split('/').map(Number) as [number, number];
    expect(numerator / denominator).toBeCloseTo(row.frameRate ?? 25, 2);
  });
});

/** What follows a start code: slices of all kinds, parameter sets, SEI, delimiters. */
const units: Record<VideoCodingName, number[][]> = {
  h264: [
    [0x65, 0x88, 0x84],
    [0x41, 0x9a, 0x26],
    [0x41, 0x88, 0xba],
    // slice_type 2, first_mb_in_slice 0 and not 0
    [0x41, 0xb6, 0x10],
    [0x41, 0x17, 0xff],
    [0x67, 0x64, 0, 0x0a],
    [0x68, 0xee, 0x3c, 0x80],
    [0x06, 6, 1, 0xc0, 0x80],
    [0x06, 6, 1, 0x5c, 0x80],
    [0x09, 0x10],
    [0x0e, 0x40],
  ],
  hevc: [
    [0x26, 1, 0xaf],
    [0x2a, 1, 0xaf],
    [0x20, 1, 0xaf],
    [0x02, 1, 0xd0],
    [0x02, 1, 0xd8],
    [0x02, 1, 0x2f],
    [0x40, 1, 0x0c],
    [0x42, 1, 1],
    [0x44, 1, 0xc1],
    [0x44, 1, 0xc4],
    [0x4e, 1, 6, 1, 0xd0, 0x80],
    [0x4e, 1, 6, 1, 0x28, 0x80],
    [0x46, 1, 0x10],
    [0x26, 9, 0xaf],
  ],
  'mpeg-video': [
    [0xb3, 6, 0, 0x40, 0x13, 0xff, 0xff],
    [0xb3, 6, 0, 0x40, 0x13, 0xff, 0xff],
    [0xb5, 0x14, 0x8a],
    [0xb8, 0, 8, 0, 0x40],
    [0xb8, 0, 8, 0, 0],
    [0, 0, 8, 0xff],
    [0, 0, 0x10, 0xff],
    [1, 0x13, 0xf8],
    [0xb2, 1],
    [0xb7],
  ],
};

/** `ffmpeg -f lavfi -i testsrc2=…` by libx264; by libx265 (VPS and SPS); by mpeg2video, 4:2:2, 29.97. */
const parameterSets: Record<VideoCodingName, string> = {
  h264: '6764000cacd941419f9f011000000300100000030320f1429960',
  hevc: '40010c01ffff01600000030090000003000003001e9598090000000142010101600000030090000003000003001ea020810596566924caf0168080000003008000000c8400',
  'mpeg-video': 'b306004014ffffe018000001b5185c00010000',
};

describe.each(codings)('%s', (coding) => {
  const { head: make, parameters } = videoCodings[coding];
  /** Units of all kinds, whole, cut off and repeated, with chance bytes in and between them. */
  const unit = fc.tuple(
    fc.constantFrom([0, 0, 1], [0, 0, 1], [0, 0, 0, 1], [0, 0, 3], [0, 1]),
    fc.constantFrom(...units[coding]),
    fc.uint8Array({ maxLength: 24 }).map((some) => [...some]),
  );
  const bytes = fc
    .array(fc.oneof({ weight: 4, arbitrary: unit }, { weight: 1, arbitrary: fc.constant([[0], [0], [0]]) }), {
      minLength: 1,
      maxLength: 12,
    })
    .map((parts) => Uint8Array.from(parts.flat(2)));

  test('any bytes: a verdict at the end, the same however divided and whatever stands around (property)', () => {
    const head = make();
    const verdicts = new Map<string, number>();
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 40 }), (any, step) => {
        const picture = look(head, any, any.length || 1);
        const whole = facts(head);
        verdicts.set(picture, (verdicts.get(picture) ?? 0) + 1);
        expect(picture).not.toBe('open');
        for (const around of [0, 1, 3, 0x65]) {
          expect(look(head, any, step, around)).toBe(picture);
          if (picture === 'key') expect(facts(head)).toEqual(whole);
        }
      }),
      { numRuns: 1500 },
    );
    // A test that never saw a key picture has not tested them.
    expect(verdicts.get('key')).toBeGreaterThan(30);
    expect(verdicts.get('other')).toBeGreaterThan(100);
  });

  test('any parameters are read, or refused with a MediaError (property)', () => {
    const real = Buffer.from(parameterSets[coding], 'hex');
    const change = fc.record({ at: fc.nat(real.length - 1), byte: fc.nat(255) });
    const damaged = fc
      .tuple(fc.array(change, { maxLength: 4 }), fc.nat(real.length))
      .map(([changes, length]) => {
        const bytes = Uint8Array.from(real);
        for (const { at, byte } of changes) bytes[at] = byte;
        return bytes.subarray(0, real.length - (length % 2 === 0 ? 0 : length));
      });
    let read = 0;
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 80 })), (any) => {
        try {
          const { width, height, frameRate = 1, codec } = parameters(any);
          read++;
          expect(width * height).toBeGreaterThan(0);
          expect(frameRate).toBeGreaterThan(0);
          expect(codec).toMatch(/^[A-Za-z0-9][A-Za-z0-9.-]*$/);
          expect(codec.length).toBeLessThanOrEqual(64);
        } catch (error) {
          expect(error).toBeInstanceOf(MediaError);
        }
      }),
      { numRuns: 2000 },
    );
    expect(read).toBeGreaterThan(300);
    expect(read).toBeLessThan(2000);
  });
});
