import type { Socket } from 'node:net';
import { encodeMessage, type UploaderMessage } from '@hls-uplink/protocol';
import type { Clock } from '@hls-uplink/runtime';
import type { LineShare } from './line-budget.js';

/** A peer that takes nothing while so much waits for it is cut off, bytes; sooner when all together wait for too much. */
const MOST_WAITING = 8 * 1024 * 1024;

/** What goes to one peer: lines in order, never more than a bound in memory. */
export class Outgoing {
  #lastMs: number;

  constructor(
    private readonly socket: Socket,
    private readonly clock: Clock,
    private readonly share: LineShare,
  ) {
    this.#lastMs = clock.monotonic();
    socket.once('close', () => share.hold(0));
  }

  /** How long nothing was said, milliseconds. */
  get silentMs(): number {
    return this.clock.monotonic() - this.#lastMs;
  }

  tell(message: UploaderMessage): void {
    if (!this.socket.writable) return;
    this.#lastMs = this.clock.monotonic();
    this.socket.write(encodeMessage(message));
    const waiting = this.socket.writableLength;
    if (waiting > MOST_WAITING || !this.share.hold(waiting)) this.socket.destroy();
  }

  /** The last message, then the end; the peer's own end is not waited for long. */
  close(message: UploaderMessage): void {
    if (!this.socket.writable) return;
    this.socket.end(encodeMessage(message));
    const cancel = this.clock.after(1000, () => this.socket.destroy());
    this.socket.once('close', cancel);
  }
}
