import type { Fact } from './feed.js';
import type { ShortEntry, ShortPlaylist } from './playlist.js';

/** What whoever listed a number first said of it, and what of the encoder's segments it stands for. */
export interface Line {
  discontinuity: boolean;
  sequence: number;
  dateMs: number;
  endMs: number;
  slot?: number;
  /** Only a part of that slot, where the channel began or stopped: another may have another part. */
  partial: boolean;
}

/** All that is known of one rendition. */
export class View {
  put: ShortPlaylist | undefined;
  stored: ShortPlaylist | undefined;
  /** When a version was put last, and when that was over. */
  putAt = 0;
  freeAt = 0;
  /** Every entry that was ever published, in order. */
  readonly entries: ShortEntry[] = [];
  readonly facts: Fact[] = [];
  /** Gaps that were decided before their deadline: then something must have been lost. */
  readonly gaps = new Map<number, number>();
  readonly early: { number: number; heard: number }[] = [];
  /** Newest of the encoder's segments that was accepted or refused. */
  heard = -1;
  /** When a version was last stored, or a source connected; and the same of who it is published from. */
  movedAt = 0;
  countedAt = 0;
  behindSince: number | undefined;
  away = false;
  /** The source it goes on with, since another was given up. */
  active: string | undefined;
  /** The newest listed segment, and its discontinuity sequence number. */
  last: Fact | undefined;
  sequence = -1;
  constructor(readonly name: string) {}
}
