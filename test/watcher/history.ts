/** What was seen, without judgement; the rules are pure functions of it. */
import type { SegmentKey } from './decryption.js';
import type { MediaPlaylist } from './media-playlist.js';
import type { MultivariantPlaylist } from './multivariant-playlist.js';
import type { SegmentFacts } from './segment-facts.js';

export interface Violation {
  /** Of HLS-RULES. */
  rule: number;
  rendition?: string;
  message: string;
  /** Milliseconds since 1970. */
  at: number;
}

/** One state of a media playlist that was seen. */
export interface Version {
  at: number;
  /** 0 for the first life. */
  life: number;
  text: string;
  playlist: MediaPlaylist;
  /** How many entries are new against the version before. */
  appended: number;
}

/** How the GET of a newly listed segment went. */
export interface Fetch {
  at: number;
  /** 0 when there was no answer at all. */
  status: number;
  complete: boolean;
  tookMs: number;
  error: string | undefined;
}

/** One entry of a media playlist, seen from its listing to its end. */
export interface ObservedSegment {
  rendition: string;
  life: number;
  /** Media sequence number. */
  number: number;
  /** Its discontinuity sequence number (RFC 8216 §6.2.1), own tag counted. */
  discontinuitySequence: number;
  uri: string;
  url: string;
  durationSeconds: number;
  discontinuity: boolean;
  gap: boolean;
  /** What it is encrypted by. */
  key?: SegmentKey | undefined;
  /** When its first picture was, milliseconds since 1970, as tagged or counted from the entry before. */
  dateMs: number | undefined;
  listedAt: number;
  removedAt: number | undefined;
  /** Seconds of the longest playlist that listed it. */
  longestListing: number;
  fetch: Fetch | undefined;
  facts: SegmentFacts | undefined;
  /** Where its bytes are kept, when they are. */
  file: string | undefined;
  /** Later looks whether it is still there, after its removal. */
  probes: { at: number; status: number }[];
}

export interface RenditionHistory {
  name: string;
  url: string;
  /** The first answer to a request of its playlist, made when it was first listed; 0 for none. */
  firstAnswer: { at: number; status: number } | undefined;
  versions: Version[];
  /** Of all lives, in order. */
  segments: ObservedSegment[];
  /** When EXT-X-ENDLIST was seen, per life. */
  endedAt: number[];
  /** The last successful look. */
  seenAt: number;
}

/** A time for which the test declared what excuses a stall. */
export interface Pause {
  from: number;
  to: number | undefined;
  why: 'stalled' | 'down';
}

export interface History {
  /** In the order they were listed. */
  renditions: RenditionHistory[];
  multivariant: { at: number; text: string; playlist: MultivariantPlaylist }[];
  pauses: Pause[];
  /** Broken rules that show only at the moment they are seen. */
  violations: Violation[];
}

export interface Judgement {
  /** Names whose timestamps come from one clock: numbers, boundaries and dates agree without waiver. */
  sharingClock: (rendition: string) => boolean;
  /** Between two polls anything may happen that long. */
  slackMs: number;
}

/** The last life that any rendition is in. */
export function lastLife(rendition: RenditionHistory): number {
  return rendition.versions.at(-1)?.life ?? 0;
}

export function ended(rendition: RenditionHistory): boolean {
  return rendition.versions.at(-1)?.playlist.ended ?? false;
}

export function targetDuration(rendition: RenditionHistory): number {
  return rendition.versions.at(-1)?.playlist.targetDuration ?? 0;
}
