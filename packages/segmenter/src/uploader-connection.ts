import { open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import {
  encodeMessage,
  FrameDecoder,
  MAX_LINE_BYTES,
  parseUploaderMessage,
  ProtocolError,
  type SegmentId,
  type SegmenterMessage,
  type UploaderMessage,
} from '@hls-uplink/protocol';
import { errorCode, errorText, type Clock } from '@hls-uplink/runtime';

export interface Address {
  host: string;
  port: number;
}

export const addressText = ({ host, port }: Address): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** How often a `ping` is sent, milliseconds. */
const PING_MS = 2000;
/** Without a byte that moved for so long the peer is gone, milliseconds. */
const SILENCE_MS = 5000;
const TICK_MS = 500;
/** Of a body written at once: on a slow line each piece must get away within `SILENCE_MS` to count as life. */
const PIECE_BYTES = 32 * 1024;

export interface ConnectionEvents {
  onMessage(message: UploaderMessage): void;
  /** A line that is no message we know; the connection goes on. */
  onBadMessage(error: ProtocolError): void;
}

/** The file of a body cannot be read as announced. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  readonly code = 'body-unreadable';
}

/**
 * One TCP connection to an uploader: lines out in order, bodies between them, messages in. `closed` resolves with the
 * reason however it ends; what is sent after that goes nowhere.
 */
export class UploaderConnection {
  /** Why it ended, for a log. Never rejects. */
  readonly closed: Promise<{ reason: string; code: string | undefined }>;

  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #events: ConnectionEvents;
  readonly #decoder = new FrameDecoder({ maxFirstLineBytes: MAX_LINE_BYTES });
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;
  #inBody = false;
  #lastLife: number;
  #lastPing: number;
  #cancelTick: () => void = () => undefined;
  #end: { reason: string; code: string | undefined } | undefined;

  constructor(address: Address, clock: Clock, events: ConnectionEvents) {
    this.#clock = clock;
    this.#events = events;
    this.#lastLife = this.#lastPing = clock.monotonic();
    this.#socket = connect({ ...address, noDelay: true });
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', () => {
        this.#isClosed = true;
        this.#cancelTick();
        resolve(this.#end ?? { reason: 'the uploader closed the connection', code: undefined });
      });
    });
    this.#socket.on('error', (error) => {
      this.#end ??= { reason: errorText(error), code: errorCode(error) };
    });
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#tick();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when the line is with the system, or will never be. */
  send(message: SegmenterMessage): Promise<void> {
    return this.#enqueue(() => this.#write(encodeMessage(message)));
  }

  /**
   * The `body` line and its bytes from a file.
   * @throws BodyError when the file is not as announced; the connection is closed if the line was out by then
   */
  sendBody({ session, index }: SegmentId, path: string, bytes: number): Promise<void> {
    return this.#enqueue(async () => {
      const file = await open(path).catch((cause: unknown) => {
        throw new BodyError(errorText(cause), { cause });
      });
      try {
        const { size } = await file.stat();
        if (size !== bytes) throw new BodyError(`its file has ${size} bytes instead of ${bytes}`);
        this.#inBody = true;
        await this.#write(encodeMessage({ type: 'body', session, index, bytes }));
        for (let sent = 0; sent < bytes && !this.#isClosed;) {
          const { buffer, bytesRead } = await file.read(
            Buffer.allocUnsafe(PIECE_BYTES),
            0,
            PIECE_BYTES,
            sent,
          );
          if (bytesRead === 0) throw new BodyError('its file became shorter');
          await this.#write(buffer.subarray(0, Math.min(bytesRead, bytes - sent)));
          this.#lastLife = this.#clock.monotonic();
          sent += bytesRead;
        }
      } catch (cause) {
        // The uploader waits for bytes that will not come: only a new connection helps.
        if (this.#inBody) this.close('a segment could not be read while it was sent');
        throw cause instanceof BodyError ? cause : new BodyError(errorText(cause), { cause });
      } finally {
        this.#inBody = false;
        await file.close();
      }
    });
  }

  /** Ends it at once. */
  close(reason: string, code?: string): void {
    this.#end ??= { reason, code };
    this.#isClosed = true;
    this.#socket.destroy();
  }

  /** Ends it in order: what is written goes out first, what was not begun is not. */
  finish(): void {
    this.#isClosed = true;
    this.#end ??= { reason: 'finished', code: undefined };
    this.#socket.end();
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(() => (this.#isClosed ? undefined : task()));
    this.#writing = done.catch(() => undefined);
    return done;
  }

  /** Resolves when the system has taken it: what slows the uploader down slows us down. */
  #write(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      // An error closes the socket, which tells whoever is to know.
      this.#socket.write(data, () => resolve());
    });
  }

  #receive(chunk: Uint8Array): void {
    this.#lastLife = this.#clock.monotonic();
    try {
      for (const event of this.#decoder.push(chunk)) {
        if (this.#isClosed) return;
        if (event.kind === 'line') this.#receiveLine(event.text);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.close(`what it sends is not the protocol of an uploader: ${error.message}`, error.code);
    }
  }

  #receiveLine(text: string): void {
    let message: UploaderMessage;
    try {
      message = parseUploaderMessage(text);
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.fatal) throw error;
      this.#events.onBadMessage(error);
      return;
    }
    this.#events.onMessage(message);
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    if (now - this.#lastLife >= SILENCE_MS) {
      return this.close(`nothing moved for ${SILENCE_MS / 1000} s`, 'silent');
    }
    // Behind a body it would come late, and the body's own bytes are sign enough.
    if (now - this.#lastPing >= PING_MS && !this.#inBody) {
      this.#lastPing = now;
      void this.send({ type: 'ping' });
    }
    this.#cancelTick = this.#clock.after(TICK_MS, () => this.#tick());
  }
}
