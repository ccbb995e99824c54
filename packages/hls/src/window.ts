import type { MediaSegment } from './media-segment.js';

const TICKS_PER_SECOND = 90_000;

type Duration = Pick<MediaSegment, 'duration90k'>;

/**
 * EXT-X-TARGETDURATION for segments of at most `longest90k` ticks: the nearest whole number of seconds, since what is
 * compared with it is the EXTINF rounded likewise (bis §6.2.1); at least 1.
 */
export function targetDurationFor(longest90k: number): number {
  return Math.max(1, roundedSeconds(longest90k));
}

/** Whether a segment may stand under a target duration (bis §6.2.1). */
export function fitsTargetDuration(duration90k: number, targetDuration: number): boolean {
  return roundedSeconds(duration90k) <= targetDuration;
}

const roundedSeconds = (ticks: number): number =>
  Math.floor((ticks + TICKS_PER_SECOND / 2) / TICKS_PER_SECOND);

/** Ticks from the start of the first to the end of the last segment. */
export function playlistDuration90k(segments: readonly Duration[]): number {
  return segments.reduce((sum, { duration90k }) => sum + duration90k, 0);
}

export interface WindowOptions {
  minSegments: number;
  /** How long it must be at least, seconds; default 0. */
  minSeconds?: number;
  /** EXT-X-TARGETDURATION, seconds. */
  targetDuration: number;
}

/**
 * Index of the first segment to keep, so that no more are kept than must be: at least `minSegments`, `minSeconds`, and 3 ×
 * target duration beside the two oldest (a live playlist may not be shorter than 3 × target duration, bis §6.2.2; two more,
 * for a player that holds a version while the next two come out). 0 while there are not so many.
 */
export function windowStart(segments: readonly Duration[], options: WindowOptions): number {
  const { minSegments, minSeconds = 0, targetDuration } = options;
  const least = lastOf(segments, 3 * targetDuration) + 2;
  return Math.max(0, segments.length - Math.max(minSegments, lastOf(segments, minSeconds), least));
}

/** How many of the last segments are so long together; all, if they are not. */
function lastOf(segments: readonly Duration[], seconds: number): number {
  let sum90k = 0;
  let count = 0;
  while (count < segments.length && sum90k < seconds * TICKS_PER_SECOND) {
    sum90k += segments[segments.length - 1 - count]?.duration90k ?? 0;
    count++;
  }
  return count;
}
