import type { Announcement, Gap, Segment, SegmentId, Tracks } from '@hls-uplink/protocol';
import { errorText, type Logger } from '@hls-uplink/runtime';
import { behindOf, isBehind } from './channel/catch-up.js';
import type { ChannelEvent, Effect, SourceFacts } from './channel/event.js';
import type { Owner } from './channel/ownership.js';
import { playlistKeyOf } from './channel/playlist-keys.js';
import { isSettled } from './channel/source.js';
import type { ChannelSettings, ChannelState } from './channel/state.js';
import type { ChannelLogic } from './channel-logic.js';
import { ChannelOpening } from './channel-opening.js';
import { Deletions } from './deletions.js';
import type { Journal } from './journal.js';
import { inOrder, type NewRecord } from './journal-record.js';
import { LiveMark } from './live-mark.js';
import { OperatorRequests } from './operator-requests.js';
import type { OwnSpool } from './own-spool.js';
import type { PlaylistPut } from './playlist-lane.js';
import type { SegmentJob } from './segment-lane.js';
import type { SourceLink } from './source-link.js';
import type { SteadyClock } from './steady-clock.js';
import type { StoreLanes } from './store-lanes.js';
import { Sweep } from './sweep.js';

/** No playlist is written for so long, in target durations, only in an outage of the store (HLS-RULES 5). */
const OUTAGE_TARGETS = 1.5;
/** It looks at the time as often; when that is late by as much again, the process was paused. */
const WAKE_MS = 1000;
/** A `tick` that changes nothing must not become a busy loop. */
const LEAST_TICK_MS = 5;

type EventWithoutTime<Event> = Event extends unknown ? Omit<Event, 'at'> : never;
type Happening = EventWithoutTime<ChannelEvent>;

export interface ChannelWorkerOptions {
  /** Identity in journal and log; the channel's name, with its bucket unless that is the default one. */
  id: string;
  settings: ChannelSettings;
  /** Put before its segments' names in playlists, unless a peer says its own; '' for none. */
  urlPrefix: string;
  logic: ChannelLogic;
  lanes: StoreLanes;
  journal: Journal;
  ownSpool: OwnSpool;
  clock: SteadyClock;
  logger: Logger;
  /** What the channel's worker before this one has still to do; that one was overtaken. */
  after?: Promise<unknown>;
  /** The store has what neither this uploader wrote nor has read: the channel must be read again. */
  overtaken: (worker: ChannelWorker) => void;
}

/** What was dropped the state counts, for each rendition. */
export interface ChannelCounts {
  /** Final answers; `leave` and `end` are answered so, too. */
  published: number;
  rejected: number;
  lost: number;
}

/**
 * One channel at work: holds its state, feeds what happens through the reducer, one event after the other, and does
 * what the reducer decided. All decisions are the reducer's.
 */
export class ChannelWorker {
  readonly counts: ChannelCounts = { published: 0, rejected: 0, lost: 0 };
  readonly requests: OperatorRequests;
  readonly #options: ChannelWorkerOptions;
  readonly #logger: Logger;
  readonly #stopped = new AbortController();
  readonly #links = new Map<string, SourceLink>();
  readonly #events: ChannelEvent[] = [];
  readonly #accepting = new Map<string, Promise<void>>();
  readonly #opening: ChannelOpening;
  readonly #deletions: Deletions;
  readonly #sweep: Sweep;
  readonly #liveMark: LiveMark;
  readonly #unlisten: (() => void)[];
  #state: ChannelState;
  #reducing = false;
  #opened: Promise<void> | undefined;
  #isOpen = false;
  #cancelTick: (() => void) | undefined;

  constructor(options: ChannelWorkerOptions) {
    this.#options = {
      ...options,
      settings: { ...options.settings, fenced: options.lanes.store.capabilities.conditionalWrites },
    };
    this.#logger = options.logger.child({ channel: options.id });
    this.#state = options.logic.openChannel(this.#options.settings);
    const { id, settings, lanes, journal, clock, after } = options;
    this.#opening = new ChannelOpening({
      id,
      channel: settings.channel,
      writer: settings.writer,
      wasOvertaken: after !== undefined,
      lanes,
      journal,
      clock,
      logger: this.#logger,
      signal: this.#stopped.signal,
    });
    this.#deletions = new Deletions({
      lanes: options.lanes,
      clock: options.clock.clock,
      logger: this.#logger,
      deleted: (keys) => this.#dispatch({ type: 'deleted', keys }),
    });
    this.#liveMark = new LiveMark(options.id, options.journal, this.#logger);
    this.requests = new OperatorRequests({
      id,
      journal,
      logger: this.#logger,
      state: () => this.#state,
      happen: (happening) => this.#dispatch(happening),
    });
    this.#sweep = new Sweep({
      store: options.lanes.store,
      settings: options.settings,
      clock: options.clock,
      logger: this.#logger,
      signal: this.#stopped.signal,
      named: () => options.logic.namedKeys(this.#state),
      remove: (keys) => this.#deletions.add(keys),
    });
    const recovered = (silentMs: number): void => {
      // One object that fails beside others that don't is no outage: nobody's deadline is put off for it (rule 12).
      const outageMs = OUTAGE_TARGETS * 1000 * (this.#state.targetDuration ?? 0);
      if (this.#isOpen && silentMs >= outageMs) this.#dispatch({ type: 'store-recovered' });
    };
    const { health, keyHealth } = options.lanes;
    this.#unlisten = [health, keyHealth].flatMap((one) => (one ? [one.onRecovered(recovered)] : []));
  }

  get id(): string {
    return this.#options.id;
  }

  get state(): ChannelState {
    return this.#state;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  links(): Iterable<SourceLink> {
    return this.#links.values();
  }

  /**
   * Resolves when the published playlists are read back and the journal is replayed; tries until the store answers.
   * Never resolves when the worker is stopped before.
   * @param playlistKey of the rendition that asks, for stores that cannot list
   */
  open(playlistKey?: string): Promise<void> {
    this.#opened ??= this.#open(playlistKey);
    return this.#opened;
  }

  /** As `open`, for a source that is there. @returns who else publishes the channel, when it is that one's */
  async openFor(playlistKey: string): Promise<Owner | undefined> {
    if (this.#isOpen) return undefined;
    await Promise.race([this.open(playlistKey), this.#opening.sourceCame()]);
    return this.#opening.other;
  }

  /** Resolves when what it was doing to the journal is done. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#accepting.values(), this.requests.settled]);
  }

  /** The source is there. What was connected under this session before must have been detached. */
  async attach(link: SourceLink): Promise<void> {
    const { session } = link.facts;
    this.#options.journal.hold(this.id, session);
    this.#links.set(session, link);
    await this.#options.journal.append(this.id, { type: 'session', facts: link.facts });
    if (this.#links.get(session) === link) this.#connected(link.facts);
  }

  /** As `attach` for a source whose facts go to the journal with its first announcement. */
  join(link: SourceLink): void {
    this.#options.journal.hold(this.id, link.facts.session);
    this.#links.set(link.facts.session, link);
  }

  /** The source is gone; nothing happens when another link has taken its session over. */
  async detach(link: SourceLink): Promise<void> {
    const { session } = link.facts;
    if (this.#links.get(session) !== link) return;
    this.#links.delete(session);
    if (this.#isOpen) this.#dispatch({ type: 'disconnected', session });
    try {
      await this.#options.journal.release(session);
    } catch (error) {
      // At the next start they are left out.
      this.#logger.debug('facts of a session stay in the journal', { session, error: errorText(error) });
    }
  }

  /** What `welcome` says of this session. */
  progress(session: string): { settled?: number; accepted: number[] } {
    return this.#options.logic.sessionProgress(this.#state, session);
  }

  /** Whether an announcement is new, waits for its final answer, or has had it. */
  status({ session, index }: SegmentId): 'new' | 'accepted' | 'answered' {
    const source = this.#state.sources[session];
    if (source && isSettled(source, index)) return 'answered';
    return this.#options.journal.has({ session, index }) ? 'accepted' : 'new';
  }

  /** Only recordings wait for its bytes: those of what is newer come first. */
  isBehind(id: SegmentId): boolean {
    return isBehind(this.#state, id);
  }

  async tracks(tracks: Tracks): Promise<void> {
    await this.#options.journal.append(this.id, { type: 'tracks', tracks });
    this.#dispatch({ type: 'tracks', tracks });
  }

  /** What is dropped at once needs no bytes. In order of index for each session. */
  announced(announcements: readonly (Segment | Gap)[]): void {
    this.#dispatch({ type: 'announced', announcements });
  }

  /**
   * Resolves when it is journalled (also while the store does not answer yet) and the channel, once it is open, knows
   * it; the caller has assured its bytes. Two at the same time (of a connection and of what replaced it) are one.
   * @param together records that go to the journal with it, all or none
   * @throws JournalError
   */
  accept(announcement: Announcement, together: NewRecord[] = []): Promise<void> {
    const key = `${announcement.session}-${announcement.index}`;
    const running = this.#accepting.get(key) ?? this.#accept(announcement, together);
    this.#accepting.set(key, running);
    return running.finally(() => this.#accepting.delete(key));
  }

  /** The sender has its `rejected`. */
  refuse(announcement: Announcement): void {
    this.counts.rejected++;
    this.#dispatch({ type: 'refused', announcement });
  }

  /** What sources have could not be taken in: their silence says nothing. */
  heldUp(): void {
    if (this.#isOpen) this.#dispatch({ type: 'held-up' });
  }

  stop(): void {
    this.#cancelTick?.();
    for (const unlisten of this.#unlisten) unlisten();
    this.#deletions.stop();
    this.#stopped.abort();
  }

  async #accept(announcement: Announcement, together: NewRecord[]): Promise<void> {
    if (this.status(announcement) !== 'new') return;
    const older = behindOf(this.#state, announcement.session).filter(([from]) => from < announcement.index);
    const behind = older.length > 0 && { behind: older.map(([from, to]): [number, number] => [from, to]) };
    await this.#options.journal.append(this.id, ...together, { type: 'accepted', announcement, ...behind });
    await this.open();
    // Dropped while the journal took it.
    if (this.status(announcement) === 'answered') return this.#forget(announcement);
    // Journalled before the channel was open, it was replayed with the rest.
    const last = this.#state.sources[announcement.session]?.last?.index ?? -1;
    if (last >= announcement.index && !this.isBehind(announcement)) return;
    for (const record of together) {
      if (record.type === 'session' && !this.#state.sources[record.facts.session]?.connected) {
        this.#connected(record.facts);
      }
      if (record.type === 'tracks') this.#dispatch({ type: 'tracks', tracks: record.tracks });
    }
    this.#dispatch({ type: 'accepted', announcement });
  }

  async #open(playlistKey: string | undefined): Promise<void> {
    const { settings, after } = this.#options;
    const known = new Set<string>(playlistKey === undefined ? [] : [playlistKey]);
    for (const record of await this.#opening.records()) {
      if (record.type === 'session') known.add(playlistKeyOf(settings.channel, record.facts));
    }
    await after;
    this.#dispatch({ type: 'opened', playlists: await this.#opening.playlists(known) });
    const records = inOrder(await this.#opening.records());
    for (const record of records) {
      if (record.type === 'session') this.#connected(record.facts, { replayed: true });
      if (record.type === 'tracks') this.#dispatch({ type: 'tracks', tracks: record.tracks });
      if (record.type === 'accepted') {
        const { announcement, behind } = record;
        this.#dispatch({ type: 'accepted', announcement, ...(behind && { behind }) });
      }
    }
    this.requests.replay(records, this.#opening.isForeign);
    this.#isOpen = true;
    this.#logger.debug('the channel is open', { phase: this.#state.phase });
  }

  /** The journal has what the peer said: what the operator sets may be another at the next start. */
  #connected(facts: SourceFacts, how: { replayed?: true } = {}): void {
    const names = { urlPrefix: this.#options.urlPrefix, ...facts.names };
    this.#dispatch({ type: 'connected', facts: { ...facts, names }, ...how });
  }

  #dispatch(happening: Happening): void {
    if (this.#stopped.signal.aborted) return;
    this.#events.push({ ...happening, at: this.#options.clock.at() });
    if (this.#reducing) return;
    this.#reducing = true;
    try {
      for (let event = this.#events.shift(); event; event = this.#events.shift()) {
        const { state, effects } = this.#options.logic.reduce(this.#state, event);
        this.#state = state;
        for (const effect of effects) this.#do(effect);
      }
    } finally {
      this.#reducing = false;
    }
    this.#liveMark.update(this.#state);
    this.requests.update();
    this.#schedule();
  }

  #schedule(): void {
    this.#cancelTick?.();
    const due = this.#options.logic.deadline(this.#state);
    if (due === undefined) return;
    const { clock } = this.#options;
    const now = clock.at();
    const wakeMs = Math.min(now + WAKE_MS, Math.max(now + LEAST_TICK_MS, due));
    this.#cancelTick = clock.clock.after(wakeMs - now, () => this.#wake(wakeMs, due));
  }

  #wake(expectedMs: number, due: number): void {
    const { clock, journal } = this.#options;
    const now = clock.at();
    if (this.#isOpen && (now >= expectedMs + WAKE_MS || !journal.healthy)) this.heldUp();
    else if (now >= due) this.#dispatch({ type: 'tick' });
    else this.#schedule();
  }

  #do(effect: Effect): void {
    switch (effect.type) {
      case 'put-segment':
        return this.#putSegment(effect);
      case 'cancel-segment':
        return this.#options.lanes.segments.cancel(effect.id);
      case 'put-playlist':
        return void this.#putPlaylist(effect);
      case 'put-multivariant':
        return void this.#putMultivariant(effect);
      case 'delete':
        return this.#deletions.add(effect.keys);
      case 'answer':
        return void this.#answer(effect);
      case 'target-duration':
        for (const link of this.#links.values())
          link.tell({ type: 'channel', targetDuration: effect.seconds });
        return;
      case 'report':
        this.#logger[effect.level](effect.message, effect.fields);
    }
  }

  #putSegment({ type: _, ...segment }: Extract<Effect, { type: 'put-segment' }>): void {
    const { id, rendition } = segment;
    const done: SegmentJob['done'] = (outcome, encryption) => {
      if (outcome === 'stored')
        return this.#dispatch({ type: 'segment-stored', id, ...(encryption && { encryption }) });
      this.counts.lost++;
      this.#dispatch({ type: 'segment-lost', id });
    };
    const stream = `${this.id}/${rendition}`;
    const { channel } = this.#options.settings;
    this.#options.lanes.segments.put({ stream, channel, ...segment, done });
  }

  async #putPlaylist(effect: Extract<Effect, { type: 'put-playlist' }>): Promise<void> {
    const { view, rendition, version } = effect;
    const startedMs = this.#options.clock.at();
    const outcome = await this.#put(effect);
    if (outcome === 'failed') return this.#dispatch({ type: 'playlist-failed', view, rendition, version });
    if (outcome !== 'stored') return;
    const tookMs = this.#options.clock.at() - startedMs;
    this.#dispatch({ type: 'playlist-stored', view, rendition, version, tookMs });
    void this.#sweep.run();
  }

  async #putMultivariant(effect: Extract<Effect, { type: 'put-multivariant' }>): Promise<void> {
    const outcome = await this.#put(effect);
    if (outcome === undefined) return;
    this.#dispatch({ type: `multivariant-${outcome}`, view: effect.view, version: effect.version });
  }

  async #put(put: Omit<PlaylistPut, 'owner'>): Promise<'stored' | 'failed' | undefined> {
    const { lanes, settings } = this.#options;
    const { fenced, writer } = settings;
    const outcome = await lanes.playlists.put({
      ...put,
      ...(fenced && { owner: { writer, term: this.#state.term } }),
    });
    if (outcome !== 'overtaken') return outcome;
    if (!this.#stopped.signal.aborted) this.#options.overtaken(this);
    return undefined;
  }

  async #answer({ id, answer }: Extract<Effect, { type: 'answer' }>): Promise<void> {
    if (answer.type === 'published') this.counts.published++;
    this.#links.get(id.session)?.tell({ ...answer, ...id });
    await this.#forget(id);
  }

  async #forget({ session, index }: SegmentId): Promise<void> {
    const id = { session, index };
    try {
      // Neither waits for the other: on a full disk the journal needs the room that the bytes give back.
      await Promise.all([this.#options.journal.forget(id), this.#options.ownSpool.remove(id)]);
    } catch (error) {
      // Replayed after a restart, it is answered again by the state line.
      this.#logger.warn('an answered announcement could not be forgotten', {
        ...id,
        error: errorText(error),
      });
    }
  }
}
