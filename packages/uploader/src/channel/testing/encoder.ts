import { PTS_WRAP, type Scene } from './scene.js';

const GOP_90K = 180_000;

/** One encoder in simulated time: a key picture every 2 s, to all the segmenters it feeds at once. */
export class Encoder {
  /** How often it has begun: each time its pictures are others. */
  begun = 0;
  private clock: { baseMs: number; basePts: number; pictures: number } | undefined;

  constructor(
    private readonly scene: Scene,
    private readonly feeds: (rendition: string) => boolean = () => true,
    private readonly gop90k = GOP_90K,
  ) {}

  start(firstPts: number): void {
    this.begun++;
    this.clock = { baseMs: this.scene.time.now, basePts: firstPts, pictures: 0 };
    this.keyPicture(this.clock);
  }

  stop(): void {
    this.clock = undefined;
  }

  /** Of the picture just now, unwrapped; undefined while it is stopped. */
  pts(): number | undefined {
    if (!this.clock) return undefined;
    return this.clock.basePts + Math.round(((this.scene.time.now - this.clock.baseMs) * 90) / this.pace);
  }

  /** What a millisecond of its clock takes, milliseconds. */
  private get pace(): number {
    return 1 + (this.scene.options.driftPpm ?? 0) / 1e6;
  }

  private keyPicture(clock: NonNullable<Encoder['clock']>): void {
    if (this.clock !== clock) return;
    const { segmenters, happened, time } = this.scene;
    const pts = clock.basePts + clock.pictures * this.gop90k;
    clock.pictures++;
    if (clock.pictures > 1 && Math.floor(pts / PTS_WRAP) > Math.floor((pts - this.gop90k) / PTS_WRAP))
      happened.wraps++;
    for (const segmenter of segmenters.values())
      if (segmenter.up && this.feeds(segmenter.rendition)) segmenter.takeKey(pts);
    time.at(clock.baseMs + ((clock.pictures * this.gop90k) / 90) * this.pace, () => this.keyPicture(clock));
  }
}
