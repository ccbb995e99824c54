import type { RandomAccess } from './access-unit.js';
import { MiddleOfThree } from './middle-of-three.js';
import { NO_TIMESTAMP } from './pes.js';
import { TICKS_PER_SECOND, timestampDelta, wrapTimestamp } from './timestamp.js';

/** Taken where nothing tells: 25 pictures a second. */
const USUAL_TICKS = TICKS_PER_SECOND / 25;
/** A distance that much larger than that of pictures is one of several. */
const SEVERAL = 1.5;
/** PES that the mean delay is taken of, at most. */
const LONGEST_MEMORY = 256;

/**
 * Times of the pictures that begin in a PES behind its first one, which have none of their own: pictures come evenly, so the
 * distance from PES to PES divided by their number is that of two pictures.
 */
export class PictureCount {
  /** Of the PES before: its DTS, and the access units from there on. */
  #dts = NO_TIMESTAMP;
  #begun = 0;
  readonly #step = new MiddleOfThree();
  #measured: number | undefined;
  /** PTS − DTS of the last key picture that its PES begins with, for those without and with leading pictures. */
  #closedDelay: number | undefined;
  #openDelay: number | undefined;
  #largestDelay = 0;
  #delays = 0;
  #known = 0;

  reset(): void {
    this.#dts = NO_TIMESTAMP;
    this.#begun = 0;
    this.#step.reset();
    this.#measured = undefined;
    this.#closedDelay = undefined;
    this.#openDelay = undefined;
    this.#largestDelay = 0;
    this.#delays = 0;
    this.#known = 0;
  }

  /**
   * A PES in which `begun` access units begin.
   *
   * @param key its first picture is a key picture: of that kind
   * @param frameRate by the parameters
   * @returns whether the PES before has held one picture: one access unit, or the two fields of one; or nobody can tell
   */
  take(
    pts: number,
    dts: number,
    begun: number,
    key: RandomAccess | undefined,
    frameRate: number | undefined,
  ): boolean {
    if (dts === NO_TIMESTAMP) {
      this.#begun += begun;
      return begun === 1;
    }
    const before = this.#begun;
    const distance = this.#dts === NO_TIMESTAMP ? 0 : timestampDelta(this.#dts, dts);
    this.#dts = dts;
    this.#begun = begun;
    const delay = timestampDelta(dts, pts);
    if (key === 'open-gop') this.#openDelay = delay;
    else if (key) this.#closedDelay = delay;
    if (delay < TICKS_PER_SECOND) this.#largestDelay = Math.max(this.#largestDelay, delay);
    if (this.#known === LONGEST_MEMORY) {
      this.#known /= 2;
      this.#delays /= 2;
    }
    this.#known++;
    this.#delays += delay;
    if (before === 0 || distance <= 0) return true;
    const stated = frameRate === undefined ? undefined : TICKS_PER_SECOND / frameRate;
    // What is stated alone may be wrong: some encoders count fields.
    const usual = this.#step.value ?? (before === 2 ? stated : undefined);
    const isOne = usual === undefined ? before === 1 : distance < SEVERAL * Math.max(usual, stated ?? 0);
    this.#step.take(distance / before);
    this.#measured = this.#step.value ?? this.#measured ?? distance / before;
    return isOne || distance > TICKS_PER_SECOND;
  }

  /** Distances are measured anew. */
  forget(): void {
    this.#dts = NO_TIMESTAMP;
    this.#step.reset();
  }

  /** Access units that are shown as one picture: two where they are fields. */
  unitsPerPicture(frameRate: number | undefined): 1 | 2 {
    if (frameRate === undefined || this.#measured === undefined) return 1;
    return SEVERAL * this.#measured < TICKS_PER_SECOND / frameRate ? 2 : 1;
  }

  /** DTS of the access unit `count` behind that of `dts`. */
  decoded(dts: number, count: number, frameRate: number | undefined): number {
    const step = this.#measured ?? (frameRate === undefined ? USUAL_TICKS : TICKS_PER_SECOND / frameRate);
    return wrapTimestamp(Math.round(dts + count * step));
  }

  /**
   * PTS of a key picture that is decoded at `dts`: as long after as key pictures are that have a PTS of their own, else as
   * pictures are on the average, since in a closed GOP they are shown in as many places as they are decoded in; and one
   * with leading pictures as late as any.
   */
  shown(dts: number, access: RandomAccess): number {
    const delay =
      access === 'open-gop'
        ? (this.#openDelay ?? this.#largestDelay)
        : (this.#closedDelay ?? this.#meanDelay());
    return wrapTimestamp(dts + delay);
  }

  #meanDelay(): number {
    const step = this.#measured ?? USUAL_TICKS;
    return this.#known === 0 ? 0 : Math.round(Math.round(this.#delays / this.#known / step) * step);
  }
}
