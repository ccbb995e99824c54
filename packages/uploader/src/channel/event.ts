import type { DateRange, Key } from '@hls-uplink/hls';
import type { Announcement, DroppedCode, Gap, Hello, Segment, SegmentId, Tracks } from '@hls-uplink/protocol';
import type { ReadBack } from './reopen.js';

/** What a source said of itself in `hello`, as far as the channel's decisions need it. */
export type SourceFacts = Pick<
  Hello,
  'rendition' | 'source' | 'session' | 'target' | 'renditions' | 'bandwidth' | 'names'
>;

/** Which playlist of a rendition: the live one decides what is published. */
export type View = 'live' | 'i-frames' | RecordingView | 'vod';
/** Those that keep what the live one loses. */
export type RecordingView = 'dvr' | 'event';
/** Which multivariant playlist. */
export type MultivariantView = Exclude<View, 'i-frames'>;

/** First and last index. */
export type IndexRun = [from: number, to: number];

/**
 * Everything that can happen to a channel. `at` is milliseconds since 1970 by a clock that never steps (the wall clock
 * at the process's start plus the monotonic time since).
 */
export type ChannelEvent =
  /** The published playlists were read back; always the first event. */
  | { type: 'opened'; at: number; playlists: readonly ReadBack[] }
  /** A segmenter said `hello`, or the journal knows it from before. */
  | { type: 'connected'; at: number; facts: SourceFacts; replayed?: boolean }
  | { type: 'disconnected'; at: number; session: string }
  | { type: 'tracks'; at: number; tracks: Tracks }
  /**
   * What a connected session says it has while the bytes are on another machine: in order of index, and only a hint, for each
   * is `accepted` or `refused` later as if nothing had been said. But what has had its final answer by then is never asked for.
   */
  | { type: 'announced'; at: number; announcements: readonly (Segment | Gap)[] }
  /**
   * Journalled, its bytes assured. In order of index for each session, but for what only recordings wait for: that may come
   * later, and what it overtakes it says (`behind`), for none of that has had its final answer.
   */
  | { type: 'accepted'; at: number; announcement: Announcement; behind?: IndexRun[] }
  /** Finally refused (the sender has its `rejected`): what it stood for is lost. */
  | { type: 'refused'; at: number; announcement: Announcement }
  /** `encryption`: its bytes are so encrypted, and the key is where that says. */
  | { type: 'segment-stored'; at: number; id: SegmentId; encryption?: Key }
  /** The bytes are gone: the file vanished or changed after it was accepted. */
  | { type: 'segment-lost'; at: number; id: SegmentId }
  /** `tookMs`: from the start of the request to its answer. */
  | { type: 'playlist-stored'; at: number; view: View; rendition: string; version: number; tookMs: number }
  | { type: 'playlist-failed'; at: number; view: View; rendition: string; version: number }
  | { type: 'multivariant-stored'; at: number; view: MultivariantView; version: number }
  | { type: 'multivariant-failed'; at: number; view: MultivariantView; version: number }
  | { type: 'deleted'; at: number; keys: readonly string[] }
  /** Until now this uploader took nothing in, whatever sources had: it was paused, or its journal or its spool was full. */
  | { type: 'held-up'; at: number }
  /** A write succeeded after writes had failed. */
  | { type: 'store-recovered'; at: number }
  /** `hls-uploader end CHANNEL`, now or before this uploader began. */
  | { type: 'end-requested'; at: number }
  /** An operator wants it in all playlists; `dateRangeRefusal` has found nothing against it, now or when the journal took it. */
  | { type: 'date-range-given'; at: number; range: DateRange; replayed?: true }
  /** The deadline that `deadline(state)` named has come. */
  | { type: 'tick'; at: number };

/** What must be done about it. The doer reports the outcome as an event where there is one to report. */
export type Effect =
  /** → segment-stored or segment-lost; retried until one of them is true. */
  | {
      type: 'put-segment';
      id: SegmentId;
      rendition: string;
      key: string;
      path: string;
      bytes: number;
      crc32: number;
      /** Only recordings need it: what the live playlist is to list goes first. */
      isBehind?: true;
    }
  /** Its outcome is of no interest any more: it need not be put, if it has not been begun. */
  | { type: 'cancel-segment'; id: SegmentId }
  /** → playlist-stored or playlist-failed. One in flight for each; after a failure the newest text is put again. */
  | {
      type: 'put-playlist';
      view: View;
      rendition: string;
      key: string;
      text: string;
      version: number;
      maxAgeSeconds: number;
    }
  /** → multivariant-stored or multivariant-failed. */
  | {
      type: 'put-multivariant';
      view: MultivariantView;
      key: string;
      text: string;
      version: number;
      maxAgeSeconds: number;
    }
  /** → deleted */
  | { type: 'delete'; keys: string[] }
  /** The final answer; the journal forgets the announcement, the segmenter (when connected) is told. */
  | { type: 'answer'; id: SegmentId; answer: { type: 'published' } | { type: 'dropped'; code: DroppedCode } }
  /** Tell every connected segmenter of the channel. */
  | { type: 'target-duration'; seconds: number }
  /** For the operator's log and counters. */
  | { type: 'report'; level: 'info' | 'warn'; message: string; fields: Record<string, unknown> };
