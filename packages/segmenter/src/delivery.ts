import { TICKS_PER_SECOND, timestampDelta, wrapTimestamp, type ElementaryTrack } from '@hls-uplink/mpegts';
import type { DiscontinuityReason, Marker } from '@hls-uplink/protocol';
import { errorText, type Logger } from '@hls-uplink/runtime';
import type { CutSegment, CutSink, CutTracks } from './cut-segment.js';
import type { WrittenSegment } from './segment-writer.js';

/** What is said about a segment while it is open. */
export interface About {
  startPts: number;
  endPts: number;
  wallClockMs: number;
  discontinuity: DiscontinuityReason | undefined;
  ended: CutSegment['ended'];
  independent: boolean;
  markers: Marker[];
  tracks: readonly ElementaryTrack[];
  /** As far as it was known when the segment began. */
  described: CutTracks;
}

/** Hands segments on in stream order, each as soon as it is on disk, and their tracks before them where they change. */
export class Delivery {
  /** Handed on. */
  segments = 0;
  /** Could not be written. */
  lost = 0;
  #announced = '';
  #done: Promise<void> = Promise.resolve();

  constructor(
    private readonly sink: CutSink,
    private readonly logger: Logger,
  ) {}

  /** Resolves when all segments taken so far are on disk and handed on, or lost. */
  get done(): Promise<void> {
    return this.#done;
  }

  /** Takes a segment whose packets have all been given to its file. */
  take({ file, about, keyPictures }: WrittenSegment<About>, tracks: CutTracks): void {
    const { startPts, wallClockMs, discontinuity, ended, independent, markers } = about;
    // A segment of one picture of unknown duration would be empty.
    const endPts = about.endPts === startPts ? wrapTimestamp(startPts + 1) : about.endPts;
    const finished = file.finish();
    // It may fail while those before it are still being handed on: whoever awaits it then hears of it.
    finished.catch(() => undefined);
    this.#done = this.#done.then(async () => {
      const text = JSON.stringify(tracks);
      if (text !== this.#announced) this.sink.tracks(tracks);
      this.#announced = text;
      const times = { startPts, endPts, wallClockMs, ...(discontinuity && { discontinuity }) };
      try {
        const { bytes, crc32 } = await finished;
        this.segments++;
        const facts = { bytes, crc32, ended, independent, keyPictures, markers };
        this.sink.segment({ ...times, partPath: file.path, ...facts });
      } catch (error) {
        this.lost++;
        const reason = errorText(error);
        const seconds = timestampDelta(startPts, endPts) / TICKS_PER_SECOND;
        this.logger.error('segment lost', { reason, seconds });
        this.sink.lost({ ...times, reason });
      }
    });
  }
}
