import type { Announcement, FinalAnswer, Tracks } from '@hls-uplink/protocol';
import type { ChannelEvent, Effect, SourceFacts } from '../event.js';
import { deadline, openChannel, reduce, sessionProgress } from '../reduce.js';
import type { ChannelState } from '../state.js';
import { Audience, type StoredObjects } from './audience.js';

const WRAP = 2 ** 33;
const GOP_90K = 180_000;
const DRAIN_MS = 10_000;

/** A source of random numbers 0 … 1 that a seed repeats (mulberry32). */
export function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Segmenter {
  rendition: string;
  session: string;
  nextIndex: number;
  /** Reads its input. */
  up: boolean;
  /** The process runs: reading, or waiting for final answers. */
  alive: boolean;
  online: boolean;
  reason: 'start' | 'timestamps' | undefined;
  /** The next segment cannot be written. */
  full?: boolean;
  /** What the uploader heard of it last. */
  said?: Announcement['type'];
  open?: { start: number; wallMs: number; keys: number[] };
  /** Without final answer. */
  outbox: Announcement[];
}

export interface WorldOptions {
  seed: number;
  renditions: string[];
  targetSeconds?: number;
  window?: number;
  /** Raw PTS of the encoder's first picture. */
  firstPts?: number;
  declared?: boolean;
  /** How many of the playlists the store refuses at random, 0 … 1. */
  refused?: number;
}

/** One encoder, a segmenter for each rendition, an uploader and a store, in simulated time. */
export class World {
  now = 1_700_000_000_000;
  readonly answers = new Map<string, FinalAnswer['type'][]>();
  readonly store: StoredObjects = { segments: new Set(), texts: new Map() };
  readonly audience: Audience;
  readonly segments = new Map<string, Segmenter>();
  /** How often what happened. */
  readonly happened = {
    events: 0,
    wraps: 0,
    restarts: 0,
    outages: 0,
    sessions: 0,
    unwritten: 0,
    vanished: 0,
  };
  state: ChannelState | undefined;
  private journal: { facts: SourceFacts; tracks: Tracks; announcement: Announcement }[] = [];
  private readonly queue: { at: number; run: () => void; life: number }[] = [];
  private readonly random: () => number;
  private readonly target: number;
  private uploaderLife = 0;
  private storeUp = true;
  private encoder: { baseMs: number; basePts: number; pictures: number } | undefined;
  private tickAt: number | undefined;
  /** Segments whose files went with their spool, by session and index. */
  private readonly vanished = new Set<string>();

  constructor(private readonly options: WorldOptions) {
    this.random = random(options.seed);
    this.target = options.targetSeconds ?? 6;
    this.audience = new Audience(options.renditions, this.target, this.store, () => this.now);
    for (const [i, rendition] of options.renditions.entries()) {
      const session = (i + 1).toString(16).padStart(32, '0');
      this.segments.set(rendition, {
        rendition,
        session,
        nextIndex: 0,
        up: false,
        alive: false,
        online: true,
        reason: 'start',
        outbox: [],
      });
    }
  }

  /** All of it running. */
  static live(renditions: string[], seed = 1, options: Partial<WorldOptions> = {}): World {
    const world = new World({ seed, renditions, declared: true, ...options });
    world.startUploader();
    for (const rendition of renditions) world.startSegmenter(rendition);
    world.startEncoder();
    return world;
  }

  // — the encoder ————————————————————————————————————————————————————————————————

  /** Starts (again), on a new clock unless told to go on with the old one. */
  startEncoder(firstPts = this.options.firstPts ?? 133_200): void {
    this.encoder = { baseMs: this.now, basePts: firstPts, pictures: 0 };
    this.keyPicture(this.encoder);
  }

  /** Its pictures stop; the segmenters' pipes end. */
  stopEncoder(end: 'leave' | 'end' = 'leave'): void {
    this.encoder = undefined;
    for (const rendition of this.options.renditions) this.stopSegmenter(rendition, end);
  }

  private pts(): number {
    const { baseMs, basePts } = this.encoder!;
    return basePts + Math.round((this.now - baseMs) * 90);
  }

  private keyPicture(encoder: NonNullable<World['encoder']>): void {
    if (this.encoder !== encoder) return;
    const pts = encoder.basePts + encoder.pictures * GOP_90K;
    encoder.pictures++;
    if (encoder.pictures > 1 && Math.floor(pts / WRAP) > Math.floor((pts - GOP_90K) / WRAP))
      this.happened.wraps++;
    for (const segmenter of this.segments.values()) if (segmenter.up) this.takeKey(segmenter, pts);
    this.at(encoder.baseMs + (encoder.pictures * GOP_90K) / 90, () => this.keyPicture(encoder), 0);
  }

  // — the segmenters ——————————————————————————————————————————————————————————————

  startSegmenter(rendition: string): void {
    const segmenter = this.segments.get(rendition)!;
    if (segmenter.up) return;
    segmenter.up = true;
    segmenter.alive = true;
    segmenter.reason = 'start';
    delete segmenter.open;
    this.connect(segmenter);
  }

  /** kill -9: the open segment is gone, what was announced is not. */
  killSegmenter(rendition: string): void {
    const segmenter = this.segments.get(rendition)!;
    if (!segmenter.alive) return;
    segmenter.up = false;
    segmenter.alive = false;
    delete segmenter.open;
    this.dispatch({ type: 'disconnected', at: this.now, session: segmenter.session });
  }

  /** Its spool is lost, with all that waits in it; then it is another session, whose indexes begin anew. */
  loseSpool(rendition: string): void {
    this.killSegmenter(rendition);
    const segmenter = this.segments.get(rendition)!;
    for (const { session, index } of segmenter.outbox) {
      this.vanished.add(`${session}/${index}`);
      this.answers.delete(`${session}/${index}`);
    }
    const session = `${segmenter.session.slice(0, -4)}${(this.happened.sessions++ + 0x1000).toString(16)}`;
    Object.assign(segmenter, { session, nextIndex: 0, outbox: [] });
  }

  /** Its disk is full when the next segment ends. */
  fillDisk(rendition: string): void {
    this.segments.get(rendition)!.full = true;
  }

  stopSegmenter(rendition: string, how: 'leave' | 'end' = 'leave'): void {
    const segmenter = this.segments.get(rendition)!;
    if (!segmenter.up) return;
    const { open } = segmenter;
    const lastKey = open?.keys.at(-1);
    if (open && lastKey !== undefined) {
      const end = this.encoder
        ? Math.max(this.pts(), lastKey + 3600)
        : lastKey + 3600 * (1 + Math.floor(this.random() * 40));
      this.announceSegment(segmenter, end, 'leave');
    }
    delete segmenter.open;
    const { session } = segmenter;
    if (how === 'end') this.audience.ends++;
    this.announce(
      segmenter,
      how === 'end'
        ? { type: 'end', session, index: segmenter.nextIndex++ }
        : { type: 'leave', session, index: segmenter.nextIndex++, reason: 'test' },
    );
    segmenter.up = false;
    this.drain(segmenter, this.now + DRAIN_MS);
  }

  /** The process waits for its final answers, and then goes. */
  private drain(segmenter: Segmenter, untilMs: number): void {
    if (segmenter.up || !segmenter.alive) return;
    if (segmenter.outbox.length > 0 && this.now < untilMs) {
      return this.at(this.now + 200, () => this.drain(segmenter, untilMs));
    }
    segmenter.alive = false;
    this.dispatch({ type: 'disconnected', at: this.now, session: segmenter.session });
  }

  cutLink(rendition: string): void {
    const segmenter = this.segments.get(rendition)!;
    if (!segmenter.online) return;
    segmenter.online = false;
    this.dispatch({ type: 'disconnected', at: this.now, session: segmenter.session });
  }

  mendLink(rendition: string): void {
    const segmenter = this.segments.get(rendition)!;
    if (segmenter.online) return;
    segmenter.online = true;
    if (segmenter.alive) this.connect(segmenter);
  }

  private facts({ rendition, session }: Segmenter): SourceFacts {
    return {
      rendition,
      session,
      source: 'encoder',
      target: this.target,
      ...(this.options.declared && { renditions: this.options.renditions }),
    };
  }

  private tracksOf({ session, nextIndex }: Segmenter): Tracks {
    return {
      type: 'tracks',
      session,
      index: nextIndex,
      tracks: [{ kind: 'video', pid: 256, codec: 'avc1.64001f', width: 640, height: 360, frameRate: 25 }],
    };
  }

  private connect(segmenter: Segmenter): void {
    if (!this.state || !segmenter.online || this.state.phase === 'opening') return;
    this.audience.connected(segmenter.rendition);
    this.dispatch({ type: 'connected', at: this.now, facts: this.facts(segmenter) });
    this.dispatch({ type: 'tracks', at: this.now, tracks: this.tracksOf(segmenter) });
    const { settled = -1, accepted } = sessionProgress(this.state, segmenter.session);
    for (const announcement of [...segmenter.outbox]) {
      if (announcement.index <= settled) this.answered(announcement.session, announcement.index, 'published');
      else if (!accepted.includes(announcement.index)) this.deliver(segmenter, announcement);
    }
  }

  private takeKey(segmenter: Segmenter, pts: number): void {
    const ticks = this.target * 90_000;
    const slot = (one: number): number => Math.floor((one % WRAP) / ticks) + (one % WRAP < one ? 1e9 : 0);
    const { open } = segmenter;
    const last = open?.keys.at(-1);
    if (open && last !== undefined && slot(last) !== slot(pts)) {
      this.announceSegment(segmenter, pts, 'cut');
      segmenter.open = { start: pts, wallMs: this.now, keys: [pts] };
    } else if (open) open.keys.push(pts);
    else segmenter.open = { start: pts, wallMs: this.now, keys: [pts] };
  }

  private announceSegment(segmenter: Segmenter, end: number, ended: 'cut' | 'leave'): void {
    const { start, wallMs, keys } = segmenter.open!;
    const { session, reason } = segmenter;
    const index = segmenter.nextIndex++;
    const common = {
      session,
      index,
      startPts: start % WRAP,
      endPts: end % WRAP,
      wallClock: new Date(wallMs).toISOString(),
      ...(reason && { discontinuity: reason }),
    };
    segmenter.reason = undefined;
    if (segmenter.full) {
      segmenter.full = false;
      this.happened.unwritten++;
      return this.announce(segmenter, { type: 'gap', ...common, reason: 'the disk is full' });
    }
    this.announce(segmenter, {
      type: 'segment',
      ...common,
      path: `/spool/${session}/${index}.ts`,
      bytes: 100_000,
      crc32: index,
      ended,
      independent: true,
      keyPictures: keys.map((key, i) => ({ offset: i * 1000, bytes: 500, pts: key % WRAP })),
      markers: [],
    });
  }

  private announce(segmenter: Segmenter, announcement: Announcement): void {
    this.answers.set(`${announcement.session}/${announcement.index}`, []);
    segmenter.outbox.push(announcement);
    if (segmenter.online && segmenter.alive) this.deliver(segmenter, announcement);
  }

  private deliver(segmenter: Segmenter, announcement: Announcement): void {
    if (!this.state || this.state.phase === 'opening') return;
    segmenter.said = announcement.type;
    if (!this.journal.some((one) => one.announcement === announcement)) {
      this.journal.push({ facts: this.facts(segmenter), tracks: this.tracksOf(segmenter), announcement });
    }
    this.audience.accepted(segmenter.rendition, announcement);
    this.dispatch({ type: 'accepted', at: this.now, announcement });
  }

  private answered(session: string, index: number, type: FinalAnswer['type']): void {
    const segmenter = [...this.segments.values()].find((one) => one.session === session)!;
    const before = segmenter.outbox.length;
    segmenter.outbox = segmenter.outbox.filter((one) => one.index !== index);
    if (segmenter.outbox.length < before) this.answers.get(`${session}/${index}`)!.push(type);
  }

  // — the uploader ————————————————————————————————————————————————————————————————

  startUploader(journal: 'kept' | 'empty' = 'kept'): void {
    if (this.state) return;
    this.uploaderLife++;
    this.audience.restarted(journal);
    if (journal === 'empty') this.journal = [];
    const { window = 6 } = this.options;
    this.state = openChannel({ channel: 'live', window, writer: `uploader-${this.uploaderLife}` });
    const playlists = [...this.store.texts].map(([key, text]) => ({ key, text }));
    this.dispatch({ type: 'opened', at: this.now, playlists });
    for (const { facts, tracks, announcement } of [...this.journal]) {
      this.dispatch({ type: 'connected', at: this.now, facts, replayed: true });
      this.dispatch({ type: 'tracks', at: this.now, tracks });
      this.dispatch({ type: 'accepted', at: this.now, announcement });
    }
    for (const segmenter of this.segments.values()) if (segmenter.alive) this.connect(segmenter);
  }

  /** kill -9: what was on its way to the store arrives there or does not, but not after a successor has read it. */
  killUploader(): void {
    if (!this.state) return;
    this.happened.restarts++;
    this.state = undefined;
    this.tickAt = undefined;
    const life = this.uploaderLife;
    for (const pending of this.queue.filter((one) => one.life === life)) {
      this.queue.splice(this.queue.indexOf(pending), 1);
      if (this.storeUp && this.random() < 0.5) pending.run();
    }
  }

  setStore(up: boolean): void {
    if (this.storeUp && !up) this.happened.outages++;
    if (up && !this.storeUp) this.audience.healthy();
    if (up && !this.storeUp) this.dispatch({ type: 'store-recovered', at: this.now });
    this.storeUp = up;
  }

  private dispatch(event: ChannelEvent): void {
    if (!this.state) return;
    this.happened.events++;
    const { phase } = this.state;
    const { state, effects } = reduce(this.state, event);
    this.state = state;
    if (phase === 'live' && state.phase === 'ended') this.ended();
    for (const effect of effects) this.perform(effect);
    const due = this.state && deadline(this.state);
    if (due !== undefined && due !== this.tickAt) {
      this.tickAt = due;
      const life = this.uploaderLife;
      this.at(due, () => {
        if (this.uploaderLife !== life || this.tickAt !== due) return;
        this.tickAt = undefined;
        this.dispatch({ type: 'tick', at: this.now });
      });
    }
  }

  /** ENDLIST comes when every connected source has ended (DESIGN.md, "Leave and end are different"). */
  private ended(): void {
    for (const { rendition, up, online, said } of this.segments.values()) {
      if (up && online && said === 'segment')
        this.audience.fault(rendition, 'rule 18: the stream ends while it delivers');
    }
  }

  private perform(effect: Effect): void {
    const took = 20 + Math.floor(this.random() * 400);
    switch (effect.type) {
      case 'put-segment':
        this.audience.putting(effect.key, effect.id);
        return this.put(took, () => {
          if (this.vanished.has(`${effect.id.session}/${effect.id.index}`)) {
            this.happened.vanished++;
            this.audience.lost(effect.id);
            return { type: 'segment-lost', at: this.now, id: effect.id };
          }
          this.store.segments.add(effect.key);
          return { type: 'segment-stored', at: this.now, id: effect.id };
        });
      case 'put-playlist':
        this.audience.decided(effect.key, effect.text);
        return this.putText(took, effect.key, effect.text, (stored) =>
          stored
            ? {
                type: 'playlist-stored',
                at: this.now,
                rendition: effect.rendition,
                version: effect.version,
                tookMs: took,
              }
            : { type: 'playlist-failed', at: this.now, rendition: effect.rendition, version: effect.version },
        );
      case 'put-multivariant':
        return this.putText(took, effect.key, effect.text, (stored) => ({
          type: stored ? 'multivariant-stored' : 'multivariant-failed',
          at: this.now,
          version: effect.version,
        }));
      case 'delete':
        for (const key of effect.keys) this.audience.removed(key);
        return this.at(
          this.now + took,
          () => this.dispatch({ type: 'deleted', at: this.now, keys: effect.keys }),
          this.uploaderLife,
        );
      case 'answer':
        this.audience.answered(effect.id, effect.answer.type);
        this.journal = this.journal.filter(
          ({ announcement: one }) => one.session !== effect.id.session || one.index !== effect.id.index,
        );
        if (
          [...this.segments.values()].some(
            (one) => one.session === effect.id.session && one.online && one.alive,
          )
        ) {
          this.answered(effect.id.session, effect.id.index, effect.answer.type);
        }
        return;
      case 'target-duration':
      case 'report':
    }
  }

  private put(took: number, done: () => ChannelEvent): void {
    const life = this.uploaderLife;
    const attempt = (): void => {
      if (!this.storeUp) return this.at(this.now + 1000, attempt, life);
      const event = done();
      if (this.uploaderLife === life && this.state) this.dispatch(event);
    };
    this.at(this.now + took, attempt, life);
  }

  private putText(took: number, key: string, text: string, done: (stored: boolean) => ChannelEvent): void {
    const life = this.uploaderLife;
    this.at(
      this.now + (this.storeUp ? took : 1000),
      () => {
        const stored = this.storeUp && this.random() >= (this.options.refused ?? 0);
        if (stored) this.audience.published(key, text);
        // What is lost is counted anew from the store's recovery.
        else this.audience.healthy();
        if (this.uploaderLife === life && this.state) this.dispatch(done(stored));
      },
      life,
    );
  }

  // — time —————————————————————————————————————————————————————————————————————————

  private at(at: number, run: () => void, life = 0): void {
    this.queue.push({ at, run, life });
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      let first: World['queue'][number] | undefined;
      for (const one of this.queue) if (!first || one.at < first.at) first = one;
      if (!first || first.at > end) break;
      this.queue.splice(this.queue.indexOf(first), 1);
      this.now = Math.max(this.now, first.at);
      first.run();
    }
    this.now = end;
  }
}
