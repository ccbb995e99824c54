import type { Announcement, FinalAnswer, Marker, Tracks } from '@hls-uplink/protocol';
import type { SourceFacts } from '../event.js';
import { PTS_WRAP, type Scene } from './scene.js';

const DRAIN_MS = 400_000;

/** How many of the segments begin anywhere, as those after a forced cut do. */
const FORCED = 0.005;

const CUE_EVERY = 50 * 90_000;
const CUE_LASTS = 30 * 90_000;

/** An out point every 50 s of the stream, which all its segmenters see. Unwrapped ticks. */
function cuesIn(start: number, end: number): Marker[] {
  const eventId = Math.ceil(start / CUE_EVERY);
  const pts = eventId * CUE_EVERY;
  if (pts >= end) return [];
  return [
    {
      kind: 'out',
      eventId,
      pts: pts % PTS_WRAP,
      section: 'FC30',
      immediate: false,
      duration90k: CUE_LASTS,
    },
  ];
}

/** One segmenter in simulated time: cuts what the encoder gives it, and keeps what has no final answer. */
export class Segmenter {
  /** Reads its input. */
  up = false;
  /** The process runs: reading, or waiting for final answers. */
  alive = false;
  online = true;
  /** What the uploader heard of it last. */
  said?: Announcement['type'];
  /** By how much its host's clock is off, milliseconds. */
  wallOffMs = 0;
  private nextIndex = 0;
  private reason: 'start' | 'timestamps' | undefined = 'start';
  /** The next segment cannot be written. */
  private full = false;
  private open?: { start: number; wallMs: number; keys: number[] };
  /** Without final answer. */
  private outbox: Announcement[] = [];
  /** On another machine: announced over this connection, and not accepted. */
  private line: Announcement[] = [];
  private connection = 0;
  private isSending = false;

  constructor(
    private readonly scene: Scene,
    readonly rendition: string,
    public session: string,
    /** Which of the rendition's sources, and which encode it is given. */
    readonly source = 'encoder',
    private readonly encode = 0,
  ) {}

  start(): void {
    if (this.up) return;
    this.up = true;
    this.alive = true;
    this.reason = 'start';
    delete this.open;
    this.connect();
  }

  /** kill -9: the open segment is gone, what was announced is not. */
  kill(): void {
    if (!this.alive) return;
    this.up = false;
    this.alive = false;
    delete this.open;
    this.disconnect();
  }

  /** Its spool is lost, with all that waits in it; then it is another session, whose indexes begin anew. */
  loseSpool(): void {
    this.kill();
    for (const { session, index } of this.outbox) {
      // What came over the link is the uploader's.
      if (!this.isRemote) this.scene.vanished.add(`${session}/${index}`);
      this.scene.answers.delete(`${session}/${index}`);
    }
    const session = `${this.session.slice(0, -4)}${(this.scene.happened.sessions++ + 0x1000).toString(16)}`;
    Object.assign(this, { session, nextIndex: 0, outbox: [] });
  }

  /** Its disk is full when the next segment ends. */
  fillDisk(): void {
    this.full = true;
  }

  /** The pictures come by another clock from now on; what is open ends where it is. */
  jump(): void {
    if (!this.up) return;
    const last = this.open?.keys.at(-1);
    if (last !== undefined) this.announceSegment(last + 3600 * 10, 'leave');
    delete this.open;
    this.reason = 'timestamps';
  }

  stop(how: 'leave' | 'end' = 'leave'): void {
    if (!this.up) return;
    const { open } = this;
    const lastKey = open?.keys.at(-1);
    if (open && lastKey !== undefined) {
      const pts = this.scene.encoderOf(this.rendition).pts();
      const end =
        pts !== undefined
          ? Math.max(pts, lastKey + 3600)
          : lastKey + 3600 * (1 + Math.floor(this.scene.random() * 40));
      this.announceSegment(end, 'leave');
    }
    delete this.open;
    const { session } = this;
    if (how === 'end') this.scene.audience.ends++;
    this.announce(
      how === 'end'
        ? { type: 'end', session, index: this.nextIndex++ }
        : { type: 'leave', session, index: this.nextIndex++, reason: 'test' },
    );
    this.up = false;
    this.drain(this.scene.time.now + DRAIN_MS);
  }

  /** The process waits for its final answers, and then goes. */
  private drain(untilMs: number): void {
    if (this.up || !this.alive) return;
    if (this.outbox.length > 0 && this.scene.time.now < untilMs) {
      return this.scene.time.at(this.scene.time.now + 200, () => this.drain(untilMs));
    }
    this.alive = false;
    this.disconnect();
  }

  cutLink(): void {
    if (!this.online) return;
    this.online = false;
    this.disconnect();
  }

  private disconnect(): void {
    this.connection++;
    this.scene.uploader.happen({ type: 'disconnected', session: this.session });
  }

  private get isRemote(): boolean {
    return this.scene.options.bodyMs !== undefined;
  }

  mendLink(): void {
    if (this.online) return;
    this.online = true;
    if (this.alive) this.connect();
  }

  private facts(): SourceFacts {
    const { rendition, session, source } = this;
    return {
      rendition,
      session,
      source,
      target: this.scene.targetSeconds,
      ...(this.scene.options.declared && { renditions: this.scene.options.renditions }),
    };
  }

  private tracks(): Tracks {
    const { session, nextIndex } = this;
    return {
      type: 'tracks',
      session,
      index: nextIndex,
      tracks: [{ kind: 'video', pid: 256, codec: 'avc1.64001f', width: 640, height: 360, frameRate: 25 }],
    };
  }

  connect(): void {
    const { uploader, audience } = this.scene;
    if (!uploader.isOpen || !this.online) return;
    audience.connected(this.rendition);
    uploader.happen({ type: 'connected', facts: this.facts() });
    uploader.happen({ type: 'tracks', tracks: this.tracks() });
    Object.assign(this, { connection: this.connection + 1, line: [], isSending: false });
    const { settled = -1, accepted } = uploader.progress(this.session);
    for (const { index } of [...this.outbox]) if (index <= settled) this.answered(index, 'published');
    const open = this.outbox.filter(({ index }) => !accepted.includes(index));
    if (this.isRemote) return this.tell(open);
    for (const announcement of open) this.deliver(announcement);
  }

  /** All that waits is known before the first bytes are asked for. */
  private tell(announcements: readonly Announcement[]): void {
    const media = announcements.filter((one) => one.type === 'segment' || one.type === 'gap');
    this.scene.uploader.happen({ type: 'announced', announcements: media });
    this.line.push(...announcements);
    this.send();
  }

  /** One after the other, what has no answer yet. */
  private send(): void {
    while (!this.isSending) {
      // What only recordings wait for comes when nothing else does.
      const first = this.line.findIndex((one) => !this.scene.uploader.isBehind(one));
      const [next] = this.line.splice(Math.max(0, first), 1);
      if (!next) return;
      if (!this.outbox.includes(next)) this.scene.happened.unasked++;
      else if (next.type !== 'segment') this.accept(next);
      else {
        const { connection } = this;
        this.isSending = true;
        this.scene.happened.bodies++;
        this.scene.time.at(this.scene.time.now + this.scene.options.bodyMs!, () => {
          if (this.connection !== connection || !this.scene.uploader.isOpen) return;
          this.isSending = false;
          if (this.outbox.includes(next)) this.accept(next);
          this.send();
        });
      }
    }
  }

  /** A key picture comes in; unwrapped ticks. */
  takeKey(pts: number): void {
    const ticks = this.scene.targetSeconds * 90_000;
    const slot = (one: number): number =>
      Math.floor((one % PTS_WRAP) / ticks) + (one % PTS_WRAP < one ? 1e9 : 0);
    const { open } = this;
    const last = open?.keys.at(-1);
    if (open && last !== undefined && slot(last) !== slot(pts)) {
      this.announceSegment(pts, 'cut');
      this.open = { start: pts, wallMs: this.scene.time.now, keys: [pts] };
    } else if (open) open.keys.push(pts);
    else this.open = { start: pts, wallMs: this.scene.time.now, keys: [pts] };
  }

  private announceSegment(end: number, ended: 'cut' | 'leave'): void {
    const { start, wallMs, keys } = this.open!;
    const { session, reason } = this;
    const index = this.nextIndex++;
    const common = {
      session,
      index,
      startPts: start % PTS_WRAP,
      endPts: end % PTS_WRAP,
      wallClock: new Date(wallMs + this.wallOffMs).toISOString(),
      ...(reason && { discontinuity: reason }),
    };
    this.reason = undefined;
    if (this.full) {
      this.full = false;
      this.scene.happened.unwritten++;
      return this.announce({ type: 'gap', ...common, reason: 'the disk is full' });
    }
    this.announce({
      type: 'segment',
      ...common,
      path: `/spool/${session}/${index}.ts`,
      bytes: 100_000,
      crc32: index,
      ended,
      independent: this.scene.random() >= FORCED,
      keyPictures: keys.map((key, i) => ({
        offset: 376 + i * 1000,
        bytes: 500 + this.encode + 2 * this.scene.encoderOf(this.rendition).begun,
        pts: key % PTS_WRAP,
      })),
      markers: this.scene.options.cues ? cuesIn(start, end) : [],
    });
  }

  private announce(announcement: Announcement): void {
    this.scene.answers.set(`${announcement.session}/${announcement.index}`, []);
    this.outbox.push(announcement);
    if (this.online && this.alive) this.deliver(announcement);
  }

  private deliver(announcement: Announcement): void {
    if (!this.scene.uploader.isOpen) return;
    if (this.isRemote) return this.tell([announcement]);
    this.accept(announcement);
  }

  private accept(announcement: Announcement): void {
    this.said = announcement.type;
    this.scene.uploader.accept({ facts: this.facts(), tracks: this.tracks(), announcement });
  }

  /** Its spool forgets what is answered finally. */
  answered(index: number, type: FinalAnswer['type']): void {
    const before = this.outbox.length;
    this.outbox = this.outbox.filter((one) => one.index !== index);
    if (this.outbox.length < before) this.scene.answers.get(`${this.session}/${index}`)!.push(type);
  }
}
