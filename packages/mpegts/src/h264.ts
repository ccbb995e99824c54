import { BitReader } from './bit-reader.js';
import { MediaError } from './errors.js';

/** nal_unit_type (ITU-T H.264 table 7-1). */
const NON_IDR_SLICE = 1;
const IDR_SLICE = 5;
const SEI = 6;
const SPS = 7;
const AUD = 9;
const RECOVERY_POINT = 6;
/** Enough for first_mb_in_slice and slice_type, emulation prevention included. */
const SLICE_HEADER_BYTES = 12;

/** What a PES starts with. */
export type Picture = 'key' | 'other' | 'open';

/**
 * Looks at the first access unit that begins in a PES, as far as it takes to know whether a player can start there: an IDR picture,
 * or one of I slices only with a recovery point SEI (ITU-T H.264 §7.4.1.2.4, §D.2.8). What random_access_indicator says
 * plays no part: encoders set it wrongly and leave it out.
 *
 * `look` may be called again with more bytes; positions are relative to the start, so the bytes may have moved.
 */
export class AccessUnitHead {
  /** Of the last SPS seen whole, relative to the start; −1: none. */
  spsFrom = -1;
  spsTo = -1;
  #next = 0;
  /** NAL unit whose end has not been seen yet; −1: none. */
  #nal = -1;
  #recovery = false;
  #intraOnly = false;
  #sliced = false;

  reset(): void {
    this.spsFrom = -1;
    this.spsTo = -1;
    this.#next = 0;
    this.#nal = -1;
    this.#recovery = false;
    this.#intraOnly = false;
    this.#sliced = false;
  }

  /**
   * @param bytes the payload of the PES stands at `[from, to)`
   * @param last no more bytes will come: decide
   */
  look(bytes: Uint8Array, from: number, to: number, last: boolean): Picture {
    for (;;) {
      const code = findStartCode(bytes, from + this.#next, to);
      const known = code >= 0;
      if (this.#nal >= 0) {
        const picture = this.#read(bytes, from, known ? code : to, known || last);
        if (picture !== 'open') return picture;
      }
      if (!known) {
        this.#next = Math.max(this.#next, to - 2 - from);
        return last ? this.#decide() : 'open';
      }
      if (code + 3 >= to && !last) {
        this.#nal = -1;
        this.#next = code - from;
        return 'open';
      }
      this.#nal = code + 3 - from;
      this.#next = code + 3 - from;
    }
  }

  /** Reads the NAL unit at `#nal`, of which the bytes up to `end` are there. */
  #read(bytes: Uint8Array, from: number, end: number, whole: boolean): Picture {
    const at = from + this.#nal;
    if (at >= end) return 'open';
    const type = bytes[at]! & 0x1f;
    if (type === NON_IDR_SLICE || type === IDR_SLICE) {
      if (!whole && end - at < SLICE_HEADER_BYTES) return 'open';
      const picture = this.#slice(bytes, at, end, type);
      this.#nal = -1;
      return picture;
    }
    // A NAL unit that starts the next access unit (§7.4.1.2.3).
    if (this.#sliced && ((type >= SEI && type <= AUD) || (type >= 14 && type <= 18))) return this.#decide();
    if (type === AUD && at + 1 < end) this.#intraOnly ||= bytes[at + 1]! >> 5 === 0;
    if (!whole) return 'open';
    if (type === SPS) {
      this.spsFrom = this.#nal;
      this.spsTo = end - from;
    } else if (type === SEI) {
      this.#recovery ||= hasRecoveryPoint(bytes, at + 1, end);
    }
    this.#nal = -1;
    return 'open';
  }

  #slice(bytes: Uint8Array, at: number, end: number, type: number): Picture {
    let first: number;
    let sliceType: number;
    try {
      const bits = new BitReader(bytes, at + 1, Math.min(end, at + 1 + SLICE_HEADER_BYTES));
      first = bits.ue();
      sliceType = bits.ue();
    } catch (error) {
      if (error instanceof MediaError) return 'other';
      throw error;
    }
    if (first === 0 && this.#sliced) return this.#decide();
    // It goes on with the access unit of the PES before; the PTS is that of the first to begin in this one.
    if (first !== 0 && !this.#sliced) return 'open';
    if (type === IDR_SLICE) return 'key';
    // slice_type 7: all slices of the picture are I; 2: this one is (table 7-6).
    if (!this.#recovery || (sliceType !== 2 && sliceType !== 7)) return 'other';
    this.#sliced = true;
    return sliceType === 7 || this.#intraOnly ? 'key' : 'open';
  }

  #decide(): Picture {
    return this.#sliced ? 'key' : 'other';
  }
}

/** Position of the next 00 00 01, or −1. */
function findStartCode(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from + 2; at < to;) {
    const byte = bytes[at]!;
    if (byte > 1) at += 3;
    else if (byte === 0) at++;
    else if (bytes[at - 1] === 0 && bytes[at - 2] === 0) return at - 2;
    else at += 3;
  }
  return -1;
}

/** Whether an SEI RBSP holds a recovery point message (ITU-T H.264 §7.3.2.3.1). Bytewise: one comes with each picture. */
function hasRecoveryPoint(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  let zeros = 0;
  /** The next byte without emulation prevention; −1 at the end. */
  const next = (): number => {
    if (zeros >= 2 && bytes[at] === 3) {
      at++;
      zeros = 0;
    }
    if (at >= to) return -1;
    const byte = bytes[at++]!;
    zeros = byte === 0 ? zeros + 1 : 0;
    return byte;
  };
  while (at < to) {
    let type = 0;
    let size = 0;
    let byte: number;
    while ((byte = next()) === 0xff) type += 255;
    if (byte < 0) return false;
    type += byte;
    if (type === RECOVERY_POINT) return true;
    while ((byte = next()) === 0xff) size += 255;
    size += byte;
    for (let n = 0; n < size && at < to; n++) next();
  }
  return false;
}
