import { describe, expect, test } from '@jest/globals';
import { H264Head, MediaError, readSps, type Picture } from '@hls-uplink/mpegts';
import fc from 'fast-check';
import {
  accessUnit,
  nalUnit,
  spsRbsp,
  type PictureOptions,
  type SpsOptions,
} from './helpers/es-generator.js';

/** The NAL unit of the options, escaped as in a stream. */
const spsNal = (options: SpsOptions): Uint8Array =>
  Uint8Array.from(nalUnit(0x67, spsRbsp(options), false).slice(3));

describe('SPS', () => {
  test('of x264: 320×180, High, 25 pictures a second', () => {
    const nal = Buffer.from('6764000cacd941419f9f011000000300100000030320f1429960', 'hex');
    expect(readSps(nal)).toEqual({ codec: 'avc1.64000c', width: 320, height: 180, frameRate: 25 });
  });

  test.each<[string, SpsOptions, object]>([
    [
      '1080 lines are 1088 cropped',
      { width: 1920, height: 1080, level: 40 },
      { codec: 'avc1.640028', width: 1920, height: 1080 },
    ],
    [
      'fields',
      { width: 1920, height: 1080, fields: true, timing: [1, 50] },
      { codec: 'avc1.64001f', width: 1920, height: 1080, frameRate: 25 },
    ],
    [
      'baseline with constraints',
      { profile: 66, constraints: 0xc0, level: 30 },
      { codec: 'avc1.42c01e', width: 320, height: 180 },
    ],
    [
      '23.976',
      { timing: [1001, 48_000] },
      { codec: 'avc1.64001f', width: 320, height: 180, frameRate: 23.976 },
    ],
    [
      '59.94',
      { timing: [1001, 120_000] },
      { codec: 'avc1.64001f', width: 320, height: 180, frameRate: 59.94 },
    ],
    [
      '4:2:2',
      { profile: 122, chromaFormat: 2, width: 1280, height: 722 },
      { codec: 'avc1.7a001f', width: 1280, height: 722 },
    ],
    [
      '4:4:4, odd size',
      { profile: 244, chromaFormat: 3, width: 321, height: 179 },
      { codec: 'avc1.f4001f', width: 321, height: 179 },
    ],
    [
      'monochrome',
      { profile: 100, chromaFormat: 0, width: 33, height: 17 },
      { codec: 'avc1.64001f', width: 33, height: 17 },
    ],
    [
      'scaling lists',
      { scalingLists: true, timing: [1, 60] },
      { codec: 'avc1.64001f', width: 320, height: 180, frameRate: 30 },
    ],
    ['picture order by cycle', { pictureOrderType: 1 }, { codec: 'avc1.64001f', width: 320, height: 180 }],
    ['picture order by decoding', { pictureOrderType: 2 }, { codec: 'avc1.64001f', width: 320, height: 180 }],
    ['a timing of nothing', { timing: [0, 0] }, { codec: 'avc1.64001f', width: 320, height: 180 }],
  ])('%s', (_, options, expected) => {
    expect(readSps(spsNal(options))).toEqual(expected);
  });

  test('any bytes are read, or refused with a MediaError (property)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          const { width, height } = readSps(bytes);
          expect(width * height).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(MediaError);
        }
      }),
    );
  });
});

/** As the demuxer looks: again and again, with more bytes each time. */
function look(bytes: readonly number[], step: number): { picture: Picture; looked: number; head: H264Head } {
  const head = new H264Head();
  const all = Uint8Array.from([99, ...bytes]);
  for (let to = 1 + Math.min(step, bytes.length); ; to = Math.min(to + step, all.length)) {
    const last = to === all.length;
    const picture = head.look(all, 1, to, last);
    if (picture !== 'open' || last) return { picture, looked: to - 1, head };
  }
}

describe('key pictures', () => {
  const tail = Array.from({ length: 90 }, (_, n) => 0x80 | n);
  const idr = accessUnit({ kind: 'idr' });
  test.each<[string, number[], Picture]>([
    ['IDR', idr, 'key'],
    ['IDR without AUD', accessUnit({ kind: 'idr', aud: false }), 'key'],
    [
      'IDR of several slices behind a large SEI',
      accessUnit({ kind: 'idr', slices: 4, seiBytes: 3000 }),
      'key',
    ],
    ['I with recovery point', accessUnit({ kind: 'recovery' }), 'key'],
    [
      'I slices only, each saying so for itself',
      accessUnit({ kind: 'recovery', slices: 3, looseSliceTypes: true }),
      'key',
    ],
    ['I without recovery point', accessUnit({ kind: 'I' }), 'other'],
    ['P', accessUnit({ kind: 'P' }), 'other'],
    ['B', accessUnit({ kind: 'B', slices: 2 }), 'other'],
    ['the rest of a picture, then an IDR', [...tail, ...idr], 'key'],
    [
      'the rest of an IDR picture, then a P',
      [...accessUnit({ kind: 'idr', slices: 2 }).slice(-107), ...accessUnit({ kind: 'P' })],
      'other',
    ],
    ['P, then IDR: the first is meant', [...accessUnit({ kind: 'P' }), ...idr], 'other'],
    ['recovery point with an I and a P slice', mixed(), 'other'],
    ['nothing but parameter sets', nalUnit(0x67, spsRbsp()), 'other'],
    ['nothing', [], 'other'],
    ['zeros', Array<number>(50).fill(0), 'other'],
  ])('%s', (_, bytes, expected) => {
    for (const step of [1, 5, 170, 100_000])
      expect([step, look(bytes, step).picture]).toEqual([step, expected]);
  });

  test('a P is told by its first bytes', () => {
    expect(look(accessUnit({ kind: 'P', sliceBytes: 5000 }), 1).looked).toBeLessThan(40);
  });

  test('the SPS is found', () => {
    const { head } = look(idr, 3);
    const nal = Uint8Array.from(idr).subarray(head.spsFrom, head.spsTo);
    expect(readSps(nal)).toMatchObject({ width: 320, height: 180 });
  });

  test('whatever comes before and however it is divided, the kind decides (property)', () => {
    const options = fc.record<PictureOptions>({
      kind: fc.constantFrom('idr', 'recovery', 'I', 'P', 'B'),
      aud: fc.boolean(),
      slices: fc.integer({ min: 1, max: 4 }),
      looseSliceTypes: fc.boolean(),
      seiBytes: fc.integer({ min: 0, max: 600 }),
      sliceBytes: fc.integer({ min: 20, max: 300 }),
    });
    fc.assert(
      fc.property(options, fc.integer({ min: 1, max: 400 }), (picture, step) => {
        const expected = picture.kind === 'idr' || picture.kind === 'recovery' ? 'key' : 'other';
        expect(look(accessUnit(picture), step).picture).toBe(expected);
      }),
    );
  });

  test('any bytes: a decision at the end, the same however divided (property)', () => {
    const bytes = fc.array(
      fc.oneof(fc.constantFrom(0, 0, 0, 1, 1, 3, 6, 0x65, 0x41), fc.integer({ min: 0, max: 255 })),
      {
        maxLength: 120,
      },
    );
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 30 }), (any, step) => {
        const { picture } = look(any, step);
        expect(picture).not.toBe('open');
        expect(picture).toBe(look(any, 1000).picture);
      }),
    );
  });

  /** SPS, PPS, recovery point, an I slice, a P slice. */
  function mixed(): number[] {
    const whole = accessUnit({ kind: 'recovery', looseSliceTypes: true, sliceBytes: 30 });
    // first_mb 10, slice_type 0
    return [...whole, 0, 0, 1, 0x41, 0b0001_0111, 0xff, ...tail];
  }
});
