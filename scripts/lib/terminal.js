import process from 'node:process';

/** One line that changes on a terminal; off a terminal a line now and then. */
export class StatusLine {
  #lastPlainMs = -Infinity;
  #lastText = '';

  /** @param everyMs off a terminal, the least time between two lines */
  constructor(stream = process.stderr, everyMs = 10_000) {
    this.stream = stream;
    this.everyMs = everyMs;
  }

  show(text) {
    if (this.stream.isTTY) {
      const width = Math.max(20, this.stream.columns || 80) - 1;
      this.stream.write(`\r\u001b[K${text.slice(0, width)}`);
      return;
    }
    const now = Date.now();
    if (text === this.#lastText || now - this.#lastPlainMs < this.everyMs) return;
    this.#lastPlainMs = now;
    this.#lastText = text;
    this.stream.write(`${text}\n`);
  }

  /** A line that stays, above the status. */
  say(text) {
    if (this.stream.isTTY) this.stream.write('\r\u001b[K');
    this.stream.write(`${text}\n`);
  }
}

/** `00:01:23` */
export function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return [whole / 3600, (whole / 60) % 60, whole % 60]
    .map((n) => String(Math.floor(n)).padStart(2, '0'))
    .join(':');
}
