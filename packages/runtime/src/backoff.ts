export interface BackoffOptions {
  /** First delay, milliseconds. */
  firstMs: number;
  /** Longest delay, milliseconds. */
  longestMs: number;
  random?: () => number;
}

/** Exponential delays with full jitter above half: between half and all of first · 2^n, at most the longest. */
export class Backoff {
  #attempts = 0;

  constructor(private readonly options: BackoffOptions) {}

  get attempts(): number {
    return this.#attempts;
  }

  /** The next delay, milliseconds. */
  next(): number {
    const { firstMs, longestMs, random = Math.random } = this.options;
    const full = Math.min(longestMs, firstMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts++;
    return full / 2 + (random() * full) / 2;
  }

  reset(): void {
    this.#attempts = 0;
  }
}
