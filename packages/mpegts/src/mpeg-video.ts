import type { Picture, PictureHead, RandomAccess, VideoParameters } from './access-unit.js';
import type { UnitKind } from './access-unit-scan.js';
import type { Captions } from './captions.js';
import { MediaError } from './errors.js';
import { frameRateOf } from './frame-rate.js';
import { findStartCode } from './start-code.js';

/** start_code values (ISO/IEC 13818-2 table 6-1). */
const PICTURE = 0x00;
const LAST_SLICE = 0xaf;
const USER_DATA = 0xb2;
const SEQUENCE_HEADER = 0xb3;
const EXTENSION = 0xb5;
const GROUP = 0xb8;
/** Picture header, extensions and user data of a picture with captions are no longer. */
const MOST_PICTURE_HEAD = 512;
/** extension_start_code_identifier (table 6-2). */
const SEQUENCE_EXTENSION = 1;
/** picture_coding_type (table 6-12). */
const I_PICTURE = 1;

/**
 * MPEG-1 and MPEG-2 video. A player can start at an I picture with the sequence header before it (ISO/IEC 13818-2
 * §6.1.1.6); the GOP header's closed_gop says whether the B pictures shown before it can be decoded. An I picture without
 * a sequence header is none: a decoder that joins there knows neither size nor tables. Of two field pictures the first decides.
 */
export class MpegVideoHead implements PictureHead {
  spsFrom = -1;
  spsTo = -1;
  access: RandomAccess = 'open-gop';
  complete = false;
  readonly refreshPictures = 0;
  #next = 0;
  /** Position behind the start code that has not been read yet; −1: none. */
  #unit = -1;
  /** The sequence header's extensions may still come. */
  #sequence = false;
  #begun = false;

  /** @param captions are told the user data of each picture, as far as it has come when the picture is told */
  constructor(private readonly captions?: Captions) {}

  reset(): void {
    this.spsFrom = -1;
    this.spsTo = -1;
    this.access = 'open-gop';
    this.complete = false;
    this.#next = 0;
    this.#unit = -1;
    this.#sequence = false;
    this.#begun = false;
  }

  look(bytes: Uint8Array, from: number, to: number, last: boolean): Picture {
    for (;;) {
      if (this.#unit >= 0) {
        const picture = this.#read(bytes, from, to, last);
        if (picture !== undefined) return picture;
      }
      const code = findStartCode(bytes, from + this.#next, to);
      if (code < 0 || code + 3 >= to) {
        this.#next = code < 0 ? Math.max(this.#next, to - 2 - from) : code - from;
        return last ? 'other' : 'open';
      }
      this.#unit = code + 3 - from;
      this.#next = code + 3 - from;
    }
  }

  /** Reads what begins at `#unit`; `undefined` when the next start code is to be looked for. */
  #read(bytes: Uint8Array, from: number, to: number, last: boolean): Picture | undefined {
    const at = from + this.#unit;
    const code = bytes[at]!;
    if (code === EXTENSION && this.#sequence) {
      // Only its first four bits tell whether it belongs to the sequence header.
      this.#unit = -1;
      return undefined;
    }
    if (this.#sequence) {
      this.#sequence = false;
      this.spsTo = this.#unit - 3;
    }
    if (code === SEQUENCE_HEADER) {
      this.spsFrom = this.#unit;
      this.#sequence = true;
      this.#begun = true;
    } else if (code === GROUP) {
      if (at + 4 >= to) return last ? 'other' : 'open';
      // time_code has 25 bits, then closed_gop.
      this.access = (bytes[at + 4]! & 0x40) === 0 ? 'open-gop' : 'closed';
      this.#begun = true;
    } else if (code === PICTURE) {
      if (at + 2 >= to) return last ? 'other' : 'open';
      this.complete = this.spsFrom >= 0;
      if (this.captions) this.#userData(bytes, at, Math.min(to, at + MOST_PICTURE_HEAD), this.captions);
      // temporal_reference has 10 bits, then picture_coding_type.
      return ((bytes[at + 2]! >> 3) & 7) === I_PICTURE && this.complete ? 'key' : 'other';
    } else if (code <= LAST_SLICE && this.#begun) return 'other';
    this.#unit = -1;
    return undefined;
  }

  /** What stands between the picture header at `from` and the first slice (ISO/IEC 13818-2 §6.2.3). */
  #userData(bytes: Uint8Array, from: number, to: number, captions: Captions): void {
    for (let code = from; (code = findStartCode(bytes, code, to)) >= 0 && code + 3 < to; code += 3) {
      const value = bytes[code + 3]!;
      if (value === USER_DATA) {
        const next = findStartCode(bytes, code + 4, to);
        captions.userData(bytes, code + 4, next < 0 ? to : next);
      } else if (value !== EXTENSION) return;
    }
  }
}

/** Of the start code value at `at` (ISO/IEC 13818-2 §6.2). */
export function mpegVideoUnitKind(bytes: Uint8Array, at: number): UnitKind {
  const code = bytes[at]!;
  if (code === PICTURE) return 'picture';
  return code === SEQUENCE_HEADER || code === GROUP ? 'starts' : 'more';
}

/** frame_rate_code (ISO/IEC 13818-2 table 6-4). */
const frameRates: readonly (readonly [number, number])[] = [
  [0, 1],
  [24000, 1001],
  [24, 1],
  [25, 1],
  [30000, 1001],
  [30, 1],
  [50, 1],
  [60000, 1001],
  [60, 1],
];
/** ObjectTypeIndication of each profile (ISO/IEC 14496-1 table 5), as RFC 6381 §3.3 wants it behind `mp4v`. */
const objectTypes = new Map([
  [1, '64'],
  [2, '63'],
  [3, '62'],
  [4, '61'],
  [5, '60'],
]);
const MPEG_1_VIDEO = '6A';
const MPEG_2_422 = '65';
const MPEG_2_MAIN = '61';

/**
 * What a sequence header and its extension say (ISO/IEC 13818-2 §6.2.2.1, §6.2.2.3).
 *
 * @param bytes from the last byte of the sequence header's start code on, extensions included
 * @throws MediaError `bad-parameter-set`
 */
export function readSequenceHeader(bytes: Uint8Array): VideoParameters {
  if (bytes[0] !== SEQUENCE_HEADER || bytes.length < 8)
    throw new MediaError('bad-parameter-set', 'MPEG video: the sequence header is cut off');
  let width = (bytes[1]! << 4) | (bytes[2]! >> 4);
  let height = ((bytes[2]! & 0x0f) << 8) | bytes[3]!;
  let [numerator, denominator] = frameRates[bytes[4]! & 0x0f] ?? [0, 1];
  let objectType = MPEG_1_VIDEO;
  for (let code = 0; (code = findStartCode(bytes, code, bytes.length)) >= 0; code += 3) {
    const at = code + 4;
    if (at + 6 > bytes.length || bytes[at - 1] !== EXTENSION || bytes[at]! >> 4 !== SEQUENCE_EXTENSION)
      continue;
    // profile_and_level_indication; with the escape bit only 4:2:2 and multi-view are defined.
    const escape = (bytes[at]! & 0x08) !== 0;
    const profile = bytes[at]! & 0x07;
    objectType = escape ? MPEG_2_422 : (objectTypes.get(profile) ?? MPEG_2_MAIN);
    width |= (((bytes[at + 1]! & 1) << 1) | (bytes[at + 2]! >> 7)) << 12;
    height |= ((bytes[at + 2]! >> 5) & 3) << 12;
    numerator *= ((bytes[at + 5]! >> 5) & 3) + 1;
    denominator *= (bytes[at + 5]! & 0x1f) + 1;
    break;
  }
  if (width === 0 || height === 0)
    throw new MediaError('bad-parameter-set', `MPEG video: a sequence header of ${width}×${height} pixels`);
  const frameRate = frameRateOf(numerator, denominator);
  return { codec: `mp4v.${objectType}`, width, height, ...(frameRate !== undefined && { frameRate }) };
}
