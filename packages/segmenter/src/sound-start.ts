import { NO_TIMESTAMP, TICKS_PER_SECOND, timestampDelta } from '@hls-uplink/mpegts';

/**
 * A PES that begins with a frame is waited for up to here behind the beginning of its slot. A segment may be half a second
 * longer than its slot without rounding above it (RFC 8216 §4.3.3.1); half of that is left to how far PES lie apart.
 */
const WAIT_TICKS = TICKS_PER_SECOND / 4;

/**
 * Tells where a segment of sound alone may start. Frames may go over from one PES to the next, and no PES is divided: one
 * that begins with the rest of a frame is no good start, but where none comes in time that does better, it is one. Knows
 * but the PES before, so that whoever joins later starts segments at the same ones.
 */
export class SoundStart {
  readonly #targetTicks: number;
  #before = NO_TIMESTAMP;

  constructor(targetSeconds: number) {
    this.#targetTicks = targetSeconds * TICKS_PER_SECOND;
  }

  /**
   * A PES of sound.
   *
   * @param pts raw, or `NO_TIMESTAMP`: no segment can start there
   * @param isGood a frame begins with it, or there is nothing to go on from
   */
  take(pts: number, isGood: boolean): boolean {
    if (pts === NO_TIMESTAMP) return false;
    const distance = this.#before === NO_TIMESTAMP ? 0 : timestampDelta(this.#before, pts);
    this.#before = pts;
    // The next one begins too late.
    return isGood || (pts % this.#targetTicks) + Math.max(0, distance) >= WAIT_TICKS;
  }
}
