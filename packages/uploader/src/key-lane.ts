import { errorText, type Clock, type Logger } from '@hls-uplink/runtime';
import { KEY_CACHE_CONTROL, KEY_TYPE } from './cache-control.js';
import type { StoreAccess } from './store-lanes.js';
import { timed } from './timed.js';

const TIMEOUT_MS = 30_000;
/** Forgotten, a key is put once more. */
const MOST_REMEMBERED = 10_000;

export interface KeyLaneOptions extends StoreAccess {
  clock: Clock;
  logger: Logger;
}

/** Puts keys into a store of their own, each once. Whoever needs one tries again. */
export class KeyLane {
  readonly #stored = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #closed = new AbortController();

  constructor(readonly options: KeyLaneOptions) {}

  /**
   * Resolves when it is stored; at once, when it was before. Safe to repeat.
   * @throws StoreError, which the store's health knows of already
   */
  put(name: string, key: Buffer): Promise<void> {
    if (this.#stored.has(name)) return Promise.resolve();
    const running = this.#running.get(name) ?? this.#put(name, key);
    this.#running.set(name, running);
    return running;
  }

  close(): void {
    this.#closed.abort();
  }

  async #put(name: string, bytes: Buffer): Promise<void> {
    const { store, health, clock, logger } = this.options;
    const { signal } = this.#closed;
    try {
      await timed({ clock, ms: TIMEOUT_MS, signal, doing: `put ${name} to ${store.name}` }, (aborted) =>
        store.put(
          name,
          { bytes },
          // Small, and waited for: not behind segments, where they go to the same store.
          { contentType: KEY_TYPE, cacheControl: KEY_CACHE_CONTROL, lane: 'playlist', signal: aborted },
        ),
      );
    } catch (error) {
      if (!signal.aborted) {
        health.failed(error);
        logger.debug('a key could not be put', { key: name, error: errorText(error) });
      }
      throw error;
    } finally {
      this.#running.delete(name);
    }
    health.succeeded();
    this.#stored.add(name);
    for (const oldest of this.#stored) {
      if (this.#stored.size <= MOST_REMEMBERED) break;
      this.#stored.delete(oldest);
    }
  }
}
