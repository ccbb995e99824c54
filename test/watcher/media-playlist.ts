/** A media playlist as a viewer reads it (RFC 8216 §4.3), strictly: what the grammar does not allow is an error. */
import { parseAttributeList, quoted } from './attribute-list.js';
import { keyOf, type SegmentKey } from './decryption.js';

export interface MediaSegment {
  uri: string;
  /** EXTINF, seconds. */
  durationSeconds: number;
  /** EXT-X-DISCONTINUITY */
  discontinuity: boolean;
  /** EXT-X-GAP */
  gap: boolean;
  /** EXT-X-PROGRAM-DATE-TIME, milliseconds since 1970. */
  dateMs: number | undefined;
  /** EXT-X-KEY that holds for it; undefined when it is clear. */
  key: SegmentKey | undefined;
  /** All its lines as they stand, tags first: what must never change once published. */
  lines: string[];
}

export interface MediaPlaylist {
  /** EXT-X-VERSION, 1 when not there. */
  version: number;
  /** EXT-X-TARGETDURATION, seconds. */
  targetDuration: number;
  /** EXT-X-MEDIA-SEQUENCE, 0 when not there. */
  mediaSequence: number;
  /** EXT-X-DISCONTINUITY-SEQUENCE */
  discontinuitySequence: number | undefined;
  /** EXT-X-PLAYLIST-TYPE */
  type: 'EVENT' | 'VOD' | undefined;
  /** EXT-X-INDEPENDENT-SEGMENTS */
  independentSegments: boolean;
  /** EXT-X-ENDLIST */
  ended: boolean;
  segments: MediaSegment[];
  /** The least EXT-X-VERSION that its tags allow (RFC 8216 §7). */
  leastVersion: number;
  /** Header lines of other tags, which may not change either. */
  otherHeaders: string[];
}

const segmentTags = /^#EXT(INF|-X-(DISCONTINUITY|GAP|PROGRAM-DATE-TIME|BYTERANGE|KEY|MAP|BITRATE))(:|$)/;
const dateForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$/;
const inIFramesOnly = '#EXT-X-I-FRAMES-ONLY';

/** @throws SyntaxError naming the line. */
export function parseMediaPlaylist(text: string): MediaPlaylist {
  const parser = new Parser();
  const lines = playlistLines(text);
  lines.forEach((line, index) => {
    try {
      parser.line(line);
    } catch (error) {
      throw new SyntaxError(`line ${index + 1}: ${(error as Error).message}`, { cause: error });
    }
  });
  return parser.end();
}

/** The lines without the last line's end. @throws SyntaxError unless the text is one whole playlist file. */
export function playlistLines(text: string): string[] {
  if (!/^#EXTM3U\r?\n/.test(text)) throw new SyntaxError('does not begin with #EXTM3U');
  if (!text.endsWith('\n')) throw new SyntaxError('the last line has no end: not a whole file');
  const lines = text.split(/\r?\n/).slice(0, -1);
  if (lines.some((line) => line.includes('\r'))) throw new SyntaxError('stray carriage return');
  return lines;
}

export function isMultivariant(text: string): boolean {
  return /^#EXT-X-STREAM-INF:/m.test(text);
}

class Parser {
  private readonly once = new Map<string, string>();
  private readonly otherHeaders: string[] = [];
  private readonly segments: MediaSegment[] = [];
  private leastVersion = 1;
  private pending: string[] = [];
  private key: SegmentKey | undefined;
  private first = true;

  line(line: string): void {
    if (this.first) {
      this.first = false;
      return;
    }
    if (line === '' || (line.startsWith('#') && !line.startsWith('#EXT'))) return;
    if (this.once.has('#EXT-X-ENDLIST')) throw new SyntaxError(`${line} after EXT-X-ENDLIST`);
    if (!line.startsWith('#')) this.segment(line);
    else if (segmentTags.test(line)) this.pending.push(line);
    else this.header(line);
  }

  private header(line: string): void {
    const [, name = '', value = ''] = /^(#EXT[A-Z0-9-]+)(?::(.*))?$/.exec(line) ?? [];
    switch (name) {
      case '#EXT-X-VERSION':
      case '#EXT-X-TARGETDURATION':
      case '#EXT-X-MEDIA-SEQUENCE':
      case '#EXT-X-DISCONTINUITY-SEQUENCE':
        if (!/^\d{1,15}$/.test(value)) throw new SyntaxError(`no decimal integer: ${line}`);
        break;
      case '#EXT-X-PLAYLIST-TYPE':
        if (value !== 'EVENT' && value !== 'VOD') throw new SyntaxError(`neither EVENT nor VOD: ${line}`);
        break;
      case '#EXT-X-INDEPENDENT-SEGMENTS':
      case '#EXT-X-ENDLIST':
      case inIFramesOnly:
        if (line !== name) throw new SyntaxError(`takes no value: ${line}`);
        break;
      case '#EXT-X-START':
      case '#EXT-X-DEFINE':
      case '#EXT-X-SERVER-CONTROL':
        parseAttributeList(value);
        this.otherHeaders.push(line);
        break;
      case '#EXT-X-DATERANGE':
        // Comes and goes with the segments it maps to.
        if (quoted(parseAttributeList(value), 'ID') === undefined) throw new SyntaxError(`no ID: ${line}`);
        return;
      default:
        throw new SyntaxError(`not a tag of a media playlist: ${line}`);
    }
    if (this.once.has(name)) throw new SyntaxError(`${name} twice`);
    this.once.set(name, value);
    if (name === inIFramesOnly) this.needs(4);
    if (name === '#EXT-X-DEFINE') this.needs(8);
    const late = this.segments.length > 0 || this.pending.length > 0;
    if (late && name !== '#EXT-X-ENDLIST') throw new SyntaxError(`${name} after the first segment began`);
  }

  private segment(uri: string): void {
    if (/\s/.test(uri)) throw new SyntaxError(`white space in a URI: ${uri}`);
    const tags = this.pending;
    this.pending = [];
    let durationSeconds: number | undefined;
    let dateMs: number | undefined;
    const seen = new Set<string>();
    for (const tag of tags) {
      const [, name = '', value = ''] = /^(#EXT[A-Z0-9-]+)(?::(.*))?$/.exec(tag) ?? [];
      if (seen.has(name) && name !== '#EXT-X-KEY') throw new SyntaxError(`${name} twice for ${uri}`);
      seen.add(name);
      if (name === '#EXTINF') durationSeconds = this.duration(value);
      else if (name === '#EXT-X-PROGRAM-DATE-TIME') dateMs = date(value);
      else if (name === '#EXT-X-GAP') this.needs(8);
      else if (name === '#EXT-X-BYTERANGE') this.needs(4);
      else if (name === '#EXT-X-KEY') this.key = keyOf(value);
      else if (name === '#EXT-X-MAP') {
        parseAttributeList(value);
        this.needs(this.once.has(inIFramesOnly) ? 5 : 6);
      }
      if ((name === '#EXT-X-GAP' || name === '#EXT-X-DISCONTINUITY') && tag !== name)
        throw new SyntaxError(`takes no value: ${tag}`);
    }
    if (durationSeconds === undefined) throw new SyntaxError(`no EXTINF for ${uri}`);
    this.segments.push({
      uri,
      durationSeconds,
      discontinuity: seen.has('#EXT-X-DISCONTINUITY'),
      gap: seen.has('#EXT-X-GAP'),
      dateMs,
      key: this.key,
      lines: [...tags, uri],
    });
  }

  private duration(value: string): number {
    const [, number] = /^(\d+(?:\.\d+)?),/.exec(value) ?? [];
    if (number === undefined) throw new SyntaxError(`no duration and comma: #EXTINF:${value}`);
    if (number.includes('.')) this.needs(3);
    return Number(number);
  }

  private needs(version: number): void {
    this.leastVersion = Math.max(this.leastVersion, version);
  }

  end(): MediaPlaylist {
    if (this.pending.length > 0)
      throw new SyntaxError(`tags of no segment at the end: ${this.pending.join(' ')}`);
    const number = (name: string): number | undefined => {
      const value = this.once.get(name);
      return value === undefined ? undefined : Number(value);
    };
    const targetDuration = number('#EXT-X-TARGETDURATION');
    if (targetDuration === undefined) throw new SyntaxError('no EXT-X-TARGETDURATION');
    return {
      version: number('#EXT-X-VERSION') ?? 1,
      targetDuration,
      mediaSequence: number('#EXT-X-MEDIA-SEQUENCE') ?? 0,
      discontinuitySequence: number('#EXT-X-DISCONTINUITY-SEQUENCE'),
      type: this.once.get('#EXT-X-PLAYLIST-TYPE') as MediaPlaylist['type'],
      independentSegments: this.once.has('#EXT-X-INDEPENDENT-SEGMENTS'),
      ended: this.once.has('#EXT-X-ENDLIST'),
      segments: this.segments,
      leastVersion: this.leastVersion,
      otherHeaders: this.otherHeaders,
    };
  }
}

function date(value: string): number {
  const ms = dateForm.test(value) ? Date.parse(value) : NaN;
  if (Number.isNaN(ms)) throw new SyntaxError(`no date with time zone: ${value}`);
  return ms;
}

export function durationOf(playlist: MediaPlaylist): number {
  return playlist.segments.reduce((sum, segment) => sum + segment.durationSeconds, 0);
}
