import { errorText, type Clock, type Logger } from '@hls-uplink/runtime';
import type { StoreLanes } from './store-lanes.js';
import { StoreRetry } from './store-retry.js';

/** Keys of one request. */
const BATCH = 1000;
/** Keys that wait at most; older ones are left to the sweep of what nobody names. */
const MOST_WAITING = 10_000;

export interface DeletionsOptions {
  lanes: Pick<StoreLanes, 'store' | 'health'>;
  clock: Clock;
  logger: Logger;
  deleted: (keys: string[]) => void;
}

/**
 * The objects of one channel that are to go, deleted one batch after the other: while a store refuses deletes, more
 * and more keys wait, and no more requests are made.
 */
export class Deletions {
  readonly #options: DeletionsOptions;
  readonly #keys = new Set<string>();
  readonly #stopped = new AbortController();
  #isRunning = false;

  constructor(options: DeletionsOptions) {
    this.#options = options;
  }

  add(keys: Iterable<string>): void {
    for (const key of keys) this.#keys.add(key);
    for (const key of this.#keys) {
      if (this.#keys.size <= MOST_WAITING) break;
      this.#keys.delete(key);
    }
    if (!this.#isRunning) void this.#run();
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #run(): Promise<void> {
    const { lanes, clock, logger, deleted } = this.#options;
    const { signal } = this.#stopped;
    let retry: StoreRetry | undefined;
    this.#isRunning = true;
    while (this.#keys.size > 0 && !signal.aborted) {
      const batch = [...this.#keys].slice(0, BATCH);
      try {
        await lanes.store.delete(batch, signal);
        for (const key of batch) this.#keys.delete(key);
        retry = undefined;
        deleted(batch);
      } catch (error) {
        if (signal.aborted) return;
        // A store that takes writes may still refuse deletes: told as what it is, and not as an outage.
        if (!retry) {
          logger.warn('objects cannot be deleted now', { keys: batch.length, error: errorText(error) });
        }
        // Behind the others: one key that cannot be deleted must not keep them.
        for (const key of batch) if (this.#keys.delete(key)) this.#keys.add(key);
        retry ??= new StoreRetry({ health: lanes.health, clock }, { firstMs: 1000, longestMs: 60_000 });
        await retry.wait(error, signal);
      }
    }
    this.#isRunning = false;
  }
}
