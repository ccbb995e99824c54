import { parseAttributeList } from './attribute-list.js';
import { excerpt } from './lines.js';
import { PlaylistError } from './playlist-error.js';

/** EXT-X-START with its TIME-OFFSET in seconds (RFC 8216 §4.3.5.2); PRECISE is left at NO. */
export function formatStart(offsetSeconds: number): string {
  if (!Number.isFinite(offsetSeconds) || Math.abs(offsetSeconds) >= 1e15) {
    throw new Error(`not an offset that can stand in a playlist: ${offsetSeconds}`);
  }
  return `#EXT-X-START:TIME-OFFSET=${offsetSeconds.toFixed(3).replace(/\.?0+$/, '')}`;
}

/** The TIME-OFFSET, seconds. */
export function parseStart(value: string, line: number): number {
  const offset = parseAttributeList('EXT-X-START', value, line).get('TIME-OFFSET') ?? '';
  if (!/^-?\d{1,15}(\.\d{0,20})?$/.test(offset)) {
    throw new PlaylistError('bad-value', line, `TIME-OFFSET is ${excerpt(offset)}, not a number`);
  }
  return Number(offset) + 0;
}

/**
 * Whether players would begin nearer to the end of a live playlist than three target durations, which they SHOULD not
 * be told to (RFC 8216 §4.3.5.2). @param windowSeconds how long the playlist is
 */
export function startsNearEnd(offsetSeconds: number, windowSeconds: number, targetDuration: number): boolean {
  const fromEnd = offsetSeconds < 0 ? -offsetSeconds : windowSeconds - offsetSeconds;
  return fromEnd < 3 * targetDuration;
}
