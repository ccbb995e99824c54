import {
  gap,
  ptsDuration,
  type Announcement,
  type Gap,
  type RejectedCode,
  type Segment,
  type SegmentId,
  type Tracks,
  type UploaderMessage,
} from '@hls-uplink/protocol';
import { Backoff, sleep, type Clock, type Logger } from '@hls-uplink/runtime';
import type { ChannelWorker } from './channel-worker.js';
import { Notice } from './notice.js';
import type { OwnSpool, Receiver } from './own-spool.js';
import type { SpoolFiles } from './spool-files.js';

/** Largest segment that is taken, bytes. */
export const MOST_SEGMENT_BYTES = 1024 * 1024 * 1024;
/** Bodies asked for and not yet here, of one session. */
const MOST_ASKED = 4;
/** Of the own spool, for what only recordings wait for: what is live must always find room. */
const BEHIND_SHARE = 1 / 2;
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

/** That its bytes are on this machine, at another path than announced if they came here; or a reason against it. */
type Assured = { path?: string } | { reject: RejectedCode; reason: string };
/** Its bytes are on another machine. */
type Sighted = Assured | 'away' | undefined;
/** Its bytes are asked for when those of all that is newer are here: only recordings wait for it. */
type Later = 'later';

/** An announcement whose turn has not come. */
interface UnderWay {
  announcement: Announcement;
  assured: boolean;
  /** The channel has given the final answer: nothing of it is needed any more. */
  isAnswered: boolean;
  answer: () => void;
  /** There while its bytes are asked for: called with what came of that; without it when they are not needed. */
  arrived?: (result: Assured | undefined) => void;
}

/**
 * Takes the announcements of one connection in, strictly in the order they came: bytes assured, journalled, handed to
 * the channel, accepted. Bytes that are not to be had by path are asked for ahead, a few at a time, in the same order;
 * but the channel is told first of all that are announced, and what it drops then, the backlog of an outage, is never asked
 * for: the newest window comes first. What recordings are to have of it all the same is asked for when nothing newer is away.
 */
export class Intake {
  readonly #options: IntakeOptions;
  /** By index. */
  readonly #underWay = new Map<number, UnderWay>();
  /** Ends when the bytes of the announcement before are here or asked for, or need not be. */
  #asked: Promise<void> = Promise.resolve();
  /** Ends when the announcement before has been taken in. */
  #turn: Promise<void> = Promise.resolve();
  #hasFailed = false;
  #waiting = 0;
  #waitingBytes = 0;
  #asking = 0;
  readonly #room = new Set<() => void>();
  readonly #notice: Notice;
  /** Ends when it is known where the bytes of the announcement before are, and the channel has its tracks. */
  #sighted: Promise<unknown> = Promise.resolve();
  /** Whose bytes are on another machine, and needed. */
  #away = 0;
  /** Whose bytes only recordings wait for. */
  readonly #later: UnderWay[] = [];

  constructor(options: IntakeOptions) {
    this.#options = options;
    const { clock, signal, worker } = options;
    this.#notice = new Notice({ clock, signal, tell: (announcements) => worker.announced(announcements) });
    options.signal.addEventListener('abort', () => this.wake(), { once: true });
  }

  /** Announcements not taken in yet, and the bytes of their lines. */
  get load(): { count: number; lineBytes: number } {
    return { count: this.#waiting, lineBytes: this.#waitingBytes };
  }

  /** Whether a body must arrive before anything can go on: then reading must not pause. */
  get needsBody(): boolean {
    return this.#asking > 0;
  }

  /** Resolves when something was taken in, a body was asked for or came, or at `wake`. */
  moved(): Promise<void> {
    return new Promise((resolve) => this.#room.add(resolve));
  }

  /** Who waits for `moved` is to look again. */
  wake(): void {
    for (const resolve of this.#room) resolve();
    this.#room.clear();
  }

  /**
   * Said again before its turn it is still one announcement, with one answer; said as a gap after it was a segment, its
   * bytes will not come.
   * @param lineBytes of its line, for the bound on memory
   */
  announce(announcement: Announcement, lineBytes: number): void {
    const known = this.#underWay.get(announcement.index);
    if (known) {
      if (announcement.type !== 'gap' || known.assured) return;
      known.announcement = announcement;
      known.arrived?.({});
      return;
    }
    this.#notice.heard();
    const one: UnderWay = { announcement, assured: false, isAnswered: false, answer: () => undefined };
    const answered = new Promise<undefined>((resolve) => (one.answer = () => resolve(undefined)));
    this.#underWay.set(announcement.index, one);
    const before = this.#asked;
    let next = (): void => undefined;
    this.#asked = new Promise((resolve) => (next = resolve));
    const assured = Promise.race([this.#assure(one, before, next), answered]).finally(() => {
      one.assured = true;
      void before.then(next);
    });
    this.#inTurn(lineBytes, assured, async (value) => {
      if (value === 'later' && !one.isAnswered) return this.#putOff(one);
      if (value && value !== 'later' && !one.isAnswered) await this.#take(one.announcement, value);
      this.#underWay.delete(announcement.index);
    });
  }

  /** The channel has given the final answer. */
  answered(index: number): void {
    const one = this.#underWay.get(index);
    if (!one) return;
    one.isAnswered = true;
    one.arrived?.(undefined);
    one.answer();
  }

  /** Known before what is announced after them. */
  tracks(tracks: Tracks): void {
    const known = this.#sighted.then(() => this.#options.worker.tracks(tracks));
    this.#sighted = known.catch(ignore);
    this.#inTurn(0, known, () => Promise.resolve());
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
    const { announcement, arrived } = this.#underWay.get(index) ?? {};
    if (!arrived || announcement?.type !== 'segment') return undefined;
    if (announcement.bytes !== bytes) {
      arrived(badFile(`${bytes} bytes were sent instead of ${announcement.bytes}`));
      return undefined;
    }
    return this.#options.ownSpool.receive(announcement, announcement);
  }

  /** The body is here as a whole. */
  async received({ session, index }: SegmentId, receiver: Receiver): Promise<void> {
    const result = await receiver.finish();
    const arrived = this.#underWay.get(index)?.arrived;
    if (arrived) arrived(result.ok ? { path: result.path } : badFile(result.reason));
    // It was dropped meanwhile.
    else if (this.#options.worker.status({ session, index }) === 'answered')
      await this.#options.ownSpool.remove({ session, index });
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
      this.wake();
    });
    this.#turn.catch((error: unknown) => {
      if (this.#hasFailed) return;
      this.#hasFailed = true;
      this.#options.failed(error);
    });
  }

  /** @param before its bytes may be asked for after those of the one before. @param next those of the next one may be */
  async #assure(
    one: UnderWay,
    before: Promise<void>,
    next: () => void,
  ): Promise<Assured | Later | undefined> {
    const { announcement } = one;
    const sighting = this.#inOrder(announcement, this.#sight(announcement));
    this.#sighted = sighting.catch(ignore);
    const sighted = await sighting;
    if (sighted !== 'away' || announcement.type !== 'segment') return sighted === 'away' ? {} : sighted;
    await before;
    await this.#notice.quiet;
    // The channel knows all that has been announced by now.
    await this.#sighted;
    const isLater = this.#options.worker.isBehind(announcement);
    const result = isLater ? 'later' : await this.#askFor(one, announcement, next);
    this.#away--;
    this.wake();
    return result;
  }

  /** What comes after one whose bytes are away is told as well: where each begins depends on where the one before ends. */
  async #inOrder(announcement: Announcement, sighting: Promise<Sighted>): Promise<Sighted> {
    const before = this.#sighted;
    const sighted = await sighting;
    await before;
    if (sighted === 'away') this.#away++;
    const isMedia = announcement.type === 'segment' || announcement.type === 'gap';
    const isGood = sighted === 'away' || (sighted && !('reject' in sighted));
    if (isMedia && isGood && this.#away > 0) this.#notice.add(announcement);
    return sighted;
  }

  /** Whether its bytes can be had here. */
  async #sight(announcement: Announcement): Promise<Sighted> {
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
        logger.debug('the bytes are not here', { index: announcement.index, reason: checked.reason });
        return 'away';
      }
      await sleep(clock, backoff.next(), signal);
    }
    return undefined;
  }

  async #askFor(one: UnderWay, segment: Segment, next: () => void, share = 1): Promise<Assured | undefined> {
    const { tell, signal } = this.#options;
    if (one.isAnswered) return undefined;
    const giveBack = await this.#permission(segment.bytes, share);
    if (!giveBack) return undefined;
    // It became a gap meanwhile, or was dropped.
    if (one.announcement !== segment || one.isAnswered) {
      giveBack();
      return {};
    }
    this.#asking++;
    const result = await new Promise<Assured | undefined>((resolve) => {
      const gone = (): void => resolve(undefined);
      signal.addEventListener('abort', gone, { once: true });
      one.arrived = (arrived) => {
        signal.removeEventListener('abort', gone);
        resolve(arrived);
      };
      tell({ type: 'send', session: segment.session, index: segment.index });
      next();
      this.wake();
    });
    delete one.arrived;
    giveBack();
    this.#asking--;
    this.wake();
    return result;
  }

  #putOff(one: UnderWay): void {
    this.#later.push(one);
    if (this.#later.length === 1) void this.#askForLater();
  }

  /** One after the other, whenever nothing newer is away. */
  async #askForLater(): Promise<void> {
    const { signal } = this.#options;
    for (let one = this.#later[0]; one && !signal.aborted; one = this.#later[0]) {
      if (this.#away > 0) await this.moved();
      else {
        await this.#takeLater(one);
        this.#later.shift();
      }
    }
  }

  async #takeLater(one: UnderWay): Promise<void> {
    const { announcement } = one;
    const answered = new Promise<undefined>((resolve) => (one.answer = () => resolve(undefined)));
    const isNeeded = announcement.type === 'segment' && !one.isAnswered;
    const assured = isNeeded
      ? await Promise.race([this.#askFor(one, announcement, ignore, BEHIND_SHARE), answered])
      : {};
    this.#inTurn(0, Promise.resolve(assured), async (value) => {
      if (value && !one.isAnswered) await this.#take(one.announcement, value);
      this.#underWay.delete(announcement.index);
    });
  }

  /** A few bodies at a time, and none while the disk's share is full. @returns nothing when the connection is gone */
  async #permission(bytes: number, share: number): Promise<(() => void) | undefined> {
    const { worker, ownSpool, spoolBytes, clock, signal, logger } = this.#options;
    while (this.#asking >= MOST_ASKED && !signal.aborted) await this.moved();
    return ownSpool.room(bytes, share * spoolBytes, {
      clock,
      signal,
      full: (isFirst) => {
        if (isFirst) logger.warn('the own spool is full: segments wait at their segmenter', { spoolBytes });
        worker.heldUp();
      },
    });
  }

  async #take(announcement: Announcement, assured: Assured): Promise<void> {
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
      if (id.index <= last && !worker.isBehind(id)) {
        const reason = `index ${id.index} comes after ${last}: announce in order of index`;
        await this.#options.ownSpool.remove(id);
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

const ignore = (): void => undefined;

function badFile(reason: string): Assured {
  return { reject: 'bad-file', reason };
}

/** What of a message that broke the schema is enough to know which stretch was lost with it. */
export function gapOf(line: string, id: SegmentId): Gap | undefined {
  const { startPts, endPts, wallClock } = JSON.parse(line) as Record<string, unknown>;
  const reason = 'its announcement could not be read';
  return gap.safeParse({ type: 'gap', ...id, startPts, endPts, wallClock, reason }).data;
}
