import type { Announcement, Gap, Segment, Tracks } from '@hls-uplink/protocol';
import { errorText, sleep, type Clock, type Logger } from '@hls-uplink/runtime';
import type { CutSegment, CutSink, CutTracks, LostSegment } from './cut-segment.js';
import { OutboxStore } from './outbox-store.js';
import type { SpareFiles } from './spare-files.js';
import type { Spool } from './spool.js';

/** How long to wait before a disk that takes nothing at all is tried again. */
const RETRY_MS = 1000;
/** How many of the newest announcements are kept in memory too: with a connection they are said at once. */
const MOST_FRESH = 4;

/** What is kept in memory of an announcement; the rest is read from disk when it is announced. */
export interface OutboxEntry {
  readonly index: number;
  readonly type: Announcement['type'];
  /** Of its segment file; 0 for all else. */
  readonly bytes: number;
  /** When it was entered, milliseconds since 1970. */
  readonly since: number;
}

interface Entry extends OutboxEntry {
  /** Enough to announce a segment as a gap when nothing else is left of it. */
  readonly times?: Pick<Segment, 'startPts' | 'endPts' | 'wallClock' | 'discontinuity'>;
  /** There while the announcement is on no disk: a gap that a full disk did not take. */
  message?: Announcement;
}

export type Answer = 'published' | 'dropped' | 'rejected';

export interface OutboxOptions {
  spool: Spool;
  clock: Clock;
  logger: Logger;
  /** Where files of published segments go; default: they are removed. */
  spares?: SpareFiles;
}

/**
 * Every announcement until its final answer, across restarts. A segment gets its name when it is whole and synced,
 * then its record is written; only then can it be announced. Entries are made in the order given, one at a time, and
 * their indexes have no holes.
 *
 * Nothing here throws for a failing disk: a segment that cannot be kept becomes a gap, and a gap that cannot be
 * recorded is kept in memory, announced once its index is marked as used, and recorded as soon as the disk takes it.
 */
export class Outbox implements CutSink {
  /** Final answers to segments by kind, and segments that were lost before they could be sent (each is a gap). */
  readonly counters: Record<Answer | 'lost', number> = { published: 0, dropped: 0, rejected: 0, lost: 0 };
  /** Called whenever there may be more to announce, or less to wait for. */
  onChange: () => void = () => undefined;

  readonly #store: OutboxStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  /** By index, ascending. */
  readonly #entries = new Map<number, Entry>();
  /** The newest announcements by index, so that they need not be read back; a backlog is on disk only. */
  readonly #fresh = new Map<number, Announcement>();
  #tracks: Tracks[] = [];
  #tracksWritten = true;
  #nextIndex = 0;
  #bytes = 0;
  #diskFails = false;
  #entering: Promise<void> = Promise.resolve();
  #settling: Promise<void> = Promise.resolve();

  /** Reads what an earlier process left. @throws ConfigError when the spool is damaged; errno errors */
  static async open(options: OutboxOptions): Promise<Outbox> {
    const outbox = new Outbox(options);
    await outbox.#restore();
    return outbox;
  }

  private constructor({ spool, clock, logger, spares }: OutboxOptions) {
    this.session = spool.session;
    this.#store = new OutboxStore(spool, logger, spares);
    this.#clock = clock;
    this.#logger = logger;
  }

  readonly session: string;

  /** Announcements without a final answer. */
  get size(): number {
    return this.#entries.size;
  }

  /** Bytes of the segments without a final answer. */
  get bytes(): number {
    return this.#bytes;
  }

  get oldest(): OutboxEntry | undefined {
    return this.#entries.values().next().value;
  }

  /** The oldest entry above `index`. */
  after(index: number): OutboxEntry | undefined {
    const next = this.#entries.get(index + 1);
    if (next) return next;
    for (const entry of this.#entries.values()) if (entry.index > index) return entry;
    return undefined;
  }

  /** The tracks that hold for the segment of an index. */
  tracksFor(index: number): Tracks | undefined {
    return this.#tracks.findLast((tracks) => tracks.index <= index);
  }

  /** What to announce, nothing when it was settled. A segment whose record cannot be read becomes a gap. */
  async announcement(index: number): Promise<Announcement | undefined> {
    const entry = this.#entries.get(index);
    if (!entry || entry.message) return entry?.message;
    const fresh = this.#fresh.get(index);
    if (fresh) return fresh;
    try {
      return await this.#store.read(index);
    } catch (error) {
      return await this.lose(index, `its record cannot be read: ${errorText(error)}`);
    }
  }

  /** Where the bytes of a segment lie. */
  segmentPath(index: number): string {
    return this.#store.segmentPath(index);
  }

  entry(index: number): OutboxEntry | undefined {
    return this.#entries.get(index);
  }

  tracks(tracks: CutTracks): void {
    this.#enter(() => {
      const { session } = this;
      const index = this.#nextIndex;
      this.#tracks = this.#tracks.filter((earlier) => earlier.index < index);
      this.#tracks.push({ type: 'tracks', session, index, ...tracks });
      // With the next record: the tracks of no announcement are of no use.
      this.#tracksWritten = false;
    });
  }

  segment({ partPath, wallClockMs, ...facts }: CutSegment): void {
    this.#enter(async () => {
      const { session } = this;
      const index = this.#nextIndex;
      const path = this.#store.segmentPath(index);
      const wallClock = new Date(wallClockMs).toISOString();
      try {
        await this.#store.adopt(partPath, index);
        await this.#record({ type: 'segment', session, index, path, ...facts, wallClock });
      } catch (error) {
        await this.#store.removeFile(partPath);
        await this.#store.removeFile(path);
        const { startPts, endPts, discontinuity } = facts;
        const reason = `it could not be kept: ${errorText(error)}`;
        this.#lost(index, reason);
        await this.#enterGap({
          startPts,
          endPts,
          wallClockMs,
          reason,
          ...(discontinuity && { discontinuity }),
        });
      }
    });
  }

  /** Who lost it has said so. */
  lost(segment: LostSegment): void {
    this.#enter(() => {
      this.counters.lost++;
      return this.#enterGap(segment);
    });
  }

  /** The source goes and may come back. */
  leave(reason: string): void {
    this.#enter(() => this.#recordSurely({ type: 'leave', ...this.#next(), reason: reason.slice(0, 500) }));
  }

  /** The operator ended the stream. */
  end(): void {
    this.#enter(() => this.#recordSurely({ type: 'end', ...this.#next() }));
  }

  /** Resolves when all that was given so far can be announced. */
  entered(): Promise<void> {
    return this.#entering;
  }

  /** A final answer: the file may go. Repeats and strangers are nothing. */
  settle(index: number, answer: Answer): void {
    const entry = this.#entries.get(index);
    if (!entry) return;
    if (entry.type === 'segment') this.counters[answer]++;
    this.#entries.delete(index);
    this.#fresh.delete(index);
    this.#bytes -= entry.bytes;
    this.#settling = this.#settling.then(() =>
      this.#forget(index, entry.type === 'segment' && answer === 'published'),
    );
    this.onChange();
  }

  /** Everything at or below `index` is published. */
  settleThrough(index: number): void {
    for (const entry of [...this.#entries.values()]) {
      if (entry.index > index) break;
      this.settle(entry.index, 'published');
    }
  }

  /**
   * The bytes of a segment cannot be had any more: from now on it is announced as a gap.
   * @returns the gap; nothing when no segment of that index waits for an answer
   */
  async lose(index: number, reason: string): Promise<Gap | undefined> {
    const entry = this.#entries.get(index);
    if (!entry?.times) return undefined;
    this.#lost(index, reason);
    const message: Gap = {
      type: 'gap',
      session: this.session,
      index,
      ...entry.times,
      reason: reason.slice(0, 500),
    };
    this.#bytes -= entry.bytes;
    this.#fresh.delete(index);
    this.#entries.set(index, { index, type: 'gap', bytes: 0, since: entry.since, message });
    this.#enter(() => this.#recordLate());
    await this.#entering;
    return this.#entries.has(index) ? message : undefined;
  }

  /** Ends what is under way; a disk that refuses is no longer waited for. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#entering;
    await this.#settling;
  }

  #enter(task: () => Promise<void> | void): void {
    this.#entering = this.#entering.then(task).then(() => this.onChange());
  }

  #next(): { session: string; index: number } {
    return { session: this.session, index: this.#nextIndex };
  }

  #lost(index: number, reason: string): void {
    this.counters.lost++;
    this.#logger.error('a segment is lost; a gap stands for it', { index, reason });
  }

  async #enterGap({ wallClockMs, reason, ...times }: LostSegment): Promise<void> {
    const wallClock = new Date(wallClockMs).toISOString();
    await this.#recordSurely({
      type: 'gap',
      ...this.#next(),
      ...times,
      wallClock,
      reason: reason.slice(0, 500),
    });
  }

  /** Until the disk takes the record, or at least the number of its index: what was announced is never used again. */
  async #recordSurely(message: Announcement): Promise<void> {
    await this.#insist(async () => {
      try {
        await this.#record(message);
      } catch (error) {
        await this.#store.setNextIndex(message.index + 1);
        this.#diskFailed(error);
        this.#add(message, message);
      }
    });
  }

  async #record(message: Announcement): Promise<void> {
    await this.#writeTracks();
    await this.#store.write(message);
    this.#add(message);
    this.#fresh.set(message.index, message);
    for (const index of this.#fresh.keys())
      if (index <= message.index - MOST_FRESH) this.#fresh.delete(index);
    await this.#recordLate();
  }

  #add(message: Announcement, kept?: Announcement, since = this.#clock.now()): void {
    const { type, index } = message;
    const bytes = type === 'segment' ? message.bytes : 0;
    this.#entries.set(index, {
      index,
      type,
      bytes,
      since,
      ...(type === 'segment' && { times: timesOf(message) }),
      ...(kept && { message: kept }),
    });
    this.#nextIndex = Math.max(this.#nextIndex, index + 1);
    this.#bytes += bytes;
  }

  /** What is only in memory so far. */
  async #recordLate(): Promise<void> {
    try {
      for (const entry of this.#entries.values()) {
        if (!entry.message) continue;
        await this.#store.write(entry.message);
        delete entry.message;
        // Settled meanwhile: nobody else would remove it.
        if (!this.#entries.has(entry.index)) await this.#store.remove(entry.index);
        else if (entry.type === 'gap') await this.#store.removeFile(this.segmentPath(entry.index));
      }
    } catch (error) {
      this.#diskFailed(error);
      return;
    }
    if (this.#diskFails) this.#logger.info('the spool takes announcements again');
    this.#diskFails = false;
  }

  async #writeTracks(): Promise<void> {
    if (this.#tracksWritten) return;
    // Needed are those of the oldest entry, and all later ones.
    const from = this.tracksFor(this.oldest?.index ?? this.#nextIndex)?.index ?? 0;
    this.#tracks = this.#tracks.filter(({ index }) => index >= from);
    await this.#store.writeTracks(this.#tracks);
    this.#tracksWritten = true;
  }

  /** @returns whether it was done; it is not when the outbox closes before */
  async #insist(task: () => Promise<void>): Promise<boolean> {
    for (;;) {
      try {
        await task();
        return true;
      } catch (error) {
        this.#diskFailed(error);
        if (this.#closing.signal.aborted) return false;
        await sleep(this.#clock, RETRY_MS, this.#closing.signal);
      }
    }
  }

  #diskFailed(error: unknown): void {
    if (this.#diskFails) return;
    this.#diskFails = true;
    this.#logger.error('the spool takes no announcements: make room, or mend the disk; trying on', {
      error: errorText(error),
    });
  }

  async #forget(index: number, isUnread: boolean): Promise<void> {
    // As long as its record is there it tells which index comes next.
    const mark = (): Promise<void> => this.#store.setNextIndex(index + 1);
    if (index + 1 === this.#nextIndex && !(await this.#insist(mark))) return;
    await this.#store.remove(index, isUnread);
  }

  async #restore(): Promise<void> {
    const { announcements, tracks, nextIndex } = await this.#store.restore();
    this.#nextIndex = nextIndex;
    this.#tracks = tracks;
    for (const { message, since } of announcements) this.#add(message, undefined, since);
    for (const { message, file } of announcements) {
      if (file === 'missing') await this.lose(message.index, 'its file is gone');
      if (file === 'wrong-size') await this.lose(message.index, 'its file has another size');
    }
    if (this.size === 0) return;
    this.#logger.info('announcements of an earlier run wait for their answer', {
      entries: this.size,
      bytes: this.bytes,
    });
  }
}

function timesOf({ startPts, endPts, wallClock, discontinuity }: Segment): NonNullable<Entry['times']> {
  return { startPts, endPts, wallClock, ...(discontinuity && { discontinuity }) };
}
