import { NULL_PID, packetPid, TICKS_PER_SECOND, timestampDelta } from '@hls-uplink/mpegts';
import { readClockBase } from './loop.js';

/** A clock that goes back, or on by more, has jumped: PCRs come every 100 ms (ISO/IEC 13818-1 §2.7.2). */
const LARGEST_STEP_TICKS = 5 * TICKS_PER_SECOND;
/** So many PCRs of another PID, and none of the one that was followed: the program has changed its clock. */
const CONVINCING = 50;

/** When packets are due by the PCRs of a program, so that a file can be played as fast as it was made. */
export class ClockPace {
  #pid = NULL_PID;
  #last = 0;
  #elapsedTicks = 0;
  #strangers = 0;

  /** Milliseconds after the first PCR at which the packet is due; nothing where it does not tell. Never goes back. */
  due(bytes: Uint8Array, at: number): number | undefined {
    const hasClock = bytes[at + 3]! & 0x20 && bytes[at + 4]! >= 7 && bytes[at + 5]! & 0x10;
    if (!hasClock || bytes[at + 1]! & 0x80) return undefined;
    const pid = packetPid(bytes, at);
    const base = readClockBase(bytes, at + 6);
    if (pid !== this.#pid) {
      if (this.#pid !== NULL_PID && ++this.#strangers < CONVINCING) return undefined;
      this.#pid = pid;
      this.#last = base;
    }
    this.#strangers = 0;
    const step = timestampDelta(this.#last, base);
    this.#last = base;
    if (step > 0 && step <= LARGEST_STEP_TICKS) this.#elapsedTicks += step;
    return this.#elapsedTicks / (TICKS_PER_SECOND / 1000);
  }
}
