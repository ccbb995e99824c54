import { NO_TIMESTAMP } from './pes.js';
import { TICKS_PER_SECOND, timestampDelta } from './timestamp.js';

/** Decoding times never go back; a muxer that gives PTS alone may go back by its reordering. */
const FURTHEST_BACK = TICKS_PER_SECOND / 2;
/** A longer silence is taken for a jump: nobody could tell how much of it is missing. */
const FURTHEST_FORWARD = 10 * TICKS_PER_SECOND;

/**
 * Tells jumps of a track's timestamps from single wild ones. The first timestamp that does not follow is in doubt; the
 * next one settles it: where it follows the doubtful one, and not the good one before, the clock has jumped.
 */
export class Timeline {
  /** Timestamps ignored. */
  wild = 0;
  /** What became of the last timestamp that `check` did not doubt. */
  believed: 'good' | 'wild' = 'good';
  #last = NO_TIMESTAMP;
  #doubtful = NO_TIMESTAMP;

  check(pts: number, dts: number): 'sure' | 'doubt' {
    this.believed = 'good';
    if (dts === NO_TIMESTAMP) return 'sure';
    // Reordering by more than that is an error in one of the two.
    if (Math.abs(timestampDelta(dts, pts)) > FURTHEST_FORWARD) {
      this.believed = 'wild';
      this.wild++;
      return 'sure';
    }
    if (this.#last !== NO_TIMESTAMP && !follows(this.#last, dts)) {
      this.#doubtful = dts;
      return 'doubt';
    }
    this.#last = dts;
    return 'sure';
  }

  /** Settles the doubt by the next timestamp of the track. */
  resolve(next: number): 'wild' | 'jump' {
    const jumped = next !== NO_TIMESTAMP && !follows(this.#last, next) && follows(this.#doubtful, next);
    if (!jumped) {
      this.wild++;
      return 'wild';
    }
    return this.jump();
  }

  /** Settles the doubt without waiting for the next one. */
  jump(): 'jump' {
    this.#last = this.#doubtful;
    return 'jump';
  }

  reset(): void {
    this.#last = NO_TIMESTAMP;
  }
}

function follows(before: number, after: number): boolean {
  const delta = timestampDelta(before, after);
  return delta >= -FURTHEST_BACK && delta <= FURTHEST_FORWARD;
}
