import { Writable } from 'node:stream';
import type { Clock } from '@hls-uplink/runtime';

/** How often the line is drawn again, milliseconds. */
const REDRAW_MS = 500;
const CLEAR = '\r\u001b[K';

export type Terminal = NodeJS.WritableStream & { isTTY?: boolean; columns?: number };

/**
 * One line at the bottom of a terminal that is always up to date; log lines written to `stream` scroll by above it.
 * Off a terminal `stream` is the terminal itself, and there is no line.
 */
export class StatusLine {
  /** For the log. */
  readonly stream: Terminal;
  readonly #isOn: boolean;
  #text: (() => string) | undefined;
  #cancel: () => void = () => undefined;

  constructor(
    private readonly terminal: Terminal,
    private readonly clock: Clock,
  ) {
    this.#isOn = terminal.isTTY === true;
    this.stream = this.#isOn ? this.#above() : terminal;
  }

  /** @param text asked for each time the line is drawn */
  start(text: () => string): void {
    if (!this.#isOn) return;
    this.#text = text;
    this.#tick();
  }

  /** Leaves the last line standing. */
  stop(): void {
    if (!this.#text) return;
    this.#cancel();
    this.#draw();
    this.terminal.write('\n');
    this.#text = undefined;
  }

  #tick(): void {
    this.#draw();
    this.#cancel = this.clock.after(REDRAW_MS, () => this.#tick());
  }

  #draw(): void {
    if (!this.#text) return;
    // A line that wraps could not be cleared.
    const width = Math.max(10, (this.terminal.columns || 80) - 1);
    this.terminal.write(CLEAR + this.#text().slice(0, width));
  }

  #above(): Terminal {
    const stream = new Writable({
      decodeStrings: false,
      write: (chunk: string | Buffer, _encoding, done) => {
        this.terminal.write(this.#text ? CLEAR + chunk.toString() : chunk.toString());
        this.#draw();
        done();
      },
    });
    return Object.assign(stream, { isTTY: true });
  }
}
