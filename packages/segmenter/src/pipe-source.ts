import { close, constants, openSync, readSync } from 'node:fs';
import { errorCode, type Clock } from '@hls-uplink/runtime';
import type { Source } from './source.js';

/** Read at once; a pipe may have been made larger than usual. */
const READ_BYTES = 256 * 1024;
/** Before what was read: room for the beginning of a packet. */
export const HEADROOM_BYTES = 256;
/** What a pipe holds unless set otherwise (pipe(7)). */
const PIPE_BYTES = 64 * 1024;
/** Found in the pipe after a pause, so much shows that the writer waits for us or soon will. */
const BUSY_BYTES = PIPE_BYTES * 0.75;
/** The pause is to be so long that so much is found after it: few wake-ups, and room left for a burst. */
const WANTED_BYTES = PIPE_BYTES * 0.6;
/** Read at one go before others have their turn. */
const TURN_BYTES = 1024 * 1024;
/** Longest pause between two looks at a pipe: what it adds to the latency, and what saves wake-ups at live rate. */
const LONGEST_PAUSE_MS = 80;

/**
 * Reads a file descriptor that does not block until it has nothing more, then pauses. Waking for every write of the
 * encoder is what costs at live rate, so the pause adapts: it grows while little is there, and shrinks to nothing when
 * the pipe was found nearly full, since then the writer waits for us.
 */
export class NonBlockingReader {
  readonly #buffer = Buffer.allocUnsafeSlow(HEADROOM_BYTES + READ_BYTES);
  #sinceTurn = 0;
  #sincePause = 0;
  #pauseMs = 1;
  /** The last read took all there was. */
  #isDrained = false;
  /** Ends the pause. */
  #wake: () => void = () => undefined;
  readonly #listening = new WeakSet<AbortSignal>();

  constructor(
    readonly fd: number,
    private readonly clock: Clock,
  ) {}

  /** The next bytes, valid until the next call; `'nothing'` for now; `'end'` when there is nothing and no writer has it open. */
  next(): Uint8Array | 'nothing' | 'end' {
    // To be told so by the system costs an error with its stack.
    if (this.#isDrained) {
      this.#isDrained = false;
      return 'nothing';
    }
    let bytes: number;
    try {
      bytes = readSync(this.fd, this.#buffer, HEADROOM_BYTES, READ_BYTES, null);
    } catch (error) {
      if (errorCode(error) === 'EAGAIN') return 'nothing';
      throw error;
    }
    if (bytes === 0) return 'end';
    this.#sinceTurn += bytes;
    this.#sincePause += bytes;
    this.#isDrained = this.#sincePause < BUSY_BYTES;
    return this.#buffer.subarray(HEADROOM_BYTES, HEADROOM_BYTES + bytes);
  }

  /** Gives way to timers and sockets when much was read at one go. */
  turn(): Promise<void> | void {
    if (this.#sinceTurn < TURN_BYTES) return;
    this.#sinceTurn = 0;
    return immediately();
  }

  /** Waits for more. */
  pause(signal: AbortSignal): Promise<void> {
    const found = this.#sincePause;
    if (found >= BUSY_BYTES) this.#pauseMs = Math.floor(this.#pauseMs / 4);
    else {
      const wanted = Math.max(1, this.#pauseMs) * Math.min(2, WANTED_BYTES / found);
      this.#pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(1, Math.round(wanted)));
    }
    this.#sincePause = 0;
    this.#sinceTurn = 0;
    if (this.#pauseMs === 0 || signal.aborted) return immediately();
    if (!this.#listening.has(signal)) {
      this.#listening.add(signal);
      signal.addEventListener('abort', () => this.#wake(), { once: true });
    }
    return new Promise((resolve) => {
      const cancel = this.clock.after(this.#pauseMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  close(): void {
    close(this.fd, () => undefined);
  }
}

const immediately = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

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
          const turn = reader.turn();
          if (turn) await turn;
        }
      }
    } finally {
      reader.close();
    }
  }
}
