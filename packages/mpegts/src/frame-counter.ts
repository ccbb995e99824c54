import type { AudioFraming, AudioParameters } from './audio-frame.js';

/**
 * Walks from frame header to frame header through the packets of an audio PES, so that its end is known before the next
 * PES arrives. A frame may begin in one PES and end in the next; it counts where it begins, as the PTS does
 * (ISO/IEC 13818-1 §2.4.3.7).
 */
export class FrameCounter {
  /** Ticks of the frames that began in this PES, not rounded. */
  ticks = 0;
  /** Of the first frame ever, and after each change. */
  parameters: AudioParameters | undefined;
  /** Rises with each change of the parameters, the first included. */
  changes = 0;
  /** Bytes up to the next header. */
  #skip = 0;
  readonly #header = new Uint8Array(8);
  #headerBytes = 0;
  #signature = -1;
  /** A header whose successor has not been seen may be chance. */
  #candidate = -1;

  constructor(private readonly framing: AudioFraming) {}

  /** A new PES begins. */
  restart(): void {
    this.ticks = 0;
  }

  /** Something is missing before the next bytes: look for a header anew. */
  lose(): void {
    this.#skip = 0;
    this.#headerBytes = 0;
    this.#candidate = -1;
  }

  /** Takes the payload `[from, to)`. */
  take(bytes: Uint8Array, from: number, to: number): void {
    const { headerBytes } = this.framing;
    let at = from;
    for (;;) {
      const skipped = Math.min(this.#skip, to - at);
      this.#skip -= skipped;
      at += skipped;
      if (at >= to) return;
      if (this.#headerBytes === 0 && at + headerBytes <= to) {
        if (!this.#frame(bytes, at)) at++;
        continue;
      }
      this.#header[this.#headerBytes++] = bytes[at++]!;
      if (this.#headerBytes < headerBytes) continue;
      this.#headerBytes = 0;
      if (this.#frame(this.#header, 0)) {
        this.#skip -= headerBytes;
      } else {
        // All but its first byte is looked at again.
        this.#header.copyWithin(0, 1, headerBytes);
        this.#headerBytes = headerBytes - 1;
      }
    }
  }

  /** Counts the frame at `at`, whose bytes, header included, are then to be skipped; false where none begins. */
  #frame(bytes: Uint8Array, at: number): boolean {
    const { framing } = this;
    const length = framing.frameBytes(bytes, at);
    if (length < framing.headerBytes) {
      this.#candidate = -1;
      return false;
    }
    this.#skip = length;
    this.ticks += framing.frameTicks(bytes, at);
    const signature = framing.signature(bytes, at);
    // Believed when two in a row agree, so that a damaged header changes nothing.
    if (signature !== this.#signature && signature === this.#candidate) {
      this.#signature = signature;
      this.parameters = framing.parameters(bytes, at);
      this.changes++;
    }
    this.#candidate = signature;
    return true;
  }
}
