import { constants, openSync } from 'node:fs';
import type { Source, SourceOptions } from './source.js';
import { NonBlockingReader } from './pipe-source.js';

/**
 * A FIFO by its name: writers may go and come. It is kept open all the time, so that no writer ever finds it without
 * a reader.
 */
export class FifoSource implements Source {
  constructor(
    private readonly path: string,
    private readonly options: SourceOptions,
  ) {}

  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { clock, onWriterGone, onWriterBack } = this.options;
    const fd = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
    const reader = new NonBlockingReader(fd, clock);
    let writer: 'never' | 'there' | 'gone' = 'never';
    try {
      while (!signal.aborted) {
        const chunk = reader.next();
        if (chunk === 'end') {
          if (writer === 'there') {
            writer = 'gone';
            await onWriterGone?.();
          }
          await reader.pause(signal);
        } else if (chunk === 'nothing') {
          await reader.pause(signal);
        } else {
          if (writer === 'gone') onWriterBack?.();
          writer = 'there';
          yield chunk;
          await reader.turn();
        }
      }
    } finally {
      reader.close();
    }
  }
}
