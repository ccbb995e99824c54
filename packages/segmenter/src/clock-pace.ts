import {
  emptyPesHeader,
  NO_TIMESTAMP,
  NULL_PID,
  PACKET_SIZE,
  packetPayload,
  packetPid,
  packetStartsUnit,
  readPesHeader,
  TICKS_PER_SECOND,
  timestampDelta,
} from '@hls-uplink/mpegts';
import { readClockBase } from './loop.js';

/** A clock that goes back, or on by more, has jumped: PCRs come every 100 ms (ISO/IEC 13818-1 §2.7.2). */
const LARGEST_STEP_TICKS = 5 * TICKS_PER_SECOND;
/** So many PCRs of another PID, and none of the one that was followed: the program has changed its clock. */
const CONVINCING = 50;

/** PES without a DTS of their own go back by their reordering. */
const REORDER_TICKS = 2 * TICKS_PER_SECOND;

/**
 * When packets are due by the PCRs of a program, so that a file can be played as fast as it was made. Until there is a PCR,
 * by the DTS of the first PID that has some.
 */
export class ClockPace {
  #pid = NULL_PID;
  #last = 0;
  #elapsedTicks = 0;
  #strangers = 0;
  /** What is followed are PCRs. */
  #hasClock = false;
  readonly #header = emptyPesHeader();

  /** Milliseconds after the first timestamp at which the packet is due; nothing where it does not tell. Never goes back. */
  due(bytes: Uint8Array, at: number): number | undefined {
    const hasClock = bytes[at + 3]! & 0x20 && bytes[at + 4]! >= 7 && bytes[at + 5]! & 0x10;
    if (bytes[at + 1]! & 0x80) return undefined;
    const pid = packetPid(bytes, at);
    if (!hasClock) return this.#hasClock ? undefined : this.#byDts(bytes, at, pid);
    if (!this.#hasClock) this.#pid = NULL_PID;
    this.#hasClock = true;
    const base = readClockBase(bytes, at + 6);
    if (pid !== this.#pid) {
      if (this.#pid !== NULL_PID && ++this.#strangers < CONVINCING) return undefined;
      this.#pid = pid;
      this.#last = base;
    }
    this.#strangers = 0;
    return this.#advance(base);
  }

  #byDts(bytes: Uint8Array, at: number, pid: number): number | undefined {
    const isOther = this.#pid !== NULL_PID && pid !== this.#pid;
    const flags = bytes[at + 3]!;
    if (isOther || !packetStartsUnit(bytes, at) || !(flags & 0x10) || flags & 0xc0) return undefined;
    readPesHeader(bytes, packetPayload(bytes, at), at + PACKET_SIZE, this.#header);
    const { dts } = this.#header;
    if (dts === NO_TIMESTAMP) return undefined;
    if (this.#pid === NULL_PID) this.#last = dts;
    this.#pid = pid;
    return this.#advance(dts, REORDER_TICKS);
  }

  /** @param reorderTicks what goes back by no more tells nothing */
  #advance(ticks: number, reorderTicks = 0): number | undefined {
    const step = timestampDelta(this.#last, ticks);
    if (step < 0 && step >= -reorderTicks) return undefined;
    this.#last = ticks;
    if (step > 0 && step <= LARGEST_STEP_TICKS) this.#elapsedTicks += step;
    return this.#elapsedTicks / (TICKS_PER_SECOND / 1000);
  }
}
