/** What a viewer's decoder needs to know of an H.264 access unit (ISO/IEC 14496-10, Annex B byte stream). */

export interface VideoParameters {
  /** RFC 6381, as `avc1.64001f`. */
  codec: string;
  /** After cropping. */
  width: number;
  height: number;
}

export interface AccessUnit {
  parameters: VideoParameters | undefined;
  hasPictureParameters: boolean;
  /** `idr`, or `recovery` for a recovery point SEI without an IDR. */
  randomAccess: 'idr' | 'recovery' | undefined;
}

export function inspectAccessUnit(bytes: Uint8Array): AccessUnit {
  const unit: AccessUnit = { parameters: undefined, hasPictureParameters: false, randomAccess: undefined };
  for (const nal of nalUnits(bytes)) {
    const type = (nal[0] ?? 0) & 0x1f;
    if (type === 7) unit.parameters ??= parseSps(unescape(nal));
    else if (type === 8) unit.hasPictureParameters = true;
    else if (type === 5) unit.randomAccess = 'idr';
    else if (type === 6 && hasRecoveryPoint(unescape(nal))) unit.randomAccess ??= 'recovery';
  }
  return unit;
}

function* nalUnits(bytes: Uint8Array): Generator<Uint8Array> {
  let begin = -1;
  for (let at = 0; at + 2 < bytes.length; at += 1) {
    if (bytes[at] !== 0 || bytes[at + 1] !== 0 || bytes[at + 2] !== 1) continue;
    if (begin >= 0) yield bytes.subarray(begin, at);
    begin = at + 3;
    at += 2;
  }
  if (begin >= 0) yield bytes.subarray(begin);
}

/** Without emulation prevention bytes (§7.4.1). */
function unescape(nal: Uint8Array): Uint8Array {
  const out: number[] = [];
  let zeros = 0;
  for (const byte of nal) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out.push(byte);
  }
  return Uint8Array.from(out);
}

/** Payload type 6 (§D.1.8). */
function hasRecoveryPoint(sei: Uint8Array): boolean {
  let at = 1;
  while (at + 2 < sei.length) {
    let type = 0;
    let size = 0;
    for (; sei[at] === 0xff; at += 1) type += 255;
    type += sei[at++] ?? 0;
    for (; sei[at] === 0xff; at += 1) size += 255;
    size += sei[at++] ?? 0;
    if (type === 6) return true;
    at += size;
  }
  return false;
}

class Bits {
  private at = 0;
  constructor(private readonly bytes: Uint8Array) {}

  bit(): number {
    const byte = this.bytes[this.at >> 3];
    if (byte === undefined) throw new RangeError('the parameter set is cut short');
    const value = (byte >> (7 - (this.at & 7))) & 1;
    this.at += 1;
    return value;
  }

  u(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i += 1) value = value * 2 + this.bit();
    return value;
  }

  ue(): number {
    let zeros = 0;
    while (this.bit() === 0) zeros += 1;
    if (zeros > 32) throw new RangeError('no Exp-Golomb code');
    return 2 ** zeros - 1 + this.u(zeros);
  }

  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }
}

const withChroma = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

/** §7.3.2.1.1 */
function parseSps(sps: Uint8Array): VideoParameters | undefined {
  try {
    const bits = new Bits(sps.subarray(1));
    const [profile, constraints, level] = [bits.u(8), bits.u(8), bits.u(8)];
    bits.ue();
    const chroma = withChroma.has(profile) ? chromaFormat(bits) : 1;
    bits.ue(); // log2_max_frame_num_minus4
    const order = bits.ue();
    if (order === 0) bits.ue();
    else if (order === 1) {
      bits.u(1);
      bits.se();
      bits.se();
      for (let left = bits.ue(); left > 0; left -= 1) bits.se();
    }
    bits.ue(); // max_num_ref_frames
    bits.u(1);
    const widthInMbs = bits.ue() + 1;
    const heightInMapUnits = bits.ue() + 1;
    const framesOnly = bits.u(1);
    if (framesOnly === 0) bits.u(1);
    bits.u(1); // direct_8x8_inference_flag
    const crop = bits.u(1) === 1 ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()] : [0, 0, 0, 0];
    const [left = 0, right = 0, top = 0, bottom = 0] = crop;
    const unitX = chroma === 1 || chroma === 2 ? 2 : 1;
    const unitY = (chroma === 1 ? 2 : 1) * (2 - framesOnly);
    return {
      codec: `avc1.${[profile, constraints, level].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`,
      width: widthInMbs * 16 - (left + right) * unitX,
      height: heightInMapUnits * 16 * (2 - framesOnly) - (top + bottom) * unitY,
    };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function chromaFormat(bits: Bits): number {
  const chroma = bits.ue();
  const separatePlanes = chroma === 3 ? bits.u(1) : 0;
  bits.ue();
  bits.ue();
  bits.u(1);
  if (bits.u(1) === 1)
    for (let list = 0; list < (chroma === 3 ? 12 : 8); list += 1) skipScalingList(bits, list);
  return separatePlanes === 1 ? 0 : chroma;
}

function skipScalingList(bits: Bits, list: number): void {
  if (bits.u(1) === 0) return;
  let last = 8;
  let next = 8;
  for (let left = list < 6 ? 16 : 64; left > 0; left -= 1) {
    if (next !== 0) next = (last + bits.se() + 256) % 256;
    if (next !== 0) last = next;
  }
}
