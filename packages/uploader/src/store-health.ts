import { Backoff, errorText, type Clock, type Logger } from '@hls-uplink/runtime';
import { StoreError, type ObjectStore } from '@hls-uplink/store';
import { timed } from './timed.js';

/** What retrying soon cannot help is tried once a minute (DESIGN.md, rule 12). */
export const PROBE_MS = 60_000;
const CHECK_TIMEOUT_MS = 30_000;
/** Failures and successes may alternate; the log hears of an outage at most so often. */
const LOG_EVERY_MS = 10_000;

export interface StoreHealthOptions {
  store: Pick<ObjectStore, 'name' | 'check'>;
  clock: Clock;
  logger: Logger;
}

/** The delay until a failed operation is tried again, milliseconds. */
export function retryDelay(error: unknown, backoff: Backoff): number {
  const soon = backoff.next();
  if (!(error instanceof StoreError) || error.retryable) return soon;
  return PROBE_MS * (0.9 + 0.1 * Math.random());
}

/**
 * How a store is: hears of every success and failure, tells the operator once when it fails and once when it is back
 * (and once a minute while only an operator can help), and tells who waits that it is back.
 */
export class StoreHealth {
  readonly #options: StoreHealthOptions;
  readonly #recovered = new Set<(silentMs: number) => void>();
  readonly #stopped = new AbortController();
  #state: 'unknown' | 'good' | 'failing' = 'unknown';
  #error: unknown;
  #since = 0;
  #failures = 0;
  #logged = -Infinity;
  #told = false;
  #lastOk: number;
  #cancelCheck: (() => void) | undefined;

  constructor(options: StoreHealthOptions) {
    this.#options = options;
    this.#lastOk = options.clock.monotonic();
  }

  get good(): boolean {
    return this.#state === 'good';
  }

  /** Why it is not good, for a status page. */
  get problem(): string | undefined {
    if (this.#state === 'good') return undefined;
    return this.#error === undefined ? 'not checked yet' : errorText(this.#error);
  }

  /** Checks now, and again until it is good. */
  start(): void {
    void this.#check(new Backoff({ firstMs: 1000, longestMs: 15_000 }));
  }

  stop(): void {
    this.#cancelCheck?.();
    this.#stopped.abort();
  }

  /**
   * Calls `listener` at each success after a failure, until the returned function is called.
   * @param listener told for how long nothing had succeeded, milliseconds: short beside a single bad object
   */
  onRecovered(listener: (silentMs: number) => void): () => void {
    this.#recovered.add(listener);
    return () => this.#recovered.delete(listener);
  }

  succeeded(): void {
    const before = this.#state;
    this.#state = 'good';
    this.#error = undefined;
    const { logger, store, clock } = this.#options;
    const silentMs = clock.monotonic() - this.#lastOk;
    this.#lastOk = clock.monotonic();
    if (before !== 'failing') return;
    if (this.#told) {
      const seconds = Math.round((clock.monotonic() - this.#since) / 1000);
      logger.info('the store takes writes again', { store: store.name, seconds, failures: this.#failures });
    }
    this.#told = false;
    for (const listener of [...this.#recovered]) listener(silentMs);
  }

  failed(error: unknown): void {
    if (this.#stopped.signal.aborted) return;
    const { logger, store, clock } = this.#options;
    const now = clock.monotonic();
    if (this.#state !== 'failing') {
      this.#since = now;
      this.#failures = 0;
    }
    this.#state = 'failing';
    this.#error = error;
    this.#failures++;
    const lasting = error instanceof StoreError && !error.retryable;
    const due = this.#told
      ? lasting && now - this.#logged >= PROBE_MS * 0.85
      : now - this.#logged >= LOG_EVERY_MS;
    if (!due) return;
    this.#told = true;
    this.#logged = now;
    logger.error('the store does not take what it is given', {
      store: store.name,
      error: errorText(error),
      retry: lasting ? 'once a minute' : 'with growing delays',
    });
  }

  /** With nothing to write nothing would show that the store is back. */
  async #check(backoff: Backoff): Promise<void> {
    const { store, clock } = this.#options;
    const { signal } = this.#stopped;
    const startedOk = this.#lastOk;
    try {
      await timed({ clock, ms: CHECK_TIMEOUT_MS, signal, doing: `check ${store.name}` }, (aborted) =>
        store.check(aborted),
      );
      if (!signal.aborted) this.succeeded();
      backoff.reset();
    } catch (error) {
      if (this.#lastOk === startedOk) this.failed(error);
    }
    if (signal.aborted) return;
    const delay = this.#state === 'good' ? PROBE_MS : retryDelay(this.#error, backoff);
    this.#cancelCheck = clock.after(delay, () => {
      if (this.#state === 'good') this.#cancelCheck = clock.after(PROBE_MS, () => void this.#check(backoff));
      else void this.#check(backoff);
    });
  }
}
