import { parseDateRange, renderDateRange, type DateRange } from './date-range.js';
import { formatExtinf, parseExtinf } from './extinf.js';
import { parseKey, renderKey, type Key } from './key.js';
import {
  commentLine,
  decimalInteger,
  DEFAULT_MAX_ENTRIES,
  excerpt,
  headLines,
  linesOf,
  writableUri,
  type Line,
  type ParseLimits,
} from './lines.js';
import type { MediaSegment } from './media-segment.js';
import { PlaylistError } from './playlist-error.js';
import type { MediaPlaylist } from './playlist.js';
import { formatStart, parseStart } from './start.js';
import { deriveProgramDateTimes, formatProgramDateTime, parseProgramDateTime } from './program-date-time.js';

/** The playlist as text (RFC 8216 §4.3.2, §4.3.3); ends in a newline. */
export function renderMediaPlaylist(playlist: MediaPlaylist): string {
  return joinMediaPlaylist(playlist, playlist.segments.map(renderMediaSegment));
}

/**
 * As `renderMediaPlaylist`, of segments that are text already: each of `texts` is one or more of them, joined by newlines.
 * @param dateRanges stand before all segments, whichever they belong to
 */
export function joinMediaPlaylist(
  head: Omit<MediaPlaylist, 'segments'>,
  texts: readonly string[],
  dateRanges: readonly DateRange[] = [],
): string {
  return [
    ...headLines(head),
    ...(head.playlistType ? [`#EXT-X-PLAYLIST-TYPE:${head.playlistType}`] : []),
    ...(head.independentSegments ? ['#EXT-X-INDEPENDENT-SEGMENTS'] : []),
    ...(head.startOffset === undefined ? [] : [formatStart(head.startOffset)]),
    ...head.comments.map(commentLine),
    ...dateRanges.map(renderDateRange),
    ...texts,
    ...(head.endList ? ['#EXT-X-ENDLIST'] : []),
    '',
  ].join('\n');
}

/** One entry, without a newline at its end. The same entry always gives the same text. */
export function renderMediaSegment(segment: MediaSegment): string {
  const tags =
    (segment.discontinuity ? '#EXT-X-DISCONTINUITY\n' : '') +
    (segment.key ? `${renderKey(segment.key)}\n` : '') +
    (segment.programDateTimeMs === undefined
      ? ''
      : `#EXT-X-PROGRAM-DATE-TIME:${formatProgramDateTime(segment.programDateTimeMs)}\n`) +
    (segment.gap ? '#EXT-X-GAP\n' : '') +
    (segment.dateRanges ?? []).map((range) => `${renderDateRange(range)}\n`).join('');
  return `${tags}#EXTINF:${formatExtinf(segment.duration90k)},\n${writableUri(segment.uri)}`;
}

/** Tags that change what is fetched or how it is decoded: ignored, the entry would mean something else. */
const UNSUPPORTED = new Set([
  'EXT-X-BYTERANGE',
  'EXT-X-MAP',
  'EXT-X-I-FRAMES-ONLY',
  'EXT-X-SKIP',
  'EXT-X-DEFINE',
]);

const MULTIVARIANT = new Set([
  'EXT-X-STREAM-INF',
  'EXT-X-I-FRAME-STREAM-INF',
  'EXT-X-MEDIA',
  'EXT-X-SESSION-DATA',
  'EXT-X-SESSION-KEY',
]);

/**
 * The playlist that a text is: strict in what it must have, but unknown tags are ignored, and dates that other tools
 * state only now and then are derived for every entry. Of the comments those before the first entry are kept.
 * @throws PlaylistError whatever the text, nothing else
 */
export function parseMediaPlaylist(text: string, limits: ParseLimits = {}): MediaPlaylist {
  const parser = new MediaPlaylistParser(limits.maxEntries ?? DEFAULT_MAX_ENTRIES);
  let last = 1;
  for (const line of linesOf(text, limits)) {
    parser.take(line);
    last = line.number;
  }
  return parser.finish(last);
}

class MediaPlaylistParser {
  readonly #seen = new Set<string>();
  readonly #comments: string[] = [];
  readonly #segments: MediaSegment[] = [];
  #version = 1;
  #targetDuration: number | undefined;
  #mediaSequence = 0;
  #discontinuitySequence = 0;
  #playlistType: MediaPlaylist['playlistType'];
  #independentSegments = false;
  #startOffset: number | undefined;
  #endList = false;
  /** What the tags since the last URI say of the next segment; `started` once there is any such tag or URI. */
  #next: Partial<MediaSegment> = {};
  #started = false;
  #dateRanges = 0;
  /** Holds until the next EXT-X-KEY. */
  #key: Key | undefined;

  constructor(private readonly maxEntries: number) {}

  take(line: Line): void {
    if (line.kind === 'uri') this.#uri(line.uri, line.number);
    else if (line.kind === 'tag') this.#tag(line.name, line.value, line.number);
    else if (!this.#started) this.#comments.push(line.text);
  }

  finish(line: number): MediaPlaylist {
    if (this.#next.duration90k !== undefined) {
      throw new PlaylistError(
        'missing-uri',
        line,
        'the URI of the last EXTINF is missing: is the text cut off?',
      );
    }
    if (this.#targetDuration === undefined) {
      throw new PlaylistError('missing-tag', line, 'EXT-X-TARGETDURATION is missing');
    }
    deriveProgramDateTimes(this.#segments);
    return {
      version: this.#version,
      targetDuration: this.#targetDuration,
      mediaSequence: this.#mediaSequence,
      discontinuitySequence: this.#discontinuitySequence,
      independentSegments: this.#independentSegments,
      ...(this.#startOffset === undefined ? {} : { startOffset: this.#startOffset }),
      ...(this.#playlistType ? { playlistType: this.#playlistType } : {}),
      segments: this.#segments,
      endList: this.#endList,
      comments: this.#comments,
    };
  }

  #uri(uri: string, line: number): void {
    const { duration90k, programDateTimeMs, discontinuity = false, gap = false, dateRanges } = this.#next;
    const key = this.#next.key ?? (gap ? undefined : this.#key);
    if (duration90k === undefined) {
      throw new PlaylistError('stray-uri', line, `there is no EXTINF for ${excerpt(uri)}`);
    }
    // eslint-disable-next-line no-control-regex -- that is what it looks for
    if (/[\x00-\x1f\x7f]/.test(uri)) {
      throw new PlaylistError('bad-value', line, `a URI with control characters: ${excerpt(uri)}`);
    }
    if (this.#segments.length >= this.maxEntries) {
      throw new PlaylistError('too-many-entries', line, `more than ${this.maxEntries} segments`);
    }
    this.#segments.push({
      uri,
      duration90k,
      ...(programDateTimeMs === undefined ? {} : { programDateTimeMs }),
      discontinuity,
      ...(key && { key }),
      gap,
      ...(dateRanges && { dateRanges }),
    });
    this.#next = {};
  }

  #tag(name: string, value: string, line: number): void {
    switch (name) {
      case 'EXTINF':
        if (this.#next.duration90k !== undefined) {
          throw new PlaylistError('missing-uri', line, 'the URI of the EXTINF before this one is missing');
        }
        this.#about({ duration90k: parseExtinf(value, line) });
        return;
      case 'EXT-X-PROGRAM-DATE-TIME':
        this.#about({ programDateTimeMs: parseProgramDateTime(value, line) });
        return;
      case 'EXT-X-DATERANGE':
        this.#dateRange(value, line);
        return;
      case 'EXT-X-KEY': {
        const key = parseKey(value, line);
        this.#key = key.method === 'NONE' ? undefined : key;
        this.#about({ key });
        return;
      }
      case 'EXT-X-DISCONTINUITY':
        this.#about({ discontinuity: true });
        return;
      case 'EXT-X-GAP':
        this.#about({ gap: true });
        return;
      case 'EXT-X-VERSION':
        this.#version = this.#header(name, value, line);
        return;
      case 'EXT-X-TARGETDURATION':
        this.#targetDuration = this.#header(name, value, line);
        return;
      case 'EXT-X-MEDIA-SEQUENCE':
        this.#mediaSequence = this.#header(name, value, line);
        this.#early(name, line);
        return;
      case 'EXT-X-DISCONTINUITY-SEQUENCE':
        this.#discontinuitySequence = this.#header(name, value, line);
        this.#early(name, line);
        return;
      case 'EXT-X-PLAYLIST-TYPE':
        this.#once(name, line);
        if (value !== 'EVENT' && value !== 'VOD') {
          throw new PlaylistError('bad-value', line, `${name} is ${excerpt(value)}, not EVENT or VOD`);
        }
        this.#playlistType = value;
        return;
      case 'EXT-X-INDEPENDENT-SEGMENTS':
        this.#independentSegments = true;
        return;
      case 'EXT-X-START':
        this.#once(name, line);
        this.#startOffset = parseStart(value, line);
        return;
      case 'EXT-X-ENDLIST':
        this.#endList = true;
        return;
      default:
        this.#other(name, line);
    }
  }

  #other(name: string, line: number): void {
    if (MULTIVARIANT.has(name)) {
      throw new PlaylistError('wrong-kind', line, `${name} belongs into a multivariant playlist`);
    }
    if (UNSUPPORTED.has(name)) {
      throw new PlaylistError('unsupported-tag', line, `${name} cannot be carried on`);
    }
  }

  /** One that is not as the standard has it is left out: it says nothing of what is fetched, and other tools write such. */
  #dateRange(value: string, line: number): void {
    if (++this.#dateRanges > this.maxEntries)
      throw new PlaylistError('too-many-entries', line, `more than ${this.maxEntries} date ranges`);
    try {
      this.#about({ dateRanges: [...(this.#next.dateRanges ?? []), parseDateRange(value, line)] });
    } catch (error) {
      if (!(error instanceof PlaylistError)) throw error;
    }
  }

  #about(next: Partial<MediaSegment>): void {
    this.#started = true;
    Object.assign(this.#next, next);
  }

  #header(name: string, value: string, line: number): number {
    this.#once(name, line);
    return decimalInteger(name, value, line);
  }

  #once(name: string, line: number): void {
    if (this.#seen.has(name)) throw new PlaylistError('duplicate-tag', line, `a second ${name}`);
    this.#seen.add(name);
  }

  /** RFC 8216 §4.3.3.2, §4.3.3.3: before the first segment, and before the first EXT-X-DISCONTINUITY. */
  #early(name: string, line: number): void {
    if (this.#segments.length > 0 || this.#next.discontinuity) {
      throw new PlaylistError('late-tag', line, `${name} comes after the first segment`);
    }
  }
}
