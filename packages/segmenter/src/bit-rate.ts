import type { Clock } from '@hls-uplink/runtime';

/** What the rate is measured over, milliseconds, and in what steps. */
const SPAN_MS = 5000;
const STEP_MS = 250;

/** Bits a second of the last seconds. */
export class BitRate {
  /** Total bytes at moments in the past, oldest first. */
  readonly #marks: { at: number; bytes: number }[];
  #bytes = 0;

  constructor(private readonly clock: Clock) {
    this.#marks = [{ at: clock.monotonic(), bytes: 0 }];
  }

  /** Bytes in all. */
  get bytes(): number {
    return this.#bytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    this.#mark();
  }

  get bitsPerSecond(): number {
    const now = this.#mark();
    const [oldest] = this.#marks;
    if (!oldest || now <= oldest.at) return 0;
    return ((this.#bytes - oldest.bytes) * 8000) / (now - oldest.at);
  }

  #mark(): number {
    const now = this.clock.monotonic();
    const last = this.#marks.at(-1);
    if (!last || now - last.at >= STEP_MS) this.#marks.push({ at: now, bytes: this.#bytes });
    // The oldest stays until the next is old enough, so that the span is full.
    while ((this.#marks[1]?.at ?? now) <= now - SPAN_MS) this.#marks.shift();
    return now;
  }
}
