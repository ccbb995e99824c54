import type { AudioFraming, AudioParameters } from './audio-frame.js';

/**
 * Walks from frame header to frame header through the packets of an audio PES, so that its end is known before the next
 * PES arrives. A frame may begin in one PES and end in the next; it counts where it begins, as the PTS does
 * (ISO/IEC 13818-1 §2.4.3.7).
 */
export class FrameCounter {
  /** Ticks of the frames that began since the PES in progress did, or the last one with a PTS; not rounded. */
  ticks = 0;
  /** The same of when the PES in progress began. */
  ticksBefore = 0;
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
  /** Where frames begin is not known: none has been found yet, or something is missing behind the last one. */
  #isLost = true;

  constructor(private readonly framing: AudioFraming) {
    this.#header = new Uint8Array(Math.max(framing.headerBytes, framing.lookBytes ?? 0));
  }

  /** Whether parameters that were known have become others since this was asked last. */
  hasChanged(): boolean {
    const seen = this.#changesSeen;
    this.#changesSeen = this.changes;
    return seen > 0 && seen !== this.changes;
  }

  /** A new PES begins; `isTimed`: what is counted goes on from its PTS. */
  restart(isTimed = true): void {
    this.ticksBefore = this.ticks;
    if (isTimed) this.ticks = 0;
  }

  /** A frame has ended with the last byte. */
  get isBetween(): boolean {
    return !this.#isLost && this.#skip === 0 && this.#headerBytes === 0;
  }

  /**
   * Whether a frame begins at `from`, where the payload `[from, to)` of a PES is about to: the one before has ended there, or
   * a header stands there.
   */
  isAligned(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.isBetween) return true;
    const { headerBytes } = this.framing;
    return from + headerBytes <= to && this.framing.frameBytes(bytes, from) >= headerBytes;
  }

  /** Something is missing before the next bytes: look for a header anew. */
  lose(): void {
    this.#isLost = true;
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
    this.#isLost = true;
    this.framing.lost?.();
    return 0;
  }

  /** Counts the frame of which `[at, to)` is there. */
  #frame(bytes: Uint8Array, at: number, to: number): void {
    const { framing } = this;
    this.#isLost = false;
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
