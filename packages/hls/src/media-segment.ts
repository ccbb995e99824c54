import type { DateRange } from './date-range.js';
import type { Key } from './key.js';

/** One entry of a media playlist. */
export interface MediaSegment {
  uri: string;
  /** EXTINF, in ticks of 90 kHz, so that sums are exact. */
  duration90k: number;
  /** EXT-X-PROGRAM-DATE-TIME, milliseconds since 1970. On every entry, so that no entry changes when it becomes the first. */
  programDateTimeMs?: number;
  /** EXT-X-DISCONTINUITY stands before it. */
  discontinuity: boolean;
  /**
   * EXT-X-KEY. On every entry that is encrypted, also where the tag of an earlier one holds for it, so that no entry changes
   * when it becomes the first; a clear one that follows such needs `NONE`.
   */
  key?: Key;
  /** EXT-X-GAP */
  gap: boolean;
  /** EXT-X-DATERANGE before it; where they stand says nothing of when they are. */
  dateRanges?: DateRange[];
}
