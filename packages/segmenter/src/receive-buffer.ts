import type { Clock } from '@hls-uplink/runtime';

/** Room for what arrives while the reader is busy; only what is used of it is ever in memory. */
const DEFAULT_BYTES = 2 << 20;
/** What arrives in this time is handed on at one go: at live rate each turn of the reader costs more than its bytes. */
const GATHER_MS = 10;
/** Handed on without waiting for more. */
const ENOUGH_BYTES = 64 * 1024;

/** Between a socket that cannot be paused and a reader that takes its time: bounded, and allocated once. */
export class ReceiveBuffer {
  #filling: Buffer;
  #reading: Buffer;
  #length = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    bytes = DEFAULT_BYTES,
  ) {
    this.#filling = Buffer.allocUnsafeSlow(bytes);
    this.#reading = Buffer.allocUnsafeSlow(bytes);
  }

  /** Takes `bytes[from, to)` whole, or, where it has no room, nothing of it: false. */
  push(bytes: Uint8Array, from = 0, to = bytes.length): boolean {
    const count = to - from;
    if (this.#length + count > this.#filling.length) return false;
    this.#filling.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), this.#length);
    this.#length += count;
    this.#wake?.();
    return true;
  }

  /** No more will come; with an error, `next` throws it once all is read. */
  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = error;
    this.#wake?.();
  }

  /** All that is there, at least a byte; valid until the next call. Nothing at the end. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#length < ENOUGH_BYTES && !this.#ended) await this.#gathered();
    if (this.#length === 0) {
      if (this.#failure) throw this.#failure;
      return undefined;
    }
    const filled = this.#filling;
    const length = this.#length;
    this.#filling = this.#reading;
    this.#reading = filled;
    this.#length = 0;
    return filled.subarray(0, length);
  }

  #gathered(): Promise<void> {
    return new Promise((resolve) => {
      let cancel: (() => void) | undefined;
      const done = (): void => {
        cancel?.();
        this.#wake = undefined;
        resolve();
      };
      this.#wake = () => {
        if (this.#ended || this.#length >= ENOUGH_BYTES) done();
        else cancel ??= this.clock.after(GATHER_MS, done);
      };
      if (this.#length > 0) this.#wake();
    });
  }
}
