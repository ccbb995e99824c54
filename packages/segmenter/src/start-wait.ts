import { NO_TIMESTAMP, type Demuxer, type MediaError, type Packetizer } from '@hls-uplink/mpegts';
import type { Clock, Logger } from '@hls-uplink/runtime';
import { LogLimit } from './log-limit.js';
import { TAKE_ANOTHER } from './program-remarks.js';
import { nothingCame, nothingStarts, type Came } from './refusal.js';

/** Bytes come for so long without a segment open until the log says why, milliseconds. */
const PATIENCE_MS = 5000;
/** Key pictures may be that far apart in good streams. */
const KEY_PATIENCE_MS = 15_000;

/** The wait for something that a segment can start at: counts what comes meanwhile, and says what does not. */
export class StartWait {
  #units = 0;
  #timed = 0;
  #packetsBefore = 0;
  #since: number | undefined;
  readonly #limit: LogLimit;

  constructor(
    private readonly logger: Logger,
    private readonly clock: Clock,
    private readonly packetizer: Packetizer,
    private readonly demuxer: Demuxer,
  ) {
    this.#limit = new LogLimit(clock);
  }

  /** A segment is open, or another track is to cut from now on. */
  over(): void {
    this.#units = 0;
    this.#timed = 0;
    this.#packetsBefore = this.packetizer.packets;
    this.#since = undefined;
  }

  /** The input is away: that is no wait. */
  pause(): void {
    this.#since = undefined;
  }

  /** A PES of the track that is to cut, at which nothing could start. */
  unit(pts: number): void {
    this.#units++;
    if (pts !== NO_TIMESTAMP) this.#timed++;
  }

  /** Why no segment came of an input that is over. */
  refusal(): MediaError {
    return nothingCame(this.packetizer, this.demuxer, this.#came);
  }

  /** Bytes have been read, and no segment is open. */
  look(): void {
    const now = this.clock.monotonic();
    this.#since ??= now;
    const waitedMs = now - this.#since;
    if (waitedMs < PATIENCE_MS) return;
    const came = this.#came;
    const { code, message } = nothingStarts(this.demuxer, came);
    if (code === 'no-key-picture' && waitedMs < KEY_PATIENCE_MS) return;
    const { programs } = this.demuxer.tables;
    this.#limit.change('start', code, (fields) =>
      this.logger.warn('no segment can start; waiting', {
        missing: message,
        seconds: Math.round(waitedMs / 1000),
        packets: came.packets,
        pes: came.units,
        timestamps: came.timed,
        ...(programs.length > 1 && {
          programs: programs.map(({ programNumber }) => programNumber).join(', '),
          remedy: TAKE_ANOTHER,
        }),
        ...fields,
      }),
    );
  }

  get #came(): Came {
    const packets = this.packetizer.packets - this.#packetsBefore;
    return { packets, units: this.#units, timed: this.#timed };
  }
}
