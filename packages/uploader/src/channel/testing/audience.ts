import type { Announcement, SegmentId } from '@hls-uplink/protocol';
import type { Effect } from '../event.js';
import { Multivariants } from './multivariants.js';
import { Recordings } from './recordings.js';
import type { WorldOptions } from './scene.js';
import {
  faultsAcross,
  faultsBetween,
  faultsOf,
  partialAmong,
  see,
  type SeenEntry,
  type SeenPlaylist,
} from './viewer.js';

const WRAP = 2 ** 33;
const WINDOW = 6;
const SEGMENT_BYTES = 100_000;

/** What the stores hold: keys of segments and what each is encrypted by, texts of playlists, keys to decrypt with. */
export interface StoredObjects {
  segments: Map<string, string | undefined>;
  keys: Set<string>;
  texts: Map<string, string>;
}

/** All viewers of a channel and its operator: what they see of each version, and every rule that it breaks. */
export class Audience {
  readonly faults: string[] = [];
  readonly versions = new Map<string, SeenPlaylist[]>();
  /** Of each version of the multivariant playlist. */
  readonly variants: string[][] = [];
  /** When the first media playlist was published. */
  startedAt: number | undefined;
  /** How often what was seen. */
  readonly seen = {
    gaps: 0,
    discontinuities: 0,
    newLives: 0,
    deletions: 0,
    withdrawn: 0,
    skips: 0,
    pictures: 0,
    encrypted: 0,
    clearAgain: 0,
    switches: 0,
    recorded: 0,
    vods: 0,
    caughtUp: 0,
    givenUp: 0,
  };
  readonly multivariants: Multivariants;
  readonly #recordings: Recordings;
  /** Announcements of `end` so far. */
  ends = 0;
  /** Keys of the segments that this uploader puts and has not answered, by session and index. */
  readonly #putting = new Map<string, string>();
  /** Segments that no player can begin with, by session and index. */
  readonly #dependent = new Set<string>();
  /** Whose bytes a segment's key stands for. */
  readonly #meanings = new Map<string, string>();
  /** What has been listed: until when, for how long at most, and in how long a playlist, seconds. */
  readonly #shown = new Map<
    string,
    { seconds: number; longest: number; listedIn: Set<string>; removedAt?: number }
  >();
  /** Since when the store takes writes, the uploader runs and sources deliver; when each rendition was published and connected last. */
  #healthySince = 0;
  #deliveredAt = 0;
  readonly #movedAt = new Map<string, number>();
  /** When a gap was first in a playlist to be put. */
  readonly #decided = new Map<string, number>();
  readonly #accepted = new Map<
    string,
    { rendition: string; wallMs: number; seconds: number; whole: boolean; at: number }
  >();

  constructor(
    private readonly renditions: readonly string[],
    private readonly targetSeconds: number,
    private readonly store: StoredObjects,
    private readonly now: () => number,
    /** Renditions have nothing in common but dates and discontinuity sequence (HLS-RULES 20). */
    private readonly ownClocks = false,
    /** The rendition that has two sources, and whether they are the same encode. */
    private readonly spare?: WorldOptions['spare'],
  ) {
    this.multivariants = new Multivariants(store);
    this.#recordings = new Recordings(store);
  }

  connected(rendition: string): void {
    this.#movedAt.set(rendition, this.now());
  }

  /** What is lost is counted anew from here. */
  healthy(): void {
    this.#healthySince = this.now();
  }

  /** Another uploader, with what its forerunner had accepted or without. */
  restarted(journal: 'kept' | 'empty'): void {
    this.healthy();
    this.#putting.clear();
    if (journal === 'empty') this.#accepted.clear();
    this.#recordings.restarted();
    if (journal === 'empty') this.#recordings.emptied();
  }

  accepted(rendition: string, announcement: Announcement): void {
    // After a time without any delivery the deadlines count anew, as after the store's.
    if (this.now() - this.#deliveredAt > 1500 * this.targetSeconds) this.healthy();
    this.#deliveredAt = this.now();
    const id = `${announcement.session}/${announcement.index}`;
    if (announcement.type !== 'segment' || this.#accepted.has(id)) return;
    if (!announcement.independent) this.#dependent.add(id);
    const { wallClock, startPts, endPts, ended, discontinuity } = announcement;
    const accepted = {
      rendition,
      wallMs: Date.parse(wallClock),
      seconds: ((endPts - startPts + WRAP) % WRAP) / 90_000,
      whole: ended === 'cut' && discontinuity === undefined,
      at: this.now(),
    };
    this.#accepted.set(id, accepted);
    // What one source has is no help where the other is published.
    if (accepted.whole && rendition !== this.spare?.of) this.#recordings.keep(id, accepted);
  }

  /** The operator has been told that a gap stands for what is lost. */
  gapDecided(rendition: string, number: number): void {
    this.#recordings.gapDecided(rendition, number, this.now());
  }

  /** Of what recordings wait for the operator is told that they go on without it. */
  gaveUp(rendition: string): void {
    this.seen.givenUp++;
    this.#recordings.gaveUp(rendition);
  }

  /** Its file is gone. */
  lost({ session, index }: SegmentId): void {
    this.#accepted.delete(`${session}/${index}`);
    this.#recordings.forget(`${session}/${index}`);
  }

  /** A version is on its way. */
  decided(key: string, text: string): void {
    for (const { gap, number } of see(text).entries) {
      const id = `${key} ${number}`;
      if (gap && !this.#decided.has(id)) this.#decided.set(id, this.now());
    }
  }

  /** A playlist was stored. */
  published(key: string, text: string): void {
    this.store.texts.set(key, text);
    if (/\/index[^/]*$/.test(key)) return this.publishVariants(key, text);
    if (/-(dvr|event|vod)\.m3u8$/.test(key)) return this.publishRecording(key, text);
    if (key.endsWith('-iframes.m3u8')) return this.publishIFrames(key, text);
    const now = see(text);
    const versions = this.versions.get(key) ?? [];
    this.versions.set(key, versions);
    const before = versions.at(-1);
    const faults = [...faultsOf(now), ...(before ? faultsBetween(before, now) : [])];
    const listed = new Set(before?.entries.map((entry) => entry.number));
    for (const entry of now.entries) {
      if (!entry.gap && !this.store.segments.has(`live/${entry.uri}`))
        faults.push(`rule 3: ${entry.uri} is not there`);
      if (!entry.gap) faults.push(...this.undecryptable(entry));
      if (listed.has(entry.number)) continue;
      if (entry.gap) {
        this.seen.gaps++;
        if (!this.ownClocks) faults.push(...this.needless(key, entry));
      } else faults.push(...this.misdated(entry));
      if (entry.discontinuity) this.seen.discontinuities++;
    }
    for (const other of this.renditions) {
      const text = this.store.texts.get(`live/${other}.m3u8`);
      if (text === undefined || key === `live/${other}.m3u8` || this.ownClocks) continue;
      faults.push(...faultsAcross(now, see(text)));
      // What a rendition begins with may be partial.
      const fresh = before && !before.endList ? now.entries.filter(({ number }) => !listed.has(number)) : [];
      faults.push(...partialAmong(fresh, see(text)));
    }
    faults.push(...this.dependentAmong(now));
    if (before?.independent && !now.independent) this.seen.withdrawn++;
    if (
      now.entries.some(
        ({ key, gap }, i) => !gap && key === undefined && now.entries[i - 1]?.key !== undefined,
      )
    )
      this.seen.clearAgain++;
    if (before?.endList && !now.endList) this.seen.newLives++;
    else if (before && now.mediaSequence > before.entries.at(-1)!.number + 1) {
      this.seen.skips++;
      if (!this.ownClocks) faults.push(...this.needlessSkip(before, now));
    }
    faults.push(...this.switched(now, listed));
    versions.push(now);
    this.startedAt ??= this.now();
    const endings = versions.filter(({ endList }, i) => endList && !versions[i - 1]?.endList).length;
    if (endings > this.ends) faults.push('rule 18: ENDLIST, and no source has ended');
    this.show(key, now, before);
    this.#recordings.listed(key, now);
    faults.push(...this.leftBehind(key, now));
    for (const fault of faults) this.fault(key, fault);
  }

  /** What players decrypt it by is what it was encrypted by, and they can have the key. */
  private undecryptable({ uri, key }: SeenEntry): string[] {
    const by = this.store.segments.get(`live/${uri}`);
    if (key !== by) return [`${uri} is encrypted by ${by}, and the playlist says ${key}`];
    if (key === undefined) return [];
    this.seen.encrypted++;
    const [keyUri = ''] = key.split(' ');
    return this.store.keys.has(keyUri) ? [] : [`rule 3: the key of ${uri} is not there`];
  }

  /** A segment is stored (again). */
  stored(key: string, encryption: string | undefined): void {
    const before = this.store.segments.get(key);
    const isListed = [...this.store.texts.values()].some((text) =>
      text.includes(`\n${key.slice('live/'.length)}\n`),
    );
    if (isListed && before !== encryption)
      this.fault(key, 'rule 3 of DESIGN.md: listed, and its bytes change');
    this.store.segments.set(key, encryption);
  }

  private publishRecording(key: string, text: string): void {
    const now = see(text);
    const versions = this.versions.get(key) ?? [];
    this.versions.set(key, versions);
    const before = versions.at(-1);
    const faults = this.#recordings.faultsOf(key, now, before);
    faults.push(...this.dependentAmong(now));
    this.seen[key.endsWith('-vod.m3u8') ? 'vods' : 'recorded']++;
    versions.push(now);
    this.show(key, now, before);
    for (const fault of faults) this.fault(key, fault);
  }

  private dependentAmong({ independent, entries }: SeenPlaylist): string[] {
    const dependent = entries.find(({ uri }) => this.#dependent.has(this.#meanings.get(`live/${uri}`) ?? ''));
    return independent && dependent ? [`rule 16: ${dependent.number} is not independent`] : [];
  }

  /** It changes as a media playlist does, and shows all of each segment that the media playlist lists. */
  private publishIFrames(key: string, text: string): void {
    const now = see(text);
    const versions = this.versions.get(key) ?? [];
    this.versions.set(key, versions);
    const before = versions.at(-1);
    const faults = [...faultsOf(now), ...(before ? faultsBetween(before, now) : [])];
    if (!text.includes('\n#EXT-X-I-FRAMES-ONLY\n')) faults.push('no EXT-X-I-FRAMES-ONLY');
    const ranges = [...text.matchAll(/^#EXT-X-BYTERANGE:(\d+)@(\d+)\n(.*)$/gm)];
    if (ranges.length !== now.entries.filter(({ gap }) => !gap).length)
      faults.push('a picture without range');
    for (const [, length, offset, uri] of ranges) {
      if (this.store.segments.get(`live/${uri}`) !== undefined) faults.push(`rule 21: ${uri} is encrypted`);
      if (!this.store.segments.has(`live/${uri}`)) faults.push(`rule 3: ${uri} is not there`);
      if (Number(offset) < 376 || Number(offset) + Number(length) > SEGMENT_BYTES)
        faults.push(`a range of ${length}@${offset} in a segment of ${SEGMENT_BYTES} bytes`);
    }
    const live = this.versions.get(key.replace('-iframes', ''))?.at(-1);
    for (const { uri, seconds, gap, key: encrypted } of live?.entries ?? []) {
      const shown = now.entries.filter((entry) => entry.uri === uri);
      const sum = shown.reduce((all, entry) => all + entry.seconds, 0);
      if (shown.length > 0 && Math.abs(sum - seconds) > 0.01) faults.push(`${uri}: ${sum} of ${seconds} s`);
      if (!gap && encrypted === undefined && shown.length > 0 && shown.every((entry) => entry.gap))
        faults.push(`${uri} has no picture`);
    }
    this.seen.pictures += ranges.length;
    versions.push(now);
    for (const fault of faults) this.fault(key, fault);
  }

  /** Variants that are there, and none missing that a viewer has already seen (HLS-RULES 19). */
  private publishVariants(key: string, text: string): void {
    const variants = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    if (key.endsWith('/index.m3u8')) this.variants.push(variants);
    for (const fault of this.multivariants.faultsOf(key, text, this.seen.newLives)) this.fault(key, fault);
    // What is not offered any more nobody plays; when it is offered again it begins anew.
    for (const other of this.store.texts.keys()) {
      if (!other.endsWith('-iframes.m3u8') || text.includes(other.slice('live/'.length))) continue;
      this.store.texts.delete(other);
      this.versions.delete(other);
    }
  }

  /** A key means these bytes only (DESIGN.md, rule 3). */
  putting(key: string, { session, index }: SegmentId): void {
    this.#putting.set(`${session}/${index}`, key);
    const meaning = this.#meanings.get(key) ?? `${session}/${index}`;
    this.#meanings.set(key, meaning);
    if (meaning !== `${session}/${index}`)
      this.fault(key, 'rule 3 of DESIGN.md: the key stands for two segments');
  }

  /** `published` means that viewers can have it (DESIGN.md, "What crosses the socket"). */
  answered({ session, index }: SegmentId, answer: Extract<Effect, { type: 'answer' }>['answer']): void {
    const id = `${session}/${index}`;
    // The skip may be forgotten with the uploader that decided it; then a gap stands for what it had dropped.
    if (answer.type === 'dropped' && answer.code === 'backlog') this.#accepted.delete(id);
    if (answer.type === 'dropped') this.#recordings.dropped(id, answer.code);
    const key = this.#putting.get(id);
    this.#putting.delete(id);
    if (key !== undefined && answer.type === 'published' && !this.#shown.has(key.slice('live/'.length)))
      this.fault(key, 'rule 7 of DESIGN.md: answered as published, and no playlist has listed it');
  }

  private show(key: string, now: SeenPlaylist, before: SeenPlaylist | undefined): void {
    const listed = new Set(now.entries.map(({ uri }) => uri));
    for (const { uri } of before?.entries ?? []) {
      const shown = this.#shown.get(uri);
      if (!shown || listed.has(uri) || !shown.listedIn.delete(key)) continue;
      if (shown.listedIn.size === 0) shown.removedAt = this.now();
    }
    const total = now.entries.reduce((sum, { seconds }) => sum + seconds, 0);
    for (const { uri, seconds, gap } of now.entries) {
      if (gap) continue;
      const { longest = 0, listedIn = new Set<string>() } = this.#shown.get(uri) ?? {};
      this.#shown.set(uri, { seconds, longest: Math.max(total, longest), listedIn: listedIn.add(key) });
    }
  }

  /** Another source than before: of another encode that takes a discontinuity (HLS-RULES 7). */
  private switched({ entries }: SeenPlaylist, listed: ReadonlySet<number>): string[] {
    const isSpares = ({ uri }: SeenEntry): boolean => /-b[0-9a-f]{31}-\d+\.ts$/.test(uri);
    return entries.flatMap((entry, i) => {
      const before = entries.findLastIndex((one, j) => j < i && !one.gap);
      if (listed.has(entry.number) || entry.gap || before === -1) return [];
      if (isSpares(entry) === isSpares(entries[before]!)) return [];
      this.seen.switches++;
      const isTagged = entries.slice(before + 1, i + 1).some(({ discontinuity }) => discontinuity);
      return this.spare?.encode === 'other' && !isTagged ? [`rule 7: ${entry.number} is another encode`] : [];
    });
  }

  /** What two windows hold is caught up with in order, unless nobody knows any more what was there. */
  private needlessSkip(before: SeenPlaylist, now: SeenPlaylist): string[] {
    const next = before.entries.at(-1)!.number + 1;
    const skipped = now.mediaSequence - next;
    const isKnown = this.renditions.some((name) =>
      this.versions
        .get(`live/${name}.m3u8`)
        ?.at(-1)
        ?.entries.some(({ number }) => number === next),
    );
    return skipped < WINDOW && isKnown ? [`rule 6: skips ${skipped} entries only`] : [];
  }

  /** What left stays for its duration and that of the longest playlist that listed it (HLS-RULES 10). */
  removed(key: string): void {
    this.seen.deletions++;
    this.store.segments.delete(key);
    for (const [playlist, text] of this.store.texts)
      if (text.includes(`\n${key.slice('live/'.length)}\n`))
        this.fault(playlist, `rule 3: ${key} is deleted`);
      else if (text.includes(`URI="${key.slice('live/'.length)}"`))
        this.fault(playlist, `rule 19: ${key} is deleted while it is offered`);
    const shown = this.#shown.get(key.slice('live/'.length));
    if (!shown) return;
    const { removedAt = Infinity, seconds, longest } = shown;
    const early = removedAt + (seconds + longest) * 1000 - this.now();
    if (early > 1) this.fault(key, `rule 10: deleted ${early.toFixed(0)} ms before it may go`);
  }

  /** Other live edges that stand still while this one moves (HLS-RULES 6, 20). */
  private leftBehind(key: string, now: SeenPlaylist): string[] {
    this.#movedAt.set(key.slice('live/'.length, -'.m3u8'.length), this.now());
    const before = this.versions.get(key)?.at(-2);
    if (now.endList || !before || this.ownClocks) return [];
    return this.renditions.flatMap((name) => {
      const other = this.versions.get(`live/${name}.m3u8`)?.at(-1);
      if (!other || other.endList) return [];
      // What this version adds, the others could not follow before.
      const behind = before.entries.at(-1)!.number - other.entries.at(-1)!.number;
      const still = this.now() - Math.max(this.#movedAt.get(name) ?? 0, this.#healthySince);
      if (behind < 2 || still <= 3000 * now.targetDuration) return [];
      return [`rule 6: ${name} is ${behind} entries behind and has not moved for ${still} ms`];
    });
  }

  fault(key: string, fault: string): void {
    this.faults.push(`${key} at ${this.now() - 1_700_000_000_000}: ${fault}`);
  }

  /** A gap for what had been accepted before it was decided is a defect (DESIGN.md, rule 6). */
  private needless(key: string, { number, dateMs, seconds }: SeenEntry): string[] {
    const rendition = key.slice('live/'.length, -'.m3u8'.length);
    // What one source has is no help where the other is published, unless the two have shown to be the same encode.
    if (rendition === this.spare?.of) return [];
    const had = [...this.#accepted.values()].find(
      (one) =>
        one.rendition === rendition &&
        one.whole &&
        Math.abs(one.wallMs - dateMs) < 500 &&
        Math.abs(one.seconds - seconds) < 0.5,
    );
    const putAt = this.#decided.get(`${key} ${number}`) ?? this.now();
    const decidedAt = Math.min(putAt, this.#recordings.decidedAt(rendition, number));
    if (!had || decidedAt <= had.at) return [];
    return [
      `rule 6 of DESIGN.md: a gap of ${seconds} s stands for a segment accepted ${decidedAt - had.at} ms before`,
    ];
  }

  /** Its date is that of its pictures, but for what clocks can't be told apart by (HLS-RULES 14). */
  private misdated({ uri, dateMs }: SeenEntry): string[] {
    const accepted = this.ownClocks && this.#accepted.get(this.#meanings.get(`live/${uri}`) ?? '');
    if (!accepted) return [];
    const off = dateMs - accepted.wallMs;
    return Math.abs(off) > 1500 * this.targetSeconds ? [`rule 14: ${uri} is dated ${off} ms off`] : [];
  }

  /** The newest stored version of a rendition. */
  playlist(rendition: string): SeenPlaylist {
    const text = this.store.texts.get(`live/${rendition}.m3u8`);
    if (text === undefined) throw new Error(`nothing published for ${rendition}`);
    return see(text);
  }
}
