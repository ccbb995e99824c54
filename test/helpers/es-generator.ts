/** Elementary streams made bit by bit: H.264 with real parameter sets and slice headers, AAC in ADTS, MPEG audio. */

/** Bits, most significant first, with Exp-Golomb codes (ITU-T H.264 §9.1). */
export class BitWriter {
  #bits = '';

  u(bits: number, value: number): this {
    this.#bits += value.toString(2).padStart(bits, '0');
    return this;
  }

  ue(value: number): this {
    const code = (value + 1).toString(2);
    this.#bits += '0'.repeat(code.length - 1) + code;
    return this;
  }

  se(value: number): this {
    return this.ue(value > 0 ? 2 * value - 1 : -2 * value);
  }

  /** With rbsp_trailing_bits. */
  rbsp(): number[] {
    const bits = `${this.#bits}1`;
    return toBytes(bits.padEnd(Math.ceil(bits.length / 8) * 8, '0'));
  }

  /** Of what is whole bytes. */
  bytes(): number[] {
    return toBytes(this.#bits);
  }
}

const toBytes = (bits: string): number[] => bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2));

/** A NAL unit with start code and emulation prevention. */
export function nalUnit(header: number, rbsp: readonly number[], longStartCode = true): number[] {
  const escaped: number[] = [];
  let zeros = 0;
  for (const byte of rbsp) {
    if (zeros >= 2 && byte <= 3) {
      escaped.push(3);
      zeros = 0;
    }
    escaped.push(byte);
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return [...(longStartCode ? [0] : []), 0, 0, 1, header, ...escaped];
}

export interface SpsOptions {
  profile?: number;
  constraints?: number;
  level?: number;
  width?: number;
  height?: number;
  /** frame_mbs_only_flag 0 */
  fields?: boolean;
  chromaFormat?: number;
  /** time_scale / (2 · num_units_in_tick) */
  timing?: [unitsInTick: number, timeScale: number];
  scalingLists?: boolean;
  pictureOrderType?: 0 | 1 | 2;
}

/** RBSP of a sequence parameter set, without NAL unit header. */
export function spsRbsp({
  profile = 100,
  constraints = 0,
  level = 31,
  width = 320,
  height = 180,
  fields = false,
  chromaFormat = 1,
  timing,
  scalingLists = false,
  pictureOrderType = 0,
}: SpsOptions = {}): number[] {
  const bits = new BitWriter().u(8, profile).u(8, constraints).u(8, level).ue(0);
  if (profile >= 100) {
    bits.ue(chromaFormat);
    if (chromaFormat === 3) bits.u(1, 0);
    bits
      .ue(0)
      .ue(0)
      .u(1, 0)
      .u(1, scalingLists ? 1 : 0);
    if (scalingLists) {
      bits.u(1, 1);
      for (let n = 0; n < 16; n++) bits.se(n === 0 ? 8 : 1);
      // A list that ends early repeats its last value.
      bits.u(1, 1).se(-8);
      for (let list = 2; list < (chromaFormat === 3 ? 12 : 8); list++) bits.u(1, 0);
    }
  }
  bits.ue(4).ue(pictureOrderType);
  if (pictureOrderType === 0) bits.ue(4);
  if (pictureOrderType === 1) bits.u(1, 0).se(-1).se(2).ue(2).se(3).se(-4);
  bits.ue(3).u(1, 0);
  const unitX = chromaFormat === 1 || chromaFormat === 2 ? 2 : 1;
  const unitY = (chromaFormat === 1 ? 2 : 1) * (fields ? 2 : 1);
  const mapHeight = fields ? 32 : 16;
  const codedWidth = Math.ceil(width / 16) * 16;
  const codedHeight = Math.ceil(height / mapHeight) * mapHeight;
  bits.ue(codedWidth / 16 - 1).ue(codedHeight / mapHeight - 1);
  bits.u(1, fields ? 0 : 1);
  if (fields) bits.u(1, 1);
  bits.u(1, 1);
  const crop = codedWidth !== width || codedHeight !== height;
  bits.u(1, crop ? 1 : 0);
  if (crop)
    bits
      .ue(0)
      .ue((codedWidth - width) / unitX)
      .ue(0)
      .ue((codedHeight - height) / unitY);
  bits.u(1, timing ? 1 : 0);
  if (timing) {
    bits.u(1, 1).u(8, 255).u(16, 1).u(16, 1); // extended aspect ratio 1:1
    bits.u(1, 1).u(1, 0); // overscan
    bits.u(1, 1).u(3, 5).u(1, 0).u(1, 1).u(24, 0x010101); // video signal type, colour description
    bits.u(1, 1).ue(0).ue(0); // chroma location
    bits.u(1, 1).u(32, timing[0]).u(32, timing[1]).u(1, 1);
    bits.u(1, 0).u(1, 0).u(1, 0).u(1, 0);
  }
  return bits.rbsp();
}

export type SliceKind = 'P' | 'B' | 'I' | 'all-P' | 'all-B' | 'all-I';
const sliceTypes: Record<SliceKind, number> = { P: 0, B: 1, I: 2, 'all-P': 5, 'all-B': 6, 'all-I': 7 };

export interface PictureOptions {
  kind: 'idr' | 'recovery' | 'I' | 'P' | 'B';
  sps?: SpsOptions;
  aud?: boolean;
  slices?: number;
  /** How the picture is coded, and frame_num: for an SPS with `fields` the slice headers say it up to their order count. */
  structure?: { coded: 'frame' | 'top' | 'bottom'; number: number };
  /** slice_type 0–4 instead of 5–9: each slice says only what itself is */
  looseSliceTypes?: boolean;
  /** Bytes of a user data SEI before the slices. */
  seiBytes?: number;
  /** Bytes of each slice's data. */
  sliceBytes?: number;
}

/** The bytes of an access unit. */
export function accessUnit(options: PictureOptions): number[] {
  const {
    kind,
    sps,
    aud = true,
    slices = 1,
    looseSliceTypes = false,
    seiBytes = 0,
    sliceBytes = 100,
    structure,
  } = options;
  const intra = kind === 'idr' || kind === 'recovery' || kind === 'I';
  const bytes: number[] = [];
  if (aud) bytes.push(...nalUnit(9, [(intra && !looseSliceTypes ? 0x10 : 0x50) | 0x0]));
  if (kind === 'idr' || kind === 'recovery') {
    bytes.push(...nalUnit(0x67, spsRbsp(sps)), ...nalUnit(0x68, [0xee, 0x3c, 0x80]));
  }
  if (seiBytes > 0)
    bytes.push(...nalUnit(6, [5, ...seiSize(seiBytes), ...Array<number>(seiBytes).fill(0), 0x80]));
  if (kind === 'recovery') bytes.push(...nalUnit(6, [6, 1, 0xc0, 0x80], false));
  const type: 'I' | 'P' | 'B' = kind === 'P' || kind === 'B' ? kind : 'I';
  for (let slice = 0; slice < slices; slice++) {
    const header = new BitWriter()
      .ue(slice * 10)
      .ue(sliceTypes[looseSliceTypes ? type : (`all-${type}` as const)])
      .ue(0);
    if (structure) {
      const { coded, number } = structure;
      header.u(8, number & 0xff).u(1, coded === 'frame' ? 0 : 1); // frame_num, field_pic_flag
      if (coded !== 'frame') header.u(1, coded === 'bottom' ? 1 : 0);
      if (kind === 'idr') header.ue(0); // idr_pic_id
      header.u(8, (2 * number + (coded === 'bottom' ? 1 : 0)) & 0xff); // pic_order_cnt_lsb
    }
    const data = Array.from({ length: sliceBytes }, (_, n) => 0x80 | ((n * 37 + slice) & 0x7f));
    bytes.push(...nalUnit(kind === 'idr' ? 0x65 : 0x41, [...header.rbsp(), ...data], slice === 0));
  }
  return bytes;
}

function seiSize(size: number): number[] {
  return [...Array<number>(Math.floor(size / 255)).fill(255), size % 255];
}

/** An AAC frame in ADTS: LC. */
export function adtsFrame(bytes: number, { rateIndex = 3, channels = 2 } = {}): number[] {
  const length = bytes + 7;
  return [
    0xff,
    0xf1,
    0x40 | (rateIndex << 2) | (channels >> 2),
    ((channels & 3) << 6) | (length >> 11),
    (length >> 3) & 0xff,
    ((length & 7) << 5) | 0x1f,
    0xfc,
    ...Array.from({ length: bytes }, (_, n) => (n * 11) & 0x7f),
  ];
}

/** An MPEG-1 layer III frame: 48 kHz, 64 kbit/s, stereo: 192 bytes, 24 ms. */
export function mp3Frame(): number[] {
  return [0xff, 0xfb, 0x54, 0x00, ...Array.from({ length: 188 }, (_, n) => (n * 13) & 0x7f)];
}
