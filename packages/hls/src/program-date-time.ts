import { excerpt } from './lines.js';
import { PlaylistError } from './playlist-error.js';
import type { MediaSegment } from './media-segment.js';

const TICKS_PER_MS = 90;

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d))?$/;

/** EXT-X-PROGRAM-DATE-TIME in UTC with milliseconds (RFC 8216 §4.3.2.6). */
export function formatProgramDateTime(ms: number): string {
  return new Date(Math.round(ms)).toISOString();
}

/**
 * Milliseconds since 1970. Other tools write an offset with or without a colon, or none, which is read as UTC.
 * @throws PlaylistError `bad-value`
 */
export function parseProgramDateTime(value: string, line: number, name = 'EXT-X-PROGRAM-DATE-TIME'): number {
  const match = DATE_TIME.exec(value);
  if (match) {
    const [, year, month, day, hours, minutes, seconds, fraction = '', sign, offsetHours, offsetMinutes] =
      match;
    // Date.UTC takes years below 100 for ones of the 20th century, a string does not.
    const utc = `${year}-${month}-${day}T${hours}:${minutes}:${seconds}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
    const ms = Date.parse(utc);
    // Date.parse takes the 31st of April for the 1st of May.
    if (!Number.isNaN(ms) && new Date(ms).toISOString() === utc) {
      const offset = Number(offsetHours ?? 0) * 60 + Number(offsetMinutes ?? 0);
      return ms - (sign === '-' ? -offset : offset) * 60_000;
    }
  }
  throw new PlaylistError('bad-value', line, `${name} is ${excerpt(value)}, not an ISO 8601 date`);
}

/**
 * Gives every segment the date that follows from the nearest tagged one before it and the durations between, or for
 * those before the first tag, from that one backwards (RFC 8216 §6.3.3). Does nothing when there is no tag at all.
 */
export function deriveProgramDateTimes(segments: readonly MediaSegment[]): void {
  const first = segments.findIndex((segment) => segment.programDateTimeMs !== undefined);
  const anchor = segments[first]?.programDateTimeMs;
  if (anchor === undefined) return;
  let ticks = 0;
  for (const segment of segments.slice(0, first).reverse()) {
    ticks += segment.duration90k;
    segment.programDateTimeMs = anchor - Math.round(ticks / TICKS_PER_MS);
  }
  // Counted from the last tag, so that roundings do not add up.
  let tagged = anchor;
  ticks = 0;
  for (const segment of segments.slice(first)) {
    if (segment.programDateTimeMs !== undefined) [tagged, ticks] = [segment.programDateTimeMs, 0];
    else segment.programDateTimeMs = tagged + Math.round(ticks / TICKS_PER_MS);
    ticks += segment.duration90k;
  }
}
