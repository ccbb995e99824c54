import type { Socket } from 'node:net';
import { timingSafeEqual, createHash } from 'node:crypto';
import {
  hello as helloSchema,
  isDerivedName,
  parseSegmenterMessage,
  ProtocolError,
  PROTOCOL_VERSION,
  type FrameDecoder,
  type Hello,
  type RefusedCode,
  type SegmenterMessage,
} from '@hls-uplink/protocol';
import { errorCode, errorText, type Clock, type Logger } from '@hls-uplink/runtime';
import type { SourceFacts } from './channel/event.js';
import type { Channels } from './channels.js';
import { playlistKeyOf } from './channel/playlist-keys.js';
import type { ChannelWorker } from './channel-worker.js';
import type { SourceLink } from './source-link.js';
import { gapOf, Intake } from './intake.js';
import { JournalError } from './journal-error.js';
import type { Outgoing } from './outgoing.js';
import type { OwnSpool, Receiver } from './own-spool.js';
import type { SpoolFiles } from './spool-files.js';

/** Announcements of one connection that wait to be taken in; reading pauses above it. */
const MOST_WAITING = 256;
/** Bytes of their lines at most, also while reading cannot pause because a body is awaited. */
const MOST_LINE_BYTES = 32 * 1024 * 1024;

export interface SessionOptions {
  channels: Channels;
  files: SpoolFiles;
  ownSpool: OwnSpool;
  spoolBytes: number;
  /** When set, a `hello` must show it. */
  token?: string | undefined;
  clock: Clock;
  logger: Logger;
}

/** Renditions of one channel at most: each holds memory for as long as the daemon runs, and peers name them. */
const MOST_RENDITIONS = 100;

/** The peer is told why, and the connection ends. */
class Refusal extends Error {
  constructor(
    readonly code: RefusedCode,
    message: string,
  ) {
    super(message);
  }
}

/** The connection of one segmenter, from its `hello` on. */
export class Session implements SourceLink {
  readonly facts: SourceFacts;
  readonly #hello: Hello;
  readonly #options: SessionOptions;
  readonly #socket: Socket;
  readonly #outgoing: Outgoing;
  readonly #logger: Logger;
  readonly #ended = new AbortController();
  readonly #worker: ChannelWorker;
  #intake: Intake | undefined;
  #body: { receiver: Receiver | undefined; index: number; session: string } | undefined;
  #isPaused = false;

  /** @throws ProtocolError, Refusal: to be told by `refuseError` */
  constructor(text: string, socket: Socket, outgoing: Outgoing, options: SessionOptions) {
    this.#options = options;
    this.#socket = socket;
    this.#outgoing = outgoing;
    this.#hello = checkHello(text, options.token);
    const { channel, rendition, source, session, target, renditions, bandwidth, names } = this.#hello;
    this.facts = {
      rendition,
      source,
      session,
      target,
      ...(renditions && { renditions }),
      ...(bandwidth !== undefined && { bandwidth }),
      ...(names && { names }),
    };
    if (names?.index !== undefined && isDerivedName(names.index.replace(/\.m3u8$/, ''))) {
      const reason = `${names.index} is the name of a playlist that is made of others: give the index another name`;
      throw new Refusal('bad-name', reason);
    }
    const found = options.channels.find(channel, names?.bucket);
    if (!found.ok) throw new Refusal(found.code, found.reason);
    this.#worker = found.worker;
    this.#logger = options.logger.child({ channel: found.worker.id, rendition, source });
  }

  /** Nothing is read while more waits than may: then silence is not the peer's. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Of the announcements that wait to be taken in. */
  get lineBytes(): number {
    return this.#intake?.load.lineBytes ?? 0;
  }

  /** Waits until fewer wait. @throws Refusal when none can go before more has come */
  async less(): Promise<void> {
    if (!this.#intake || this.#intake.load.count === 0 || this.#intake.needsBody) {
      const reason = 'the announcements of all segmenters together take too much memory: come again later';
      throw new Refusal('bad-message', reason);
    }
    this.#isPaused = true;
    await this.#intake.moved();
    this.#isPaused = false;
  }

  /** Opens the channel and says `welcome`; that may take as long as the store does. */
  async begin(): Promise<void> {
    try {
      const rival = await this.#worker.openFor(playlistKeyOf(this.#hello.channel, this.facts));
      if (rival) {
        const reason = `channel ${this.#worker.id} is published by another uploader (${rival.writer}): stop that one, or send all segmenters there`;
        throw new Refusal('superseded', reason);
      }
      if (this.#ended.signal.aborted) return;
      this.#takeOver();
      this.#check();
      await this.#worker.attach(this);
      if (this.#ended.signal.aborted) return await this.#worker.detach(this);
      const { channels, files, ownSpool, spoolBytes, clock } = this.#options;
      this.#intake = new Intake({
        worker: this.#worker,
        files,
        ownSpool,
        spoolBytes,
        clock,
        logger: this.#logger,
        signal: this.#ended.signal,
        tell: (message) => this.#outgoing.tell(message),
        failed: (error) => void this.refuseError(error),
      });
      this.#socket.once('close', () => this.#intake?.wake());
      const { settled, accepted } = this.#worker.progress(this.facts.session);
      this.tell({
        type: 'welcome',
        version: PROTOCOL_VERSION,
        session: this.facts.session,
        ...(settled !== undefined && { settled }),
        accepted,
      });
      const { targetDuration, phase } = this.#worker.state;
      if (targetDuration !== undefined && phase !== 'ended') this.tell({ type: 'channel', targetDuration });
      this.#logger.info('a segmenter is connected', {
        session: this.facts.session,
        channels: [...channels].length,
      });
    } catch (error) {
      this.refuseError(error);
    }
  }

  tell(message: Parameters<Outgoing['tell']>[0]): void {
    this.#outgoing.tell(message);
    if (message.type === 'published' || message.type === 'dropped') this.#intake?.answered(message.index);
  }

  refuse(code: RefusedCode, reason: string): void {
    this.#outgoing.close({ type: 'refused', code, reason: reason.slice(0, 1000) });
  }

  /** One line after the `hello`. May wait, so that reading waits. @throws ProtocolError */
  async line(text: string, decoder: FrameDecoder): Promise<void> {
    let message: SegmenterMessage;
    try {
      message = parseSegmenterMessage(text);
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.fatal) throw error;
      return this.#badMessage(text, error);
    }
    if (message.type === 'ping') return this.tell({ type: 'pong' });
    if (message.type === 'hello')
      throw new Refusal('bad-message', 'a second hello: one connection is one session');
    if (message.session !== this.facts.session) {
      throw new Refusal('bad-message', `a message of session ${message.session} after a hello of another`);
    }
    if (!this.#intake) throw new Refusal('bad-message', `${message.type} came before welcome`);
    switch (message.type) {
      case 'body':
        decoder.expectBody(message.bytes);
        this.#body = { receiver: await this.#intake.receive(message, message.bytes), ...message };
        if (!this.#body.receiver) {
          this.#logger.info('bytes that are not wanted (any more) are left out', { index: message.index });
        }
        return;
      case 'tracks':
        this.#intake.tracks(message);
        break;
      default:
        this.#intake.announce(message, text.length);
    }
    await this.#room(this.#intake);
  }

  async body(chunk: Uint8Array, last: boolean): Promise<void> {
    const body = this.#body;
    if (!body) throw new Error('bytes of no body');
    await body.receiver?.write(chunk);
    if (!last) return;
    this.#body = undefined;
    if (body.receiver) await this.#intake?.received(body, body.receiver);
  }

  /** The connection is gone. */
  async end(reason: string): Promise<void> {
    this.#ended.abort();
    await this.#body?.receiver?.discard();
    await this.#worker.detach(this);
    this.#logger.info('a segmenter is gone', { session: this.facts.session, reason });
  }

  /** Tells the peer what was wrong, if it is the peer's to know, and ends the connection. @returns what for the log */
  refuseError(error: unknown): string {
    if (error instanceof Refusal) {
      this.refuse(error.code, error.message);
      this.#logger.warn('a segmenter is refused', { code: error.code, reason: error.message });
      return error.message;
    }
    if (error instanceof ProtocolError) {
      this.refuse('bad-message', error.message);
      this.#logger.warn('a segmenter is refused', { code: error.code, reason: error.message });
      return error.message;
    }
    // The journal's or the disk's: the segmenter keeps what it has and comes again.
    if (error instanceof JournalError || errorCode(error) !== undefined) {
      this.#logger.error('announcements cannot be taken in now', { error: errorText(error) });
      this.#worker.heldUp();
      this.#socket.destroy();
      return errorText(error);
    }
    throw error;
  }

  #badMessage(text: string, error: ProtocolError): Promise<void> {
    const { session, index } = error;
    if (!this.#intake || session !== this.facts.session || index === undefined) throw error;
    const id = { session, index };
    this.#intake.reject(id, error.message, gapOf(text, id));
    return this.#room(this.#intake);
  }

  /** The same session's older connection is over. */
  #takeOver(): void {
    for (const link of this.#worker.links()) {
      if (link.facts.session !== this.facts.session || !(link instanceof Session)) continue;
      link.refuse('replaced', 'a newer connection of the same session came');
      link.#ended.abort();
    }
  }

  #check(): void {
    const { rendition, source, session, target } = this.facts;
    for (const { facts } of this.#worker.links()) {
      if (facts.session === session) continue;
      if (facts.rendition === rendition && facts.source === source) {
        throw new Refusal(
          'rendition-busy',
          `rendition ${rendition} is fed by another session of source ${source}: end that one, or give this one another --source`,
        );
      }
    }
    const { state } = this.#worker;
    if (state.refusal !== undefined) throw new Refusal('channel', state.refusal);
    if (state.target !== undefined && state.target !== target && state.phase !== 'ended') {
      throw new Refusal(
        'target',
        `channel ${this.#hello.channel} is cut by ${state.target} s, not ${target} s: use --segment-duration ${state.target}, or end the channel first (hls-uploader end ${this.#worker.id})`,
      );
    }
    if (!state.renditions[rendition] && Object.keys(state.renditions).length >= MOST_RENDITIONS) {
      const reason = `channel ${this.#hello.channel} has ${MOST_RENDITIONS} renditions already: give this one the name of one of them, or another --channel`;
      throw new Refusal('channel', reason);
    }
    const key = playlistKeyOf(this.#hello.channel, this.facts);
    for (const other of Object.values(state.renditions)) {
      if ((other.name === rendition) !== (other.playlistKey === key)) {
        const reason = `rendition ${other.name} is published as ${other.playlistKey}: give each rendition one index of its own`;
        throw new Refusal('bad-name', reason);
      }
    }
  }

  /** Also of a connection from which nothing is read now. */
  get #isGone(): boolean {
    return this.#ended.signal.aborted || this.#socket.destroyed;
  }

  /** Waits while more waits than may, unless the bytes it waits for come over this very connection. */
  async #room(intake: Intake): Promise<void> {
    if (intake.load.lineBytes > MOST_LINE_BYTES && intake.needsBody) {
      throw new Refusal(
        'bad-message',
        `more than ${MOST_LINE_BYTES} bytes of announcements wait for their bodies`,
      );
    }
    this.#isPaused = true;
    while (intake.load.count > MOST_WAITING && !intake.needsBody && !this.#isGone) {
      await intake.moved();
    }
    this.#isPaused = false;
  }
}

/** @throws ProtocolError, Refusal */
function checkHello(text: string, token: string | undefined): Hello {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal('bad-hello', 'the first line must be a hello message or a legacy line of ten fields');
  }
  const given = (value ?? {}) as { type?: unknown; version?: unknown };
  if (given.type !== 'hello') {
    throw new Refusal('bad-hello', 'the first line must be a hello message or a legacy line of ten fields');
  }
  if (given.version !== PROTOCOL_VERSION) {
    throw new Refusal('version', `this uploader speaks version ${PROTOCOL_VERSION} of the protocol`);
  }
  const parsed = helloSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.map(String).join('.') ?? '';
    const code = /^(channel|rendition|renditions|names)(\.|$)/.test(field) ? 'bad-name' : 'bad-hello';
    throw new Refusal(code, `hello: ${field.slice(0, 100)}: ${issue?.message.slice(0, 300)}`);
  }
  if (token !== undefined && !sameToken(parsed.data.token ?? '', token)) {
    throw new Refusal(
      'bad-token',
      'the token is missing or wrong: set HLS_SEGMENTER_TOKEN to that of the uploader',
    );
  }
  return parsed.data;
}

/** In a time that tells nothing of where they differ. */
export function sameToken(given: string, expected: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(expected));
}

export { Refusal };
