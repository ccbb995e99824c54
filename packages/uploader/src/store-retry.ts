import { Backoff, sleep, type BackoffOptions, type Clock } from '@hls-uplink/runtime';
import { retryDelay, type StoreHealth } from './store-health.js';

/**
 * When one thing that the store did not do is tried again: after delays of its own, and when the store is back. One for
 * each thing, from its first failure until it is done.
 */
export class StoreRetry {
  readonly #backoff: Backoff;
  #wasEarly = false;

  constructor(
    readonly options: { readonly health: StoreHealth; readonly clock: Clock },
    delays: BackoffOptions,
  ) {
    this.#backoff = new Backoff(delays);
  }

  /** Resolves when it is to be tried again, or at `signal`. */
  async wait(error: unknown, signal: AbortSignal): Promise<void> {
    const { health, clock } = this.options;
    const due = new AbortController();
    const end = (): void => due.abort();
    // What failed again right after a recovery fails for a reason of its own: were it tried at each success of others,
    // one bad object would be sent as often as all good ones (DESIGN.md, rule 12).
    const unlisten = this.#wasEarly ? end : health.onRecovered(end);
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    await sleep(clock, retryDelay(error, this.#backoff), due.signal);
    this.#wasEarly = due.signal.aborted;
    unlisten();
    signal.removeEventListener('abort', end);
  }
}
