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
  /** The beginning of a frame that packets divide. */
  readonly #header: Uint8Array;
  #headerBytes = 0;
  #signature = -1;
  #changesSeen = 0;
  /** A header whose successor has not been seen may be chance. */
  #candidate = -1;

  constructor(private readonly framing: AudioFraming) {
    this.#header = new Uint8Array(Math.max(framing.headerBytes, framing.lookBytes ?? 0));
  }

  /** Whether parameters that were known have become others since this was asked last. */
  hasChanged(): boolean {
    const seen = this.#changesSeen;
    this.#changesSeen = this.changes;
    return seen > 0 && seen !== this.changes;
  }

  /** A new PES begins. */
  restart(): void {
    this.ticks = 0;
  }

  /** Something is missing before the next bytes: look for a header anew. */
  lose(): void {
    this.#skip = 0;
    this.#headerBytes = 0;
    this.#candidate = -1;
    this.framing.lost?.();
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
        const length = this.#length(bytes, at);
        if (length === 0) {
          at++;
          continue;
        }
        const look = Math.min(length, this.framing.lookBytes ?? headerBytes);
        if (at + look <= to) {
          this.#frame(bytes, at, at + look);
          this.#skip = length;
          continue;
        }
      }
      const header = this.#header;
      header[this.#headerBytes++] = bytes[at++]!;
      if (this.#headerBytes < headerBytes) continue;
      const length = this.#length(header, 0);
      if (length === 0) {
        // All but its first byte is looked at again.
        header.copyWithin(0, 1, headerBytes);
        this.#headerBytes = headerBytes - 1;
        continue;
      }
      const look = Math.min(length, this.framing.lookBytes ?? headerBytes);
      if (this.#headerBytes < look) continue;
      this.#frame(header, 0, look);
      this.#skip = length - look;
      this.#headerBytes = 0;
    }
  }

  /** Bytes of the frame at `at`; 0: none begins there. */
  #length(bytes: Uint8Array, at: number): number {
    const length = this.framing.frameBytes(bytes, at);
    if (length >= this.framing.headerBytes) return length;
    this.#candidate = -1;
    this.framing.lost?.();
    return 0;
  }

  /** Counts the frame of which `[at, to)` is there. */
  #frame(bytes: Uint8Array, at: number, to: number): void {
    const { framing } = this;
    this.ticks += framing.frameTicks(bytes, at, to);
    const signature = framing.signature(bytes, at, to);
    if (signature < 0) return;
    // Believed when two in a row agree, so that a damaged header changes nothing.
    if (signature !== this.#signature && signature === this.#candidate) {
      this.#signature = signature;
      this.parameters = framing.parameters(bytes, at, to);
      this.changes++;
    }
    this.#candidate = signature;
  }
}
