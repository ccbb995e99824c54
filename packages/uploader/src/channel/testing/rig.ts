import type { Key } from '@hls-uplink/hls';
import type { Segment, SegmentId } from '@hls-uplink/protocol';
import type { Effect, IndexRun, SourceFacts, View } from '../event.js';
import { deadline, openChannel, reduce } from '../reduce.js';
import type { ReadBack } from '../reopen.js';
import type { ChannelSettings, ChannelState } from '../state.js';
import type { Happening } from './scene.js';
import { see, type SeenPlaylist } from './viewer.js';

export const BEGIN_MS = 1_700_000_000_000;
const TARGET_SECONDS = 6;
const GOP_SECONDS = 2;

type Announced = Partial<Segment> & {
  sound?: boolean;
  wallOffMs?: number;
  refused?: boolean;
  encode?: number;
  behind?: IndexRun[];
};

/** `low` is the first source of the rendition low, `low~b` another. */
const sourceOf = (who: string): [rendition: string, source: string] => {
  const [rendition, source = 'encoder'] = who.split('~');
  return [rendition!, source];
};

export const sessionOf = (rendition: string): string =>
  Buffer.from(rendition).toString('hex').padStart(32, '0');

/** One channel driven event by event; the store does what `store` says, at once. Seconds count from the first picture. */
export class Rig {
  state: ChannelState;
  /** Of the media playlists, by key. */
  readonly texts = new Map<string, string>();
  readonly iFrames = new Map<string, string>();
  /** The dvr, event and VOD playlists, and their multivariant ones, by key. */
  readonly recorded = new Map<string, string>();
  multivariant = '';
  readonly answers: string[] = [];
  readonly deleted: string[] = [];
  /** What the operator was told. */
  readonly reports: string[] = [];
  /** All that was ever put to the store, by source and index. */
  readonly puts: string[] = [];
  /** Not stored yet. */
  uploads: Extract<Effect, { type: 'put-segment' }>[] = [];
  store = {
    segment: (_rendition: string, _index: number): boolean => true,
    playlist: (_rendition: string): 'stored' | 'failed' | 'held' => 'stored',
    iFrames: (_rendition: string): 'stored' | 'failed' | 'held' => 'stored',
    multivariant: (): 'stored' | 'failed' | 'held' => 'stored',
    encryption: (_rendition: string, _index: number): Key | undefined => undefined,
    recording: (_view: View, _rendition: string): 'stored' | 'failed' | 'held' => 'stored',
    tookMs: 50,
    deletes: true,
  };

  constructor(
    playlists: ReadBack[] = [],
    settings: Partial<ChannelSettings> = {},
    public at = BEGIN_MS,
  ) {
    this.state = openChannel({ channel: 'live', window: 6, iFrames: true, writer: 'test', ...settings });
    this.happen({ type: 'opened', playlists });
  }

  happen(event: Happening): void {
    const events: Happening[] = [event];
    for (let next = events.shift(); next; next = events.shift()) {
      const { state, effects } = reduce(this.state, { ...next, at: this.at });
      this.state = state;
      for (const effect of effects) events.push(...this.perform(effect));
    }
  }

  private perform(effect: Effect): Happening[] {
    switch (effect.type) {
      case 'put-segment':
        this.puts.push(this.nameOf(effect.id));
        if (this.store.segment(effect.rendition, effect.id.index)) {
          const encryption = this.store.encryption(effect.rendition, effect.id.index);
          return [{ type: 'segment-stored', id: effect.id, ...(encryption && { encryption }) }];
        }
        this.uploads.push(effect);
        return [];
      case 'cancel-segment': {
        const { session, index } = effect.id;
        this.uploads = this.uploads.filter(({ id }) => id.session !== session || id.index !== index);
        return [];
      }
      case 'put-playlist': {
        const { view, rendition, version, text } = effect;
        const outcome = this.outcomeOf(view, rendition);
        if (outcome === 'held') return [];
        if (outcome === 'failed') return [{ type: 'playlist-failed', view, rendition, version }];
        const texts = { live: this.texts, 'i-frames': this.iFrames };
        (view === 'live' || view === 'i-frames' ? texts[view] : this.recorded).set(effect.key, text);
        return [{ type: 'playlist-stored', view, rendition, version, tookMs: this.store.tookMs }];
      }
      case 'put-multivariant': {
        const outcome = this.store.multivariant();
        if (outcome === 'held') return [];
        if (outcome === 'failed')
          return [{ type: 'multivariant-failed', view: effect.view, version: effect.version }];
        if (effect.view === 'live') this.multivariant = effect.text;
        else this.recorded.set(effect.key, effect.text);
        return [{ type: 'multivariant-stored', view: effect.view, version: effect.version }];
      }
      case 'answer': {
        const { answer, id } = effect;
        this.answers.push(`${this.nameOf(id)} ${answer.type === 'dropped' ? answer.code : answer.type}`);
        return [];
      }
      case 'delete':
        this.deleted.push(...effect.keys);
        return this.store.deletes ? [{ type: 'deleted', keys: effect.keys }] : [];
      case 'report':
        this.reports.push(effect.message);
        return [];
      default:
        return [];
    }
  }

  private nameOf({ session, index }: SegmentId): string {
    const { rendition, source } = this.state.sources[session]!.facts;
    return `${rendition}${source === 'encoder' || source === '' ? '' : `~${source}`}/${index}`;
  }

  private outcomeOf(view: View, rendition: string): 'stored' | 'failed' | 'held' {
    if (view === 'live') return this.store.playlist(rendition);
    if (view === 'i-frames') return this.store.iFrames(rendition);
    return this.store.recording(view, rendition);
  }

  /** Lets time pass, ticking at each deadline. */
  to(seconds: number): void {
    const end = BEGIN_MS + seconds * 1000;
    for (let due = deadline(this.state); due !== undefined && due <= end; due = deadline(this.state)) {
      this.at = Math.max(this.at, due);
      this.happen({ type: 'tick' });
    }
    this.at = end;
  }

  connect(who: string, facts: Partial<SourceFacts> = {}, sound = false): void {
    const session = sessionOf(who);
    const [rendition, source] = sourceOf(who);
    const all = { rendition, session, source, target: TARGET_SECONDS, ...facts };
    this.happen({ type: 'connected', facts: all });
    const video = {
      kind: 'video' as const,
      pid: 256,
      codec: 'avc1.64001f',
      width: 640,
      height: 360,
      frameRate: 25,
    };
    const audio = { kind: 'audio' as const, pid: 257, codec: 'mp4a.40.2' };
    this.happen({
      type: 'tracks',
      tracks: { type: 'tracks', session, index: 0, tracks: sound ? [audio] : [video, audio] },
    });
  }

  segment(rendition: string, index: number, from: number, to: number, more: Announced = {}): void {
    const type = more.refused ? 'refused' : 'accepted';
    const { behind } = more;
    const announcement = this.announcement(rendition, index, from, to, more);
    this.happen({ type, announcement, ...(behind && { behind }) });
  }

  /** One of 6 s that its segmenter has lost. */
  gap(rendition: string, index: number): void {
    const startPts = TARGET_SECONDS * index * 90_000;
    this.happen({
      type: 'accepted',
      announcement: {
        type: 'gap',
        session: sessionOf(rendition),
        index,
        startPts,
        endPts: startPts + TARGET_SECONDS * 90_000,
        wallClock: new Date(BEGIN_MS + 1000 * TARGET_SECONDS * index).toISOString(),
        reason: 'the disk is full',
      },
    });
  }

  lose(rendition: string): void {
    this.happen({ type: 'disconnected', session: sessionOf(rendition) });
  }

  /** Segments of 6 s, whose bytes are elsewhere. */
  told(rendition: string, first: number, last = first): void {
    const count = last - first + 1;
    const announcements = Array.from({ length: count }, (_, i) =>
      this.announcement(rendition, first + i, 6 * (first + i), 6 * (first + i + 1)),
    );
    this.happen({ type: 'announced', announcements });
  }

  private announcement(
    rendition: string,
    index: number,
    from: number,
    to: number,
    { sound = false, wallOffMs = 0, encode = 0, refused: _, behind: __, ...rest }: Announced = {},
  ): Segment {
    const keys: Segment['keyPictures'] = [];
    for (let key = from; !sound && key < to - 1e-6; key += GOP_SECONDS) {
      keys.push({ offset: 376, bytes: 188 * (1 + encode), pts: Math.round(key * 90_000) });
    }
    return {
      type: 'segment',
      session: sessionOf(rendition),
      index,
      path: '/spool/segment.ts',
      bytes: 188_000,
      crc32: 1,
      startPts: Math.round(from * 90_000),
      endPts: Math.round(to * 90_000),
      wallClock: new Date(BEGIN_MS + from * 1000 + wallOffMs).toISOString(),
      ended: 'cut',
      independent: true,
      keyPictures: keys,
      markers: [],
      ...(index === 0 && { discontinuity: 'start' as const }),
      ...rest,
    };
  }

  playlist(rendition: string): SeenPlaylist {
    return see(this.texts.get(`live/${rendition}.m3u8`)!);
  }

  /** The newest version as numbers, `D` for a discontinuity, `G` for a gap. */
  entries(rendition: string): string {
    const mark = ({ number, discontinuity, gap }: SeenPlaylist['entries'][number]): string =>
      `${number}${discontinuity ? 'D' : ''}${gap ? 'G' : ''}`;
    return this.playlist(rendition).entries.map(mark).join(' ');
  }

  /** Renditions that have published this many segments of 6 s. */
  static live(renditions: string[], segments: number, settings: Partial<ChannelSettings> = {}): Rig {
    const rig = new Rig([], settings);
    const names = [...new Set(renditions.map((who) => sourceOf(who)[0]))];
    for (const rendition of renditions) rig.connect(rendition, { renditions: names });
    for (let i = 0; i < segments; i++) rig.step(renditions, i);
    return rig;
  }

  /** The next segment of each of these, in this order. */
  step(renditions: string[], index: number, more: Announced = {}): void {
    this.to(6 * (index + 1));
    for (const rendition of renditions) this.segment(rendition, index, 6 * index, 6 * (index + 1), more);
  }
}
