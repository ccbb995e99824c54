import type { StoredObjects } from './audience.js';
import { faultsAcross, faultsBetween, faultsOf, see, type SeenPlaylist } from './viewer.js';

/** What viewers of the dvr, event and VOD playlists see, against what the live ones have ever listed. */
export class Recordings {
  /** By live playlist and number. */
  readonly #listed = new Map<string, string>();

  constructor(private readonly store: StoredObjects) {}

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
