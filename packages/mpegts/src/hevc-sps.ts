import type { VideoParameters } from './access-unit.js';
import { BitReader } from './bit-reader.js';
import { MediaError } from './errors.js';
import { frameRateOf } from './frame-rate.js';
import { findStartCode } from './start-code.js';

const VPS = 32;
const SPS = 33;
const EXTENDED_SAR = 255;
/** Limits of the standard, and bounds of the loops (§7.4.3.2.1, §7.4.8). */
const MOST_REFERENCE_SETS = 64;
const MOST_PICTURES = 16;
const MOST_LONG_TERM = 32;
const MOST_LAYER_SETS = 1023;

const bad = (what: string): MediaError => new MediaError('bad-parameter-set', `HEVC: ${what}`);

/**
 * What an SPS says, and where it has no timing a VPS before it.
 *
 * @param bytes from behind a start code: the NAL unit of an SPS, or NAL units of which the last is one
 * @throws MediaError `bad-parameter-set`
 */
export function readHevcParameters(bytes: Uint8Array): VideoParameters {
  let frameRate: number | undefined;
  for (let at = 0; ;) {
    const code = findStartCode(bytes, at, bytes.length);
    const nal = bytes.subarray(at, code < 0 ? bytes.length : code);
    const type = nal.length > 2 ? (nal[0]! >> 1) & 0x3f : -1;
    if (type === VPS) frameRate = orNone(() => readVpsFrameRate(nal));
    else if (type === SPS) return { ...(frameRate !== undefined && { frameRate }), ...readSps(nal) };
    if (code < 0) throw bad('no SPS');
    at = code + 3;
  }
}

/** A sequence parameter set (ITU-T H.265 §7.3.2.2). */
function readSps(nal: Uint8Array): VideoParameters {
  const bits = new BitReader(nal, 2);
  bits.skip(4); // sps_video_parameter_set_id
  const subLayers = bits.bits(3); // sps_max_sub_layers_minus1
  if (subLayers > 6) throw bad('an SPS of more than 7 temporal layers');
  bits.skip(1);
  const codec = readProfileTierLevel(bits, subLayers);
  bits.ue(); // sps_seq_parameter_set_id
  const chromaFormat = bits.ue();
  const separatePlanes = chromaFormat === 3 && bits.flag();
  const codedWidth = bits.ue();
  const codedHeight = bits.ue();
  const [left, right, top, bottom] = readWindow(bits);
  // SubWidthC and SubHeightC (table 6-1).
  const unitX = !separatePlanes && (chromaFormat === 1 || chromaFormat === 2) ? 2 : 1;
  const unitY = !separatePlanes && chromaFormat === 1 ? 2 : 1;
  const width = codedWidth - unitX * (left + right);
  const height = codedHeight - unitY * (top + bottom);
  if (!(width > 0 && height > 0 && width <= 16384 && height <= 16384))
    throw bad(`an SPS of ${width}×${height} pixels`);
  const frameRate = orNone(() => readFrameRate(bits, subLayers));
  return { codec, width, height, ...(frameRate !== undefined && { frameRate }) };
}

/**
 * profile_tier_level (§7.3.3) as ISO/IEC 14496-15 annex E writes it: `hvc1.`, profile space and profile, the
 * compatibility flags in reverse bit order in hexadecimal, tier and level, and the constraint bytes up to the last that is not 0.
 * `hvc1` and not `hev1`, though the parameter sets are in the stream: what Apple's authoring specification wants, and what
 * hls.js makes of a transport stream.
 */
function readProfileTierLevel(bits: BitReader, subLayers: number): string {
  const space = ['', 'A', 'B', 'C'][bits.bits(2)]!;
  const tier = bits.flag() ? 'H' : 'L';
  const profile = bits.bits(5);
  let compatibility = 0;
  for (let n = 0; n < 32; n++) compatibility += bits.bit() * 2 ** n;
  const constraints = Array.from({ length: 6 }, () => bits.bits(8));
  while (constraints.at(-1) === 0) constraints.pop();
  const level = bits.bits(8);
  const present = Array.from({ length: subLayers }, () => ({ profile: bits.flag(), level: bits.flag() }));
  if (subLayers > 0) bits.skip(2 * (8 - subLayers));
  for (const layer of present) bits.skip((layer.profile ? 88 : 0) + (layer.level ? 8 : 0));
  const hex = (value: number): string => value.toString(16).toUpperCase();
  return ['hvc1', `${space}${profile}`, hex(compatibility), `${tier}${level}`, ...constraints.map(hex)].join(
    '.',
  );
}

/** A flag, and if set four offsets. */
function readWindow(bits: BitReader): [left: number, right: number, top: number, bottom: number] {
  return bits.flag() ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()] : [0, 0, 0, 0];
}

/** From bit_depth_luma_minus8 to the VUI's timing. */
function readFrameRate(bits: BitReader, subLayers: number): number | undefined {
  skipCodes(bits, 2); // bit depths
  const pocBits = bits.ue() + 4;
  skipOrdering(bits, subLayers);
  skipCodes(bits, 6); // coding block and transform block sizes
  if (bits.flag() && bits.flag()) skipScalingLists(bits);
  bits.skip(2); // amp_enabled_flag, sample_adaptive_offset_enabled_flag
  if (bits.flag()) {
    bits.skip(8); // pcm bit depths
    skipCodes(bits, 2);
    bits.skip(1);
  }
  skipReferenceSets(bits);
  if (bits.flag()) {
    const count = bits.ue();
    if (count > MOST_LONG_TERM || pocBits > 16) throw bad('too many long-term pictures');
    bits.skip(count * (pocBits + 1));
  }
  bits.skip(2); // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
  return bits.flag() ? readVuiFrameRate(bits) : undefined;
}

/** Video parameter set up to its timing (§7.3.2.1). */
function readVpsFrameRate(nal: Uint8Array): number | undefined {
  const bits = new BitReader(nal, 2);
  bits.skip(12); // vps_video_parameter_set_id, base layer flags, vps_max_layers_minus1
  const subLayers = bits.bits(3);
  bits.skip(17);
  readProfileTierLevel(bits, subLayers);
  skipOrdering(bits, subLayers);
  const layers = bits.bits(6) + 1;
  const sets = bits.ue();
  if (sets > MOST_LAYER_SETS) throw bad('too many layer sets');
  bits.skip(sets * layers);
  if (!bits.flag()) return undefined;
  const unitsInTick = bits.bits(32);
  return frameRateOf(bits.bits(32), unitsInTick);
}

/** What is cut off or absurd tells nothing. */
function orNone(read: () => number | undefined): number | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MediaError) return undefined;
    throw error;
  }
}

/** Sizes of the decoded picture buffer of each temporal layer. */
function skipOrdering(bits: BitReader, subLayers: number): void {
  for (let layer = bits.flag() ? 0 : subLayers; layer <= subLayers; layer++) skipCodes(bits, 3);
}

function skipCodes(bits: BitReader, count: number): void {
  for (let n = 0; n < count; n++) bits.ue();
}

/** scaling_list_data (§7.3.4). */
function skipScalingLists(bits: BitReader): void {
  for (let size = 0; size < 4; size++) {
    for (let matrix = 0; matrix < 6; matrix += size === 3 ? 3 : 1) {
      if (!bits.flag()) bits.ue();
      else skipCodes(bits, Math.min(64, 1 << (4 + size * 2)) + (size > 1 ? 1 : 0));
    }
  }
}

/** st_ref_pic_set of each (§7.3.7); one may be told by its difference from the one before. */
function skipReferenceSets(bits: BitReader): void {
  const sets = bits.ue();
  if (sets > MOST_REFERENCE_SETS) throw bad('too many short-term reference picture sets');
  let pictures = 0;
  for (let set = 0; set < sets; set++) {
    if (set > 0 && bits.flag()) {
      bits.skip(1); // delta_rps_sign
      bits.ue();
      let kept = 0;
      // used_by_curr_pic_flag, and where it is 0 use_delta_flag
      for (let n = 0; n <= pictures; n++) if (bits.flag() || bits.flag()) kept++;
      pictures = kept;
    } else {
      pictures = bits.ue() + bits.ue();
      if (pictures > MOST_PICTURES) throw bad('a reference picture set is too long');
      for (let n = 0; n < pictures; n++) {
        bits.ue();
        bits.skip(1);
      }
    }
  }
}

/** VUI up to its timing (§E.2.1). */
function readVuiFrameRate(bits: BitReader): number | undefined {
  if (bits.flag() && bits.bits(8) === EXTENDED_SAR) bits.skip(32);
  if (bits.flag()) bits.skip(1); // overscan
  if (bits.flag()) {
    bits.skip(4);
    if (bits.flag()) bits.skip(24); // colour description
  }
  if (bits.flag()) skipCodes(bits, 2); // chroma location
  bits.skip(1); // neutral_chroma_indication_flag
  const fields = bits.flag(); // field_seq_flag
  bits.skip(1);
  readWindow(bits); // default display window: a wish, not a crop
  if (!bits.flag()) return undefined;
  const unitsInTick = bits.bits(32);
  const timeScale = bits.bits(32);
  // One tick is a picture, and with field_seq_flag each picture is a field (§E.3.1).
  return frameRateOf(timeScale, unitsInTick * (fields ? 2 : 1));
}
