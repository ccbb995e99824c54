import type { Announcement, FinalAnswer, Tracks } from '@hls-uplink/protocol';
import type { ChannelEvent, Effect, SourceFacts } from '../event.js';
import { deadline, openChannel, reduce, sessionProgress } from '../reduce.js';
import type { ChannelState } from '../state.js';
import { faultsAcross, faultsBetween, faultsOf, see, type SeenEntry, type SeenPlaylist } from './viewer.js';

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
  readonly faults: string[] = [];
  readonly answers = new Map<string, FinalAnswer['type'][]>();
  readonly versions = new Map<string, SeenPlaylist[]>();
  /** Of each version of the multivariant playlist. */
  readonly variants: string[][] = [];
  /** When the first media playlist was published. */
  startedAt: number | undefined;
  readonly segments = new Map<string, Segmenter>();
  readonly stored = new Set<string>();
  readonly objects = new Map<string, string>();
  readonly seen = {
    events: 0,
    gaps: 0,
    discontinuities: 0,
    wraps: 0,
    restarts: 0,
    outages: 0,
    lives: 1,
    sessions: 0,
    deletions: 0,
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
  /** Keys of the segments that this uploader puts and has not answered, by session and index. */
  private readonly putting = new Map<string, string>();
  /** Whose bytes a segment's key stands for. */
  private readonly meanings = new Map<string, string>();
  /** What has been listed: until when, for how long at most, and in how long a playlist, seconds. */
  private readonly shown = new Map<string, { seconds: number; longest: number; removedAt?: number }>();
  /** Announcements of `end` so far. */
  private ends = 0;
  /** Since when the store takes writes and the uploader runs; when each rendition was published and connected last. */
  private healthySince = 0;
  private readonly movedAt = new Map<string, number>();
  /** When a gap was first in a playlist to be put. */
  private readonly decided = new Map<string, number>();
  private readonly accepted = new Map<
    string,
    { rendition: string; wallMs: number; whole: boolean; at: number }
  >();

  constructor(private readonly options: WorldOptions) {
    this.random = random(options.seed);
    this.target = options.targetSeconds ?? 6;
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
    if (Math.floor(pts / WRAP) > Math.floor((pts - GOP_90K) / WRAP)) this.seen.wraps++;
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

  /** Its spool is lost, unless something waits in it; then it is another session, whose indexes begin anew. */
  loseSpool(rendition: string): void {
    this.killSegmenter(rendition);
    const segmenter = this.segments.get(rendition)!;
    if (segmenter.outbox.length > 0) return;
    const session = `${segmenter.session.slice(0, -4)}${(this.seen.sessions++ + 0x1000).toString(16)}`;
    Object.assign(segmenter, { session, nextIndex: 0, outbox: [] });
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
    if (how === 'end') this.ends++;
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
    this.movedAt.set(segmenter.rendition, this.now);
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
    this.announce(segmenter, {
      type: 'segment',
      session,
      index,
      path: `/spool/${session}/${index}.ts`,
      bytes: 100_000,
      crc32: index,
      startPts: start % WRAP,
      endPts: end % WRAP,
      wallClock: new Date(wallMs).toISOString(),
      ...(reason && { discontinuity: reason }),
      ended,
      independent: true,
      keyPictures: keys.map((key, i) => ({ offset: i * 1000, bytes: 500, pts: key % WRAP })),
      markers: [],
    });
    segmenter.reason = undefined;
  }

  private announce(segmenter: Segmenter, announcement: Announcement): void {
    this.answers.set(`${announcement.session}/${announcement.index}`, []);
    segmenter.outbox.push(announcement);
    if (segmenter.online && segmenter.alive) this.deliver(segmenter, announcement);
  }

  private deliver(segmenter: Segmenter, announcement: Announcement): void {
    if (!this.state || this.state.phase === 'opening') return;
    segmenter.said = announcement.type;
    const id = `${announcement.session}/${announcement.index}`;
    if (!this.journal.some((one) => one.announcement === announcement)) {
      this.journal.push({ facts: this.facts(segmenter), tracks: this.tracksOf(segmenter), announcement });
    }
    if (announcement.type === 'segment' && !this.accepted.has(id)) {
      const { wallClock, ended, discontinuity } = announcement;
      const whole = ended === 'cut' && discontinuity === undefined;
      this.accepted.set(id, {
        rendition: segmenter.rendition,
        wallMs: Date.parse(wallClock),
        whole,
        at: this.now,
      });
    }
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
    this.healthySince = this.now;
    this.putting.clear();
    if (journal === 'empty') {
      this.journal = [];
      this.accepted.clear();
    }
    const { window = 6 } = this.options;
    this.state = openChannel({ channel: 'live', window, writer: `uploader-${this.uploaderLife}` });
    const playlists = [...this.objects].map(([key, text]) => ({ key, text }));
    this.dispatch({ type: 'opened', at: this.now, playlists });
    for (const { facts, tracks, announcement } of [...this.journal]) {
      this.dispatch({ type: 'connected', at: this.now, facts, replayed: true });
      this.dispatch({ type: 'tracks', at: this.now, tracks });
      this.dispatch({ type: 'accepted', at: this.now, announcement });
    }
    for (const segmenter of this.segments.values()) if (segmenter.alive) this.connect(segmenter);
  }

  /** kill -9: what was on its way to the store arrives there or does not. */
  killUploader(): void {
    if (!this.state) return;
    this.seen.restarts++;
    this.state = undefined;
    this.tickAt = undefined;
    const life = this.uploaderLife;
    for (const pending of this.queue.filter((one) => one.life === life)) {
      if (this.random() < 0.5) pending.run = () => {};
    }
  }

  setStore(up: boolean): void {
    if (this.storeUp && !up) this.seen.outages++;
    if (up && !this.storeUp) this.healthySince = this.now;
    if (up && !this.storeUp) this.dispatch({ type: 'store-recovered', at: this.now });
    this.storeUp = up;
  }

  private dispatch(event: ChannelEvent): void {
    if (!this.state) return;
    this.seen.events++;
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
        this.fault(rendition, 'rule 18: the stream ends while it delivers');
    }
  }

  private perform(effect: Effect): void {
    const took = 20 + Math.floor(this.random() * 400);
    switch (effect.type) {
      case 'put-segment':
        this.name(effect.key, effect.id);
        return this.put(took, () => {
          this.stored.add(effect.key);
          return { type: 'segment-stored', at: this.now, id: effect.id };
        });
      case 'put-playlist':
        for (const { gap, number } of see(effect.text).entries) {
          const id = `${effect.key} ${number}`;
          if (gap && !this.decided.has(id)) this.decided.set(id, this.now);
        }
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
        for (const key of effect.keys) this.remove(key);
        return this.at(
          this.now + took,
          () => this.dispatch({ type: 'deleted', at: this.now, keys: effect.keys }),
          this.uploaderLife,
        );
      case 'answer':
        this.answering(`${effect.id.session}/${effect.id.index}`, effect.answer.type);
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
        if (stored) this.publish(key, text, this.uploaderLife === life);
        // What is lost is counted anew from the store's recovery.
        else this.healthySince = this.now;
        if (this.uploaderLife === life && this.state) this.dispatch(done(stored));
      },
      life,
    );
  }

  // — the viewer ———————————————————————————————————————————————————————————————————

  /** @param known by the uploader that runs: it has put it, or can read it back (what its forerunner puts later is rule 9's) */
  private publish(key: string, text: string, known: boolean): void {
    this.objects.set(key, text);
    if (key.endsWith('/index.m3u8')) return this.publishVariants(key, text);
    const now = see(text);
    const versions = this.versions.get(key) ?? [];
    this.versions.set(key, versions);
    const before = versions.at(-1);
    const faults = [...faultsOf(now), ...(before ? faultsBetween(before, now) : [])];
    const listed = new Set(before?.entries.map((entry) => entry.number));
    for (const entry of now.entries) {
      if (!entry.gap && !this.stored.has(`live/${entry.uri}`))
        faults.push(`rule 3: ${entry.uri} is not there`);
      if (listed.has(entry.number)) continue;
      if (entry.gap) {
        this.seen.gaps++;
        faults.push(...this.needless(key, entry));
      }
      if (entry.discontinuity) this.seen.discontinuities++;
    }
    for (const other of this.options.renditions) {
      const text = this.objects.get(`live/${other}.m3u8`);
      if (text !== undefined) faults.push(...faultsAcross(now, see(text)));
    }
    if (before?.endList && !now.endList) this.seen.lives++;
    versions.push(now);
    this.startedAt ??= this.now;
    const endings = versions.filter(({ endList }, i) => endList && !versions[i - 1]?.endList).length;
    if (endings > this.ends) faults.push('rule 18: ENDLIST, and no source has ended');
    this.show(now, before, known);
    faults.push(...this.leftBehind(key, now));
    for (const fault of faults) this.fault(key, fault);
  }

  /** Variants that are there, and none missing that a viewer has already seen (HLS-RULES 19). */
  private publishVariants(key: string, text: string): void {
    const variants = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    this.variants.push(variants);
    const missing = variants.filter((uri) => !this.objects.has(`live/${uri}`));
    if (missing.length > 0) this.fault(key, `rule 19: ${missing.join(', ')} not there`);
  }

  /** A key means these bytes only (DESIGN.md, rule 3). */
  private name(key: string, { session, index }: { session: string; index: number }): void {
    this.putting.set(`${session}/${index}`, key);
    const meaning = this.meanings.get(key) ?? `${session}/${index}`;
    this.meanings.set(key, meaning);
    if (meaning !== `${session}/${index}`)
      this.fault(key, 'rule 3 of DESIGN.md: the key stands for two segments');
  }

  /** `published` means that viewers can have it (DESIGN.md, "What crosses the socket"). */
  private answering(id: string, answer: FinalAnswer['type']): void {
    const key = this.putting.get(id);
    this.putting.delete(id);
    if (key !== undefined && answer === 'published' && !this.shown.has(key.slice('live/'.length)))
      this.fault(key, 'rule 7 of DESIGN.md: answered as published, and no playlist has listed it');
  }

  private show(now: SeenPlaylist, before: SeenPlaylist | undefined, known: boolean): void {
    const listed = new Set(now.entries.map(({ uri }) => uri));
    for (const { uri } of before?.entries ?? []) {
      const shown = this.shown.get(uri);
      if (shown && !listed.has(uri)) shown.removedAt ??= this.now;
    }
    const total = known ? now.entries.reduce((sum, { seconds }) => sum + seconds, 0) : 0;
    for (const { uri, seconds, gap } of now.entries) {
      if (gap) continue;
      const longest = Math.max(total, this.shown.get(uri)?.longest ?? 0);
      this.shown.set(uri, { seconds, longest });
    }
  }

  /** What left stays for its duration and that of the longest playlist that listed it (HLS-RULES 10). */
  private remove(key: string): void {
    this.seen.deletions++;
    this.stored.delete(key);
    const shown = this.shown.get(key.slice('live/'.length));
    if (!shown) return;
    const { removedAt = Infinity, seconds, longest } = shown;
    const early = removedAt + (seconds + longest) * 1000 - this.now;
    if (early > 1) this.fault(key, `rule 10: deleted ${early.toFixed(0)} ms before it may go`);
  }

  /** Other live edges that stand still while this one moves (HLS-RULES 6, 20). */
  private leftBehind(key: string, now: SeenPlaylist): string[] {
    this.movedAt.set(key.slice('live/'.length, -'.m3u8'.length), this.now);
    const before = this.versions.get(key)?.at(-2);
    if (now.endList || !before) return [];
    return this.options.renditions.flatMap((name) => {
      const other = this.versions.get(`live/${name}.m3u8`)?.at(-1);
      if (!other || other.endList) return [];
      // What this version adds, the others could not follow before.
      const behind = before.entries.at(-1)!.number - other.entries.at(-1)!.number;
      const still = this.now - Math.max(this.movedAt.get(name) ?? 0, this.healthySince);
      if (behind < 2 || still <= 3000 * now.targetDuration) return [];
      return [`rule 6: ${name} is ${behind} entries behind and has not moved for ${still} ms`];
    });
  }

  private fault(key: string, fault: string): void {
    this.faults.push(`${key} at ${this.now - 1_700_000_000_000}: ${fault}`);
  }

  /** A gap for what had been accepted before it was decided is a defect (DESIGN.md, rule 6). */
  private needless(key: string, { number, dateMs, seconds }: SeenEntry): string[] {
    const rendition = key.slice('live/'.length, -'.m3u8'.length);
    const had = [...this.accepted.values()].find(
      (one) => one.rendition === rendition && one.whole && Math.abs(one.wallMs - dateMs) < 500,
    );
    const decidedAt = this.decided.get(`${key} ${number}`) ?? this.now;
    if (!had || decidedAt <= had.at) return [];
    return [
      `rule 6 of DESIGN.md: a gap of ${seconds} s stands for a segment accepted ${decidedAt - had.at} ms before`,
    ];
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

  /** The newest stored version of a rendition. */
  playlist(rendition: string): SeenPlaylist {
    const text = this.objects.get(`live/${rendition}.m3u8`);
    if (text === undefined) throw new Error(`nothing published for ${rendition}`);
    return see(text);
  }
}
