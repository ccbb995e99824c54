import { NO_TIMESTAMP, TICKS_PER_SECOND, timestampDelta, type ElementaryTrack } from '@hls-uplink/mpegts';

/** Longer than any silence after which a segment goes on: when pictures come back it will be a jump. */
const LONGEST_TICKS = 15 * TICKS_PER_SECOND;
/** Where the stream itself tells no time. The input may be slower than the stream is long. */
const LONGEST_WALL_MS = 30_000;
/** A pause in between may be ours: of each no more than that counts. */
const LONGEST_PAUSE_MS = 1000;
/** As the last resort, for a file of which nothing tells the time. */
const LARGEST_BYTES = 256 << 20;
/** PCRs come every 100 ms (ISO/IEC 13818-1 §2.7.2), PTS every 0.7 s (§2.7.4); a greater step is none of time. */
const LONGEST_STEP = TICKS_PER_SECOND;

/** By what the silence was measured. */
export type Measure = 'sound' | 'PCR' | 'wall clock' | 'bytes';

/** In words. */
export const longestSilence: Record<Measure, string> = {
  sound: '15 s by the sound',
  PCR: '15 s by the PCR',
  'wall clock': '30 s by the wall clock, and nothing else tells the time',
  bytes: '256 MB, and nothing tells the time',
};

/**
 * Tells when no picture whose time is known comes while other things go on: by the clock of the sound, by the PCR, which is
 * never scrambled, and, where neither tells, by the wall clock and by bytes.
 */
export class PictureSilence {
  #track: ElementaryTrack | undefined;
  #pts = NO_TIMESTAMP;
  #soundTicks = 0;
  #pcr = NO_TIMESTAMP;
  #pcrTicks = 0;
  #bytes = 0;
  #wallMs = 0;
  #readAt = 0;
  /** Since the last bytes. */
  #hasPicture = true;

  /** A picture has come, and its time is known. */
  end(): void {
    this.#track = undefined;
    this.#pcrTicks = 0;
    this.#hasPicture = true;
  }

  /** A PES of sound has come; whether too much time has passed by all of its track since the last picture. */
  hears(track: ElementaryTrack, pts: number, jumped: boolean): boolean {
    if (pts === NO_TIMESTAMP) return false;
    if (this.#track === undefined) {
      this.#track = track;
      this.#pts = pts;
      this.#soundTicks = 0;
    }
    if (track !== this.#track) return false;
    const step = timestampDelta(this.#pts, pts);
    this.#pts = pts;
    if (!jumped && step > 0 && step <= LONGEST_STEP) this.#soundTicks += step;
    return this.#soundTicks > LONGEST_TICKS;
  }

  /** A PCR has come, 90 kHz ticks; whether too much time has passed by all of them since the last picture. */
  passes(pcr: number): boolean {
    const step = this.#pcr === NO_TIMESTAMP ? 0 : timestampDelta(this.#pcr, pcr);
    this.#pcr = pcr;
    if (step > 0 && step <= LONGEST_STEP) this.#pcrTicks += step;
    return this.#pcrTicks > LONGEST_TICKS;
  }

  /**
   * Bytes have been read, and what stands in them was told; what has been too much since the last picture, if anything.
   *
   * @param nowMs by the wall clock
   */
  reads(bytes: number, nowMs: number): Measure | undefined {
    if (this.#hasPicture) {
      this.#hasPicture = false;
      this.#bytes = 0;
      this.#wallMs = 0;
    } else {
      this.#bytes += bytes;
      this.#wallMs += Math.min(nowMs - this.#readAt, LONGEST_PAUSE_MS);
    }
    this.#readAt = nowMs;
    if (this.#bytes > LARGEST_BYTES) return 'bytes';
    return this.#wallMs > LONGEST_WALL_MS ? 'wall clock' : undefined;
  }
}
