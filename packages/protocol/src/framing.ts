import { ProtocolError } from './errors.js';
import type { SegmenterMessage, UploaderMessage } from './messages.js';

/** Longest line after the first, bytes without the newline. The longest `segment` and `welcome` are shorter. */
export const MAX_LINE_BYTES = 1024 * 1024;

/** Longest first line of a connection: nobody has shown who he is yet. The longest `hello` is shorter. */
export const MAX_FIRST_LINE_BYTES = 32 * 1024;

const LASTING_BUFFER_BYTES = 4096;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The message as it goes over the socket: one line of JSON with its newline. The bytes of a `body` come after it. */
export function encodeMessage(message: SegmenterMessage | UploaderMessage): string {
  return `${JSON.stringify(message)}\n`;
}

export type FrameEvent =
  /** A line without its newline. */
  | { kind: 'line'; text: string }
  /** Bytes of the body, a view into the pushed chunk; `last` when the body is complete. */
  | { kind: 'body'; chunk: Uint8Array; last: boolean };

/** What the connection ended in the middle of, if anything. */
export type FrameEnd =
  { inside: 'nothing' } | { inside: 'line'; text: string } | { inside: 'body'; missing: number };

export interface FrameDecoderOptions {
  /** Default `MAX_LINE_BYTES`. */
  maxLineBytes?: number;
  /** Default `MAX_FIRST_LINE_BYTES`. */
  maxFirstLineBytes?: number;
}

/**
 * Splits what arrives on a socket into lines and bodies, in order.
 *
 * Events are made one at a time, when asked for: whoever finds a `body` message in a line calls `expectBody` before
 * asking for the next event. What was pushed and not yet asked for is kept, so a loop may be left and taken up again.
 *
 *     for (const event of decoder.push(chunk)) …
 *
 * Holds no more than one line and what was pushed. Line bytes are copied, body bytes are not.
 */
export class FrameDecoder {
  #maxLineBytes: number;
  readonly #waiting: Uint8Array[] = [];
  #limit: number;
  #line = new Uint8Array(256);
  #lineBytes = 0;
  #bodyBytes = 0;
  #failure: ProtocolError | undefined;

  constructor(options: FrameDecoderOptions = {}) {
    this.#maxLineBytes = options.maxLineBytes ?? MAX_LINE_BYTES;
    this.#limit = options.maxFirstLineBytes ?? MAX_FIRST_LINE_BYTES;
  }

  /** Bytes of the line that is not whole yet, for bounds over many connections. */
  get lineBytes(): number {
    return this.#lineBytes;
  }

  /** From the next line on, lines may be so long: who speaks has shown who he is, or has not. */
  limitLines(bytes: number): void {
    this.#maxLineBytes = bytes;
    this.#limit = bytes;
  }

  /** Takes what arrived and gives the events that can be told so far; the chunk must not change until they are read. */
  push(chunk: Uint8Array): Iterable<FrameEvent> {
    if (chunk.length > 0 && !this.#failure) this.#waiting.push(chunk);
    return { [Symbol.iterator]: () => ({ next: () => this.#step() }) };
  }

  /**
   * The next event, or nothing until more is pushed.
   * @throws ProtocolError `line-too-long`, `bad-utf8`, both fatal; from then on at every call
   */
  next(): FrameEvent | undefined {
    if (this.#failure) throw this.#failure;
    for (;;) {
      const chunk = this.#waiting[0];
      if (!chunk) return undefined;
      if (this.#bodyBytes > 0) return this.#takeBody(chunk);
      const newline = chunk.indexOf(NEWLINE);
      this.#appendToLine(newline < 0 ? chunk : chunk.subarray(0, newline));
      this.#consume(chunk, newline < 0 ? chunk.length : newline + 1);
      if (newline >= 0) {
        const text = this.#takeLine();
        this.#limit = this.#maxLineBytes;
        return { kind: 'line', text };
      }
    }
  }

  /** The next `bytes` bytes are a body. To be called right after the line that announced it. */
  expectBody(bytes: number): void {
    if (!Number.isSafeInteger(bytes) || bytes < 1) throw new RangeError(`a body of ${bytes} bytes`);
    if (this.#bodyBytes > 0 || this.#lineBytes > 0) throw new Error('a body can only follow a line');
    this.#bodyBytes = bytes;
  }

  /**
   * The connection has ended. To be called when `next` has nothing more to give.
   * @throws ProtocolError `bad-utf8` when the line it ended in is not text
   */
  end(): FrameEnd {
    if (this.#failure) throw this.#failure;
    if (this.#waiting.length > 0) throw new Error('there are events that were not read');
    if (this.#bodyBytes > 0) return { inside: 'body', missing: this.#bodyBytes };
    if (this.#lineBytes > 0) return { inside: 'line', text: this.#takeLine() };
    return { inside: 'nothing' };
  }

  #step(): IteratorResult<FrameEvent, undefined> {
    const value = this.next();
    return value ? { done: false, value } : { done: true, value: undefined };
  }

  #takeBody(chunk: Uint8Array): FrameEvent {
    const taken = chunk.length <= this.#bodyBytes ? chunk : chunk.subarray(0, this.#bodyBytes);
    this.#bodyBytes -= taken.length;
    this.#consume(chunk, taken.length);
    return { kind: 'body', chunk: taken, last: this.#bodyBytes === 0 };
  }

  #consume(chunk: Uint8Array, bytes: number): void {
    if (bytes === chunk.length) this.#waiting.shift();
    else this.#waiting[0] = chunk.subarray(bytes);
  }

  #appendToLine(piece: Uint8Array): void {
    const bytes = this.#lineBytes + piece.length;
    if (bytes > this.#limit) {
      this.#fail(
        'line-too-long',
        `a line is longer than ${this.#limit} bytes: no message of this protocol is`,
      );
    }
    if (bytes > this.#line.length) {
      const larger = new Uint8Array(Math.min(this.#limit, Math.max(bytes, 2 * this.#line.length)));
      larger.set(this.#line.subarray(0, this.#lineBytes));
      this.#line = larger;
    }
    this.#line.set(piece, this.#lineBytes);
    this.#lineBytes = bytes;
  }

  #takeLine(): string {
    let bytes = this.#lineBytes;
    if (bytes > 0 && this.#line[bytes - 1] === CARRIAGE_RETURN) bytes--;
    this.#lineBytes = 0;
    const line = this.#line;
    // One long line must not cost its memory for as long as the connection lasts.
    if (line.length > LASTING_BUFFER_BYTES) this.#line = new Uint8Array(LASTING_BUFFER_BYTES);
    try {
      return utf8.decode(line.subarray(0, bytes));
    } catch (cause) {
      return this.#fail('bad-utf8', 'a line is not UTF-8 text', cause);
    }
  }

  #fail(code: 'line-too-long' | 'bad-utf8', message: string, cause?: unknown): never {
    this.#waiting.length = 0;
    this.#line = new Uint8Array(0);
    this.#lineBytes = 0;
    this.#failure = new ProtocolError(code, true, message, { cause });
    throw this.#failure;
  }
}
