import { errorText, type Clock, type Logger } from '@hls-uplink/runtime';
import { StoreError, type ObjectStore, type StoredObject } from '@hls-uplink/store';
import { ownerOf, type Owner } from './channel/ownership.js';
import { playlistCacheControl, PLAYLIST_TYPE } from './cache-control.js';
import type { StoreHealth } from './store-health.js';
import { StoreRetry } from './store-retry.js';
import { timed } from './timed.js';

/** Longest playlist that is read back, bytes. */
export const MAX_PLAYLIST_BYTES = 16 * 1024 * 1024;
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
  /** Whose it is, where the store has conditional writes. */
  owner?: Owner;
}

/** `overtaken`: somebody else wrote it, so that the channel is no more what this uploader takes it for. */
export type PlaylistOutcome = 'stored' | 'failed' | 'overtaken';

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
  /** By key, of what is replaced by the next put, as it was last read or written; null: there is nothing. */
  readonly #etags = new Map<string, string | null>();
  readonly #inFlight = new Set<Promise<unknown>>();

  constructor(options: PlaylistLaneOptions) {
    this.#options = options;
  }

  /** @returns what became of it, or nothing when the lane was closed meanwhile */
  put(put: PlaylistPut): Promise<PlaylistOutcome | undefined> {
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

  /** What stands under these keys as the channel opens: what a put replaces. */
  saw(key: string, etag: string | undefined): void {
    this.#etags.set(key, etag ?? null);
  }

  async #put(put: PlaylistPut): Promise<PlaylistOutcome | undefined> {
    const { key, text, maxAgeSeconds, owner } = put;
    const { store, health, clock, logger } = this.#options;
    try {
      if (owner && !this.#etags.has(key)) this.saw(key, (await this.#get(key))?.etag);
      const etag = this.#etags.get(key);
      const result = await timed(
        { clock, ms: TIMEOUT_MS, signal: this.#aborted.signal, doing: `put ${key} to ${store.name}` },
        (signal) =>
          store.put(
            key,
            { text },
            {
              contentType: PLAYLIST_TYPE,
              cacheControl: playlistCacheControl(maxAgeSeconds),
              lane: 'playlist',
              ...(owner && (etag ? { ifMatch: etag } : { ifAbsent: true })),
              signal,
            },
          ),
      );
      if (owner) this.saw(key, result.etag);
    } catch (error) {
      if (this.#aborted.signal.aborted) return undefined;
      if (isOvertaken(error))
        return this.#lookAfter(put, new StoreError('conflict', errorText(error), { cause: error }));
      health.failed(error);
      logger.debug('a playlist could not be put', { key, error: errorText(error) });
      return this.#lookAfter(put, error);
    }
    this.#retries.delete(key);
    health.succeeded();
    return 'stored';
  }

  /** After a failed write the store says what is true (DESIGN.md, "Who owns what"). */
  async #lookAfter({ key, text, owner }: PlaylistPut, first: unknown): Promise<PlaylistOutcome | undefined> {
    const { health, logger } = this.#options;
    const retry = this.#retries.get(key) ?? new StoreRetry(this.#options, { firstMs: 200, longestMs: 5000 });
    this.#retries.set(key, retry);
    let error = first;
    for (;;) {
      await retry.wait(error, this.#draining.signal);
      if (this.#aborted.signal.aborted) return undefined;
      try {
        const found = await this.#get(key);
        if (owner) this.saw(key, found?.etag);
        if (found?.text !== text) {
          if (owner && found && !isOf(found.text, owner)) return 'overtaken';
          return this.#draining.signal.aborted ? undefined : 'failed';
        }
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

  #get(key: string): Promise<StoredObject | undefined> {
    const { store, clock } = this.#options;
    return timed(
      { clock, ms: TIMEOUT_MS, signal: this.#aborted.signal, doing: `get ${key} from ${store.name}` },
      (signal) => store.get(key, { signal, maxBytes: MAX_PLAYLIST_BYTES }),
    );
  }
}

const isOvertaken = (error: unknown): boolean =>
  error instanceof StoreError && (error.code === 'changed' || error.code === 'exists');

function isOf(text: string, owner: Owner): boolean {
  const found = ownerOf(text);
  return found?.writer === owner.writer && found.term === owner.term;
}
