import { adts } from './adts.js';
import type { AudioFraming, AudioParameters } from './audio-frame.js';

/** A core of a higher rate than this is hardly ever doubled, and not looked into. */
const HIGHEST_CORE_RATE = 24_000;
/** frame_length has 13 bits. */
const LONGEST_FRAME = 8191;
/** Frames looked into, and how many of them have to end like one with SBR: in AAC LC 1 or 2 % do so by chance. */
const TRIAL_FRAMES = 40;
const ENOUGH = 6;
/** extension_type (ISO/IEC 14496-3 table 4.121). */
const SBR = 13;
const SBR_WITH_CRC = 14;
/** Set in the signature of what has SBR. */
const REPLICATED = 1 << 20;

/**
 * AAC in ADTS, whose header cannot say that spectral band replication doubles the rate (HE-AAC): that stands in fill
 * elements of the frames (ISO/IEC 14496-3 §4.4.2.7). The first frames of a low rate are looked into; until then they say nothing
 * about their parameters, so that nothing changes later. Parametric stereo is not told apart (`mp4a.40.29`).
 */
export class ImplicitSbr implements AudioFraming {
  readonly headerBytes = adts.headerBytes;
  readonly #verdicts = new Map<number, boolean>();
  #trial = -1;
  #frames = 0;
  #found = 0;
  #looking = true;

  get lookBytes(): number {
    return this.#looking ? LONGEST_FRAME : this.headerBytes;
  }

  frameBytes(bytes: Uint8Array, at: number): number {
    return adts.frameBytes(bytes, at);
  }

  frameTicks(bytes: Uint8Array, at: number): number {
    return adts.frameTicks(bytes, at);
  }

  signature(bytes: Uint8Array, at: number, to = at + this.headerBytes): number {
    const signature = adts.signature(bytes, at);
    const known = this.#verdict(bytes, at, signature);
    this.#looking = known === undefined;
    if (known === undefined) {
      if (signature !== this.#trial) {
        this.#trial = signature;
        this.#frames = 0;
        this.#found = 0;
      }
      if (to - at === this.frameBytes(bytes, at)) {
        this.#frames++;
        if (endsWithSbr(bytes, at + ((bytes[at + 1]! & 1) === 1 ? 7 : 9), to)) this.#found++;
      }
      if (this.#frames < TRIAL_FRAMES && this.#found < ENOUGH) return -1;
      this.#verdicts.set(signature, this.#found >= ENOUGH);
      this.#looking = false;
    }
    return signature + (this.#verdicts.get(signature) ? REPLICATED : 0);
  }

  parameters(bytes: Uint8Array, at: number): AudioParameters {
    const core = adts.parameters(bytes, at);
    if (!this.#verdicts.get(adts.signature(bytes, at))) return core;
    return { ...core, codec: 'mp4a.40.5', sampleRate: core.sampleRate * 2 };
  }

  #verdict(bytes: Uint8Array, at: number, signature: number): boolean | undefined {
    const { codec, sampleRate } = adts.parameters(bytes, at);
    // Several raw data blocks in a frame end elsewhere.
    if (codec !== 'mp4a.40.2' || sampleRate > HIGHEST_CORE_RATE || (bytes[at + 6]! & 3) > 0) return false;
    return this.#verdicts.get(signature);
  }
}

/**
 * Whether the raw data block `[from, to)` ends with a fill element that holds SBR data and the
 * end element. It is looked for from the end, since only a decoder finds it from the beginning; a block whose last fill
 * element is padding is missed.
 */
function endsWithSbr(bytes: Uint8Array, from: number, to: number): boolean {
  const bits = (at: number, count: number): number => {
    let value = 0;
    for (let n = at; n < at + count; n++) value = (value << 1) | ((bytes[n >> 3]! >> (7 - (n & 7))) & 1);
    return value;
  };
  const first = from * 8;
  // The last bit set is that of ID_END, zeros fill its byte.
  let end = to * 8 - 1;
  while (end > to * 8 - 8 && bits(end, 1) === 0) end--;
  end -= 2;
  if (end < first + 15 || bits(end, 3) !== 7) return false;
  for (let count = 1; count < 15 + 255; count++) {
    const payload = end - 8 * count;
    // ID_FIL and count; from 15 on esc_count follows.
    const header = payload - (count < 15 ? 7 : 15);
    if (header < first) return false;
    const said =
      count < 15 ? bits(header, 7) === ((6 << 4) | count) : bits(header, 15) === (0x6f << 8) + count - 14;
    if (said && (bits(payload, 4) === SBR || bits(payload, 4) === SBR_WITH_CRC)) return true;
  }
  return false;
}
