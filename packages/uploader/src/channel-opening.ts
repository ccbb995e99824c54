import { Backoff, errorCode, errorText, sleep, type Logger } from '@hls-uplink/runtime';
import type { Owner } from './channel/ownership.js';
import type { ReadBack } from './channel/reopen.js';
import type { Journal } from './journal.js';
import type { JournalRecord } from './journal-record.js';
import { readBack } from './read-back.js';
import { Rival } from './rival.js';
import type { SteadyClock } from './steady-clock.js';
import type { StoreLanes } from './store-lanes.js';
import { StoreRetry } from './store-retry.js';

/** How often another uploader's playlists are looked at while it is waited for, milliseconds. */
const LOOK_MS = 2000;

export interface ChannelOpeningOptions {
  /** The channel's identity in the journal. */
  id: string;
  /** Its name in the store. */
  channel: string;
  /** Who this uploader is in what it publishes. */
  writer: string;
  /** Another uploader has overtaken this one before: no source is a reason to take the channel back. */
  wasOvertaken: boolean;
  lanes: StoreLanes;
  journal: Journal;
  clock: SteadyClock;
  logger: Logger;
  signal: AbortSignal;
}

/** What a channel begins with: what is published of it and what the journal has, as soon as both can be read. */
export class ChannelOpening {
  readonly #options: ChannelOpeningOptions;
  #hasSource = false;
  #other: Owner | undefined;
  #isForeign = false;
  #look = new AbortController();
  #found: { promise: Promise<void>; resolve: () => void } = unfound();

  constructor(options: ChannelOpeningOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#look.abort(), { once: true });
  }

  /** Who else publishes the channel, and is waited for. */
  get other(): Owner | undefined {
    return this.#other;
  }

  /** Another uploader has published the channel since this one did, if it ever did. */
  get isForeign(): boolean {
    return this.#isForeign;
  }

  /** A source is there. Resolves when somebody else has been found to publish the channel, if somebody does. */
  sourceCame(): Promise<void> {
    this.#hasSource = true;
    this.#look.abort();
    return this.#found.promise;
  }

  /** The playlists, once the channel is this uploader's to go on with. @param known keys, for stores that cannot list */
  async playlists(known: ReadonlySet<string>): Promise<ReadBack[]> {
    const { channel, writer, lanes, clock, signal } = this.#options;
    const retry = new StoreRetry(
      { health: lanes.health, clock: clock.clock },
      { firstMs: 500, longestMs: 10_000 },
    );
    const rival = new Rival(writer);
    for (;;) {
      try {
        const playlists = await readBack(lanes.store, channel, known, { clock: clock.clock, signal });
        lanes.health.succeeded();
        if (await this.#mustWait(rival, playlists)) continue;
        for (const { key, etag } of playlists) lanes.playlists.saw(key, etag);
        return playlists;
      } catch (error) {
        if (signal.aborted) return never();
        lanes.health.failed(error);
        await retry.wait(error, signal);
      }
    }
  }

  /** What the journal has of this channel. */
  async records(): Promise<JournalRecord[]> {
    const { id, journal, clock, logger, signal } = this.#options;
    const backoff = new Backoff({ firstMs: 500, longestMs: 10_000 });
    while (!signal.aborted) {
      try {
        const records: JournalRecord[] = [];
        for await (const record of journal.replay(id)) records.push(record);
        return records;
      } catch (error) {
        if (signal.aborted) break;
        if (errorCode(error) === undefined) throw error;
        if (backoff.attempts === 0) {
          logger.error('the journal cannot be read: check its disk; the channel opens when it can be', {
            error: errorText(error),
          });
        }
        await sleep(clock.clock, backoff.next(), signal);
      }
    }
    return never();
  }

  /**
   * Another uploader publishes the channel (DESIGN.md, rule 9): it is waited for until that is silent. A source that is
   * there takes the channel along to this uploader at once, but not back and forth.
   */
  async #mustWait(rival: Rival, playlists: readonly ReadBack[]): Promise<boolean> {
    const { lanes, clock, logger, wasOvertaken } = this.#options;
    const found = lanes.store.capabilities.conditionalWrites ? rival.look(playlists, clock.at()) : undefined;
    this.#isForeign ||= found !== undefined;
    const waits = found !== undefined && (wasOvertaken || !this.#hasSource);
    if (waits && this.#other === undefined) {
      logger.warn(
        'another uploader publishes this channel: it is left to it until that has been silent for three target durations',
        { writer: found.writer },
      );
    }
    this.#other = waits ? found : undefined;
    if (!waits) return false;
    this.#found.resolve();
    this.#found = unfound();
    await sleep(clock.clock, LOOK_MS, this.#look.signal);
    this.#look = new AbortController();
    return true;
  }
}

function unfound(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  return { promise: new Promise((done) => (resolve = done)), resolve: () => resolve() };
}

/** What is stopped is waited for. */
const never = (): Promise<never> => new Promise(() => undefined);
