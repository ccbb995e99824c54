import { MiddleOfThree } from './middle-of-three.js';
import { NO_TIMESTAMP } from './pes.js';
import { TICKS_PER_SECOND, timestampDelta } from './timestamp.js';

/**
 * Timestamps nearer than that, or than some of the usual steps, follow each other. Decoding times never go back, but for a
 * little where they were rounded; a muxer that gives PTS alone goes back by its reordering.
 */
const NEAR_TICKS = TICKS_PER_SECOND / 2;
const NEAR_STEPS = 4;
/** As long as the usual step is not known. */
const UNKNOWN_TICKS = 2 * TICKS_PER_SECOND;
/** Timestamps that so far, but for a few, have only gone on are in decoding order; those that go back weigh more. */
const ORDERED_SCORE = 16;
const BEST_SCORE = 32;
const BACK_WEIGHT = 8;
/** Nothing comes at a slower pace than that. */
const SLOWEST_TICKS = 10 * TICKS_PER_SECOND;
/** Unless three of them in a row rise evenly, by steps that differ by this part. */
const SLOWEST_EVEN_TICKS = 60 * TICKS_PER_SECOND;
const UNEVEN = 1 / 16;

/** How far the timestamps of a track are apart, and with it which ones follow each other. */
export class Regularity {
  readonly #step = new MiddleOfThree();
  #before = NO_TIMESTAMP;
  #score = 0;

  /** The next timestamp as it stands in the stream, believed or not: a slower pace must be found out, too. */
  note(timestamp: number): void {
    const step = this.#before === NO_TIMESTAMP ? Infinity : timestampDelta(this.#before, timestamp);
    this.#score = Math.max(0, Math.min(BEST_SCORE, this.#score + (step > 0 ? 1 : -BACK_WEIGHT)));
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
    const delta = timestampDelta(before, after);
    const step = this.#step.value;
    const back = this.#isOrdered && step !== undefined ? NEAR_STEPS * step : this.near;
    return delta <= this.near && -delta <= Math.min(back, this.near);
  }

  /** Stricter, for whether a doubtful one between them stood alone: a clock that was set back a little is still behind. */
  goesOn(before: number, after: number): boolean {
    return this.follows(before, after) && (!this.#isOrdered || timestampDelta(before, after) > 0);
  }

  /** Stricter, for where another clock is announced: the one right behind it, or almost. */
  isNext(before: number, after: number): boolean {
    const delta = timestampDelta(before, after);
    const step = this.#step.value;
    return delta > 0 && delta <= (step === undefined ? UNKNOWN_TICKS : NEAR_STEPS * step);
  }

  /** Whether three timestamps rise by the same step, slow as it may be; it is the usual one then. */
  isEven(first: number, second: number, third: number): boolean {
    const step = timestampDelta(first, second);
    const next = timestampDelta(second, third);
    if (step <= 0 || step > SLOWEST_EVEN_TICKS || Math.abs(next - step) > step * UNEVEN) return false;
    this.#step.reset();
    for (let n = 0; n < 3; n++) this.#step.take(step);
    return true;
  }

  reset(): void {
    this.#step.reset();
    this.#before = NO_TIMESTAMP;
    this.#score = 0;
  }

  /** They are decoding times, or there is no reordering. */
  get #isOrdered(): boolean {
    return this.#score >= ORDERED_SCORE;
  }
}
