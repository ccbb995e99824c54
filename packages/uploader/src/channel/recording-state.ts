import type { DateRange } from '@hls-uplink/hls';
import type { DepartedKeys } from './departed-keys.js';
import type { RecordedEntries } from './recorded-entries.js';

/** A media playlist that keeps what the live one loses: `dvr` or `event`. */
export interface Recording {
  /** That its entries are of. */
  life: number;
  targetDuration: number;
  startOffset?: number;
  independent: boolean;
  entries: RecordedEntries;
  /** Of the playlist as a whole. */
  dateRanges: DateRange[];
  /** Longest duration of its versions, milliseconds. */
  longestMs: number;
  /** What the multivariant playlist says of it; kept for the VOD, which may come when that is known no more. */
  stated?: { bandwidth: number; average: number };
  /** It grows no more. */
  closed: boolean;
  /** Of an event playlist: the first version that says so; absent where one is read back that did. */
  closedVersion?: number;
  /** The VOD playlist of it is stored. */
  vodStored: boolean;
  /** Of an event playlist only when its VOD is stored: whoever reads it back knows by that. */
  endList: boolean;
  dirty: boolean;
  version: number;
  inFlight?: { version: number; tail: number; endList: boolean };
  storedVersion: number;
  /** One is in the store. */
  isThere: boolean;
  /** Number of the last entry in a stored version; −1: none. */
  storedTail: number;
  storedEnd: boolean;
  /** Its VOD playlist is on its way. */
  vodInFlight: boolean;
  /** What left it and no other playlist lists. */
  left: DepartedKeys;
}
