import type { VideoParameters } from './access-unit.js';
import { BitReader } from './bit-reader.js';
import { MediaError } from './errors.js';
import { frameRateOf } from './frame-rate.js';

/** Profiles whose SPS has the chroma fields. */
const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
const EXTENDED_SAR = 255;

/**
 * What a sequence parameter set says about the pictures (ITU-T H.264 §7.3.2.1.1).
 *
 * @param nal the NAL unit with its header byte
 * @throws MediaError `bad-parameter-set`
 */
export function readSps(nal: Uint8Array): VideoParameters {
  if (nal.length < 4) throw new MediaError('bad-parameter-set', 'H.264: the SPS is cut off');
  const codec = `avc1.${[nal[1]!, nal[2]!, nal[3]!].map((b) => b.toString(16).padStart(2, '0')).join('')}`;
  const bits = new BitReader(nal, 4);
  bits.ue(); // seq_parameter_set_id
  let chromaFormat = 1;
  let separatePlanes = false;
  if (HIGH_PROFILES.has(nal[1]!)) {
    chromaFormat = bits.ue();
    if (chromaFormat === 3) separatePlanes = bits.flag();
    bits.ue(); // bit_depth_luma_minus8
    bits.ue(); // bit_depth_chroma_minus8
    bits.skip(1);
    if (bits.flag()) skipScalingLists(bits, chromaFormat === 3 ? 12 : 8);
  }
  bits.ue(); // log2_max_frame_num_minus4
  skipPicOrderCount(bits);
  bits.ue(); // max_num_ref_frames
  bits.skip(1);
  const widthInMbs = bits.ue() + 1;
  const heightInMapUnits = bits.ue() + 1;
  const frameMbsOnly = bits.flag();
  if (!frameMbsOnly) bits.skip(1);
  bits.skip(1); // direct_8x8_inference_flag
  const crop = bits.flag() ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()] : [0, 0, 0, 0];
  const [left, right, top, bottom] = crop as [number, number, number, number];
  // CropUnitX and CropUnitY (§7.4.2.1.1): chroma samples, and field lines where fields may be.
  const chromaArray = separatePlanes ? 0 : chromaFormat;
  const unitX = chromaArray === 1 || chromaArray === 2 ? 2 : 1;
  const unitY = (chromaArray === 1 ? 2 : 1) * (frameMbsOnly ? 1 : 2);
  const width = widthInMbs * 16 - unitX * (left + right);
  const height = heightInMapUnits * 16 * (frameMbsOnly ? 1 : 2) - unitY * (top + bottom);
  if (!(width > 0 && height > 0 && width <= 16384 && height <= 16384))
    throw new MediaError('bad-parameter-set', `H.264: an SPS of ${width}×${height} pixels`);
  const frameRate = bits.flag() ? readVuiFrameRate(bits) : undefined;
  return { codec, width, height, ...(frameRate !== undefined && { frameRate }) };
}

function skipScalingLists(bits: BitReader, count: number): void {
  for (let list = 0; list < count; list++) {
    if (!bits.flag()) continue;
    let last = 8;
    let next = 8;
    for (let n = 0; n < (list < 6 ? 16 : 64); n++) {
      if (next !== 0) next = (last + bits.se() + 256) % 256;
      if (next !== 0) last = next;
    }
  }
}

function skipPicOrderCount(bits: BitReader): void {
  const type = bits.ue();
  if (type === 0) bits.ue();
  if (type !== 1) return;
  bits.skip(1);
  bits.se();
  bits.se();
  const cycle = bits.ue();
  if (cycle > 255)
    throw new MediaError('bad-parameter-set', 'H.264: the picture order count cycle is too long');
  for (let n = 0; n < cycle; n++) bits.se();
}

/** VUI up to its timing (ITU-T H.264 §E.1.1). A VUI that is cut off or absurd has no timing. */
function readVuiFrameRate(bits: BitReader): number | undefined {
  try {
    if (bits.flag() && bits.bits(8) === EXTENDED_SAR) bits.skip(32);
    if (bits.flag()) bits.skip(1); // overscan
    if (bits.flag()) {
      bits.skip(4);
      if (bits.flag()) bits.skip(24); // colour description
    }
    if (bits.flag()) {
      bits.ue();
      bits.ue(); // chroma location
    }
    if (!bits.flag()) return undefined;
    const unitsInTick = bits.bits(32);
    const timeScale = bits.bits(32);
    // One tick is a field, so a frame has two (§E.2.1).
    return frameRateOf(timeScale, 2 * unitsInTick);
  } catch (error) {
    if (error instanceof MediaError) return undefined;
    throw error;
  }
}
