import type { Facts } from './facts.js';
import type { Fact } from './feed.js';
import { checkEntries, read, type ShortEntry, type ShortPlaylist } from './playlist.js';
import type { Line, View } from './view.js';

/** What is known of a short sequence beside its recordings. */
interface Known {
  view(rendition: string): View;
  readonly lines: ReadonlyMap<number, Line>;
  readonly facts: Facts;
  readonly isThere: (uri: string) => boolean;
  fault(where: string, fault: string): void;
}

const KEY = /^live\/(.*?)(?:-\d{8}T\d{6}Z)?-(dvr|event|vod)\.m3u8$/;
const TYPES: Record<string, string[]> = {
  dvr: [],
  event: ['#EXT-X-PLAYLIST-TYPE:EVENT'],
  vod: ['#EXT-X-PLAYLIST-TYPE:VOD'],
};

/** What viewers of the dvr, event and VOD playlists see, against what the live ones have listed. */
export class Recorded {
  readonly seen = { recordings: 0, vods: 0 };
  readonly #stored = new Map<string, ShortPlaylist>();
  /** What had its final answer without being listed: nobody has it any more. */
  readonly #forgotten = new Set<string>();

  constructor(private readonly known: Known) {}

  forget({ id }: Fact): void {
    this.#forgotten.add(id);
  }

  names(uri: string): boolean {
    return [...this.#stored.values()].some(({ entries }) => entries.some((entry) => entry.uri === uri));
  }

  /** A version is in the store. */
  stored(key: string, text: string, at: number): void {
    const [, rendition = '', kind = ''] = KEY.exec(key)!;
    this.seen[kind === 'vod' ? 'vods' : 'recordings']++;
    const fault = (what: string): void => this.known.fault(key, what);
    const before = this.#stored.get(key);
    const now = read(text, before, at);
    if (now.version !== 8) fault(`rule 13: VERSION ${now.version}`);
    if (String(now.strange) !== String(TYPES[kind])) fault(`rule 12: ${now.strange.join(' ')}`);
    if (before) follows(before, now, kind, fault);
    const known = before?.entries.at(-1)?.number ?? -1;
    checkEntries(now, { isThere: this.known.isThere, fault }, (entry, sequence) => {
      if (entry.number > known) this.#fresh(rendition, entry, sequence, fault);
    });
    if (kind === 'event' && now.endList && !this.#hasVod(rendition, now))
      fault('closed, and its VOD is not there');
    this.#stored.set(key, now);
  }

  /** An entry that no version before listed. */
  #fresh(rendition: string, entry: ShortEntry, sequence: number, fault: (what: string) => void): void {
    const { number, gap } = entry;
    const view = this.known.view(rendition);
    const live = view.entries.findLast((one) => one.number === number);
    const line = this.known.lines.get(number);
    if (live && live.text !== entry.text)
      fault(`rule 4: ${number} is\n${entry.text}live it was\n${live.text}`);
    if (line && (line.discontinuity !== entry.discontinuity || line.sequence !== sequence))
      fault(`rule 20: discontinuity of ${number}: ${sequence}, not ${line.sequence}`);
    if (!gap && this.known.facts.in(entry)?.rendition !== rendition)
      fault(`${entry.uri} is of another rendition`);
    if (!gap || live || line?.slot === undefined) return;
    const decidedAt = view.gaps.get(number) ?? Infinity;
    const had = view.facts.find(
      ({ id, slot, whole, lost, acceptedAt }) =>
        slot === line.slot &&
        whole &&
        !lost &&
        (acceptedAt ?? Infinity) < decidedAt &&
        !this.#forgotten.has(id),
    );
    if (had) fault(`rule 6 of DESIGN.md: the gap ${number} stands for a segment that was accepted`);
  }

  #hasVod(rendition: string, event: ShortPlaylist): boolean {
    return [...this.#stored].some(
      ([key, { entries }]) =>
        key.startsWith(`live/${rendition}-`) &&
        key.endsWith('-vod.m3u8') &&
        String(entries.map(({ text }) => text)) === String(event.entries.map(({ text }) => text)),
    );
  }

  /** All is well: recordings list last what the live playlist does, unless they are as long as they may be. */
  expectEdge(rendition: string, number: number, ends: boolean): void {
    for (const [key, { entries, endList }] of this.#stored) {
      const [, of, kind] = KEY.exec(key)!;
      if (of !== rendition || kind === 'vod') continue;
      const isFull = kind === 'event' && endList;
      const last = entries.at(-1)!.number;
      if (last !== number && !isFull)
        this.known.fault(key, `rule 6 of DESIGN.md: ends with ${last}, not ${number}`);
      if (ends && !endList) this.known.fault(key, 'rule 18: no ENDLIST');
    }
  }
}

/** What may change from one version to the next; a new life has a window of its own, as has a dvr playlist that would be nothing but gaps. */
function follows(
  before: ShortPlaylist,
  now: ShortPlaylist,
  kind: string,
  fault: (what: string) => void,
): void {
  const last = before.entries.at(-1)!.number;
  if (now.mediaSequence > last) return;
  if (before.endList && now.entries.at(-1)!.number !== last) fault('rule 18: changed after ENDLIST');
  if (now.targetDuration !== before.targetDuration) fault('rule 2: TARGETDURATION changed');
  if (now.mediaSequence < before.mediaSequence) fault('rule 8: MEDIA-SEQUENCE went down');
  const removed = now.mediaSequence - before.mediaSequence;
  if (kind !== 'dvr' && removed > 0) fault('rule 12: it has lost its first entries');
  before.entries.slice(removed).forEach((old, i) => {
    if (now.entries[i]?.text !== old.text) fault(`rule 4: entry ${old.number} changed`);
  });
  const seconds = now.entries.reduce((sum, entry) => sum + entry.seconds, 0);
  if (removed > 0 && seconds < 3 * now.targetDuration) fault(`rule 9: only ${seconds} s left`);
}
