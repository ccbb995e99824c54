/** Turns the successive texts of one media playlist into its history. */
import type { ObservedSegment, RenditionHistory, Violation } from './history.js';
import { durationOf, parseMediaPlaylist, type MediaPlaylist } from './media-playlist.js';
import { follow, type Fault, type SuccessionOptions } from './succession.js';
import { checkEntry, checkVersion, type VersionOptions } from './version-rules.js';

export type ObserverOptions = VersionOptions & Pick<SuccessionOptions, 'minimumSegments'>;

export interface Permissions {
  /** How many lives there may be beyond the first. */
  newLives: number;
  /** The store or the server is declared away, so the live edge may skip. */
  maySkip: boolean;
}

export class RenditionObserver {
  readonly history: RenditionHistory;
  private readonly seen = new Set<string>();
  /** Entries of the current version, in its order. */
  private listed: ObservedSegment[] = [];
  private life = 0;

  constructor(
    name: string,
    url: string,
    private readonly options: ObserverOptions,
    private readonly report: (violation: Violation) => void,
  ) {
    this.history = {
      name,
      url,
      firstAnswer: undefined,
      versions: [],
      segments: [],
      endedAt: [],
      seenAt: 0,
    };
  }

  /** A viewer sees no comments: versions that differ in them alone are one. */
  private static essence(text: string): string {
    return text.replace(/^#(?!EXT).*\r?\n/gm, '');
  }

  /** Takes what a poll brought; gives the entries that are new. */
  observe(text: string, at: number, permissions: Permissions): ObservedSegment[] {
    this.history.seenAt = at;
    const last = this.history.versions.at(-1);
    const essence = RenditionObserver.essence(text);
    if (last !== undefined && RenditionObserver.essence(last.text) === essence) return [];
    if (this.seen.has(essence)) {
      this.fault(at)({ rule: 4, message: 'an older version came after a newer one' });
      return [];
    }
    let playlist: MediaPlaylist;
    try {
      playlist = parseMediaPlaylist(text);
    } catch (error) {
      this.fault(at)({ rule: 4, message: `not a whole playlist: ${(error as Error).message}` });
      return [];
    }
    const reborn = last?.playlist.ended === true && this.life < permissions.newLives && !playlist.ended;
    if (reborn) this.beginLife(at);
    return this.adopt(text, playlist, at, reborn ? undefined : last?.playlist, permissions);
  }

  private beginLife(at: number): void {
    for (const segment of this.listed) segment.removedAt = at;
    this.listed = [];
    this.seen.clear();
    this.life += 1;
  }

  private adopt(
    text: string,
    playlist: MediaPlaylist,
    at: number,
    before: MediaPlaylist | undefined,
    { maySkip }: Permissions,
  ): ObservedSegment[] {
    const { minimumSegments } = this.options;
    const succession = before && follow(before, playlist, { maySkip, minimumSegments });
    succession?.faults.forEach(this.fault(at));
    if (succession?.stale === true) return [];
    this.seen.add(RenditionObserver.essence(text));
    // What was said of the version before is not said again of this one.
    const known = new Set(before ? checkVersion(before, this.options).map(({ message }) => message) : []);
    checkVersion(playlist, this.options)
      .filter(({ message }) => !known.has(message))
      .forEach(this.fault(at));

    const removed = this.listed.splice(0, succession?.removed ?? 0);
    for (const segment of removed) segment.removedAt = at;
    const fresh = playlist.segments.slice(succession?.firstNew ?? 0);
    const added = fresh.map((_, i) => this.append(playlist, playlist.segments.length - fresh.length + i, at));
    const seconds = durationOf(playlist);
    for (const segment of this.listed) segment.longestListing = Math.max(segment.longestListing, seconds);
    this.history.versions.push({ at, life: this.life, text, playlist, appended: added.length });
    if (playlist.ended && before?.ended !== true) this.history.endedAt[this.life] = at;
    return added;
  }

  private append(playlist: MediaPlaylist, index: number, at: number): ObservedSegment {
    const entry = playlist.segments[index];
    if (entry === undefined) throw new RangeError(`no entry ${index}`);
    const number = playlist.mediaSequence + index;
    const before = this.listed.at(-1);
    checkEntry(entry, number, playlist.targetDuration, before).forEach(this.fault(at));
    const counted = before?.dateMs === undefined ? undefined : before.dateMs + before.durationSeconds * 1000;
    const tags = playlist.segments.slice(0, index + 1).filter((segment) => segment.discontinuity).length;
    const segment: ObservedSegment = {
      rendition: this.history.name,
      life: this.life,
      number,
      discontinuitySequence: (playlist.discontinuitySequence ?? 0) + tags,
      uri: entry.uri,
      url: new URL(entry.uri, this.history.url).href,
      durationSeconds: entry.durationSeconds,
      discontinuity: entry.discontinuity,
      gap: entry.gap,
      key: entry.key && { ...entry.key, uri: new URL(entry.key.uri, this.history.url).href },
      dateMs: entry.dateMs ?? (entry.discontinuity ? undefined : counted),
      listedAt: at,
      removedAt: undefined,
      longestListing: 0,
      fetch: undefined,
      facts: undefined,
      file: undefined,
      probes: [],
    };
    this.listed.push(segment);
    this.history.segments.push(segment);
    return segment;
  }

  private fault(at: number): (fault: Fault) => void {
    return ({ rule, message }) => this.report({ rule, rendition: this.history.name, message, at });
  }
}
