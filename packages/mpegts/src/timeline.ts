import { MiddleOfThree } from './middle-of-three.js';
import { NO_TIMESTAMP } from './pes.js';
import { Regularity } from './regularity.js';
import { TICKS_PER_SECOND, timestampDelta, wrapTimestamp } from './timestamp.js';

/** A longer silence is taken for a jump: nobody could tell how much of it is missing. */
const FURTHEST_FORWARD = 10 * TICKS_PER_SECOND;
/** PTS and DTS are no further apart than the reordering of pictures takes, H.264 and HEVC: 16 of them. */
const REORDER_TICKS = TICKS_PER_SECOND / 2;
const REORDER_STEPS = 16;

/** `silence`: good, but long after the one before. */
export type Verdict = 'good' | 'silence' | 'wild' | 'jump';

/**
 * Tells jumps of the reference track's timestamps from single wild ones, and what a wild one should have been. The first
 * timestamp that does not follow is in doubt; the next one settles it: where it follows the doubtful one, and not the
 * good one before, the clock has jumped, or there was silence.
 */
export class Timeline {
  /** Timestamps ignored. */
  wild = 0;
  /** What became of the last timestamp that `check` did not doubt. */
  believed: Verdict = 'good';
  /** After the verdict `wild`: what the picture's timestamps should be, `NO_TIMESTAMP` where nobody can tell. */
  pts = NO_TIMESTAMP;
  dts = NO_TIMESTAMP;
  readonly #regularity = new Regularity();
  /** Between pictures that were believed. */
  readonly #step = new MiddleOfThree();
  #last = NO_TIMESTAMP;
  /** Of the picture before the last, where it was believed. */
  #before = NO_TIMESTAMP;
  /** PTS − DTS of the last key picture, and of the picture before, believed or not. */
  #keyOffset = 0;
  #offset = 0;
  #isAnnounced = false;
  // The picture in doubt.
  #doubtfulDts = NO_TIMESTAMP;
  #doubtfulOffset = 0;
  #isKey = false;
  /** After the first picture of all: the one behind it, if they do not agree. */
  #second = NO_TIMESTAMP;

  /** The clock may be another one from the next picture on (discontinuity_indicator, ISO/IEC 13818-1 §2.4.3.5). */
  announce(): void {
    this.#isAnnounced = true;
  }

  check(pts: number, dts: number, key: boolean): 'sure' | 'doubt' {
    this.believed = 'good';
    if (dts === NO_TIMESTAMP) return 'sure';
    const offset = timestampDelta(dts, pts);
    const isOffsetGood = this.#isUsual(offset);
    this.#offset = offset;
    this.#isKey = key;
    this.#doubtfulDts = dts;
    this.#doubtfulOffset = offset;
    if (this.#last === NO_TIMESTAMP) {
      if (isOffsetGood || Math.abs(offset) <= FURTHEST_FORWARD) {
        this.#regularity.note(dts);
        return 'doubt';
      }
      this.believed = this.#reject(NO_TIMESTAMP);
      return 'sure';
    }
    const follows = this.#isAnnounced
      ? this.#regularity.isNext(this.#last, dts)
      : this.#regularity.follows(this.#last, dts) || this.#wasAhead(dts);
    this.#regularity.note(dts);
    if (follows && isOffsetGood) {
      this.#accept();
      return 'sure';
    }
    if (isOffsetGood) return 'doubt';
    this.believed = this.#reject(follows ? dts : this.#expected(NO_TIMESTAMP));
    return 'sure';
  }

  /** Settles the doubt by the next timestamp of the track, if that is enough. */
  resolve(next: number): Verdict | 'open' {
    if (next === NO_TIMESTAMP) return 'open';
    const regularity = this.#regularity;
    const followsDoubtful = regularity.follows(this.#doubtfulDts, next);
    if (this.#last === NO_TIMESTAMP) return this.#resolveFirst(next, followsDoubtful);
    const isAlone = regularity.goesOn(this.#last, next);
    // Where another clock is announced and is but a little off, the next one follows on either.
    const isMoved = this.#isAnnounced ? regularity.isNext(this.#doubtfulDts, next) : !isAlone;
    return followsDoubtful && isMoved ? this.settle() : this.#reject(this.#expected(next));
  }

  /** Settles the doubt without waiting for more: the timestamp is right. */
  settle(): Verdict {
    const silence = this.#last === NO_TIMESTAMP ? 0 : timestampDelta(this.#last, this.#doubtfulDts);
    const isJump = silence < 0 || silence > FURTHEST_FORWARD || this.#isAnnounced;
    const isFirst = this.#last === NO_TIMESTAMP;
    if (!isFirst) this.#last = NO_TIMESTAMP;
    this.#accept();
    if (isFirst) return 'good';
    return isJump ? 'jump' : 'silence';
  }

  /** Settles the doubt at the end of the input. */
  end(): Verdict {
    return this.#last === NO_TIMESTAMP ? this.settle() : this.#reject(this.#expected(NO_TIMESTAMP));
  }

  reset(): void {
    this.#last = NO_TIMESTAMP;
    this.#before = NO_TIMESTAMP;
    this.#second = NO_TIMESTAMP;
    this.#isAnnounced = false;
    this.#regularity.reset();
    this.#step.reset();
  }

  /** The very first timestamp may be the wild one; of three, two agree. */
  #resolveFirst(next: number, followsDoubtful: boolean): Verdict | 'open' {
    if (followsDoubtful) return this.settle();
    if (this.#second === NO_TIMESTAMP) {
      this.#second = next;
      return 'open';
    }
    const second = this.#second;
    this.#second = NO_TIMESTAMP;
    if (this.#regularity.isEven(this.#doubtfulDts, second, next)) return this.settle();
    if (!this.#regularity.follows(second, next)) return this.#reject(NO_TIMESTAMP);
    const verdict = this.#reject(wrapTimestamp(2 * second - next));
    // The one behind it is the first that can be held against those that follow.
    this.#last = NO_TIMESTAMP;
    return verdict;
  }

  /** Whether the last timestamp was a little too far on, and was believed; `dts` goes on from the one before it. */
  #wasAhead(dts: number): boolean {
    return this.#before !== NO_TIMESTAMP && this.#regularity.isNext(this.#before, dts);
  }

  get #reordering(): number {
    return Math.max(REORDER_TICKS, REORDER_STEPS * (this.#step.value ?? 0));
  }

  /** Whether PTS and DTS are as far apart as they may be, or as they always are. */
  #isUsual(offset: number): boolean {
    return Math.abs(offset) <= this.#reordering || Math.abs(offset - this.#offset) <= this.#reordering;
  }

  /** DTS of a wild picture between the last good one and `next`. */
  #expected(next: number): number {
    const step =
      this.#step.value ?? (next === NO_TIMESTAMP ? 0 : Math.round(timestampDelta(this.#last, next) / 2));
    return wrapTimestamp(this.#last + Math.max(0, step));
  }

  #accept(): void {
    if (this.#last !== NO_TIMESTAMP) this.#step.take(timestampDelta(this.#last, this.#doubtfulDts));
    this.#before = this.#last;
    this.#last = this.#doubtfulDts;
    if (this.#isKey) this.#keyOffset = this.#doubtfulOffset;
    this.#isAnnounced = false;
    this.#second = NO_TIMESTAMP;
  }

  /** The picture's timestamps are wild; `dts` stands in for the one, the usual distance leads to the other. */
  #reject(dts: number): Verdict {
    this.wild++;
    this.#isAnnounced = false;
    this.dts = dts;
    this.pts = NO_TIMESTAMP;
    if (dts === NO_TIMESTAMP) return 'wild';
    this.#before = this.#last;
    this.#last = dts;
    // Both may be wild by as much, or the one, or the other.
    const usual = wrapTimestamp(dts + this.#keyOffset);
    const pts = wrapTimestamp(this.#doubtfulDts + this.#doubtfulOffset);
    const ptsError = Math.abs(timestampDelta(usual, pts));
    const offsetError = Math.abs(this.#doubtfulOffset - this.#keyOffset);
    if (Math.min(ptsError, offsetError) > this.#reordering) this.pts = usual;
    else this.pts = ptsError <= offsetError ? pts : wrapTimestamp(dts + this.#doubtfulOffset);
    return 'wild';
  }
}
