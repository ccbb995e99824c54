import { MiddleOfThree } from './middle-of-three.js';
import { NO_TIMESTAMP } from './pes.js';
import { TICKS_PER_SECOND, timestampDelta } from './timestamp.js';

/**
 * Timestamps nearer than that, or than some of the usual steps, follow each other. Decoding times never go back, but a
 * muxer that gives PTS alone goes back by its reordering.
 */
const NEAR_TICKS = TICKS_PER_SECOND / 2;
const NEAR_STEPS = 4;
/** As long as the usual step is not known. */
const UNKNOWN_TICKS = 2 * TICKS_PER_SECOND;
/** Nothing comes at a slower pace than that. */
const SLOWEST_TICKS = 10 * TICKS_PER_SECOND;

/** How far the timestamps of a track are apart, and with it which ones follow each other. */
export class Regularity {
  readonly #step = new MiddleOfThree();
  #before = NO_TIMESTAMP;

  /** The next timestamp as it stands in the stream, believed or not: a slower pace must be found out, too. */
  note(timestamp: number): void {
    const step = this.#before === NO_TIMESTAMP ? Infinity : timestampDelta(this.#before, timestamp);
    // Two jumps close to each other are no pace.
    if (Math.abs(step) <= SLOWEST_TICKS) this.#step.take(step);
    this.#before = timestamp;
  }

  /** Ticks by which timestamps may go on or back without any doubt. */
  get near(): number {
    const step = this.#step.value;
    return step === undefined ? UNKNOWN_TICKS : Math.max(NEAR_TICKS, NEAR_STEPS * step);
  }

  follows(before: number, after: number): boolean {
    return Math.abs(timestampDelta(before, after)) <= this.near;
  }

  /** Stricter, for where another clock is announced: the one right behind it, or almost. */
  isNext(before: number, after: number): boolean {
    const delta = timestampDelta(before, after);
    const step = this.#step.value;
    return delta > 0 && delta <= (step === undefined ? UNKNOWN_TICKS : NEAR_STEPS * step);
  }

  reset(): void {
    this.#step.reset();
    this.#before = NO_TIMESTAMP;
  }
}
