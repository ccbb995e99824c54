import { open } from 'node:fs/promises';
import { PACKET_SIZE, Packetizer } from '@hls-uplink/mpegts';
import { sleep, type Clock, type Logger } from '@hls-uplink/runtime';
import { ClockPace } from './clock-pace.js';
import { Loop } from './loop.js';
import type { InputSource } from './source.js';
import { StreamLength } from './stream-length.js';

const READ_BYTES = 256 * 1024;
/** Packets are let go in bursts, as an encoder's come: each wake-up costs more than its bytes. */
const SHORTEST_PAUSE_MS = 20;

export interface FilePlayerOptions {
  clock: Clock;
  logger: Logger;
  /** As fast as its PCRs go; otherwise as fast as it is taken. */
  realtime: boolean;
  /** From the beginning again at its end, with times and counters that go on. */
  loop: boolean;
  /** The program whose length is that of a round, where it is not the one that would be chosen. */
  program?: number;
}

/** Plays a file as an encoder would send it. */
export class FilePlayer implements InputSource {
  readonly isRegularFile = true;
  /** Packets of a piece of the file, one after the other: a whole piece, and what the packetizer had kept. */
  readonly #packets = Buffer.allocUnsafeSlow(READ_BYTES + 64 * PACKET_SIZE);
  #length = 0;
  /** Where in `#packets` one is that must not go earlier than so many milliseconds after the start. */
  #dues: { at: number; dueMs: number }[] = [];
  readonly #pace = new ClockPace();
  readonly #loop = new Loop();
  #measure: StreamLength | undefined;
  #startedMs = 0;

  constructor(
    readonly name: string,
    private readonly options: FilePlayerOptions,
  ) {
    this.#measure = new StreamLength(options.program);
  }

  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    this.#startedMs = this.options.clock.monotonic();
    const file = await open(this.name, 'r');
    try {
      let ticks: number | undefined;
      for (let round = 0; !signal.aborted; round++) {
        const packetizer = new Packetizer({
          packet: (bytes, at) => this.#take(bytes, at),
          flush: () => undefined,
        });
        const piece = Buffer.allocUnsafe(READ_BYTES);
        for (let position = 0; !signal.aborted;) {
          const { bytesRead } = await file.read(piece, 0, READ_BYTES, position);
          position += bytesRead;
          if (bytesRead === 0) packetizer.end();
          else packetizer.push(piece.subarray(0, bytesRead));
          yield* this.#let(signal);
          if (bytesRead === 0) break;
        }
        if (!this.options.loop) return;
        if (round === 0) ticks = this.#measured();
        if (ticks === undefined) return;
        this.#loop.next(ticks);
      }
    } finally {
      await file.close();
    }
  }

  #take(bytes: Uint8Array, at: number): void {
    const packets = this.#packets;
    const to = this.#length;
    for (let n = 0; n < PACKET_SIZE; n++) packets[to + n] = bytes[at + n]!;
    if (this.options.loop) {
      this.#measure?.packet(packets, to);
      if (!this.#loop.packet(packets, to)) return;
    }
    if (this.options.realtime) {
      const dueMs = this.#pace.due(packets, to);
      if (dueMs !== undefined) this.#dues.push({ at: to, dueMs });
    }
    this.#length += PACKET_SIZE;
  }

  /** Hands on the packets, each in its time. */
  async *#let(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { clock } = this.options;
    let from = 0;
    for (const { at, dueMs } of this.#dues) {
      const early = this.#startedMs + dueMs - clock.monotonic();
      if (early <= 0) continue;
      if (at > from) yield this.#packets.subarray(from, at);
      from = at;
      await sleep(clock, Math.max(early, SHORTEST_PAUSE_MS), signal);
      if (signal.aborted) return;
    }
    if (this.#length > from) yield this.#packets.subarray(from, this.#length);
    this.#length = 0;
    this.#dues = [];
  }

  /** At the end of the first round. Nothing when there is nothing in it to play again. */
  #measured(): number | undefined {
    const ticks = this.#measure?.end();
    this.#measure = undefined;
    const { unreachable } = this.#loop;
    if (unreachable > 0) {
      this.options.logger.warn(
        'timestamps in headers divided between packets cannot be moved on; mend it with ffmpeg -i FILE -c copy -f mpegts',
        { input: this.name, headers: unreachable },
      );
    }
    return ticks;
  }
}
