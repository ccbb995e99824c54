import { NO_TIMESTAMP, TICKS_PER_SECOND, timestampDelta, type ElementaryTrack } from '@hls-uplink/mpegts';

/** Longer than any silence after which a segment goes on: when pictures come back it will be a jump. */
const LONGEST_TICKS = 15 * TICKS_PER_SECOND;

/** Tells when the pictures stay away while sound goes on, by the clock of the sound. */
export class PictureSilence {
  #track: ElementaryTrack | undefined;
  #since = NO_TIMESTAMP;

  /** A picture has come. */
  end(): void {
    this.#track = undefined;
  }

  /** A PES of sound has come; whether it is too long after the first one since the last picture. */
  hears(track: ElementaryTrack, pts: number, jumped: boolean): boolean {
    if (pts === NO_TIMESTAMP) return false;
    if (this.#track === undefined || (track === this.#track && jumped)) {
      this.#track = track;
      this.#since = pts;
    }
    return track === this.#track && timestampDelta(this.#since, pts) > LONGEST_TICKS;
  }
}
