import type { Gap, Segment, SegmentId, Track } from '@hls-uplink/protocol';
import type { SourceFacts } from './event.js';

/** Operator's settings of a channel. */
export interface ChannelSettings {
  /** Object key prefix and programme name. */
  channel: string;
  /** `--window`: entries a live playlist holds at least. */
  window: number;
  /** `--target-duration`, seconds, when set. */
  targetDuration?: number;
  /** Identity of this uploader in the state line. */
  writer: string;
}

/** One mapping from timestamps to dates, made once and never adjusted (DESIGN.md, "Clocks and epochs"). */
export interface ChannelClock {
  /** Unwrapped ticks of 90 kHz. */
  t0: number;
  /** The date of `t0`, milliseconds since 1970. */
  date0Ms: number;
}

export interface Epoch {
  id: number;
  clock: ChannelClock;
}

/** One place on the channel's timeline. The list of slots is ordered by (epoch, place, start). */
export interface Slot {
  epoch: number;
  /** wraps · (slots per wrap) + floor(raw start PTS / target): the value it was cut by. */
  place: number;
  /** Unwrapped ticks of the segment that covers most of it. */
  start: number;
  end: number;
  /** Media sequence number, once a playlist lists the slot or a later one; never changes after. */
  number?: number;
  /** EXT-X-DISCONTINUITY, decided with the number. */
  discontinuity: boolean;
}

/** An accepted announcement that no stored playlist answers for yet. */
export interface Item {
  id: SegmentId;
  /** What was announced; a refused segment stands here as the gap it leaves. */
  announcement: Segment | Gap;
  epoch: number;
  place: number;
  /** Unwrapped ticks. */
  start: number;
  end: number;
  /** Covers its slot from its nominal start to its cut (DESIGN.md, "Whole and partial"). */
  whole: boolean;
  state: 'undecided' | 'uploading' | 'stored' | 'lost';
  /** Its final answer has gone out already (refused, or its bytes vanished). */
  answered: boolean;
}

/** An entry of the playlist as built; it never changes. */
export interface Entry {
  number: number;
  uri: string;
  /** Object key; absent for a gap. */
  key?: string;
  /** Whose final answer waits for the version that lists it. */
  id?: SegmentId;
  epoch: number;
  place: number;
  start: number;
  end: number;
  dateMs: number;
  discontinuity: boolean;
  gap: boolean;
}

/** A key that left the window and is to be deleted. */
export interface LeftKey {
  key: string;
  /** How long it must stay after its removal was stored, milliseconds (HLS-RULES 10). */
  keepMs: number;
  /** When the version without it was stored; absent until then. */
  removedMs?: number;
}

/** One segmenter's session. */
export interface SourceState {
  facts: SourceFacts;
  connected: boolean;
  /** Said `leave` or `end` last; a new connection or segment clears `leave`. */
  gone?: 'left' | 'ended';
  /** When the connection was lost without leave or end. */
  lostMs?: number;
  /** Where its last announcement ended. */
  last?: { index: number; epoch: number; end: number };
  /** Highest index with a final answer, everything below it answered too. */
  settled?: number;
  /** Answered above `settled`, until the ones between are. */
  answered: number[];
  /** leave and end announcements that wait for their answer. */
  farewells: { index: number; end: boolean }[];
}

export interface RenditionState {
  name: string;
  playlistKey: string;
  segmentPrefix: string;
  urlPrefix: string;
  tracks: Track[];
  declaredBandwidth?: number;
  /** Longest g·⌈target/g⌉ stated, ticks. */
  longest: number;
  /** By slot order. */
  queue: Item[];
  /** What the newest version lists. */
  entries: Entry[];
  /** Numbers itself: its boundaries do not align with its siblings'. */
  alone: boolean;
  discontinuitySequence: number;
  independent: boolean;
  endList: boolean;
  /** Counts built versions. 0: never built. */
  version: number;
  inFlight?: { version: number; tail: number };
  storedVersion: number;
  /** Number of the last entry in a stored version; entries above it may not be removed. */
  storedTail: number;
  /** Longest duration, ms, any stored version of this life had. */
  longestPlaylistMs: number;
  /** When a version was last stored, or what restarted the count (DESIGN.md, "Lost"). */
  updatedMs: number;
  putMs: number;
  /** Its deadline passed with nothing delivered: gaps follow its siblings at once until it delivers or reconnects. */
  away: boolean;
  left: LeftKey[];
  /** Bits a second over one segment, highest seen; and what the average is made of. */
  peakBandwidth: number;
  totalBytes: number;
  total90k: number;
}

export interface ChannelState {
  settings: ChannelSettings;
  /** opening: not read back yet. starting: life not published yet. live: published. ended: ENDLIST decided. */
  phase: 'opening' | 'starting' | 'live' | 'ended';
  life: number;
  /** What the segmenters cut by, seconds; the first source's. */
  target?: number;
  /** EXT-X-TARGETDURATION, fixed for the life. */
  targetDuration?: number;
  /** First number of this life. */
  firstNumber: number;
  epochs: Epoch[];
  slots: Slot[];
  renditions: Record<string, RenditionState>;
  sources: Record<string, SourceState>;
  /** When the first segment of the life was accepted. */
  startedMs?: number;
  endRequested: boolean;
  multivariant: { text: string; version: number; inFlight?: number; storedText: string };
}
