import { errorText, type Clock, type Logger } from '@hls-uplink/runtime';
import type { ObjectStore } from '@hls-uplink/store';
import { playlistCacheControl, PLAYLIST_TYPE } from './cache-control.js';
import type { StoreHealth } from './store-health.js';
import { StoreRetry } from './store-retry.js';
import { timed } from './timed.js';

/** Longest playlist that is read back, bytes. */
export const MAX_PLAYLIST_BYTES = 8 * 1024 * 1024;
const TIMEOUT_MS = 60_000;

export interface PlaylistLaneOptions {
  store: ObjectStore;
  health: StoreHealth;
  clock: Clock;
  logger: Logger;
}

export interface PlaylistPut {
  key: string;
  text: string;
  maxAgeSeconds: number;
}

/**
 * Puts playlists, on connections of their own, so that none waits behind a segment. The caller has one put in flight
 * for each key. A put that fails is looked into before it is told: the answer may have been lost, not the write.
 */
export class PlaylistLane {
  readonly #options: PlaylistLaneOptions;
  readonly #aborted = new AbortController();
  readonly #draining = new AbortController();
  /** By key, of those that have failed and not succeeded since. */
  readonly #retries = new Map<string, StoreRetry>();
  readonly #inFlight = new Set<Promise<unknown>>();

  constructor(options: PlaylistLaneOptions) {
    this.#options = options;
  }

  /** @returns what became of it, or nothing when the lane was closed meanwhile */
  put(put: PlaylistPut): Promise<'stored' | 'failed' | undefined> {
    const running = this.#put(put);
    this.#inFlight.add(running);
    return running.finally(() => this.#inFlight.delete(running));
  }

  /** Resolves when nothing is in flight, nor what followed from it; or at `signal`, which aborts what is. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#draining.abort();
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    while (this.#inFlight.size > 0 && !signal.aborted) {
      await Promise.race([Promise.allSettled(this.#inFlight), aborted]);
      // Whoever was told puts the next version, if there is one, in this turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.close();
  }

  close(): void {
    this.#draining.abort();
    this.#aborted.abort();
  }

  async #put({ key, text, maxAgeSeconds }: PlaylistPut): Promise<'stored' | 'failed' | undefined> {
    const { store, health, clock, logger } = this.#options;
    try {
      await timed(
        { clock, ms: TIMEOUT_MS, signal: this.#aborted.signal, doing: `put ${key} to ${store.name}` },
        (signal) =>
          store.put(
            key,
            { text },
            {
              contentType: PLAYLIST_TYPE,
              cacheControl: playlistCacheControl(maxAgeSeconds),
              lane: 'playlist',
              signal,
            },
          ),
      );
    } catch (error) {
      if (this.#aborted.signal.aborted) return undefined;
      health.failed(error);
      logger.debug('a playlist could not be put', { key, error: errorText(error) });
      return this.#lookAfter(key, text, error);
    }
    this.#retries.delete(key);
    health.succeeded();
    return 'stored';
  }

  /** After a failed write the store says what is true (DESIGN.md, "Who owns what"). */
  async #lookAfter(key: string, text: string, first: unknown): Promise<'stored' | 'failed' | undefined> {
    const { store, health, clock, logger } = this.#options;
    const retry = this.#retries.get(key) ?? new StoreRetry(this.#options, { firstMs: 200, longestMs: 5000 });
    this.#retries.set(key, retry);
    let error = first;
    for (;;) {
      await retry.wait(error, this.#draining.signal);
      if (this.#aborted.signal.aborted) return undefined;
      try {
        const found = await timed(
          { clock, ms: TIMEOUT_MS, signal: this.#aborted.signal, doing: `get ${key} from ${store.name}` },
          (signal) => store.get(key, { signal, maxBytes: MAX_PLAYLIST_BYTES }),
        );
        if (found?.text !== text) return this.#draining.signal.aborted ? undefined : 'failed';
        logger.info('a playlist was stored although its answer was lost', { key });
        this.#retries.delete(key);
        health.succeeded();
        return 'stored';
      } catch (failed) {
        if (this.#draining.signal.aborted) return undefined;
        error = failed;
        health.failed(error);
      }
    }
  }
}
