import type { Picture } from './access-unit.js';
import type { UnitKind } from './access-unit-scan.js';
import { BitReader } from './bit-reader.js';
import type { Captions } from './captions.js';
import { NalUnitHead, readOr } from './nal-unit-head.js';
import { findSeiMessage, RECOVERY_POINT } from './sei.js';

/** nal_unit_type (ITU-T H.264 table 7-1). */
const NON_IDR_SLICE = 1;
const PARTITION_A = 2;
const IDR_SLICE = 5;
const SEI = 6;
const SPS = 7;
const PPS = 8;
const AUD = 9;
/** Whether a NAL unit starts the next access unit (§7.4.1.2.3); 14 is a prefix of each slice, not only of the first. */
const startsAccessUnit = (type: number): boolean =>
  (type >= SEI && type <= AUD) || (type >= 15 && type <= 18);
/** Enough for first_mb_in_slice and slice_type, emulation prevention included. */
const SLICE_HEADER_BYTES = 12;

/**
 * H.264. A player can start at
 *
 * - an IDR picture;
 * - one of I slices only with a recovery point SEI (§7.4.1.2.4, §D.2.8): open GOP;
 * - one of I slices only with its SPS before it: encoders that leave out the SEI still repeat the parameter sets where
 *   they mean one to start, and hls.js takes it for a key picture too. An I picture alone is a change of scene;
 * - any picture whose recovery point SEI has recovery_frame_cnt > 0: intra refresh, where no picture is whole by itself.
 *   The refresh begins there, the encoder repeats its parameter sets there, and who starts there has a whole picture
 *   after that many frames; from any other picture on it would take up to twice as many. Such a start is `gradual`: a
 *   segment may begin there but is not independent.
 *
 * Each field of a pair is an access unit of its own; the first one decides.
 */
export class H264Head extends NalUnitHead {
  #intraOnly = false;
  #begun = false;
  #sliced = false;

  constructor(captions?: Captions) {
    super(1, captions);
  }

  override reset(): void {
    super.reset();
    this.#intraOnly = false;
    this.#begun = false;
    this.#sliced = false;
  }

  protected read(bytes: Uint8Array, from: number, end: number, whole: boolean): Picture {
    const at = from + this.nal;
    if (at >= end) return 'open';
    const type = bytes[at]! & 0x1f;
    if (type === NON_IDR_SLICE || type === PARTITION_A || type === IDR_SLICE) {
      if (!whole && end - at <= SLICE_HEADER_BYTES) return 'open';
      const picture = this.#slice(bytes, at, end, type);
      this.nal = -1;
      return picture;
    }
    const starts = startsAccessUnit(type);
    if (starts && this.#sliced) return this.decide();
    if (starts) this.#begun = true;
    if (type === AUD && at + 1 < end) this.#intraOnly ||= bytes[at + 1]! >> 5 === 0;
    if (!whole) return 'open';
    if (type === SPS) {
      this.spsFrom = this.nal;
      this.spsTo = end - from;
    } else if (type === PPS) this.pps = true;
    else if (type === SEI) this.#sei(bytes, at + 1, end);
    this.nal = -1;
    return 'open';
  }

  #sei(bytes: Uint8Array, from: number, end: number): void {
    this.captions?.sei(bytes, from, end);
    const payload = findSeiMessage(bytes, from, end, RECOVERY_POINT);
    const frames = payload < 0 ? -1 : readOr(() => new BitReader(bytes, payload, end).ue(), -1);
    if (frames < 0) return;
    this.recovery = true;
    this.refreshPictures = frames;
  }

  #slice(bytes: Uint8Array, at: number, end: number, type: number): Picture {
    const bits = new BitReader(bytes, at + 1, Math.min(end, at + 1 + SLICE_HEADER_BYTES));
    const first = readOr(() => bits.ue(), -1);
    const sliceType = readOr(() => bits.ue(), -1);
    if (sliceType < 0) return 'other';
    if (first === 0 && this.#sliced) return this.decide();
    // It goes on with the access unit of the PES before; the PTS is that of the first to begin in this one.
    if (first !== 0 && !this.#sliced && !this.#begun) return 'open';
    this.complete = this.spsFrom >= 0 && this.pps;
    if (type === IDR_SLICE) {
      this.refreshPictures = 0;
      return 'key';
    }
    // slice_type 7: all slices of the picture are I; 2: this one is (table 7-6).
    if (sliceType !== 2 && sliceType !== 7) {
      if (!this.recovery || this.refreshPictures === 0) return 'other';
      this.access = 'gradual';
      return 'key';
    }
    if (!this.recovery && this.spsFrom < 0) return 'other';
    this.#sliced = true;
    return sliceType === 7 || this.#intraOnly ? this.decide() : 'open';
  }

  protected decide(): Picture {
    if (!this.#sliced) return 'other';
    this.access = 'open-gop';
    this.refreshPictures = 0;
    return 'key';
  }
}

/** Of the NAL unit at `at`. A picture begins with the slice whose first_mb_in_slice is 0: one bit. */
export function h264UnitKind(bytes: Uint8Array, at: number): UnitKind {
  const type = bytes[at]! & 0x1f;
  if (startsAccessUnit(type)) return 'starts';
  const isSlice = type === NON_IDR_SLICE || type === PARTITION_A || type === IDR_SLICE;
  return isSlice && (bytes[at + 1]! & 0x80) !== 0 ? 'picture' : 'more';
}
