/** What befalls a broadcast while a player plays it, and what of the stream is lost with it, for it had to be. */
import type { ObservedSegment } from '../watcher/index.js';
import { listedMore, type Stage } from './stage.js';

const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

interface Absence {
  rendition: string;
  fromMs: number;
  toMs: number;
}

export class Mishaps {
  readonly #absences: Absence[] = [];

  constructor(
    private readonly stage: Stage,
    private readonly targetSeconds: number,
  ) {}

  /** Whether the rendition was away then: what was open is lost with it, and so is what is begun in the middle. */
  excuse({ rendition, dateMs, durationSeconds }: ObservedSegment): boolean {
    return this.#absences.some(
      (one) =>
        one.rendition === rendition && dateMs! + durationSeconds * 1000 > one.fromMs && dateMs! < one.toMs,
    );
  }

  /** Until it is back and its media are listed again: processes that start on a busy machine take their time. */
  async away(rendition: string, during: () => Promise<void>): Promise<void> {
    const fromMs = Date.now() - this.targetSeconds * 1000;
    await during();
    const backMs = Date.now();
    await this.stage.watcher.until(
      ({ renditions }) =>
        renditions.some(
          ({ name, segments }) =>
            name === rendition && segments.some(({ gap, listedAt }) => !gap && listedAt > backMs),
        ),
      { what: `${rendition} again`, timeoutMs: 40_000 },
    );
    const toMs = Math.max(backMs + 2 * this.targetSeconds * 1000, Date.now());
    this.#absences.push({ rendition, fromMs, toMs });
  }

  /** It is killed, and for a while none is there. */
  async segmenterKilled(name: string): Promise<void> {
    const { live } = this.stage;
    await this.away(name, async () => {
      await live.killSegmenter(name);
      await pause(this.targetSeconds);
      await live.startSegmenter(name);
    });
  }

  async segmenterStandsStill(name: string, seconds: number): Promise<void> {
    const segmenter = this.stage.live.segmenters.get(name)!;
    await this.away(name, async () => {
      segmenter.killAlone('SIGSTOP');
      await pause(seconds);
      segmenter.killAlone('SIGCONT');
    });
  }

  /** Its encoder crashes and is started again, on another clock. */
  async encoderStartedAgain(name: string): Promise<void> {
    const { live } = this.stage;
    await this.away(name, async () => {
      await live.killEncoderOf(name);
      await live.startSegmenter(name);
      live.startEncoderOf(name);
    });
  }

  async uploaderKilled(): Promise<void> {
    const { live } = this.stage;
    await live.killUploader();
    await live.startUploader();
    await listedMore(this.stage, 2);
  }
}
