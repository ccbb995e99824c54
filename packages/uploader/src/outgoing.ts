import type { Socket } from 'node:net';
import { encodeMessage, type UploaderMessage } from '@hls-uplink/protocol';
import type { Clock } from '@hls-uplink/runtime';

/** A peer that takes nothing while so much waits for it is cut off, bytes. */
const MOST_WAITING = 8 * 1024 * 1024;

/** What goes to one peer: lines in order, never more than a bound in memory. */
export class Outgoing {
  #lastMs: number;

  constructor(
    private readonly socket: Socket,
    private readonly clock: Clock,
  ) {
    this.#lastMs = clock.monotonic();
  }

  /** How long nothing was said, milliseconds. */
  get silentMs(): number {
    return this.clock.monotonic() - this.#lastMs;
  }

  tell(message: UploaderMessage): void {
    if (!this.socket.writable) return;
    this.#lastMs = this.clock.monotonic();
    this.socket.write(encodeMessage(message));
    if (this.socket.writableLength > MOST_WAITING) this.socket.destroy();
  }

  /** The last message, then the end; the peer's own end is not waited for long. */
  close(message: UploaderMessage): void {
    if (!this.socket.writable) return;
    this.socket.end(encodeMessage(message));
    const cancel = this.clock.after(1000, () => this.socket.destroy());
    this.socket.once('close', cancel);
  }
}
