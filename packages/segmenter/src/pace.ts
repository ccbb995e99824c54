import {
  NO_TIMESTAMP,
  TICKS_PER_SECOND,
  timestampDelta,
  wrapTimestamp,
  type ElementaryTrack,
} from '@hls-uplink/mpegts';

/** Taken where neither the stream nor its timestamps tell: 25 pictures a second. */
const USUAL_FRAME_TICKS = TICKS_PER_SECOND / 25;
/** A measured rate this near to a usual one is that one. */
const RATE_TOLERANCE = 0.005;
const USUAL_RATES = [23.976, 24, 25, 29.97, 30, 50, 59.94, 60, 100, 119.88, 120];
/** A key picture distance is stated anew when it has grown by more than this part. */
const GOP_GROWTH = 1.01;

/** Measures the reference track: how long a picture is shown, where the last one ends, how far key pictures are apart. */
export class Pace {
  /** Longest distance between key pictures, 90 kHz ticks. */
  gop: number | undefined;
  #firstClock = NO_TIMESTAMP;
  #clocks = 0;
  #lastPts = NO_TIMESTAMP;
  /** Largest PTS of the open segment. */
  #endPts = NO_TIMESTAMP;
  #keyPts = NO_TIMESTAMP;
  #measured: number | undefined;

  /** A PES of the reference track; `starts` when it is the first of a segment. */
  unit(pts: number, dts: number, key: boolean, starts: boolean): void {
    if (pts === NO_TIMESTAMP) return;
    if (starts) {
      this.#clocks = 0;
      this.#endPts = pts;
    }
    if (this.#clocks === 0) this.#firstClock = dts;
    this.#clocks++;
    if (this.#clocks > 1) {
      const ticks = timestampDelta(this.#firstClock, dts) / (this.#clocks - 1);
      if (ticks > 0) this.#measured = ticks;
    }
    if (timestampDelta(this.#endPts, pts) > 0) this.#endPts = pts;
    this.#lastPts = pts;
    if (!key) return;
    const distance = this.#keyPts === NO_TIMESTAMP ? 0 : timestampDelta(this.#keyPts, pts);
    if (distance > 0 && distance > (this.gop ?? 0) * GOP_GROWTH) this.gop = distance;
    this.#keyPts = pts;
  }

  /** What comes next is on another clock. */
  jump(): void {
    this.#keyPts = NO_TIMESTAMP;
  }

  /** The reference track is another one. */
  reset(): void {
    this.gop = undefined;
    this.#measured = undefined;
    this.jump();
  }

  /** How long a picture (audio: PES) is shown, ticks. */
  frameTicks({ sps }: ElementaryTrack): number {
    return this.#measured ?? (sps?.frameRate ? TICKS_PER_SECOND / sps.frameRate : USUAL_FRAME_TICKS);
  }

  /** PTS of the end of the open segment's last picture in presentation order; audio: of its last frame. */
  end(track: ElementaryTrack): number {
    if (track.kind === 'audio' && track.counter && track.counter.ticks > 0)
      return wrapTimestamp(Math.round(this.#lastPts + track.counter.ticks));
    return wrapTimestamp(Math.round(this.#endPts + this.frameTicks(track)));
  }

  /** Pictures a second: as the stream states it, else as measured. */
  frameRate({ sps }: ElementaryTrack): number | undefined {
    if (sps?.frameRate) return sps.frameRate;
    if (this.#measured === undefined) return undefined;
    const rate = TICKS_PER_SECOND / this.#measured;
    const usual = USUAL_RATES.find((r) => Math.abs(r - rate) < r * RATE_TOLERANCE);
    return usual ?? Math.round(rate * 1000) / 1000;
  }
}
