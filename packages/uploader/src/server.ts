import { createServer, type Server, type Socket } from 'node:net';
import {
  FrameDecoder,
  isLegacyLine,
  MAX_FIRST_LINE_BYTES,
  MAX_LINE_BYTES,
  ProtocolError,
} from '@hls-uplink/protocol';
import { ConfigError, errorCode, errorText } from '@hls-uplink/runtime';
import type { LegacyFeeds } from './legacy-feeds.js';
import { LineBudget, type LineShare } from './line-budget.js';
import { Outgoing } from './outgoing.js';
import { Refusal, Session, type SessionOptions } from './session.js';

export interface ServerOptions extends SessionOptions {
  legacy: LegacyFeeds;
  /** Connections at most. Default 1000. */
  maxConnections?: number;
  /** Of the lines of all connections together. */
  lineBudget?: LineBudget;
}

/** Without a byte for so long a session is gone, milliseconds. */
const SILENCE_MS = 5000;
/** The first line must be there after so long. */
const FIRST_LINE_MS = 10_000;
/** An old segmenter says nothing between its lines, and segments may be long. */
const LEGACY_SILENCE_MS = 600_000;
/** Legacy lines of one connection that are followed at a time; reading waits above it. */
const MOST_FOLLOWING = 100;
/** Something is said so often, also while nothing can be read. */
const TALK_MS = 2000;
const TICK_MS = 500;

/** Takes connections; the first line of each decides what it is, for good. */
export class UploaderServer {
  readonly #options: ServerOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #budget: LineBudget;
  #stopping = false;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#budget = options.lineBudget ?? new LineBudget();
    this.#server = createServer({ noDelay: true }, (socket) => this.#take(socket));
    this.#server.maxConnections = options.maxConnections ?? 1000;
    let dropped = 0;
    this.#server.on('drop', () => {
      if (dropped++ === 0) options.logger.warn('too many connections: further ones are closed at once');
    });
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** @returns the port. @throws ConfigError `port-taken`, `bad-listen` */
  listen(host: string, port: number): Promise<number> {
    return listen(this.#server, host, port, '--listen');
  }

  /**
   * Takes nothing new and tells every peer. Resolves when all are gone, or at `signal`: a line that waits for its
   * channel to be opened is journalled, and may wait for as long as the store does.
   */
  async stop(signal: AbortSignal): Promise<void> {
    this.#stopping = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.stop();
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const gone = closed.then(() => Promise.all([...this.#connections].map(({ done }) => done)));
    await Promise.race([gone, aborted]);
  }

  #take(socket: Socket): void {
    const connection = new Connection(socket, this.#options, this.#budget);
    this.#connections.add(connection);
    void connection.done.then(() => this.#connections.delete(connection));
    if (this.#stopping) connection.stop();
  }
}

class Connection {
  readonly done: Promise<void>;
  readonly #options: ServerOptions;
  readonly #socket: Socket;
  readonly #outgoing: Outgoing;
  // Longer ones only from who has shown who he is.
  readonly #decoder = new FrameDecoder({ maxLineBytes: MAX_FIRST_LINE_BYTES });
  /** Of what came and is not done with. */
  readonly #share: LineShare;
  #kind: 'unknown' | 'legacy' | 'session' | 'refused' = 'unknown';
  #session: Session | undefined;
  readonly #following = new Set<Promise<void>>();
  #followingBytes = 0;
  #readMs: number;
  #reason = 'the segmenter closed the connection';

  constructor(socket: Socket, options: ServerOptions, budget: LineBudget) {
    this.#socket = socket;
    this.#options = options;
    this.#share = budget.share();
    this.#outgoing = new Outgoing(socket, options.clock, budget.share());
    this.#readMs = options.clock.monotonic();
    socket.on('error', (error) => {
      this.#reason = errorText(error);
    });
    this.done = this.#run();
  }

  stop(): void {
    this.#reason = 'this uploader is stopping';
    if (this.#session) this.#session.refuse('stopping', this.#reason);
    else if (this.#kind === 'legacy') this.#socket.destroySoon();
    else this.#outgoing.close({ type: 'refused', code: 'stopping', reason: this.#reason });
  }

  async #run(): Promise<void> {
    const stopTicking = this.#watch();
    try {
      await this.#read();
    } catch (error) {
      // Of a connection that broke off the 'error' listener has heard.
      if (!this.#isPeers(error)) throw error;
    } finally {
      stopTicking();
      await Promise.all(this.#following);
      await this.#session?.end(this.#reason);
      this.#share.hold(0);
      this.#socket.destroySoon();
    }
  }

  async #read(): Promise<void> {
    for await (const chunk of this.#socket as AsyncIterable<Buffer>) {
      this.#readMs = this.#options.clock.monotonic();
      // What comes after a refusal is read and dropped: a reset would overtake the refusal.
      await this.#guarded(async () => {
        for (const event of this.#isOver ? [] : this.#decoder.push(chunk)) {
          if (event.kind === 'body') await this.#session?.body(event.chunk, event.last);
          else await this.#line(event.text);
          if (this.#isOver) break;
        }
        await this.#room();
      });
    }
    await this.#guarded(async () => {
      const rest = this.#isOver ? undefined : this.#decoder.end();
      if (rest?.inside === 'line' && this.#kind !== 'session') await this.#line(rest.text);
    });
  }

  /** An error must not leave the loop that reads: leaving it ends the connection before the peer is told why. */
  async #guarded(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      if (!this.#refuse(error)) throw error;
    }
  }

  /** Nothing that still comes counts. An old segmenter may close before its last line is followed: that one does. */
  get #isOver(): boolean {
    return this.#kind === 'refused' || (this.#kind === 'session' && !this.#socket.writable);
  }

  async #line(text: string): Promise<void> {
    switch (this.#kind) {
      case 'session':
        return this.#session?.line(text, this.#decoder);
      case 'legacy':
        return this.#follow(text);
      case 'refused':
        return undefined;
      case 'unknown':
        if (isLegacyLine(text)) {
          this.#kind = 'legacy';
          return this.#follow(text);
        }
        this.#session = new Session(text, this.#socket, this.#outgoing, this.#options);
        this.#kind = 'session';
        this.#decoder.limitLines(MAX_LINE_BYTES);
        void this.#session.begin();
    }
  }

  /** Lines take their turns at once, so that those of a later connection come later; a few are followed meanwhile. */
  async #follow(text: string): Promise<void> {
    this.#followingBytes += text.length;
    const following = this.#options.legacy.line(text).finally(() => {
      this.#following.delete(following);
      this.#followingBytes -= text.length;
    });
    this.#following.add(following);
    if (this.#following.size > MOST_FOLLOWING) await Promise.race(this.#following);
    await this.#room();
  }

  /** Reading waits while all connections together hold too much, as long as something of this one can go. */
  async #room(): Promise<void> {
    while (!this.#isOver && !this.#socket.destroyed && !this.#share.hold(this.#heldBytes)) {
      if (this.#session) await this.#session.less();
      else if (this.#following.size > 0) await Promise.race(this.#following);
      else return;
    }
  }

  get #heldBytes(): number {
    return this.#decoder.lineBytes + this.#followingBytes + (this.#session?.lineBytes ?? 0);
  }

  /** @returns whether it was the peer's fault, or one that closing the connection answers */
  #refuse(error: unknown): boolean {
    if (this.#session) {
      if (this.#isPeers(error)) return true;
      this.#reason = this.#session.refuseError(error);
      this.#kind = 'refused';
      return true;
    }
    if (!(error instanceof Refusal || error instanceof ProtocolError)) return this.#isPeers(error);
    const code = error instanceof Refusal ? error.code : 'bad-hello';
    this.#options.logger.warn('a connection is refused', {
      peer: this.#socket.remoteAddress,
      code,
      reason: error.message,
    });
    this.#outgoing.close({ type: 'refused', code, reason: error.message.slice(0, 1000) });
    this.#kind = 'refused';
    return true;
  }

  #isPeers(error: unknown): boolean {
    const code = errorCode(error);
    return code !== undefined && /^(ECONN|EPIPE|ETIMEDOUT|ENET|EHOST|ERR_STREAM|ABORT)/.test(code);
  }

  /** Ends connections that went silent, and keeps ours from going silent. */
  #watch(): () => void {
    const { clock } = this.#options;
    const startMs = clock.monotonic();
    let cancel: () => void = () => undefined;
    const tick = (): void => {
      cancel = clock.after(TICK_MS, tick);
      const silentMs = clock.monotonic() - this.#readMs;
      if (this.#kind === 'unknown' && clock.monotonic() - startMs > FIRST_LINE_MS) {
        return this.#giveUp('no first line came');
      }
      if (this.#kind === 'legacy' && silentMs > LEGACY_SILENCE_MS)
        return this.#giveUp('no line came for long');
      if (this.#kind !== 'session') return;
      if (this.#session?.isPaused) this.#readMs = clock.monotonic();
      else if (silentMs > SILENCE_MS) return this.#giveUp(`nothing came for ${SILENCE_MS / 1000} s`);
      if (this.#outgoing.silentMs > TALK_MS) this.#outgoing.tell({ type: 'pong' });
    };
    cancel = clock.after(TICK_MS, tick);
    return () => cancel();
  }

  #giveUp(reason: string): void {
    this.#reason = reason;
    this.#socket.destroy();
  }
}

/** @throws ConfigError when nobody can listen there */
export async function listen(
  server: Pick<Server, 'once' | 'off' | 'listen' | 'address'>,
  host: string,
  port: number,
  flag: string,
): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const failed = (cause: unknown): void => {
      const taken = errorCode(cause) === 'EADDRINUSE';
      const what = taken
        ? `${host}:${port} is taken: stop what listens there (another hls-uploader?), or give ${flag} another port`
        : `cannot listen on ${host}:${port}: give ${flag} an address of this machine and a port this user may use`;
      reject(new ConfigError(taken ? 'port-taken' : 'bad-listen', what, { cause }));
    };
    server.once('error', failed);
    server.listen(port, host, () => {
      server.off('error', failed);
      resolve();
    });
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
