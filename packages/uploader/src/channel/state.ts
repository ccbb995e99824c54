import type { DateRange, Key } from '@hls-uplink/hls';
import type { DroppedCode, Gap, Segment, SegmentId, Track } from '@hls-uplink/protocol';
import type {
  ChannelEvent,
  Effect,
  IndexRun,
  MultivariantView,
  RecordingView,
  SourceFacts,
} from './event.js';
import type { KeyPlace } from './i-frame.js';
import type { Misfit } from './misfit.js';
import type { Queue } from './queue.js';
import type { Arrears } from './arrears.js';
import type { Recording } from './recording-state.js';

/** Operator's settings of a channel. */
export interface ChannelSettings {
  /** Object key prefix and programme name. */
  channel: string;
  /** `--window`: entries a live playlist holds at least. */
  window: number;
  /** `--window`, when it is a duration: how long a live playlist is at least, seconds. */
  windowSeconds?: number;
  /** `--retention`: how long what left the window stays at least, milliseconds, or that nothing is ever deleted. */
  retention?: number | 'keep';
  /** `--target-duration`, seconds, when set. */
  targetDuration?: number;
  /** I-frame playlists are published, too. */
  iFrames: boolean;
  /** `--dvr`: what a second, longer window holds at least. */
  dvr?: { segments: number; seconds: number };
  /** `--event`: so long an event playlist may be, seconds. */
  eventSeconds?: number;
  /** `--start-offset`, seconds, when set; for lives that begin. */
  startOffset?: number;
  /** `--away-timeout`: a stream ends that no source has delivered to for so long, milliseconds; without it, it waits. */
  awayTimeoutMs?: number;
  /** Identity of this uploader in the state line. */
  writer: string;
  /** The store has conditional writes: of several uploaders one owns the channel (DESIGN.md, rule 9). */
  fenced?: boolean;
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
  /** The newest segment's start and its wall clock: where the clock is by now, however far it has drifted. */
  seen: ChannelClock;
}

/** One place on the channel's timeline. The list of slots is ordered by (epoch, place, start). */
export interface Slot {
  id: number;
  epoch: number;
  /** wraps · (slots per wrap) + floor(raw start PTS / target): the value it was cut by. */
  place: number;
  /** Unwrapped ticks of the segment that covers most of it. */
  start: number;
  end: number;
  /** Its bounds are a picture's, not only sound's. */
  video: boolean;
  /** Media sequence number, once a playlist lists the slot or a later one; never changes after. */
  number?: number;
  /** EXT-X-DISCONTINUITY; never changes once the slot has its number. */
  discontinuity: boolean;
  /** Discontinuity sequence number (RFC 8216 §6.2.2), given with the number. */
  discontinuitySequence?: number;
}

/** An announcement that no playlist lists yet; never changed, replaced by another. */
export interface Item {
  readonly id: SegmentId;
  /** As it was announced, also when it was refused: then its state is `lost` from the start. */
  readonly announcement: Segment | Gap;
  /** The slot's id; absent in a rendition that numbers itself. */
  readonly slot?: number;
  readonly epoch: number;
  /** Of its start, the same as its slot's. */
  readonly place: number;
  /** Unwrapped ticks. */
  readonly start: number;
  readonly end: number;
  /** Begins less than a GOP after its slot's nominal start, and was ended by a cut; whole when both (DESIGN.md, "Whole and partial"). */
  readonly fromStart: boolean;
  readonly toCut: boolean;
  /** Awaiting: announced and not accepted, for its bytes are not here. */
  readonly state: 'awaiting' | 'undecided' | 'uploading' | 'stored' | 'lost';
  /** Its final answer has gone out already (refused, too long, or its bytes vanished). */
  readonly answered: boolean;
  /** EXT-X-KEY: what its bytes in the store are encrypted by. */
  readonly encryption?: Key;
}

/** An accepted announcement of a source that is not the active one, or that the rendition has from another already. */
export interface Spare {
  readonly event: 'accepted' | 'refused';
  readonly announcement: Segment | Gap;
  /** Starts where its source's announcement before it ended. */
  readonly contiguous: boolean;
  /** It is on another clock than that one, by its source's wall clock, and nobody had told of it when it came. */
  readonly apart: boolean;
  /** When it came. */
  readonly at: number;
}

/** What is the same in the same encode only: a key picture and its size; of sound alone a segment and its CRC. */
export type KeyPrint = readonly [pts: number, size: number];

/** An entry of the playlist as built; it never changes but for `id`, which goes with the answer. */
export interface Entry {
  number: number;
  uri: string;
  /** Object key; absent for a gap. */
  key?: string;
  /** Whose final answer waits for the version that lists it. */
  id?: SegmentId;
  /** The slot's id; absent in a rendition that numbers itself. */
  slot?: number;
  epoch: number;
  /** Its slot's, or that of its start; a gap may begin before its place, where the entry before it ends. */
  place: number;
  /** Unwrapped ticks. */
  start: number;
  end: number;
  /** Ended by a cut; absent where that is not known. */
  toCut?: true;
  /** What it waits for that the live playlist skips, and recordings are to have. */
  waits?: 'bytes' | 'upload';
  /** In the store; absent for a gap, and for what was read back. */
  bytes?: number;
  /** Its key pictures, where it has any that can be fetched alone. */
  keys?: readonly KeyPlace[];
  dateMs: number;
  discontinuity: boolean;
  gap: boolean;
  /** EXT-X-KEY */
  encryption?: Key;
  /** Of the playlist as a whole; they stand here because they came with it, or with one that has left. */
  dateRanges?: DateRange[];
  /** Longest duration, milliseconds, of the versions that list it. */
  longestMs: number;
}

/** What another tool listed, and is listed before the rendition's own entries until it has slid out of the window. */
export interface Adopted {
  /** Number of the last of them, and its discontinuity sequence number. */
  tail: number;
  sequence: number;
  /** `text` is the other tool's, for a published entry never changes; `isKeyed`: EXT-X-KEY holds for it. */
  entries: readonly { text: string; duration90k: number; discontinuity: boolean; isKeyed: boolean }[];
}

/** A key that left the window and is to be deleted. */
export interface LeftKey {
  key: string;
  /** How long it must stay after its removal was stored, milliseconds (HLS-RULES 10). */
  keepMs: number;
  /** The first version without it, once that is built; absent of what an uploader before this one removed. */
  version?: number;
  /** When it had left every stored playlist; absent until then. */
  removedMs?: number;
  /** Its deletion is under way. */
  deleting?: boolean;
}

/** One multivariant playlist. */
export interface MultivariantState {
  version: number;
  inFlight?: { version: number; text: string };
  storedText: string;
}

/** One segmenter's session. */
export interface SourceState {
  facts: SourceFacts;
  connected: boolean;
  /** Said `leave` or `end` last; a new connection or announcement clears it. */
  gone?: 'left' | 'ended';
  /** When the connection was lost without leave or end. */
  lostMs?: number;
  /**
   * Where its last accepted or refused announcement ended, when by its own wall clock, and when it came; without them when that
   * is not known.
   */
  last?: { index: number; epoch?: number; end?: number; endMs?: number; cameMs?: number };
  /** Where its last one ended that is announced only; it goes with the connection. */
  told?: { index: number; epoch: number; end: number; endMs: number; cameMs: number };
  /** What it had announced before its last accepted one, and was overtaken by that, as a journal says: it will announce it again. */
  overtaken?: readonly IndexRun[];
  /** Where its last listed segment ended; what a successor needs. */
  listed?: { index: number; epoch: number; end: number };
  /** Highest index with a final answer, everything below it answered too; −1: none. */
  settled: number;
  /** Answered above `settled`, first and last of each run, until the ones between are. */
  answered: [number, number][];
  /** With these indexes tracks, codec parameters or timestamps changed, or the source itself, and no discontinuity has been listed since; in order. */
  changed?: readonly number[];
  /** The session it took over from, when that is all that changed: nothing did, if the two turn out to be the same encode. */
  instead?: string;
  /** The operator ended the stream while it was delivering; nothing more is taken until it connects anew. Told: the log says so. */
  over?: 'asked' | 'told';
  /** Where its newest announcement ended (raw), when by its own wall clock, and when that came. */
  endPts?: number;
  endMs?: number;
  deliveredMs?: number;
  /** When it was first connected since then, as the active one. */
  cameMs?: number;
  /** By its own wall clock it has begun a clock that nobody else has told of when its newest announcement came. */
  apart?: boolean;
  /** Its newest key pictures. */
  prints: readonly KeyPrint[];
  /** Of a spare: the same encode as the active source's, as far as the two have been compared. */
  same?: boolean;
  /** What it said last; the rendition's are the active source's. */
  tracks?: Track[];
  /** Segments of it that were listed. */
  published: number;
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
  /** Longest g·⌈target/g⌉ stated, ticks; 0 while unknown. */
  longest: number;
  /** Longest distance of key pictures in the newest whole segment, ticks; 0 while unknown. */
  gop: number;
  /** One picture, ticks: how far apart an end and a start may be and still touch. */
  frame: number;
  queue: Queue;
  /** The session it is published from (DESIGN.md, "Redundant sources"), and what others have of it. */
  active?: string;
  spares: readonly Spare[];
  /** What the newest version lists, behind what is adopted. */
  entries: Entry[];
  /** The session whose segment was listed last, as far as this uploader knows. */
  listedBy?: string;
  adopted?: Adopted;
  /** Keys that are not in what is built, and may be listed by what is stored: they leave with the next version. */
  previous: LeftKey[];
  /** Number of the last entry ever built; −1: none. */
  tail: number;
  /** Numbers itself: its boundaries or its clock are not its siblings'. */
  alone: boolean;
  /** How many segments in a row began beside those of its siblings. */
  beside: number;
  /** How its pictures lie to its siblings', when the operator has been told that they do not align. */
  misfit?: Misfit;
  discontinuitySequence: number;
  independent: boolean;
  endList: boolean;
  /** What is built differs from what was last put. */
  dirty: boolean;
  /** Counts the versions put. */
  version: number;
  inFlight?: { version: number; first: number; tail: number; endList: boolean };
  /** The newest version that was stored. */
  storedVersion: number;
  /** Number of the first entry in it; absent while nothing is stored. */
  storedFirst?: number;
  /** Number of the last entry in a stored version; entries above it may not be removed. */
  storedTail: number;
  storedEnd: boolean;
  /** When a version was last stored, or what restarted the count (DESIGN.md, "Lost"). */
  updatedMs: number;
  /** Its playlist's last PUT was refused; its deadline rests. */
  failing: boolean;
  /** What a playlist PUT takes, milliseconds. */
  putMs: number;
  /** Its deadline passed with nothing delivered: gaps follow its siblings at once until it delivers or reconnects. */
  away: boolean;
  left: LeftKey[];
  recordings: Partial<Record<RecordingView, Recording>>;
  /** What the live playlist skipped, or lists no more, and recordings are still to have. */
  arrears: Arrears;
  /** When any of it was recorded last, or came, or was stored. */
  arrearsMs: number;
  /** How many of what the live playlist skipped have been recorded since there was none. */
  caughtUp: number;
  /** The highest seen (`newestPeak`), 0 before; and what the average is made of. */
  peakBandwidth: number;
  totalBytes: number;
  total90k: number;
  iFrames: {
    /** EXT-X-MEDIA-SEQUENCE of the I-frame playlist: of the first entry's first. */
    sequence: number;
    /** Of the newest version that is built. */
    built?: { version: number; text: string };
    /** The version that the stored one shows, and that of the one that is on its way. */
    storedVersion: number;
    inFlight?: number;
    /** One is in the store. */
    isThere: boolean;
    /** One may have been there before this uploader began: its numbers count on. */
    wasThere: boolean;
    /** Bits a second of one segment's, highest seen. */
    peakBandwidth: number;
  };
  /** What the multivariant playlist says. */
  stated?: { bandwidth: number; average: number };
  counts: {
    /** Segments listed. */
    published: number;
    gaps: number;
    discontinuities: number;
    /** Segments that the live playlist skipped, and recordings have. */
    caughtUp: number;
    /** How often another source became the active one. */
    switches: number;
    /** Final answers, by their code. */
    dropped: Partial<Record<DroppedCode, number>>;
  };
}

export interface ChannelState {
  settings: ChannelSettings;
  /** opening: not read back yet. starting: life not published yet. live: published. ended: ENDLIST decided. */
  phase: 'opening' | 'starting' | 'live' | 'ended';
  /** Why nothing can be published here, and the remedy. */
  refusal?: string;
  life: number;
  /** Of the newest event. */
  at: number;
  /** This uploader's in the state line; the newest there was and one. */
  term: number;
  /** All that was published before is written back as this uploader's, or about to be; before, nothing else is written. */
  owned: boolean;
  /**
   * Keys of playlists that the operator's settings have no more; they are deleted once the channel is this uploader's and
   * viewers are not told of them any more.
   */
  unwanted: string[];
  /** What the segmenters cut by, seconds; the first source's. */
  target?: number;
  /** EXT-X-TARGETDURATION, fixed for the life; before it is published, where that was there already. */
  targetDuration?: number;
  /** EXT-X-START, fixed for the life, as its absence is. */
  startOffset?: number;
  /** First epoch of this life; what is on the clock of an earlier one is of this life only if dated after `lifeStartMs`. */
  firstEpoch: number;
  /** Where the life before ended, milliseconds since 1970. */
  lifeStartMs: number;
  /** First number of this life. */
  firstNumber: number;
  /** The number the next slot gets. */
  nextNumber: number;
  /** Discontinuity sequence number of the newest slot that has one. */
  discontinuitySequence: number;
  /** The next slot to get a number starts anew: a new life, or a playlist adopted without its clock. */
  breakNext: boolean;
  /** The newest discontinuities of the channel, by number; a rendition that counts alone has them at the same dates. */
  discontinuities: { sequence: number; dateMs: number }[];
  epochs: Epoch[];
  slots: Slot[];
  nextSlotId: number;
  renditions: Record<string, RenditionState>;
  sources: Record<string, SourceState>;
  /** EXT-X-DATERANGE tags that map to what any playlist lists, or to what is to come. */
  dateRanges: DateRange[];
  /** When the first segment of the life was accepted. */
  startedMs?: number;
  /** When anything was last delivered. */
  deliveredMs: number;
  /** When this uploader had read the channel back; 0 before. */
  openedMs: number;
  /** When it could last not take in what sources had; 0 when it always could. */
  heldUpMs: number;
  /** The channel is live and no source has delivered since then for longer than a playlist may stay as it is. */
  stalledSinceMs?: number;
  endRequested: boolean;
  /** Events of the next life, held until this one's ENDLIST is stored. */
  held: Extract<ChannelEvent, { type: 'accepted' | 'refused' }>[];
  multivariant: MultivariantState;
  /** Of the other kinds. */
  multivariants: Partial<Record<Exclude<MultivariantView, 'live'>, MultivariantState>>;
  /** The VOD that was made last, or is being made: the part of its names, and its multivariant playlist. */
  vod?: { stamp: string; text: string; isDone: boolean };
}

/** One reduction under way: the state being changed and the effects so far. */
export interface Turn {
  state: ChannelState;
  effects: Effect[];
  at: number;
}
