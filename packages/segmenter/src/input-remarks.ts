import { PACKET_SIZE } from '@hls-uplink/mpegts';
import type { Clock, Logger } from '@hls-uplink/runtime';
import { LogLimit } from './log-limit.js';

/** Counters that rise only when something is wrong with the input. */
const DAMAGES = [
  'skippedBytes',
  'resyncs',
  'transportErrors',
  'continuityErrors',
  'crcErrors',
  'badSections',
  'wildTimestamps',
] as const;
export type Damages = Readonly<Record<(typeof DAMAGES)[number], number>>;

/** Tells the operator what is unusual about the packets of the input, each once, and what is damaged, once a minute. */
export class InputRemarks {
  #stride = PACKET_SIZE;
  #isScrambled = false;
  #told: Damages | undefined;
  readonly #limit: LogLimit;

  constructor(
    private readonly logger: Logger,
    clock: Clock,
  ) {
    this.#limit = new LogLimit(clock);
  }

  /**
   * @param stride from sync byte to sync byte; 0: not yet known
   * @param isScrambled a track is, or was
   */
  look(stride: number, isScrambled: boolean): void {
    if (stride > 0 && stride !== this.#stride) {
      this.#stride = stride;
      this.logger.info(`packets of ${stride} bytes; they go out as ${PACKET_SIZE}`);
    }
    if (isScrambled && !this.#isScrambled) {
      this.#isScrambled = true;
      this.logger.warn(
        'packets are scrambled; they are passed on as they are: descramble the stream before, or players see nothing',
      );
    }
  }

  /** @param counters since the start */
  damages(counters: Damages): void {
    if (this.#risen(counters).length > 0) this.#limit.say('damages', () => this.rest(counters));
  }

  /** The input ended, or is away for a while: what has not been told yet. */
  rest(counters: Damages): void {
    const risen = this.#risen(counters);
    if (risen.length === 0) return;
    const fields = risen.map((name) => [name, counters[name] - (this.#told?.[name] ?? 0)] as const);
    this.#told = counters;
    this.logger.warn('the input is damaged; what is good of it goes on', Object.fromEntries(fields));
  }

  #risen(counters: Damages): (typeof DAMAGES)[number][] {
    return DAMAGES.filter((name) => counters[name] > (this.#told?.[name] ?? 0));
  }
}
