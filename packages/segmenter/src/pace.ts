import {
  MiddleOfThree,
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
/** A picture may be shown longer or shorter by this part than those around it. */
const UNEVEN = 0.25;
const USUAL_RATES = [23.976, 24, 25, 29.97, 30, 50, 59.94, 60, 100, 119.88, 120];
/** A longer time without pictures is a hole: ticks, and pictures. */
const HOLE_TICKS = TICKS_PER_SECOND;
const HOLE_PICTURES = 4;
/** A key picture distance is stated anew when it has grown by more than this part. */
const GOP_GROWTH = 1.01;

/** Measures the reference track: how long a picture is shown, where the last one ends, how far key pictures are apart. */
export class Pace {
  /** Longest distance between key pictures, 90 kHz ticks. */
  gop: number | undefined;
  #clock = NO_TIMESTAMP;
  /** Pictures in the PES of that time. */
  #clockPictures = 1;
  /** Holes count for nothing, nor does the reordering where there are PTS alone. */
  readonly #step = new MiddleOfThree();
  /** Of the open segment. */
  #steps = 0;
  #stepTicks = 0;
  #pictures = 0;
  #shortest = Infinity;
  #longest = 0;
  #startPts = NO_TIMESTAMP;
  /** There are pictures without timestamps in it. */
  #isUntimed = false;
  /** Its PES have PTS alone, and they go back. */
  #isReordered = false;
  #lastPts = NO_TIMESTAMP;
  /** Largest PTS of the open segment. */
  #endPts = NO_TIMESTAMP;
  #keyPts = NO_TIMESTAMP;
  /** Of the input, when the last key picture came. */
  #damages = 0;
  /** Since the last key picture there was a hole. */
  #isHoled = false;
  #measured: number | undefined;

  /**
   * A key picture comes. Where packets were lost since the one before it, or timestamps were wild, a key picture may have
   * been among them, and the distance tells nothing.
   *
   * @param damages of the input so far
   */
  key(damages: number): void {
    if (damages !== this.#damages) this.#keyPts = NO_TIMESTAMP;
    this.#damages = damages;
  }

  /**
   * A PES of the reference track.
   *
   * @param starts it is the first of a segment
   * @param pictures so many begin in it
   * @param lastPts of the last of them
   */
  unit(pts: number, dts: number, key: boolean, starts: boolean, pictures = 1, lastPts = pts): void {
    if (pts === NO_TIMESTAMP) {
      this.#isUntimed = true;
      return;
    }
    // How long the picture before was shown is the segment's before; until this one has more to tell, that one's rate holds.
    this.#measure(dts, pictures);
    if (starts) {
      this.#steps = 0;
      this.#stepTicks = 0;
      this.#pictures = 0;
      this.#shortest = Infinity;
      this.#longest = 0;
      this.#startPts = pts;
      this.#endPts = pts;
      this.#isUntimed = false;
      this.#isReordered = false;
    }
    this.#pictures += pictures;
    if (timestampDelta(this.#endPts, lastPts) > 0) this.#endPts = lastPts;
    this.#lastPts = pts;
    if (!key) return;
    const distance = this.#keyPts === NO_TIMESTAMP || this.#isHoled ? 0 : timestampDelta(this.#keyPts, pts);
    this.#isHoled = false;
    if (distance > 0 && distance > (this.gop ?? 0) * GOP_GROWTH) this.gop = distance;
    this.#keyPts = pts;
  }

  #measure(dts: number, pictures: number): void {
    const distance =
      this.#clock === NO_TIMESTAMP ? 0 : timestampDelta(this.#clock, dts) / this.#clockPictures;
    this.#clock = dts;
    this.#clockPictures = pictures;
    if (distance === 0) return;
    if (distance < 0) this.#isReordered = true;
    this.#shortest = Math.min(this.#shortest, distance);
    this.#longest = Math.max(this.#longest, distance);
    this.#step.take(distance);
    const ticks = this.#step.value;
    if (distance > Math.max(HOLE_TICKS, HOLE_PICTURES * (ticks ?? distance))) this.#isHoled = true;
    if (ticks === undefined) {
      if (distance > 0) this.#measured ??= distance;
      return;
    }
    this.#steps++;
    // Timestamps made of milliseconds come by 33, 33 and 34: only their mean is right.
    this.#stepTicks += isAbout(distance, ticks) ? distance : ticks;
    if (this.#stepTicks > 0) this.#measured = this.#stepTicks / this.#steps;
  }

  /** What comes next is on another clock. */
  jump(): void {
    this.#keyPts = NO_TIMESTAMP;
    this.#clock = NO_TIMESTAMP;
    this.#isHoled = false;
  }

  /** Ticks from the last picture that had a timestamp to `dts`, `undefined` where there is none. */
  since(dts: number): number | undefined {
    return this.#clock === NO_TIMESTAMP || dts === NO_TIMESTAMP
      ? undefined
      : timestampDelta(this.#clock, dts);
  }

  /** The reference track is another one. */
  reset(): void {
    this.gop = undefined;
    this.#measured = undefined;
    this.#step.reset();
    this.jump();
  }

  /** How long a picture (audio: PES) is shown, ticks. */
  frameTicks({ sps }: ElementaryTrack): number {
    const stated = sps?.frameRate ? TICKS_PER_SECOND / sps.frameRate : undefined;
    if (this.#isUntimed && stated !== undefined) return stated;
    // By decoding the distances vary with the kinds of pictures then; by showing them they don't.
    if (this.#isReordered && this.#pictures > 1)
      return timestampDelta(this.#startPts, this.#endPts) / (this.#pictures - 1);
    return this.#measured ?? stated ?? USUAL_FRAME_TICKS;
  }

  /**
   * PTS of the end of the open segment's last picture in presentation order; audio: of its last frame.
   *
   * @param isBehind the next PES of the track has begun, which is none of the segment's
   */
  end(track: ElementaryTrack, isBehind: boolean): number {
    const { kind, counter } = track;
    const ticks = (isBehind ? counter?.ticksBefore : counter?.ticks) ?? 0;
    if (kind === 'audio' && ticks > 0) return wrapTimestamp(Math.round(this.#lastPts + ticks));
    return wrapTimestamp(Math.round(this.#endPts + (this.#fieldTicks(track) ?? this.frameTicks(track))));
  }

  /** Where fields have PES of their own and frames stand among them: how long until the frame of the last one ends. */
  #fieldTicks({ sps }: ElementaryTrack): number | undefined {
    if (!sps?.frameRate) return undefined;
    const frame = TICKS_PER_SECOND / sps.frameRate;
    if (!isAbout(this.#shortest, frame / 2) || !isAbout(this.#longest, frame)) return undefined;
    return isAbout(timestampDelta(this.#startPts, this.#endPts) % frame, frame / 2) ? frame / 2 : frame;
  }

  /** Pictures a second: as the stream states it, else as measured. */
  frameRate({ sps }: ElementaryTrack): number | undefined {
    if (sps?.frameRate) return sps.frameRate;
    if (this.#measured === undefined) return undefined;
    const rate = TICKS_PER_SECOND / this.#measured;
    // Some of the usual ones are nearer to each other than the tolerance: the nearest counts.
    const usual = USUAL_RATES.reduce((a, b) => (Math.abs(b - rate) < Math.abs(a - rate) ? b : a));
    return Math.abs(usual - rate) < usual * RATE_TOLERANCE ? usual : Math.round(rate * 1000) / 1000;
  }
}

const isAbout = (ticks: number, usual: number): boolean => Math.abs(ticks - usual) < usual * UNEVEN;
