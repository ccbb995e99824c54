import { close, constants, openSync, readSync } from 'node:fs';
import { errorCode, sleep, type Clock } from '@hls-uplink/runtime';
import type { Source } from './source.js';

/** Read at once; a pipe may have been made larger than usual. */
const READ_BYTES = 256 * 1024;
/** What a pipe holds unless set otherwise (pipe(7)). */
const PIPE_BYTES = 64 * 1024;
/** Read at one go before others have their turn. */
const TURN_BYTES = 1024 * 1024;
/** Longest pause between two looks at a pipe: what it adds to the latency, and what saves wake-ups at live rate. */
const LONGEST_PAUSE_MS = 40;

/**
 * Reads a file descriptor that does not block until it has nothing more, then pauses. Waking for every write of the
 * encoder is what costs at live rate, so the pause adapts: it grows while little is there, and shrinks to nothing when
 * the pipe was found nearly full, since then the writer waits for us.
 */
export class NonBlockingReader {
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  #sinceTurn = 0;
  #sincePause = 0;
  #pauseMs = 1;

  constructor(
    readonly fd: number,
    private readonly clock: Clock,
  ) {}

  /** The next bytes, valid until the next call; `'nothing'` for now; `'end'` when there is nothing and no writer has it open. */
  next(): Uint8Array | 'nothing' | 'end' {
    let bytes: number;
    try {
      bytes = readSync(this.fd, this.#buffer, 0, READ_BYTES, null);
    } catch (error) {
      if (errorCode(error) === 'EAGAIN') return 'nothing';
      throw error;
    }
    if (bytes === 0) return 'end';
    this.#sinceTurn += bytes;
    this.#sincePause += bytes;
    return this.#buffer.subarray(0, bytes);
  }

  /** Gives way to timers and sockets when much was read at one go. */
  async turn(): Promise<void> {
    if (this.#sinceTurn < TURN_BYTES) return;
    this.#sinceTurn = 0;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** Waits for more. */
  async pause(signal: AbortSignal): Promise<void> {
    const isBusy = this.#sincePause >= PIPE_BYTES * 0.75;
    this.#pauseMs = isBusy
      ? Math.floor(this.#pauseMs / 4)
      : Math.min(LONGEST_PAUSE_MS, Math.max(1, this.#pauseMs * 2));
    this.#sincePause = 0;
    this.#sinceTurn = 0;
    if (this.#pauseMs > 0) await sleep(this.clock, this.#pauseMs, signal);
    else await new Promise<void>((resolve) => setImmediate(resolve));
  }

  close(): void {
    close(this.fd, () => undefined);
  }
}

/** A pipe that ends when its writers have gone. */
export class PipeSource implements Source {
  private constructor(private readonly reader: NonBlockingReader) {}

  /**
   * Opens a pipe that was given to the process once more: O_NONBLOCK on our own opening of it does not disturb those
   * who share the given one. Nothing where that is not possible (another user's pipe, no /proc).
   */
  static reopen(fd: number, clock: Clock): PipeSource | undefined {
    try {
      const own = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
      return new PipeSource(new NonBlockingReader(own, clock));
    } catch {
      return undefined;
    }
  }

  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { reader } = this;
    try {
      while (!signal.aborted) {
        const chunk = reader.next();
        if (chunk === 'end') return;
        if (chunk === 'nothing') await reader.pause(signal);
        else {
          yield chunk;
          await reader.turn();
        }
      }
    } finally {
      reader.close();
    }
  }
}
