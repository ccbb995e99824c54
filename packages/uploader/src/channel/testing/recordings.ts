import type { StoredObjects } from './audience.js';
import { faultsAcross, faultsBetween, faultsOf, see, type SeenPlaylist } from './viewer.js';

interface Kept {
  rendition: string;
  wallMs: number;
  seconds: number;
  at: number;
}

/** What viewers of the dvr, event and VOD playlists see, against what the live ones have ever listed. */
export class Recordings {
  /** By live playlist and number. */
  readonly #listed = new Map<string, string>();

  /** Accepted, whole, and not dropped for what it is: by session and index. */
  readonly #kept = new Map<string, Kept>();

  /** When it was decided that a gap stands there, by rendition and number. */
  readonly #decided = new Map<string, number>();

  constructor(private readonly store: StoredObjects) {}

  keep(id: string, kept: Kept): void {
    if (!this.#kept.has(id)) this.#kept.set(id, kept);
  }

  forget(id: string): void {
    this.#kept.delete(id);
  }

  /** Dropped for another reason than that the live playlist has skipped it. */
  dropped(id: string, code: string): void {
    if (code !== 'backlog') this.forget(id);
  }

  /** The operator has been told of segments that are not waited for. */
  gaveUp(rendition: string): void {
    for (const [id, kept] of this.#kept) if (kept.rendition === rendition) this.forget(id);
  }

  gapDecided(rendition: string, number: number, at: number): void {
    const id = `${rendition} ${number}`;
    if (!this.#decided.has(id)) this.#decided.set(id, at);
  }

  decidedAt(rendition: string, number: number): number {
    return this.#decided.get(`${rendition} ${number}`) ?? Infinity;
  }

  /** What no playlist has is decided anew. */
  restarted(): void {
    this.#decided.clear();
  }

  /** Another uploader, that knows nothing of what has been accepted. */
  emptied(): void {
    this.#kept.clear();
  }

  /** A live version was stored. */
  listed(key: string, { entries }: SeenPlaylist): void {
    for (const entry of entries) this.#listed.set(`${key} ${entry.number}`, JSON.stringify(entry));
  }

  faultsOf(key: string, now: SeenPlaylist, before: SeenPlaylist | undefined): string[] {
    const [, live, view] = /^(.*?)(?:-\d{8}T\d{6}Z)?-(dvr|event|vod)\.m3u8$/.exec(key)!;
    const faults = [...faultsOf(now), ...this.missing(`${live}.m3u8`, now)];
    const type = { dvr: undefined, event: 'EVENT', vod: 'VOD' }[view!];
    if (now.type !== type) faults.push(`rule 12: EXT-X-PLAYLIST-TYPE is ${now.type}`);
    const text = this.store.texts.get(`${live}.m3u8`);
    const liveNow = text === undefined ? undefined : see(text);
    if (view === 'vod') return [...faults, ...faultsOfVod(now, before)];
    if (!liveNow) return [...faults, 'a recording of what is not published'];
    if (before) faults.push(...faultsBetween(before, now));
    faults.push(...this.needless(`${live}.m3u8`, now, before));
    if (view === 'event' && !before) faults.push(...this.openedLate(live!.slice('live/'.length), now));
    faults.push(...faultsAcross(now, liveNow));
    const [first] = liveNow.entries;
    if (now.mediaSequence > first!.number && view === 'dvr')
      faults.push('the live playlist goes further back');
    const isNewLife = before?.endList === true && !now.endList;
    if (view === 'event' && before && !isNewLife && now.mediaSequence !== before.mediaSequence)
      faults.push('rule 12: an event playlist has lost its first entries');
    if (view === 'event' && now.endList && !this.hasVod(live!, now))
      faults.push('closed, and its VOD is not there');
    return faults;
  }

  /** Of what it lists: bytes that are not there, and what the live playlist has listed otherwise. */
  private missing(live: string, { entries }: SeenPlaylist): string[] {
    return entries.flatMap((entry) => {
      const listed = this.#listed.get(`${live} ${entry.number}`);
      const faults: string[] = [];
      if (!entry.gap && !this.store.segments.has(`live/${entry.uri}`))
        faults.push(`rule 3: ${entry.uri} is not there`);
      if (listed !== undefined && listed !== JSON.stringify(entry))
        faults.push(`rule 4: ${entry.number} is ${JSON.stringify(entry)}, live it was ${listed}`);
      return faults;
    });
  }

  /** A gap for what had been accepted before that was decided, and the live playlist has none there: it was skipped, and is to be caught up with. */
  private needless(live: string, { entries }: SeenPlaylist, before: SeenPlaylist | undefined): string[] {
    const known = before?.entries.at(-1)?.number ?? -1;
    const rendition = live.slice('live/'.length, -'.m3u8'.length);
    return entries.flatMap(({ number, gap, dateMs, seconds }) => {
      if (!gap || number <= known || this.#listed.has(`${live} ${number}`)) return [];
      const decidedAt = this.decidedAt(rendition, number);
      const had = [...this.#kept.values()].some(
        (one) =>
          one.rendition === rendition &&
          one.at < decidedAt &&
          Math.abs(one.wallMs - dateMs) < 500 &&
          Math.abs(one.seconds - seconds) < 0.5,
      );
      return had ? [`rule 6 of DESIGN.md: gap ${number} stands for a segment that was accepted`] : [];
    });
  }

  /** Nothing that was accepted stands before the first entry of all: an outage at the beginning is caught up with, too. */
  private openedLate(rendition: string, { entries }: SeenPlaylist): string[] {
    const [first] = entries;
    const missing = [...this.#kept].filter(
      ([, one]) => one.rendition === rendition && one.wallMs < first!.dateMs - 500,
    );
    return missing.map(
      ([id]) => `rule 6 of DESIGN.md: ${id} was accepted, and the event playlist begins behind it`,
    );
  }

  private hasVod(live: string, event: SeenPlaylist): boolean {
    return [...this.store.texts].some(([key, text]) => {
      if (!key.startsWith(`${live}-`) || !key.endsWith('-vod.m3u8')) return false;
      return JSON.stringify(see(text).entries) === JSON.stringify(event.entries);
    });
  }
}

function faultsOfVod(now: SeenPlaylist, before: SeenPlaylist | undefined): string[] {
  const faults = now.endList ? [] : ['rule 18: VOD without ENDLIST'];
  if (before && JSON.stringify(before) !== JSON.stringify(now)) faults.push('rule 12: VOD has changed');
  return faults;
}
