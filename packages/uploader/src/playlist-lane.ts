import { Backoff, errorText, sleep, type Clock, type Logger } from '@hls-uplink/runtime';
import type { ObjectStore } from '@hls-uplink/store';
import { playlistCacheControl, PLAYLIST_TYPE } from './cache-control.js';
import { retryDelay, type StoreHealth } from './store-health.js';
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
  readonly #backoffs = new Map<string, Backoff>();
  readonly #waiting = new Set<AbortController>();
  readonly #inFlight = new Set<Promise<unknown>>();
  readonly #unlisten: () => void;
  #draining = false;

  constructor(options: PlaylistLaneOptions) {
    this.#options = options;
    this.#unlisten = options.health.onRecovered(() => {
      for (const waiting of this.#waiting) waiting.abort();
    });
  }

  /** @returns what became of it, or nothing when the lane was closed meanwhile */
  put(put: PlaylistPut): Promise<'stored' | 'failed' | undefined> {
    const running = this.#put(put);
    this.#inFlight.add(running);
    return running.finally(() => this.#inFlight.delete(running));
  }

  /** Resolves when nothing is in flight, or at `signal`, which aborts what is. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#draining = true;
    for (const waiting of this.#waiting) waiting.abort();
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([Promise.allSettled(this.#inFlight), aborted]);
    this.close();
  }

  close(): void {
    this.#unlisten();
    this.#aborted.abort();
  }

  async #put({ key, text, maxAgeSeconds }: PlaylistPut): Promise<'stored' | 'failed' | undefined> {
    const { store, health, clock, logger } = this.#options;
    const backoff = this.#backoffs.get(key) ?? new Backoff({ firstMs: 200, longestMs: 5000 });
    this.#backoffs.set(key, backoff);
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
      return this.#lookAfter(key, text, error, backoff);
    }
    backoff.reset();
    health.succeeded();
    return 'stored';
  }

  /** After a failed write the store says what is true (DESIGN.md, "Who owns what"). */
  async #lookAfter(
    key: string,
    text: string,
    first: unknown,
    backoff: Backoff,
  ): Promise<'stored' | 'failed' | undefined> {
    const { store, health, clock, logger } = this.#options;
    let error = first;
    for (;;) {
      await this.#wait(retryDelay(error, backoff));
      if (this.#aborted.signal.aborted) return undefined;
      try {
        const found = await timed(
          { clock, ms: TIMEOUT_MS, signal: this.#aborted.signal, doing: `get ${key} from ${store.name}` },
          (signal) => store.get(key, { signal, maxBytes: MAX_PLAYLIST_BYTES }),
        );
        if (found?.text !== text) return 'failed';
        logger.info('a playlist was stored although its answer was lost', { key });
        backoff.reset();
        health.succeeded();
        return 'stored';
      } catch (failed) {
        if (this.#draining) return undefined;
        error = failed;
        health.failed(error);
      }
    }
  }

  async #wait(ms: number): Promise<void> {
    const wake = new AbortController();
    this.#waiting.add(wake);
    await sleep(this.#options.clock, ms, AbortSignal.any([wake.signal, this.#aborted.signal]));
    this.#waiting.delete(wake);
  }
}
