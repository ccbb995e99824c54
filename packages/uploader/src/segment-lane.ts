import type { Key } from '@hls-uplink/hls';
import type { SegmentId } from '@hls-uplink/protocol';
import { errorText, type Clock, type Logger } from '@hls-uplink/runtime';
import { StoreError, type ObjectStore } from '@hls-uplink/store';
import { encryptInPlace, withEncryptedCopy } from './aes-128.js';
import { SEGMENT_CACHE_CONTROL, SEGMENT_TYPE } from './cache-control.js';
import { encryptedBytes } from './channel/encryption.js';
import type { KeyLane } from './key-lane.js';
import { keyName, type SegmentKey, type SegmentKeys } from './segment-keys.js';
import type { SpoolFiles } from './spool-files.js';
import type { StoreHealth } from './store-health.js';
import { StoreRetry } from './store-retry.js';
import { timed } from './timed.js';

export interface SegmentJob {
  /** Streams take turns: channel, with its bucket, and rendition. */
  stream: string;
  channel: string;
  rendition: string;
  id: SegmentId;
  key: string;
  path: string;
  bytes: number;
  crc32: number;
  /** No live playlist waits for it. */
  isBehind?: boolean;
  /** Called once, with what became of it; when it is encrypted, by what. */
  done(outcome: 'stored' | 'lost', encryption?: Key): void;
}

export interface Encryption {
  keys: SegmentKeys;
  /** Where keys go; without it whoever serves them derives them. */
  lane?: KeyLane | undefined;
  /** Takes encrypted copies of what is too large for memory; emptied at the start. */
  folder: string;
}

type Outcome =
  | { done: 'stored'; encryption?: Key | undefined }
  | { done: 'lost' }
  /** To be tried again; `health`: of the store that refused, when it is not the segments'. */
  | { failed: unknown; health?: StoreHealth };

export interface SegmentLaneOptions {
  store: ObjectStore;
  files: SpoolFiles;
  health: StoreHealth;
  clock: Clock;
  logger: Logger;
  /** Without it segments go as they are. */
  encryption?: Encryption | undefined;
  /** Bytes in flight at most; one segment that is larger goes alone. Default 64 MB. */
  maxBytes?: number;
  /** Segments in flight at most. Default 16. */
  maxCount?: number;
  /** Of one segment; larger ones go from their file, in pieces. Default 32 MB. */
  bufferedBytes?: number;
}

const MEGABYTE = 1024 * 1024;
const LIMITS = { maxBytes: 64 * MEGABYTE, maxCount: 16, bufferedBytes: 32 * MEGABYTE };
/**
 * The store gives up connections on which nothing moves; this is for one that moves by single bytes: whatever is slower
 * than this, bytes a second, does not move.
 */
const LEAST_RATE = 4096;
const LEAST_TIME_MS = 60_000;
/** Of one stream at a time: on a link that is slower than the stream more would all be late, instead of some. */
const MOST_OF_A_STREAM = 2;
/** Of what no live playlist waits for so many at a time, one of a stream, and this part of the bytes in flight. */
const MOST_BEHIND = 4;
const BEHIND_SHARE = 1 / 4;
/** After so many failures in a row one attempt at a time is enough to see whether the store is back. */
const FAILING = 3;

/**
 * Puts segments in parallel, bounded by their bytes and number, the streams in turn, each stream's in order of arrival.
 * A put that fails is tried again for ever, with delays; it is given up only when its file is gone. What no live playlist
 * waits for goes when all that one waits for is under way.
 */
export class SegmentLane {
  readonly #options: SegmentLaneOptions & typeof LIMITS;
  /** In the order of their turns. */
  readonly #streams = new Map<string, SegmentJob[]>();
  readonly #behind = new Map<string, SegmentJob[]>();
  /** Being put. */
  readonly #running = new Map<SegmentJob, AbortController>();
  /** Put and neither done nor cancelled. */
  readonly #wanted = new Set<SegmentJob>();
  /** Of those that have failed. */
  readonly #retries = new Map<SegmentJob, StoreRetry>();
  readonly #draining = new AbortController();
  readonly #idle = new Set<() => void>();
  readonly #unlisten: () => void;
  #bytes = 0;
  #count = 0;
  #failures = 0;

  constructor(options: SegmentLaneOptions) {
    this.#options = { ...LIMITS, ...options };
    this.#unlisten = options.health.onRecovered(() => {
      this.#failures = 0;
      this.#next();
    });
  }

  /** Bytes and number of what is being put, and how many wait. */
  get load(): { bytes: number; count: number; waiting: number } {
    const queued = [...this.#streams.values(), ...this.#behind.values()].reduce(
      (sum, jobs) => sum + jobs.length,
      0,
    );
    return { bytes: this.#bytes, count: this.#count, waiting: queued + this.#retries.size };
  }

  put(job: SegmentJob): void {
    this.#wanted.add(job);
    this.#enqueue(job, 'last');
    this.#next();
  }

  /** Its outcome is of no interest any more: it is aborted, or not begun (again), and `done` is not called. */
  cancel({ session, index }: SegmentId): void {
    const job = [...this.#wanted].find(({ id }) => id.session === session && id.index === index);
    if (!job) return;
    this.#wanted.delete(job);
    this.#retries.delete(job);
    this.#running.get(job)?.abort();
    const streams = this.#streamsOf(job);
    const waiting = streams.get(job.stream)?.filter((other) => other !== job) ?? [];
    if (waiting.length > 0) streams.set(job.stream, waiting);
    else streams.delete(job.stream);
  }

  /** Begins nothing new; resolves when nothing is in flight, or at `signal`, which aborts what is. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#draining.abort();
    // A disk that hangs knows no abort: it is not waited for either.
    const moved = (): void => this.#tellIdle();
    signal.addEventListener('abort', moved, { once: true });
    while (this.#count > 0 && !signal.aborted) await new Promise<void>((resolve) => this.#idle.add(resolve));
    signal.removeEventListener('abort', moved);
    this.close();
  }

  close(): void {
    this.#draining.abort();
    this.#unlisten();
    for (const running of this.#running.values()) running.abort();
  }

  #underWay(stream: string): number {
    return [...this.#running.keys()].filter((job) => job.stream === stream && !job.isBehind).length;
  }

  #streamsOf({ isBehind }: SegmentJob): Map<string, SegmentJob[]> {
    return isBehind ? this.#behind : this.#streams;
  }

  #enqueue(job: SegmentJob, where: 'first' | 'last'): void {
    const streams = this.#streamsOf(job);
    const jobs = streams.get(job.stream) ?? [];
    if (where === 'first') jobs.unshift(job);
    else jobs.push(job);
    streams.set(job.stream, jobs);
  }

  #next(): void {
    for (;;) {
      const most = this.#failures >= FAILING ? 1 : this.#options.maxCount;
      if (this.#draining.signal.aborted || this.#count >= most) return;
      const turn =
        [...this.#streams].find(([stream]) => this.#underWay(stream) < MOST_OF_A_STREAM) ??
        this.#nextBehind();
      const job = turn?.[1][0];
      if (!turn || !job) return;
      // The one whose turn it is waits for room; smaller ones that passed it by could hold it up for ever.
      if (this.#count > 0 && this.#bytes + job.bytes > this.#options.maxBytes) return;
      const [stream, jobs] = turn;
      const streams = this.#streamsOf(job);
      jobs.shift();
      streams.delete(stream);
      if (jobs.length > 0) streams.set(stream, jobs);
      this.#bytes += job.bytes;
      this.#count++;
      void this.#run(job);
    }
  }

  /** Whose turn it is of what no live playlist waits for. */
  #nextBehind(): [string, SegmentJob[]] | undefined {
    const isLate = (job: SegmentJob): boolean => !job.isBehind && !this.#running.has(job);
    if (this.#streams.size > 0 || [...this.#retries.keys()].some(isLate)) return undefined;
    const running = [...this.#running.keys()].filter(({ isBehind }) => isBehind);
    if (running.length >= MOST_BEHIND) return undefined;
    const next = [...this.#behind].find(([stream]) => !running.some((job) => job.stream === stream));
    const bytes = running.reduce((sum, job) => sum + job.bytes, next?.[1][0]?.bytes ?? 0);
    return running.length > 0 && bytes > BEHIND_SHARE * this.#options.maxBytes ? undefined : next;
  }

  async #run(job: SegmentJob): Promise<void> {
    const running = new AbortController();
    this.#running.set(job, running);
    const outcome = await this.#attempt(job, running.signal);
    this.#running.delete(job);
    this.#bytes -= job.bytes;
    this.#count--;
    this.#tellIdle();
    if (this.#wanted.has(job)) {
      if ('failed' in outcome) void this.#later(job, outcome);
      else {
        this.#retries.delete(job);
        this.#wanted.delete(job);
        if (outcome.done === 'stored') job.done(outcome.done, outcome.encryption);
        else job.done(outcome.done);
      }
    }
    this.#next();
  }

  /** Its key first: what a playlist names must be there with all that it needs. */
  async #attempt(job: SegmentJob, signal: AbortSignal): Promise<Outcome> {
    const { files, health, logger, encryption } = this.#options;
    const by = encryption?.keys.of(job.id, job.channel, job.rendition);
    if (by && encryption?.lane) {
      const { lane } = encryption;
      try {
        await lane.put(`${job.channel}/${keyName(by.keyId)}`, by.key);
      } catch (error) {
        return { failed: error, health: lane.options.health };
      }
      if (signal.aborted) return { failed: signal.reason };
    }
    try {
      const put =
        job.bytes > this.#options.bufferedBytes
          ? await files.lend(job.path, job, (file) => this.#putFile(job, signal, file, by))
          : await this.#putBuffered(job, signal, by);
      if (put.ok) {
        this.#failures = 0;
        health.succeeded();
        return { done: 'stored', encryption: by?.tag };
      }
      if (put.why === 'failed') {
        logger.warn('cannot read a segment now', { key: job.key, error: put.reason });
        return { failed: put.reason };
      }
      return this.#gone(job, put.reason);
    } catch (error) {
      if (signal.aborted) return { failed: error };
      // Of what is encrypted the store sees a copy: that one may be bad, not the segment.
      if (by && (!(error instanceof StoreError) || error.code === 'unreadable-body')) {
        logger.warn('cannot encrypt a segment now', { key: job.key, error: errorText(error) });
        return { failed: error };
      }
      if (error instanceof StoreError && error.code === 'unreadable-body') {
        return this.#gone(job, errorText(error));
      }
      this.#failures++;
      health.failed(error);
      logger.debug('a segment could not be put', { key: job.key, error: errorText(error) });
      return { failed: error };
    }
  }

  /** One that is cancelled has its final answer, and its sender may delete the file. */
  #gone(job: SegmentJob, error: string): { done: 'lost' } {
    if (this.#wanted.has(job))
      this.#options.logger.error('the bytes of a segment are gone', { key: job.key, error });
    return { done: 'lost' };
  }

  async #putBuffered(
    job: SegmentJob,
    signal: AbortSignal,
    by: SegmentKey | undefined,
  ): Promise<{ ok: true } | { ok: false; why: string; reason: string }> {
    const read = await this.#options.files.read(job.path, job, by && encryptedBytes(job.bytes));
    if (!read.ok) return read;
    if (by) await encryptInPlace(read.buffer, job.bytes, by);
    await this.#put(job, signal, { bytes: read.buffer });
    return { ok: true };
  }

  async #putFile(
    job: SegmentJob,
    signal: AbortSignal,
    file: string,
    by: SegmentKey | undefined,
  ): Promise<void> {
    if (!by) return this.#put(job, signal, { file, bytes: job.bytes });
    const { folder } = this.#options.encryption!;
    const bytes = encryptedBytes(job.bytes);
    await withEncryptedCopy(file, folder, by, (copy) => this.#put(job, signal, { file: copy, bytes }));
  }

  async #put(job: SegmentJob, signal: AbortSignal, body: Parameters<ObjectStore['put']>[1]): Promise<void> {
    const { store, clock } = this.#options;
    const ms = LEAST_TIME_MS + (job.bytes / LEAST_RATE) * 1000;
    await timed({ clock, ms, signal, doing: `put ${job.key} to ${store.name}` }, (aborted) =>
      store.put(job.key, body, {
        contentType: SEGMENT_TYPE,
        cacheControl: SEGMENT_CACHE_CONTROL,
        signal: aborted,
      }),
    );
  }

  async #later(job: SegmentJob, { failed, health }: Extract<Outcome, { failed: unknown }>): Promise<void> {
    const of = { clock: this.#options.clock, health: health ?? this.#options.health };
    const known = this.#retries.get(job);
    const retry =
      known?.options.health === of.health ? known : new StoreRetry(of, { firstMs: 200, longestMs: 10_000 });
    this.#retries.set(job, retry);
    await retry.wait(failed, this.#draining.signal);
    if (this.#draining.signal.aborted || !this.#wanted.has(job)) return;
    this.#enqueue(job, 'first');
    this.#next();
  }

  #tellIdle(): void {
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }
}
