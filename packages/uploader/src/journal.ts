import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import type { SegmentId } from '@hls-uplink/protocol';
import { errorText, systemClock, type Clock, type Logger } from '@hls-uplink/runtime';
import { makeFolder } from './folder.js';
import { isCorrupt, JournalError, unusable } from './journal-error.js';
import {
  journalRecord,
  keyOf,
  liveKey,
  pad,
  requestKey,
  SEPARATOR,
  sessionOf,
  type JournalRecord,
  type LegacyRecord,
  type NewRecord,
  type RequestRecord,
} from './journal-record.js';
import { newSessionIndex, type SessionIndex } from './session-index.js';

export interface JournalOptions {
  /** Its folder; the database lies in `db` below it. */
  folder: string;
  logger: Logger;
  clock?: Clock;
}

/** After a write that failed another is tried so often, so that it shows when the disk is well again. */
const RETRY_MS = 5000;

type Operation = { type: 'put'; key: string; value: JournalRecord } | { type: 'del'; key: string };

interface Waiting {
  operations: Operation[];
  resolve: () => void;
  reject: (error: JournalError) => void;
}

/**
 * Accepted announcements without a final answer, what is needed to understand them, and what an operator asked that the store
 * does not show yet; survives kill -9.
 *
 * A record is identified by channel, session and index: to append it again replaces it. Appends that come while a
 * write is under way go to the disk together, with one sync.
 */
export class Journal {
  #opened: ClassicLevel<string, JournalRecord> | undefined;
  /** The channels that were live when they were last heard of. */
  readonly live = new Set<string>();
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #sessions = new Map<string, SessionIndex>();
  readonly #legacy = new Map<string, Map<string, LegacyRecord>>();
  /** The channels of requests that wait, by key. */
  readonly #requests = new Map<string, string>();
  #sequence = 0;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #closed = false;
  #failure: JournalError | undefined;
  #cancelRetry: () => void = () => undefined;
  #setAside = 0;
  #unreadable = 0;

  private constructor({ folder, logger, clock = systemClock }: JournalOptions) {
    this.#folder = folder;
    this.#logger = logger;
    this.#clock = clock;
  }

  /**
   * Opens the journal, or begins one. A corrupt one is set aside under another name: nothing is lost by that which the
   * segmenters don't announce again, but what an operator asked.
   * @throws ConfigError `journal-locked` when another process has it, `journal-unwritable`
   */
  static async open(options: JournalOptions): Promise<Journal> {
    const journal = new Journal(options);
    await journal.#open();
    return journal;
  }

  /** How many journals were found corrupt, and how many single records. */
  get counts(): { setAside: number; unreadable: number } {
    return { setAside: this.#setAside, unreadable: this.#unreadable };
  }

  /** Whether the last write succeeded. */
  get healthy(): boolean {
    return !this.#closed && this.#failure === undefined;
  }

  /** Why the last write failed. */
  get problem(): string | undefined {
    return this.#failure && errorText(this.#failure);
  }

  /** The channels with announcements that wait for their final answer, and those of which something is asked. */
  get channels(): string[] {
    const waiting = [...this.#sessions.values()].filter(({ accepted }) => accepted.size > 0);
    return [...new Set([...waiting.map(({ channel }) => channel), ...this.#requests.values()])];
  }

  /**
   * Resolves once all the records are on disk, together or not at all.
   * @throws JournalError; nothing is known then about whether they are on disk
   */
  async append(channel: string, ...records: NewRecord[]): Promise<void> {
    const operations = records.map((record): Operation => {
      // What is appended again keeps its place in the order of events.
      const value = { ...record, sequence: this.#known(record) ?? this.#sequence++ };
      return { type: 'put', key: keyOf(channel, value), value };
    });
    const names = [...new Set(records.map(sessionOf))].filter((name) => name !== undefined);
    const sessions = names.map((name) => ({ name, found: this.#sessionIndex(channel, name) }));
    const held = sessions.filter(({ found }) => found.held);
    for (const { found } of sessions) found.writing++;
    try {
      await this.#write(operations);
      for (const operation of operations) if (operation.type === 'put') this.#index(channel, operation.value);
    } finally {
      for (const { found } of sessions) found.writing--;
    }
    const released = held.filter(({ found }) => !found.held);
    const rest = released.flatMap(({ name, found }) => this.#leftovers(name, found));
    if (rest.length > 0) await this.#write(rest);
  }

  /** What was appended of this channel and not forgotten, in the order it was appended first. */
  async *replay(channel: string): AsyncIterable<JournalRecord> {
    const records: JournalRecord[] = [];
    // After a failed write it may be closed; a write opens it anew.
    if (this.#failure) await this.#write([]);
    const range = { gte: `${channel}${SEPARATOR}`, lt: `${channel}${String.fromCharCode(0x22)}` };
    for await (const [key, value] of this.#db.iterator(range)) {
      const record = this.#read(value);
      if (record) records.push(record);
      else await this.#write([{ type: 'del', key }]);
    }
    yield* records.sort((a, b) => a.sequence - b.sequence);
  }

  has({ session, index }: SegmentId): boolean {
    return this.#sessions.get(session)?.accepted.has(index) ?? false;
  }

  /** How many announcements of this session wait for their final answer. */
  waiting(session: string): number {
    return this.#sessions.get(session)?.accepted.size ?? 0;
  }

  legacy(channel: string, rendition: string): LegacyRecord | undefined {
    return this.#legacy.get(channel)?.get(rendition);
  }

  /** The announcement has its final answer. An id that is not there is success. */
  async forget({ session, index }: SegmentId): Promise<void> {
    const found = this.#sessions.get(session);
    if (!found?.accepted.delete(index)) return;
    const operations = [this.#removal(found.channel, session, `a${pad(index)}`)];
    // Tracks hold from their index to the next ones': older ones hold for nothing that is left.
    const [lowest = Infinity] = found.accepted;
    const tracks = [...found.tracks.keys()];
    tracks.forEach((from, at) => {
      const next = tracks[at + 1];
      if (next === undefined || next > lowest) return;
      found.tracks.delete(from);
      operations.push(this.#removal(found.channel, session, `t${pad(from)}`));
    });
    await this.#write([...operations, ...this.#leftovers(session, found)]);
  }

  /** A connection may add to this session: its facts and tracks stay until `release`. */
  hold(channel: string, session: string): void {
    this.#sessionIndex(channel, session).held = true;
  }

  /** No connection has this session any more: when nothing of it waits, its facts and tracks go. */
  async release(session: string): Promise<void> {
    const found = this.#sessions.get(session);
    if (!found) return;
    found.held = false;
    const operations = this.#leftovers(session, found);
    if (operations.length > 0) await this.#write(operations);
  }

  /** Remembers the channel as live, or no more. @throws JournalError */
  async setLive(channel: string, isLive: boolean): Promise<void> {
    if (isLive === this.live.has(channel)) return;
    if (isLive) return this.append(channel, { type: 'live' });
    await this.#write([{ type: 'del', key: liveKey(channel) }]);
    this.live.delete(channel);
  }

  /**
   * It is done, or means nothing any more. One that is not there is success.
   * @throws JournalError
   */
  async forgetRequest(channel: string, record: RequestRecord): Promise<void> {
    const key = requestKey(channel, record);
    await this.#write([{ type: 'del', key }]);
    this.#requests.delete(key);
  }

  async forgetLegacy(channel: string, rendition: string): Promise<void> {
    if (!this.#legacy.get(channel)?.delete(rendition)) return;
    await this.#write([{ type: 'del', key: `${channel}${SEPARATOR}l${SEPARATOR}${rendition}` }]);
  }

  /** All legacy feeds that are remembered. */
  *legacyFeeds(): Iterable<{ channel: string; record: LegacyRecord }> {
    for (const [channel, feeds] of this.#legacy)
      for (const record of feeds.values()) yield { channel, record };
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRetry();
    await this.#writing;
    await this.#db.close();
  }

  #removal(channel: string, session: string, rest: string): Operation {
    return { type: 'del', key: `${channel}${SEPARATOR}${session}${SEPARATOR}${rest}` };
  }

  #leftovers(session: string, found: SessionIndex): Operation[] {
    if (found.held || found.writing > 0 || found.accepted.size > 0) return [];
    this.#sessions.delete(session);
    return [
      ...(found.session === undefined ? [] : [this.#removal(found.channel, session, 's')]),
      ...[...found.tracks.keys()].map((index) => this.#removal(found.channel, session, `t${pad(index)}`)),
    ];
  }

  #write(operations: Operation[]): Promise<void> {
    if (this.#closed) return Promise.reject(new JournalError('journal-closed', 'the journal is closed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operations, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Group commit: all that came during the last sync goes with the next. */
  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0);
      try {
        if (this.#failure) await this.#reopen();
        await this.#db.batch(
          group.flatMap(({ operations }) => operations),
          { sync: true },
        );
        this.#recovered();
        for (const { resolve } of group) resolve();
      } catch (cause) {
        const failure = this.#failed(cause);
        for (const { reject } of group) reject(failure);
      }
    }
    // In the same turn: who writes from now on begins anew.
    this.#writing = undefined;
  }

  #failed(cause: unknown): JournalError {
    const message = `cannot write to the journal ${this.#folder}: free space there, or check its disk and permissions`;
    if (!this.#failure) this.#logger.error(message, { error: errorText(cause) });
    this.#failure = new JournalError('journal-write', message, { cause });
    this.#cancelRetry();
    // To delete what was never there changes nothing, and has to reach the disk.
    this.#cancelRetry = this.#clock.after(RETRY_MS, () => {
      this.#write([{ type: 'del', key: SEPARATOR }]).catch(() => undefined);
    });
    return this.#failure;
  }

  #recovered(): void {
    if (!this.#failure) return;
    this.#failure = undefined;
    this.#cancelRetry();
    this.#logger.info('the journal takes writes again', { journal: this.#folder });
  }

  /** LevelDB takes no write after one that failed, until it is opened anew. */
  async #reopen(): Promise<void> {
    await this.#opened?.close();
    await this.#openDatabase();
  }

  get #db(): ClassicLevel<string, JournalRecord> {
    if (!this.#opened) throw new Error('the journal is not open');
    return this.#opened;
  }

  /** It begins to open as soon as it is made, so it is made when its folder is there. */
  async #openDatabase(): Promise<void> {
    this.#opened = new ClassicLevel<string, JournalRecord>(join(this.#folder, 'db'), {
      valueEncoding: 'json',
    });
    await this.#opened.open();
  }

  async #open(): Promise<void> {
    try {
      await makeFolder(this.#folder);
    } catch (error) {
      throw unusable(this.#folder, error);
    }
    try {
      await this.#openDatabase();
      await this.#readAll();
    } catch (error) {
      await this.#opened?.close();
      if (!isCorrupt(error)) throw unusable(this.#folder, error);
      await this.#beginAnew(error).catch((failed: unknown) => {
        throw unusable(this.#folder, failed);
      });
    }
  }

  async #beginAnew(cause: unknown): Promise<void> {
    await this.#opened?.close();
    const aside = join(this.#folder, `db-corrupt-${this.#clock.now()}`);
    const error = new JournalError('journal-corrupt', `the journal ${this.#folder} is corrupt`, { cause });
    await rename(join(this.#folder, 'db'), aside);
    this.#setAside++;
    this.#logger.error('the journal is corrupt; a new one is begun, and segmenters will announce again', {
      journal: this.#folder,
      setAside: aside,
      error: errorText(error),
    });
    this.#sessions.clear();
    this.#legacy.clear();
    this.live.clear();
    this.#requests.clear();
    await this.#openDatabase();
  }

  async #readAll(): Promise<void> {
    const bad: Operation[] = [];
    for await (const [key, value] of this.#db.iterator()) {
      const record = this.#read(value);
      if (!record) {
        bad.push({ type: 'del', key });
        continue;
      }
      this.#sequence = Math.max(this.#sequence, record.sequence + 1);
      this.#index(key.slice(0, key.indexOf(SEPARATOR)), record);
    }
    if (bad.length > 0) {
      this.#logger.error('records of the journal cannot be read and are left out', { records: bad.length });
    }
    // Whoever still has such a session says again what it is.
    for (const [session, found] of this.#sessions) bad.push(...this.#leftovers(session, found));
    if (bad.length > 0) await this.#db.batch(bad, { sync: true });
  }

  #known(record: NewRecord): number | undefined {
    if (record.type === 'session') return this.#sessions.get(record.facts.session)?.session;
    if (record.type !== 'tracks') return undefined;
    return this.#sessions.get(record.tracks.session)?.tracks.get(record.tracks.index);
  }

  #read(value: unknown): JournalRecord | undefined {
    const result = journalRecord.safeParse(value);
    if (!result.success) this.#unreadable++;
    return result.data;
  }

  #index(channel: string, record: JournalRecord): void {
    switch (record.type) {
      case 'session':
        this.#sessionIndex(channel, record.facts.session).session = record.sequence;
        break;
      case 'tracks': {
        const found = this.#sessionIndex(channel, record.tracks.session);
        found.tracks.set(record.tracks.index, record.sequence);
        found.tracks = new Map([...found.tracks].sort(([a], [b]) => a - b));
        break;
      }
      case 'accepted':
        this.#sessionIndex(channel, record.announcement.session).accepted.add(record.announcement.index);
        break;
      case 'legacy': {
        const feeds = this.#legacy.get(channel) ?? new Map<string, LegacyRecord>();
        this.#legacy.set(channel, feeds.set(record.rendition, record));
        break;
      }
      case 'live':
        this.live.add(channel);
        break;
      case 'end':
      case 'date-range':
        this.#requests.set(requestKey(channel, record), channel);
    }
  }

  #sessionIndex(channel: string, session: string): SessionIndex {
    const found = this.#sessions.get(session);
    if (found) return found;
    const made = newSessionIndex(channel);
    this.#sessions.set(session, made);
    return made;
  }
}
