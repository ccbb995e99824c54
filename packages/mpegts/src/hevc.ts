import type { Picture } from './access-unit.js';
import type { UnitKind } from './access-unit-scan.js';
import { BitReader } from './bit-reader.js';
import type { Captions } from './captions.js';
import { NalUnitHead, readOr } from './nal-unit-head.js';
import { findSeiMessage, RECOVERY_POINT } from './sei.js';

/** nal_unit_type (ITU-T H.265 table 7-1). */
const LAST_SLICE = 31;
const BLA_W_LP = 16;
const CRA = 21;
/** Beyond: reserved, which a decoder ignores (§7.4.2.2). */
const LAST_NAMED_SLICE = 9;
const VPS = 32;
const SPS = 33;
const PPS = 34;
const AUD = 35;
const PREFIX_SEI = 39;
const I_SLICE = 2;
/** Enough for the slice segment header up to slice_type, emulation prevention included. */
const SLICE_HEADER_BYTES = 16;

/**
 * HEVC. A player can start at
 *
 * - IDR_W_RADL, IDR_N_LP, BLA_W_RADL, BLA_N_LP: closed;
 * - CRA and BLA_W_LP: open GOP, their RASL pictures are dropped (§8.3.1: NoRaslOutputFlag);
 * - another picture with a recovery point SEI (§D.3.8): of I slices and recovery_poc_cnt ≤ 0, open GOP; with
 *   recovery_poc_cnt > 0 the beginning of an intra refresh, as `H264Head` says.
 *
 * NAL units of other layers (nuh_layer_id > 0) are stepped over.
 */
export class HevcHead extends NalUnitHead {
  /** With it, where one stands before the SPS, the parameter sets begin: it may have the timing that the SPS lacks. */
  #vpsFrom = -1;
  /** num_extra_slice_header_bits of the PPS in this access unit (§7.3.2.3.1), for lack of one 0. */
  #extraBits = 0;

  constructor(captions?: Captions) {
    super(2, captions);
  }

  override reset(): void {
    super.reset();
    this.#vpsFrom = -1;
    this.#extraBits = 0;
  }

  protected read(bytes: Uint8Array, from: number, end: number, whole: boolean): Picture {
    const at = from + this.nal;
    if (at + 2 > end) return 'open';
    const type = (bytes[at]! >> 1) & 0x3f;
    const layer = ((bytes[at]! & 1) << 5) | (bytes[at + 1]! >> 3);
    if (layer > 0) {
      this.nal = -1;
      return 'open';
    }
    if (type <= LAST_SLICE) {
      if (!whole && end - at < 2 + SLICE_HEADER_BYTES) return 'open';
      const picture = this.#slice(bytes, at, Math.min(end, at + 2 + SLICE_HEADER_BYTES), type);
      this.nal = -1;
      return picture;
    }
    if (!whole) return 'open';
    if (type === SPS) {
      this.spsFrom = this.#vpsFrom >= 0 ? this.#vpsFrom : this.nal;
      this.spsTo = end - from;
    } else if (type === VPS) this.#vpsFrom = this.nal;
    else if (type === PPS) {
      this.pps = true;
      this.#extraBits = readOr(() => readExtraBits(bytes, at + 2, end), 0);
    } else if (type === PREFIX_SEI) this.#sei(bytes, at + 2, end);
    this.nal = -1;
    return 'open';
  }

  #sei(bytes: Uint8Array, from: number, end: number): void {
    this.captions?.sei(bytes, from, end);
    const payload = findSeiMessage(bytes, from, end, RECOVERY_POINT);
    const pictures = payload < 0 ? NaN : readOr(() => new BitReader(bytes, payload, end).se(), NaN);
    if (Number.isNaN(pictures)) return;
    this.recovery = true;
    this.refreshPictures = Math.max(0, pictures);
  }

  protected decide(): Picture {
    return 'other';
  }

  #slice(bytes: Uint8Array, at: number, end: number, type: number): Picture {
    if (at + 3 > end) return 'other';
    // first_slice_segment_in_pic_flag 0: the access unit of the PES before goes on, or its beginning is lost.
    if ((bytes[at + 2]! & 0x80) === 0) return 'open';
    this.complete = this.#vpsFrom >= 0 && this.spsFrom >= 0 && this.pps;
    if (type >= BLA_W_LP && type <= CRA) {
      this.access = type === BLA_W_LP || type === CRA ? 'open-gop' : 'closed';
      this.refreshPictures = 0;
      return 'key';
    }
    if (type > LAST_NAMED_SLICE || !this.recovery) return 'other';
    if (this.refreshPictures > 0) {
      this.access = 'gradual';
      return 'key';
    }
    this.access = 'open-gop';
    return readOr(() => readSliceType(bytes, at + 2, end, this.#extraBits), -1) === I_SLICE ? 'key' : 'other';
  }
}

/** Of the first slice segment of a picture that is not IRAP (ITU-T H.265 §7.3.6.1). */
function readSliceType(bytes: Uint8Array, from: number, to: number, extraBits: number): number {
  const bits = new BitReader(bytes, from, to);
  bits.skip(1); // first_slice_segment_in_pic_flag
  bits.ue(); // slice_pic_parameter_set_id
  bits.skip(extraBits);
  return bits.ue();
}

function readExtraBits(bytes: Uint8Array, from: number, to: number): number {
  const bits = new BitReader(bytes, from, to);
  bits.ue(); // pps_pic_parameter_set_id
  bits.ue(); // pps_seq_parameter_set_id
  bits.skip(2); // dependent_slice_segments_enabled_flag, output_flag_present_flag
  return bits.bits(3);
}

/** Of the NAL unit at `at`; which start an access unit says ITU-T H.265 §7.4.2.4.4. */
export function hevcUnitKind(bytes: Uint8Array, at: number): UnitKind {
  const type = (bytes[at]! >> 1) & 0x3f;
  const layer = ((bytes[at]! & 1) << 5) | (bytes[at + 1]! >> 3);
  if (layer > 0) return 'more';
  // first_slice_segment_in_pic_flag
  if (type <= LAST_SLICE) return (bytes[at + 2]! & 0x80) !== 0 ? 'picture' : 'more';
  const isReserved = (type >= 41 && type <= 44) || (type >= 48 && type <= 55);
  return (type >= VPS && type <= AUD) || type === PREFIX_SEI || isReserved ? 'starts' : 'more';
}
