import type { Segment, Tracks } from '@hls-uplink/protocol';

/** A closed segment: whole and on disk (synced) under a temporary name; the outbox gives it its index and name. */
export interface CutSegment extends Pick<
  Segment,
  | 'bytes'
  | 'crc32'
  | 'startPts'
  | 'endPts'
  | 'discontinuity'
  | 'ended'
  | 'independent'
  | 'keyPictures'
  | 'markers'
> {
  /** Temporary path in the spool folder. */
  partPath: string;
  /** When its first picture arrived, milliseconds since 1970. */
  wallClockMs: number;
}

/** A segment that was cut but could not be written: full disk, stuck disk. */
export interface LostSegment extends Pick<Segment, 'startPts' | 'endPts' | 'discontinuity'> {
  wallClockMs: number;
  /** For the operator: what could not be done, and why. */
  reason: string;
}

/** What the tracks of the segments from the next one on are. */
export type CutTracks = Pick<Tracks, 'tracks' | 'gop'>;

/** Where the cutting pipeline hands its results, in stream order: tracks before the first segment they hold for. */
export interface CutSink {
  tracks(tracks: CutTracks): void;
  segment(segment: CutSegment): void;
  lost(segment: LostSegment): void;
}
