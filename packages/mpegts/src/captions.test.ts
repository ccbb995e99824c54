import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Captions } from './captions.js';
import { bits, escaped } from './elementary-stream.test.helper.js';
import { H264Head } from './h264.js';
import { HevcHead } from './hevc.js';
import { MpegVideoHead } from './mpeg-video.js';
import { PictureReader } from './picture-reader.js';
import { ElementaryTrack } from './program.js';

type Triplet = [type: number, first: number, second: number];

/** With odd parity (CEA-608 §8.2). */
const odd = (byte: number): number => {
  const ones = byte.toString(2).replaceAll('0', '').length;
  return ones % 2 === 1 ? byte : byte | 0x80;
};
const field = (type: 0 | 1, first: number, second: number): Triplet => [type, odd(first), odd(second)];
/** A DTVCC packet (CTA-708 §5) of these bytes, filled up. */
const packet = (...data: number[]): Triplet[] => {
  const even = data.length % 2 === 1 ? data : [...data, 0];
  const rest = Array.from({ length: (even.length - 1) / 2 }, (_, i): Triplet => [
    2,
    even[2 * i + 1]!,
    even[2 * i + 2]!,
  ]);
  return [[3, (even.length + 1) / 2, even[0]!], ...rest];
};

const userData = (triplets: Triplet[], valid = true): number[] => [
  ...[...'GA94'].map((letter) => letter.charCodeAt(0)),
  3,
  0x40 | triplets.length,
  0xff,
  ...triplets.flatMap(([type, first, second]) => [(valid ? 0xfc : 0xf8) | type, first, second]),
  0xff,
];
const message = (type: number, payload: number[]): number[] => [
  type,
  ...Array<number>(Math.floor(payload.length / 255)).fill(0xff),
  payload.length % 255,
  ...payload,
];
const registered = (payload: number[]): number[] => message(4, [0xb5, 0x00, 0x31, ...payload]);

const ROLL_UP = field(0, 0x14, 0x25);
const PADDING = field(0, 0, 0);

function found(...pictures: Triplet[][]): string {
  const captions = new Captions();
  for (const triplets of pictures) {
    const bytes = Uint8Array.from(userData(triplets));
    captions.userData(bytes, 0, bytes.length);
  }
  return captions.instreamIds.join(' ');
}

describe('cc_data', () => {
  test.each<[string, Triplet[], string]>([
    ['roll-up', [ROLL_UP], 'CC1'],
    ['pop-on', [field(0, 0x14, 0x20)], 'CC1'],
    ['paint-on', [field(0, 0x14, 0x29)], 'CC1'],
    ['a row', [field(0, 0x11, 0x40)], 'CC1'],
    ['the second channel', [field(0, 0x1c, 0x26)], 'CC2'],
    ['field 2', [field(1, 0x15, 0x27)], 'CC3'],
    ['field 2, coded as field 1', [field(1, 0x14, 0x27)], 'CC3'],
    [
      'all four',
      [field(1, 0x1d, 0x20), ROLL_UP, field(0, 0x1c, 0x2f), field(1, 0x15, 0x20)],
      'CC1 CC2 CC3 CC4',
    ],
    ['padding', [PADDING, field(1, 0, 0)], ''],
    ['text mode', [field(0, 0x14, 0x2a), field(0, 0x14, 0x2b)], ''],
    ['XDS', [field(1, 0x01, 0x03), field(1, 0x0f, 0x1d)], ''],
    ['characters alone', [field(0, 0x48, 0x65)], ''],
    ['a byte of even parity', [[0, 0x14 ^ 0x80 ^ (odd(0x14) & 0x80), odd(0x25)]], ''],
    ['a service', packet(0x22, 0x41, 0x42), 'SERVICE1'],
    ['two services', packet(0x22, 0x41, 0x42, 0x61, 0x43), 'SERVICE1 SERVICE3'],
    ['an extended service', packet(0xe1, 12, 0x41, 0x21, 0x41), 'SERVICE1 SERVICE12'],
    ['the null block', packet(0x00, 0x22, 0x41), ''],
    ['a service block of nothing', packet(0x20, 0x00), ''],
    ['what goes on from a packet that is not there', [[2, 0x22, 0x41]], ''],
    ['608 and 708', [ROLL_UP, ...packet(0x22, 0x41, 0x42)], 'CC1 SERVICE1'],
  ])('%s', (_name, triplets, expected) => {
    expect(found(triplets)).toBe(expected);
  });

  test('what was found stays found, and is told in order', () => {
    expect(found(packet(0x42, 1, 2), [field(0, 0x1c, 0x20)], [PADDING], [ROLL_UP])).toBe('CC1 CC2 SERVICE2');
  });

  test('a packet does not go on in the next picture, which is shown at another time', () => {
    expect(found([[3, 3, 0x21]], [[2, 0x41, 0x42]])).toBe('SERVICE1');
  });

  test.each([
    ['not valid', userData([ROLL_UP], false)],
    [
      'of another provider',
      ['D', 'T', 'G', '1'].map((letter) => letter.charCodeAt(0)).concat(3, 0x41, 0xff, 0xfc, 0x94, 0x25),
    ],
    ['bar data', userData([ROLL_UP]).with(4, 6)],
    ['not to be processed', userData([ROLL_UP]).with(5, 1)],
    ['cut off', userData([ROLL_UP]).slice(0, 9)],
  ])('%s is nothing', (_name, bytes) => {
    const captions = new Captions();
    captions.userData(Uint8Array.from(bytes), 0, bytes.length);
    expect(captions.instreamIds).toEqual([]);
  });
});

describe('SEI', () => {
  const sei = (...messages: number[][]): string => {
    const captions = new Captions();
    const bytes = Uint8Array.from([0xaa, ...escaped([...messages.flat(), 0x80]), 0xaa]);
    captions.sei(bytes, 1, bytes.length - 1);
    return captions.instreamIds.join(' ');
  };

  test('behind other messages, among them one of the same type, with emulation prevention', () => {
    const other = registered([...'DTG1'].map((letter) => letter.charCodeAt(0)).concat(0, 0, 1));
    const padded = userData([[0, 0, 0], [0, 0, 0], [1, 0, 0], ROLL_UP]);
    expect(sei(message(1, [0, 0, 0]), other, registered(padded))).toBe('CC1');
  });

  test('of more than 255 bytes before it', () => {
    expect(sei(message(5, Array<number>(300).fill(1)), registered(userData([ROLL_UP])))).toBe('CC1');
  });

  test('as long as 31 triplets', () => {
    const many = Array<Triplet>(30).fill(PADDING);
    expect(sei(registered(userData([...many, ROLL_UP])))).toBe('CC1');
  });

  test.each([
    ['another country', message(4, [0x26, 0x00, 0x31, ...userData([ROLL_UP])])],
    ['another provider', message(4, [0xb5, 0x00, 0x2f, ...userData([ROLL_UP])])],
    ['another type', message(5, [0xb5, 0x00, 0x31, ...userData([ROLL_UP])])],
  ])('%s', (_name, bytes) => {
    expect(sei(bytes)).toBe('');
  });
});

describe('pictures', () => {
  const nal = (...bytes: number[]): number[] => [0, 0, 0, 1, ...escaped(bytes)];
  const captioned = [...registered(userData([ROLL_UP, ...packet(0x22, 1, 2)])), 0x80];
  const slice = [...bits('ue:0 ue:5'), ...Array<number>(20).fill(0x55)];
  const h264 = [...nal(9, 0xf0), ...nal(6, ...captioned), ...nal(0x41, ...slice)];
  const hevc = [...nal(0x4e, 1, ...captioned), ...nal(0x02, 1, 0x80, ...slice)];
  const picture = [0, 0, 1, 0, 0x00, 0x10, 0xff, 0xf8];
  const extension = [0, 0, 1, 0xb5, 0x8f, 0xff, 0xf3, 0x41, 0x80];
  const mpeg = [
    ...picture,
    ...extension,
    0,
    0,
    1,
    0xb2,
    ...userData([ROLL_UP, ...packet(0x22, 1, 2)]),
    0,
    0,
    1,
    1,
    0x12,
  ];

  test.each([
    ['H.264', h264, (captions: Captions) => new H264Head(captions)],
    ['HEVC', hevc, (captions: Captions) => new HevcHead(captions)],
    ['MPEG-2 video', mpeg, (captions: Captions) => new MpegVideoHead(captions)],
  ])('%s: those of the picture, and what it is stays as it was', (_name, payload, headOf) => {
    const captions = new Captions();
    const bytes = Uint8Array.from(payload);
    expect(headOf(captions).look(bytes, 0, bytes.length, true)).toBe('other');
    expect(captions.instreamIds).toEqual(['CC1', 'SERVICE1']);
  });

  test.each([
    ['h264', h264],
    ['hevc', hevc],
    ['mpeg-video', mpeg],
  ] as const)(
    '%s: PES of one picture each, whether they are looked at as a whole or not',
    (coding, payload) => {
      const track = new ElementaryTrack(256, 'video', coding);
      const reader = new PictureReader();
      reader.open(track);
      const bytes = Uint8Array.from(payload);
      const look = (): unknown => {
        reader.begin();
        return reader.look(bytes, 0, bytes.length, bytes.length, true, true);
      };
      expect(look()).toBe('other');
      expect(track.captions!.instreamIds).toEqual(['CC1', 'SERVICE1']);
      for (let n = 0; n < 3; n++) reader.tell(true);
      expect(reader.isWhole).toBe(false);
      const later = new ElementaryTrack(256, 'video', coding);
      Object.assign(track, { captions: later.captions });
      reader.open(track);
      for (let n = 0; n < 3; n++) reader.tell(true);
      look();
      expect(later.captions!.instreamIds).toEqual(['CC1', 'SERVICE1']);
    },
  );

  test('property: whatever the bytes, nothing is thrown and nothing but INSTREAM-IDs is found', () => {
    let some = 0;
    const triplet = fc.tuple(fc.nat(3), fc.nat(255), fc.nat(255)) as fc.Arbitrary<Triplet>;
    fc.assert(
      fc.property(
        fc.array(triplet, { maxLength: 31 }),
        fc.nat(120),
        fc.uint8Array(),
        (triplets, cut, noise) => {
          const captions = new Captions();
          const whole = registered(userData(triplets));
          for (const bytes of [Uint8Array.from(whole.slice(0, whole.length - cut)), noise]) {
            captions.sei(bytes, 0, bytes.length);
            captions.userData(bytes, 0, bytes.length);
          }
          const ids = captions.instreamIds;
          if (ids.length > 0) some++;
          expect(ids.filter((id) => !/^(CC[1-4]|SERVICE([1-9]|[1-5]\d|6[0-3]))$/.test(id))).toEqual([]);
        },
      ),
      { numRuns: 1000 },
    );
    expect(some).toBeGreaterThan(100);
  });
});
