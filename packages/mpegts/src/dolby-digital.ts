import type { AudioFraming, AudioParameters } from './audio-frame.js';
import { BitReader } from './bit-reader.js';
import { MediaError } from './errors.js';
import { TICKS_PER_SECOND } from './timestamp.js';

/** frmsizecod / 2 in kbit/s (ETSI TS 102 366 table 4.13). */
const bitRates = [
  32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
] as const;
/** fscod */
const sampleRates = [48000, 44100, 32000] as const;
/** numblkscod */
const blockCounts = [1, 2, 3, 6] as const;
const SAMPLES_PER_BLOCK = 256;
const BLOCKS = 6;
/** bsid up to here is AC-3 (9 and 10: at half and a quarter of the rate), up to the next one E-AC-3. */
const LAST_AC3 = 10;
const LAST_EAC3 = 16;
/** strmtyp */
const DEPENDENT = 1;
const RESERVED = 3;

/** Locations of chanmap, first bit first (table E.1.4), as bits of a number; those of `PAIRS` are two channels. */
const L = 0x8000;
const C = 0x4000;
const R = 0x2000;
const LS = 0x1000;
const RS = 0x0800;
const CS = 0x0100;
const LFE = 0x0001;
const PAIRS = 0x0400 | 0x0200 | 0x0040 | 0x0020 | 0x0010 | 0x0004;
/** Locations of acmod; 1+1 is two channels all the same. */
const modes = [L | R, C, L | R, L | C | R, L | R | CS, L | C | R | CS, L | R | LS | RS, L | C | R | LS | RS];

const bsid = (bytes: Uint8Array, at: number): number => bytes[at + 5]! >> 3;
const enhanced = (bytes: Uint8Array, at: number): boolean => bsid(bytes, at) > LAST_AC3;
const streamType = (bytes: Uint8Array, at: number): number => bytes[at + 2]! >> 6;
const substream = (bytes: Uint8Array, at: number): number => (bytes[at + 2]! >> 3) & 7;
const rateCode = (bytes: Uint8Array, at: number): number => bytes[at + 4]! >> 6;
/** fscod2 where fscod is 3, else numblkscod. */
const blockCode = (bytes: Uint8Array, at: number): number => (bytes[at + 4]! >> 4) & 3;

function sampleRate(bytes: Uint8Array, at: number): number {
  const code = rateCode(bytes, at);
  if (enhanced(bytes, at)) return code < 3 ? sampleRates[code]! : sampleRates[blockCode(bytes, at)]! / 2;
  return sampleRates[code]! / 2 ** Math.max(0, bsid(bytes, at) - 8);
}

/** Whether it is heard by itself: it neither adds channels to another nor is of another program. */
const primary = (bytes: Uint8Array, at: number): boolean =>
  !enhanced(bytes, at) || (streamType(bytes, at) !== DEPENDENT && substream(bytes, at) === 0);

/**
 * AC-3 and E-AC-3 sync frames (ETSI TS 102 366 §4.3, §E.1.2), told apart by bsid: streams announced as one hold the
 * other. Dependent substreams add channels to the frame before them, and take no time.
 */
export class DolbyDigital implements AudioFraming {
  readonly headerBytes = 7;
  /** As far as chanmap. */
  readonly lookBytes = 14;
  /** Of the dependent substreams since the last frame that is heard by itself; −1: there was none. */
  #adding = -1;
  /** Of those that its predecessor had: its own are yet to come. */
  #added = -1;

  frameBytes(bytes: Uint8Array, at: number): number {
    if (bytes[at] !== 0x0b || bytes[at + 1] !== 0x77 || bsid(bytes, at) > LAST_EAC3) return 0;
    const rate = rateCode(bytes, at);
    if (enhanced(bytes, at)) {
      if (streamType(bytes, at) === RESERVED || (rate === 3 && blockCode(bytes, at) === 3)) return 0;
      const length = ((((bytes[at + 2]! & 7) << 8) | bytes[at + 3]!) + 1) * 2;
      return length >= this.headerBytes ? length : 0;
    }
    const code = bytes[at + 4]! & 0x3f;
    const bitRate = bitRates[code >> 1];
    if (rate === 3 || bitRate === undefined) return 0;
    // In words of 16 bits; at 44.1 kHz two lengths alternate.
    if (rate === 1) return (Math.floor((bitRate * 320) / 147) + (code & 1)) * 2;
    return bitRate * (rate === 0 ? 4 : 6);
  }

  frameTicks(bytes: Uint8Array, at: number): number {
    if (!primary(bytes, at)) return 0;
    const blocks =
      enhanced(bytes, at) && rateCode(bytes, at) < 3 ? blockCounts[blockCode(bytes, at)]! : BLOCKS;
    return (blocks * SAMPLES_PER_BLOCK * TICKS_PER_SECOND) / sampleRate(bytes, at);
  }

  signature(bytes: Uint8Array, at: number, to = at + this.headerBytes): number {
    if (!primary(bytes, at)) {
      if (streamType(bytes, at) === DEPENDENT)
        this.#adding = Math.max(0, this.#adding) | dependentLocations(bytes, at, to);
      return -1;
    }
    this.#added = this.#adding;
    this.#adding = -1;
    return (
      sampleRate(bytes, at) * 0x20000 + (this.#extended(bytes, at) ? 0x10000 : 0) + this.#locations(bytes, at)
    );
  }

  parameters(bytes: Uint8Array, at: number): AudioParameters {
    const map = this.#locations(bytes, at);
    let channels = 0;
    for (let bit = 1; bit <= L; bit <<= 1) if (map & bit) channels += PAIRS & bit ? 2 : 1;
    return {
      codec: this.#extended(bytes, at) ? 'ec-3' : 'ac-3',
      channels,
      sampleRate: sampleRate(bytes, at),
    };
  }

  #extended(bytes: Uint8Array, at: number): boolean {
    return enhanced(bytes, at) || this.#added >= 0;
  }

  #locations(bytes: Uint8Array, at: number): number {
    return locations(bytes, at) | Math.max(0, this.#added);
  }
}

/** Of acmod and lfeon. */
function locations(bytes: Uint8Array, at: number): number {
  if (enhanced(bytes, at)) return modes[(bytes[at + 4]! >> 1) & 7]! | (bytes[at + 4]! & 1 ? LFE : 0);
  const byte = bytes[at + 6]!;
  const mode = byte >> 5;
  // cmixlev, surmixlev and dsurmod stand between, each only where the mode has use for it.
  const between = (mode & 1 && mode !== 1 ? 2 : 0) + (mode & 4 ? 2 : 0) + (mode === 2 ? 2 : 0);
  return modes[mode]! | ((byte >> (4 - between)) & 1 ? LFE : 0);
}

/** Of a dependent substream: its chanmap, else its own acmod (§E.1.2.2). */
function dependentLocations(bytes: Uint8Array, at: number, to: number): number {
  try {
    const bits = new BitReader(bytes, at + 5, to, false);
    bits.skip(5); // bsid
    // dialnorm and compr; twice where two programs share it
    for (let n = 0; n < (((bytes[at + 4]! >> 1) & 7) === 0 ? 2 : 1); n++) {
      bits.skip(5);
      if (bits.flag()) bits.skip(8);
    }
    return bits.flag() ? bits.bits(16) : locations(bytes, at);
  } catch (error) {
    if (error instanceof MediaError) return 0;
    throw error;
  }
}
