import type { MediaPlaylist } from './playlist.js';
import { PlaylistError } from './playlist-error.js';

export interface ParseLimits {
  /** Longest text, UTF-16 units; default 16 Mi. */
  maxLength?: number;
  /** Most media segments or variants; default 100 000. */
  maxEntries?: number;
}

export const DEFAULT_MAX_LENGTH = 16 * 1024 * 1024;
export const DEFAULT_MAX_ENTRIES = 100_000;

/** A line that says something (RFC 8216 §4.1). */
export type Line =
  | { kind: 'tag'; name: string; value: string; number: number }
  | { kind: 'comment'; text: string; number: number }
  | { kind: 'uri'; uri: string; number: number };

/**
 * The lines after EXTM3U, blank ones left out; lines may end in LF or CRLF.
 * @throws PlaylistError `too-long`, `no-playlist`
 */
export function* linesOf(text: string, { maxLength = DEFAULT_MAX_LENGTH }: ParseLimits): Iterable<Line> {
  if (text.length > maxLength) {
    throw new PlaylistError('too-long', 1, `the text is longer than ${maxLength} characters`);
  }
  if (!/^#EXTM3U[ \t\r]*(\n|$)/.test(text)) {
    throw new PlaylistError('no-playlist', 1, 'it does not begin with a line #EXTM3U');
  }
  let number = 0;
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(start, text[end - 1] === '\r' && end > start ? end - 1 : end);
    start = end + 1;
    number++;
    if (number === 1) continue;
    if (line.startsWith('#EXT')) {
      const colon = line.indexOf(':');
      const name = line.slice(1, colon < 0 ? undefined : colon).trimEnd();
      yield { kind: 'tag', name, value: colon < 0 ? '' : line.slice(colon + 1).trim(), number };
    } else if (line.startsWith('#')) yield { kind: 'comment', text: line.slice(1), number };
    else if (line.trim() !== '') yield { kind: 'uri', uri: line.trim(), number };
  }
}

/** A whole number, 0 … 2^53−1 (decimal-integer, RFC 8216 §4.2). */
export function decimalInteger(name: string, value: string, line: number): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : NaN;
  if (!Number.isSafeInteger(number)) {
    throw new PlaylistError('bad-value', line, `${name} is ${excerpt(value)}, not a whole number`);
  }
  return number;
}

/** A number with or without decimals, never negative (decimal-floating-point, RFC 8216 §4.2). */
export function decimalNumber(name: string, value: string, line: number): number {
  if (!/^\d{1,15}(\.\d{0,20})?$/.test(value)) {
    throw new PlaylistError('bad-value', line, `${name} is ${excerpt(value)}, not a number`);
  }
  return Number(value);
}

export function excerpt(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

/**
 * For what is written: a newline in it would make other lines of it, and `#` another kind of line.
 * @throws Error a mistake of the caller
 */
export function writableUri(uri: string): string {
  // eslint-disable-next-line no-control-regex -- that is what it looks for
  if (uri === '' || uri.startsWith('#') || uri !== uri.trim() || /[\x00-\x1f\x7f]/.test(uri)) {
    throw new Error(`not a URI that can stand in a playlist: ${excerpt(uri)}`);
  }
  return uri;
}

/** The line of a comment; as `writableUri`. */
export function commentLine(comment: string): string {
  if (comment.startsWith('EXT') || /[\r\n]/.test(comment)) {
    throw new Error(`not a comment that can stand in a playlist: ${excerpt(comment)}`);
  }
  return `#${comment}`;
}

/** What every media playlist begins with, one of I-frames as well. */
export function headLines(
  playlist: Pick<MediaPlaylist, 'version' | 'targetDuration' | 'mediaSequence' | 'discontinuitySequence'>,
): string[] {
  return [
    '#EXTM3U',
    `#EXT-X-VERSION:${playlist.version}`,
    `#EXT-X-TARGETDURATION:${playlist.targetDuration}`,
    `#EXT-X-MEDIA-SEQUENCE:${playlist.mediaSequence}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${playlist.discontinuitySequence}`,
  ];
}
