import { constants, openSync } from 'node:fs';
import type { Clock } from '@hls-uplink/runtime';
import { NonBlockingReader } from './pipe-source.js';
import type { Presence } from './presence.js';
import type { Source } from './source.js';

/**
 * A FIFO by its name: writers may go and come. It is kept open all the time, so that no writer ever finds it without
 * a reader.
 */
export class FifoSource implements Source {
  constructor(
    private readonly path: string,
    private readonly clock: Clock,
    private readonly presence: Presence,
  ) {}

  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const fd = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
    const reader = new NonBlockingReader(fd, this.clock);
    try {
      while (!signal.aborted) {
        const chunk = reader.next();
        if (chunk === 'end') {
          if (this.presence.isThere) await this.presence.lost('the writer of the FIFO went');
          await reader.pause(signal);
        } else if (chunk === 'nothing') {
          await reader.pause(signal);
        } else {
          const returning = this.presence.heard();
          if (returning) await returning;
          yield chunk;
          await reader.turn();
        }
      }
    } finally {
      reader.close();
    }
  }
}
