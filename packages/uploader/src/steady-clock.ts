import type { Clock } from '@hls-uplink/runtime';

/**
 * Milliseconds since 1970 by a clock that never steps: the wall clock at its making plus the monotonic time since, so
 * that a step of the host's clock moves no deadline and no date of a running channel.
 */
export class SteadyClock {
  readonly #offset: number;

  constructor(readonly clock: Clock) {
    this.#offset = clock.now() - clock.monotonic();
  }

  /** Whole milliseconds. */
  at(): number {
    return Math.round(this.#offset + this.clock.monotonic());
  }
}
