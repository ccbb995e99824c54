import { NO_TIMESTAMP } from './pes.js';
import { Regularity } from './regularity.js';
import { TICKS_PER_SECOND, timestampDelta } from './timestamp.js';

/** Sound is no further than that from the picture of the same clock. */
const SAME_CLOCK_TICKS = 10 * TICKS_PER_SECOND;

/**
 * Tells single wild timestamps of a track that nothing waits for. The first that does not follow is not believed; where
 * the next one follows it, and not those before, the clock has moved.
 */
export class SoundClock {
  /** Timestamps ignored. */
  wild = 0;
  /** The last one taken is the first that has followed the picture's jump. */
  jumped = false;
  readonly #regularity = new Regularity();
  #last = NO_TIMESTAMP;
  #doubtful = NO_TIMESTAMP;
  #expected = NO_TIMESTAMP;
  #isJump = false;

  /** The picture is at `timestamp` now, after a jump or a silence: sound near to that is believed at once. */
  expect(timestamp: number, jumped: boolean): void {
    this.#expected = timestamp;
    this.#isJump = jumped;
  }

  /** The PTS of the next PES; returns it where it is believed, else `NO_TIMESTAMP`. */
  take(pts: number): number {
    this.jumped = false;
    if (pts === NO_TIMESTAMP) return NO_TIMESTAMP;
    const regularity = this.#regularity;
    const isExpecting = this.#expected !== NO_TIMESTAMP;
    const follows =
      this.#last === NO_TIMESTAMP ||
      (isExpecting ? regularity.isNext(this.#last, pts) : regularity.follows(this.#last, pts));
    const came = !follows && isExpecting && Math.abs(timestampDelta(this.#expected, pts)) <= SAME_CLOCK_TICKS;
    this.jumped = came && this.#isJump;
    if (came) this.#expected = NO_TIMESTAMP;
    const moved =
      came || (!follows && this.#doubtful !== NO_TIMESTAMP && regularity.follows(this.#doubtful, pts));
    regularity.note(pts);
    if (this.#doubtful !== NO_TIMESTAMP && !moved) this.wild++;
    if (follows || moved) {
      this.#last = pts;
      this.#doubtful = NO_TIMESTAMP;
      return pts;
    }
    this.#doubtful = pts;
    return NO_TIMESTAMP;
  }

  reset(): void {
    this.#regularity.reset();
    this.#last = NO_TIMESTAMP;
    this.#doubtful = NO_TIMESTAMP;
    this.#expected = NO_TIMESTAMP;
  }
}
