import type { Announcement, Segment } from '@hls-uplink/protocol';
import { GOP_90K, TARGET_SECONDS, WRAP } from './plan.js';
import type { ShortWorld } from './world.js';

/** What the script knows of a segment, whatever becomes of it. */
export interface Fact {
  id: string;
  rendition: string;
  source: string;
  /** Which of the encoder's segments, counted over all clocks. */
  slot: number;
  clock: number;
  /** Unwrapped ticks. */
  start: number;
  end: number;
  /** From cut to cut. */
  whole: boolean;
  independent: boolean;
  /** Nobody can have it: it was refused, never written or told, or its bytes are gone. */
  lost: boolean;
  vanished: boolean;
  /** The first after a start of its source. */
  starts: boolean;
  /** By any uploader. */
  heardAt?: number;
  /** By the uploader that runs now. */
  acceptedAt?: number;
}

interface Waiting {
  announcement: Announcement;
  fact?: Fact;
  refused: boolean;
  /** On which connection it was told. */
  told?: number;
}

/** One segmenter; it keeps what has no final answer. */
export class Source {
  up = false;
  alive = false;
  online = true;
  connection = 0;
  /** Its newest announcement that was delivered. */
  said?: Announcement['type'];
  /** The uploader that it was connected to last. */
  known = 0;
  /** What is to happen to the next segment. */
  next: 'refused' | 'unwritten' | 'unheard' | 'vanished' | 'dependent' | undefined;
  changed = false;
  slowMs = 0;
  session: string;
  readonly #told: Waiting[] = [];
  #outbox: Waiting[] = [];
  #index = 0;
  #starts = true;
  #from: number | undefined;
  #saysAt = 0;
  #saidLast = -1;

  constructor(
    private readonly world: ShortWorld,
    readonly rendition: string,
    readonly name: string,
  ) {
    this.session = world.newSession();
  }

  start(): void {
    if (this.up || !this.world.encoder.runs) return;
    this.up = true;
    this.alive = true;
    this.#starts = true;
    this.#from = this.world.encoder.nextKey();
    this.connect();
  }

  /** kill -9: the open segment is gone, what was announced is not. */
  kill(): void {
    if (!this.alive) return;
    this.up = false;
    this.alive = false;
    this.world.uploader.happen({ type: 'disconnected', session: this.session });
  }

  loseSpool(): void {
    this.kill();
    for (const { announcement, fact } of this.#outbox) {
      if (fact) fact.lost = fact.vanished = true;
      this.world.viewers.answers.forget(idOf(announcement));
    }
    this.#outbox = [];
    this.#told.length = 0;
    this.#index = 0;
    this.#saidLast = -1;
    this.session = this.world.newSession();
  }

  stop(how: 'leave' | 'end'): void {
    if (!this.up) return;
    const pts = this.world.encoder.pts();
    if (this.#from !== undefined && this.#from < pts - 3600) this.#announce(this.#from, pts, 'leave');
    this.up = false;
    const index = this.#index++;
    const { session } = this;
    this.#tell({
      announcement:
        how === 'end'
          ? { type: 'end', session, index }
          : { type: 'leave', session, index, reason: 'the input is closed' },
      refused: false,
    });
    if (how === 'end') this.world.viewers.ends++;
    this.world.after(3000, () => {
      if (!this.up) this.kill();
    });
  }

  cutLink(): void {
    if (!this.online) return;
    this.online = false;
    if (this.alive) this.world.uploader.happen({ type: 'disconnected', session: this.session });
  }

  mendLink(): void {
    if (this.online) return;
    this.online = true;
    this.connect();
  }

  connect(): void {
    const { uploader, viewers, plan } = this.world;
    if (!uploader.isOpen || !this.online || !this.alive) return;
    const { rendition, session, name } = this;
    this.connection++;
    this.known = uploader.life;
    this.#saysAt = this.world.now;
    viewers.connected(rendition, name);
    uploader.introduce({
      facts: { rendition, session, source: name, target: TARGET_SECONDS, renditions: plan.renditions },
      tracks: {
        type: 'tracks',
        session,
        index: this.#index,
        tracks: [{ kind: 'video', pid: 256, codec: 'avc1.64001f', width: 640, height: 360, frameRate: 25 }],
        gop: GOP_90K,
      },
    });
    const { settled = -1, accepted } = uploader.progress(session);
    for (const one of [...this.#outbox]) {
      const { index } = one.announcement;
      if (index <= settled) this.answered(index, 'published');
      else if (!accepted.includes(index)) this.#deliver(one);
      else one.told = this.connection;
    }
  }

  /** The encoder's segment ends here. */
  cut(end: number): void {
    if (!this.up || this.#from === undefined || this.#from >= end) return;
    this.#announce(this.#from, end, 'cut');
    this.#from = end;
  }

  /** What it has told before, again. */
  repeat(draw: number): void {
    const one = this.#told[Math.floor(draw * this.#told.length)];
    if (!one || one.refused || !this.alive || !this.online || !this.world.uploader.isOpen) return;
    if (one.told !== this.connection && this.#outbox.includes(one)) return;
    this.world.happened.duplicates++;
    this.world.uploader.accept(one.announcement, undefined);
  }

  #announce(start: number, end: number, ended: 'cut' | 'leave'): void {
    const { encoder, viewers } = this.world;
    const { session, next } = this;
    const index = this.#index++;
    this.next = undefined;
    const fact: Fact = {
      id: `${session}/${index}`,
      rendition: this.rendition,
      source: this.name,
      slot: encoder.slot,
      clock: encoder.clock,
      start,
      end,
      whole: ended === 'cut' && start === encoder.start,
      independent: next !== 'dependent',
      lost: next === 'refused' || next === 'unwritten' || next === 'unheard' || next === 'vanished',
      vanished: next === 'vanished',
      starts: this.#starts,
    };
    viewers.cut(fact);
    const reason = this.#starts ? ('start' as const) : this.changed ? ('tables' as const) : undefined;
    this.#starts = this.changed = false;
    if (next === 'unheard') return;
    const common = {
      session,
      index,
      startPts: start % WRAP,
      endPts: end % WRAP,
      wallClock: new Date(encoder.wallOf(start)).toISOString(),
      ...(reason && { discontinuity: reason }),
    };
    const announcement: Announcement =
      next === 'unwritten'
        ? { type: 'gap', ...common, reason: 'the disk is full' }
        : { type: 'segment', ...common, ...this.#bytes(fact, ended) };
    this.#tell({ announcement, fact, refused: next === 'refused' });
  }

  #bytes({ start, end, independent }: Fact, ended: 'cut' | 'leave') {
    const keyPictures: Segment['keyPictures'] = [];
    for (let pts = start; pts < end; pts += GOP_90K)
      keyPictures.push({ offset: 376 + keyPictures.length * 1000, bytes: 500, pts: pts % WRAP });
    return {
      path: '/spool/segment.ts',
      bytes: 100_000,
      crc32: 1,
      ended,
      independent,
      keyPictures,
      markers: [],
    };
  }

  /** Announcements go out in order, a moment after they were made. */
  #tell(one: Waiting): void {
    const { world } = this;
    this.#outbox.push(one);
    world.viewers.answers.announced(idOf(one.announcement));
    this.#saysAt = Math.max(this.#saysAt, world.now) + 20 + Math.floor(world.random() * 200) + this.slowMs;
    this.slowMs = 0;
    world.after(this.#saysAt - world.now, () => {
      if (one.told === this.connection || !this.#outbox.includes(one)) return;
      if (this.alive && this.online && world.uploader.isOpen) this.#deliver(one);
    });
  }

  #deliver(one: Waiting): void {
    const { uploader, viewers } = this.world;
    one.told = this.connection;
    if (one.announcement.index >= this.#saidLast) {
      this.said = one.announcement.type;
      this.#saidLast = one.announcement.index;
    }
    this.#told.push(one);
    if (!one.refused) return uploader.accept(one.announcement, one.fact);
    if (one.fact) viewers.heard(one.fact);
    this.answered(one.announcement.index, 'rejected');
    uploader.happen({ type: 'refused', announcement: one.announcement });
  }

  /** Its spool forgets what is answered finally. */
  answered(index: number, type: string): void {
    const at = this.#outbox.findIndex(({ announcement }) => announcement.index === index);
    if (at === -1) return;
    this.#outbox.splice(at, 1);
    this.world.viewers.answers.settled(`${this.session}/${index}`, type);
  }
}

export const idOf = ({ session, index }: { session: string; index: number }): string => `${session}/${index}`;

/** A key picture each second, the same to all segmenters; all cut at the same ones. */
export class ShortEncoder {
  runs = false;
  clock = 0;
  slot = 0;
  /** Of the segment that is being filled, unwrapped. */
  start = 0;
  /** What the wall clocks of all boxes have been set forward by. */
  wallOffMs = 0;
  #beganMs = 0;
  #beganPts = 0;

  constructor(private readonly world: ShortWorld) {}

  begin(pts: number): void {
    this.runs = true;
    this.clock++;
    this.slot++;
    this.#beganMs = this.world.now;
    this.#beganPts = pts;
    this.start = pts;
  }

  stop(): void {
    this.runs = false;
  }

  /** On the old clock. */
  goOn(): void {
    this.runs = true;
    this.slot++;
    this.start = this.nextKey();
  }

  pts(): number {
    return this.#beganPts + Math.round((this.world.now - this.#beganMs) * 90);
  }

  nextKey(): number {
    const since = this.pts() - this.#beganPts;
    return this.#beganPts + Math.ceil(since / GOP_90K) * GOP_90K;
  }

  /** Where the segment that is being filled ends: floor(raw PTS / target) is another than of the key picture before. */
  end(): number {
    const value = (pts: number): number =>
      Math.floor(pts / WRAP) * 1e9 + Math.floor((pts % WRAP) / (TARGET_SECONDS * 90_000));
    let key = this.start + GOP_90K;
    while (value(key) === value(key - GOP_90K)) key += GOP_90K;
    return key;
  }

  msOf(pts: number): number {
    return this.#beganMs + (pts - this.#beganPts) / 90;
  }

  wallOf(pts: number): number {
    return Math.round(this.msOf(pts)) + this.wallOffMs;
  }
}
