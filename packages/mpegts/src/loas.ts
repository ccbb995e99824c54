import type { AudioFraming, AudioParameters } from './audio-frame.js';
import { readAudioSpecificConfig, type AudioSpecificConfig } from './audio-specific-config.js';
import { BitReader } from './bit-reader.js';
import { MediaError } from './errors.js';
import { TICKS_PER_SECOND } from './timestamp.js';

/** Sync word and length. */
const HEADER_BYTES = 3;
/** A StreamMuxConfig with all that is optional before the frame length, explicit sampling frequencies included. */
const LOOK_BYTES = 40;

interface Mux extends AudioSpecificConfig {
  frames: number;
  signature: number;
}

/**
 * AAC in LATM, framed by LOAS (ISO/IEC 14496-3 §1.7). The first layer of the first program counts. A frame may leave the
 * configuration out and mean the one before. The sync word is short, so the first configuration may be chance until
 * another frame follows; from then on it takes two in a row to change it.
 */
export class Loas implements AudioFraming {
  readonly headerBytes = HEADER_BYTES;
  readonly lookBytes = LOOK_BYTES;
  #mux: Mux | undefined;
  #confirmed = false;
  #candidate = -1;

  frameBytes(bytes: Uint8Array, at: number): number {
    if (bytes[at] !== 0x56 || (bytes[at + 1]! & 0xe0) !== 0xe0) return 0;
    const length = ((bytes[at + 1]! & 0x1f) << 8) | bytes[at + 2]!;
    return length > 0 ? HEADER_BYTES + length : 0;
  }

  frameTicks(bytes: Uint8Array, at: number, to = at + HEADER_BYTES): number {
    this.#confirmed = this.#mux !== undefined;
    // useSameStreamMux 0
    if (at + HEADER_BYTES < to && (bytes[at + HEADER_BYTES]! & 0x80) === 0)
      this.#configure(bytes, at + HEADER_BYTES, to);
    const mux = this.#mux;
    return mux ? (mux.frames * mux.samplesPerFrame * TICKS_PER_SECOND) / mux.coreSampleRate : 0;
  }

  signature(): number {
    return this.#mux?.signature ?? -1;
  }

  parameters(): AudioParameters {
    const { codec, channels, sampleRate } = this.#mux ?? { codec: 'mp4a.40.2', sampleRate: 48_000 };
    return { codec, ...(channels !== undefined && { channels }), sampleRate };
  }

  lost(): void {
    if (!this.#confirmed) this.#mux = undefined;
    this.#candidate = -1;
  }

  #configure(bytes: Uint8Array, at: number, to: number): void {
    let mux: Mux;
    try {
      mux = readStreamMuxConfig(new BitReader(bytes, at, to, false));
    } catch (error) {
      if (error instanceof MediaError) return;
      throw error;
    }
    if (!this.#mux || mux.signature === this.#candidate) this.#mux = mux;
    this.#candidate = mux.signature;
  }
}

/** AudioMuxElement up to the first AudioSpecificConfig (§1.7.3.1). */
function readStreamMuxConfig(bits: BitReader): Mux {
  bits.skip(1); // useSameStreamMux
  const version = bits.bit();
  if (version === 1 && bits.flag())
    throw new MediaError('bad-parameter-set', 'LATM: audioMuxVersionA 1 is not defined');
  if (version === 1) skipValue(bits); // taraBufferFullness
  bits.skip(1); // allStreamsSameTimeFraming
  const frames = bits.bits(6) + 1;
  bits.skip(7); // numProgram, numLayer
  if (version === 1) skipValue(bits); // ascLen
  const config = readAudioSpecificConfig(bits);
  const { codec, channels = 0, sampleRate, samplesPerFrame, coreSampleRate } = config;
  // FNV-1a of all that matters.
  let signature = 0x811c9dc5;
  for (const value of [frames, Number(codec.slice(8)), channels, sampleRate, samplesPerFrame, coreSampleRate])
    signature = Math.imul(signature ^ value, 0x01000193);
  return { ...config, frames, signature: signature >>> 0 };
}

/** LatmGetValue (§1.7.3.1). */
function skipValue(bits: BitReader): void {
  bits.skip(8 * (bits.bits(2) + 1));
}
