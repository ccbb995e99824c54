import {
  gap,
  ptsDuration,
  type Announcement,
  type Gap,
  type RejectedCode,
  type Segment,
  type SegmentId,
  type UploaderMessage,
} from '@hls-uplink/protocol';
import { Backoff, sleep, type Clock, type Logger } from '@hls-uplink/runtime';
import type { ChannelWorker } from './channel-worker.js';
import type { OwnSpool, Receiver } from './own-spool.js';
import type { SpoolFiles } from './spool-files.js';

/** Largest segment that is taken, bytes. */
export const MOST_SEGMENT_BYTES = 1024 * 1024 * 1024;
/** Bodies asked for and not yet here, of one session. */
const MOST_ASKED = 4;
/** Longest a segment may be by its own times: what is longer is a broken clock, 90 kHz. */
const MOST_DURATION = 3600 * 90_000;

export interface IntakeOptions {
  worker: ChannelWorker;
  files: SpoolFiles;
  ownSpool: OwnSpool;
  clock: Clock;
  logger: Logger;
  /** Aborted with the connection. */
  signal: AbortSignal;
  /** Bytes of its own spool that the uploader fills at most. */
  spoolBytes: number;
  tell: (message: UploaderMessage) => void;
  /** Something could not be taken in (a JournalError, or the disk's): nothing that follows can be. Called once. */
  failed: (error: unknown) => void;
}

interface Expected {
  segment: Segment;
  arrived(result: { ok: true; path: string } | { ok: false; reason: string }): void;
}

/**
 * Takes the announcements of one connection in, strictly in the order they came: bytes assured, journalled, handed to
 * the channel, accepted. Bytes that are not to be had by path are asked for ahead, a few at a time.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #expected = new Map<number, Expected>();
  /** Ends when the announcement before has been taken in. */
  #turn: Promise<void> = Promise.resolve();
  #hasFailed = false;
  #waiting = 0;
  #waitingBytes = 0;
  #asking = 0;
  readonly #askers: (() => void)[] = [];
  readonly #room = new Set<() => void>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Announcements not taken in yet, and the bytes of their lines. */
  get load(): { count: number; lineBytes: number } {
    return { count: this.#waiting, lineBytes: this.#waitingBytes };
  }

  /** Whether a body must arrive before anything can go on: then reading must not pause. */
  get needsBody(): boolean {
    return this.#expected.size > 0;
  }

  /** Resolves when something was taken in, or a body was asked for. */
  moved(): Promise<void> {
    return new Promise((resolve) => this.#room.add(resolve));
  }

  /** @param lineBytes of its line, for the bound on memory */
  announce(announcement: Announcement, lineBytes: number): void {
    this.#inTurn(lineBytes, this.#assure(announcement), (assured) => this.#take(announcement, assured));
  }

  /** After everything that came before it. */
  afterThat(task: () => Promise<void>): void {
    this.#inTurn(0, Promise.resolve(), task);
  }

  /** An announcement that broke the schema: answered in its turn. */
  reject(id: SegmentId, reason: string, stoodFor: Gap | undefined): void {
    this.#inTurn(0, Promise.resolve(), () => {
      this.#reject(id, 'bad-message', reason, stoodFor);
      return Promise.resolve();
    });
  }

  /** Where the bytes of a `body` go; undefined when they were not asked for. */
  receive({ index }: SegmentId, bytes: number): Promise<Receiver> | undefined {
    const expected = this.#expected.get(index);
    if (!expected || expected.segment.bytes !== bytes) return undefined;
    return this.#options.ownSpool.receive(expected.segment, expected.segment);
  }

  /** The body is here as a whole. */
  async received({ index }: SegmentId, receiver: Receiver): Promise<void> {
    const expected = this.#expected.get(index);
    const result = await receiver.finish();
    this.#expected.delete(index);
    expected?.arrived(result);
  }

  #inTurn<T>(lineBytes: number, before: Promise<T>, task: (value: T) => Promise<void>): void {
    this.#waiting++;
    this.#waitingBytes += lineBytes;
    const previous = this.#turn;
    const run = async (): Promise<void> => {
      const value = await before;
      await previous;
      if (!this.#options.signal.aborted) await task(value);
    };
    this.#turn = run().finally(() => {
      this.#waiting--;
      this.#waitingBytes -= lineBytes;
      this.#tellMoved();
    });
    this.#turn.catch((error: unknown) => {
      if (this.#hasFailed) return;
      this.#hasFailed = true;
      this.#options.failed(error);
    });
  }

  #tellMoved(): void {
    for (const resolve of this.#room) resolve();
    this.#room.clear();
  }

  /** Bytes on this machine, at a path; or a reason against it. */
  async #assure(
    announcement: Announcement,
  ): Promise<{ path?: string } | { reject: RejectedCode; reason: string } | undefined> {
    if (announcement.type !== 'segment') return {};
    const { worker, files, ownSpool, clock, signal, logger } = this.#options;
    if (worker.status(announcement) !== 'new') return {};
    if (announcement.bytes > MOST_SEGMENT_BYTES) {
      return {
        reject: 'bad-message',
        reason: `a segment of more than ${MOST_SEGMENT_BYTES} bytes is not taken`,
      };
    }
    if (announcement.bytes % 188 !== 0) {
      return { reject: 'bad-message', reason: 'its bytes are no whole number of transport packets' };
    }
    const duration = ptsDuration(announcement.startPts, announcement.endPts);
    if (duration === 0 || duration > MOST_DURATION) {
      return { reject: 'bad-message', reason: 'its end does not come after its start within an hour' };
    }
    const own = ownSpool.pathOf(announcement);
    if (own !== undefined) return { path: own };
    const backoff = new Backoff({ firstMs: 100, longestMs: 5000 });
    while (!signal.aborted) {
      const checked = await files.check(announcement.path, announcement);
      if (checked.ok) return {};
      if (checked.why !== 'failed') {
        logger.debug('the bytes are asked for', { index: announcement.index, reason: checked.reason });
        return this.#askFor(announcement);
      }
      await sleep(clock, backoff.next(), signal);
    }
    return undefined;
  }

  async #askFor(
    segment: Segment,
  ): Promise<{ path: string } | { reject: RejectedCode; reason: string } | undefined> {
    const { tell, signal } = this.#options;
    await this.#permission(segment.bytes);
    if (signal.aborted) return undefined;
    const result = await new Promise<{ ok: true; path: string } | { ok: false; reason: string } | undefined>(
      (resolve) => {
        const gone = (): void => resolve(undefined);
        signal.addEventListener('abort', gone, { once: true });
        this.#expected.set(segment.index, {
          segment,
          arrived: (arrived) => {
            signal.removeEventListener('abort', gone);
            resolve(arrived);
          },
        });
        tell({ type: 'send', session: segment.session, index: segment.index });
        this.#tellMoved();
      },
    );
    this.#asking--;
    this.#askers.shift()?.();
    if (!result) return undefined;
    return result.ok ? { path: result.path } : { reject: 'bad-file', reason: result.reason };
  }

  /** A few bodies at a time, and none while the disk's share is full. */
  async #permission(bytes: number): Promise<void> {
    const { ownSpool, spoolBytes, clock, signal } = this.#options;
    if (this.#asking >= MOST_ASKED) await new Promise<void>((resolve) => this.#askers.push(resolve));
    this.#asking++;
    let told = false;
    while (!signal.aborted && ownSpool.bytes > 0 && ownSpool.bytes + bytes > spoolBytes) {
      if (!told)
        this.#options.logger.warn('the own spool is full: segments wait at their segmenter', { spoolBytes });
      told = true;
      await sleep(clock, 500, signal);
    }
  }

  async #take(
    announcement: Announcement,
    assured: { path?: string } | { reject: RejectedCode; reason: string } | undefined,
  ): Promise<void> {
    if (!assured) return;
    const { worker, tell } = this.#options;
    const id = { session: announcement.session, index: announcement.index };
    const status = worker.status(id);
    if (status === 'answered') {
      await this.#options.ownSpool.remove(id);
      return tell({ type: 'published', ...id });
    }
    if ('reject' in assured) {
      return this.#reject(id, assured.reject, assured.reason, announcement);
    }
    if (status === 'new') {
      const last = worker.state.sources[id.session]?.last?.index ?? -1;
      if (id.index <= last) {
        const reason = `index ${id.index} comes after ${last}: announce in order of index`;
        return this.#reject(id, 'bad-message', reason, undefined);
      }
      const known = assured.path === undefined ? announcement : { ...announcement, path: assured.path };
      await worker.accept(known);
    }
    // A dropped one may have been answered in the same breath: then that answer is the last word.
    if (worker.status(id) === 'accepted') tell({ type: 'accepted', ...id });
  }

  #reject(id: SegmentId, code: RejectedCode, reason: string, stoodFor: Announcement | undefined): void {
    const { worker, tell, logger } = this.#options;
    const status = worker.status(id);
    if (status !== 'new') return tell({ type: status === 'accepted' ? 'accepted' : 'published', ...id });
    logger.warn('an announcement is rejected', { ...id, code, reason });
    tell({ type: 'rejected', ...id, code, reason: reason.slice(0, 1000) });
    if (stoodFor) worker.refuse(stoodFor);
  }
}

/** What of a message that broke the schema is enough to know which stretch was lost with it. */
export function gapOf(line: string, id: SegmentId): Gap | undefined {
  const { startPts, endPts, wallClock } = JSON.parse(line) as Record<string, unknown>;
  const reason = 'its announcement could not be read';
  return gap.safeParse({ type: 'gap', ...id, startPts, endPts, wallClock, reason }).data;
}
