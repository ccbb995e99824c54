import {
  PROTOCOL_VERSION,
  type FinalAnswer,
  type Hello,
  type RefusedCode,
  type UploaderMessage,
} from '@hls-uplink/protocol';
import { Backoff, errorText, sleep, type Clock, type Logger } from '@hls-uplink/runtime';
import type { Outbox } from './outbox.js';
import { addressText, BodyError, UploaderConnection, type Address } from './uploader-connection.js';
import { LogLimit } from './log-limit.js';

/** Refusals that only an operator can mend are asked about again once a minute. */
const OPERATOR_RETRY_MS = 60_000;
const SOON: ReadonlySet<RefusedCode> = new Set(['rendition-busy', 'replaced', 'stopping', 'superseded']);
/** How long a connection may take to end in order, milliseconds. */
const FINISH_MS = 1000;
/** So many announcements go before a body, if so many wait: the uploader may see by them that it needs no body. */
const MOST_BEFORE_BODY = 256;
/** A connection that held for so long was a good one, milliseconds. */
const STABLE_MS = 5000;

export interface UploaderClientOptions {
  /** At least one; tried in turn. */
  addresses: readonly Address[];
  hello: Omit<Hello, 'type' | 'version' | 'session'>;
  outbox: Outbox;
  clock: Clock;
  logger: Logger;
  /** The channel's target duration was fixed. */
  onTargetDuration: (seconds: number) => void;
  random?: () => number;
}

export type UploaderState = 'off' | 'connecting' | 'connected' | 'refused' | 'unreachable';

/** How a connection ended. */
interface Outcome {
  wasStable: boolean;
  /** Only an operator can mend it. */
  needsOperator: boolean;
}

/** What holds for one connection only. */
interface Link {
  connection: UploaderConnection;
  address: string;
  since: number;
  welcomed: boolean;
  refused?: RefusedCode;
  /** Of the entries listed in `welcome`. */
  accepted: Set<number>;
  /** All up to here is announced. */
  announced: number;
  /** First index of the tracks said last. */
  tracks: number | undefined;
  pumping: boolean;
  /** A body waits for the next announcement to be out. */
  pumped: (() => void) | undefined;
  /** Asked for and not yet sent. */
  bodies: Set<number>;
  sendingBodies: Promise<void>;
}

/**
 * Announces what is in the outbox to an uploader, and hands the answers back: connects, and connects again, says
 * `hello`, and after each `welcome` everything that it does not list, oldest first, and then what comes. The outbox
 * is its only memory.
 */
export class UploaderClient {
  #state: UploaderState = 'off';
  #link: Link | undefined;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #waiting = new Set<() => void>();
  readonly #limit: LogLimit;

  constructor(private readonly options: UploaderClientOptions) {
    this.#limit = new LogLimit(options.clock);
    options.outbox.onChange = () => {
      if (this.#link) this.#announce(this.#link);
      if (options.outbox.size === 0) for (const resolve of this.#waiting) resolve();
    };
  }

  get state(): UploaderState {
    return this.#state;
  }

  /** May be called again. */
  start(): void {
    if (this.#state !== 'off') return;
    this.#state = 'connecting';
    this.#running = this.#run();
  }

  /** Waits until everything has its final answer, at most so long. @returns whether it has */
  async answered(timeoutMs: number): Promise<boolean> {
    const { outbox, clock } = this.options;
    const timeout = new AbortController();
    const cancel = clock.after(timeoutMs, () => timeout.abort());
    try {
      await Promise.race([outbox.entered(), aborted(timeout.signal)]);
      while (outbox.size > 0 && !timeout.signal.aborted) {
        await Promise.race([
          new Promise<void>((resolve) => this.#waiting.add(resolve)),
          aborted(timeout.signal),
        ]);
      }
      return outbox.size === 0;
    } finally {
      cancel();
      this.#waiting.clear();
    }
  }

  /** What was said still goes out, if it does so within a second. */
  async close(): Promise<void> {
    const { clock } = this.options;
    this.#stop.abort();
    const connection = this.#link?.connection;
    if (connection) {
      connection.finish();
      const cancel = clock.after(FINISH_MS, () => connection.close('finished'));
      await connection.closed;
      cancel();
    }
    await this.#running;
    this.#state = 'off';
  }

  async #run(): Promise<void> {
    const { addresses, clock, random } = this.options;
    const backoff = new Backoff({ firstMs: 200, longestMs: 5000, ...(random && { random }) });
    let at = 0;
    let needsOperator = true;
    while (!this.#stop.signal.aborted) {
      const address = addresses[at];
      if (!address) throw new RangeError('no address of an uploader');
      const outcome = await this.#connect(address);
      needsOperator &&= outcome.needsOperator;
      if (outcome.wasStable) backoff.reset();
      else at = (at + 1) % addresses.length;
      // The others are tried at once; who was just there comes first.
      if (at !== 0 && !outcome.wasStable) continue;
      const delay = backoff.next();
      await sleep(clock, needsOperator ? OPERATOR_RETRY_MS : delay, this.#stop.signal);
      needsOperator = true;
    }
  }

  async #connect(address: Address): Promise<Outcome> {
    const { outbox, clock, hello } = this.options;
    const connection = new UploaderConnection(address, clock, {
      onMessage: (message) => this.#receive(link, message),
      onBadMessage: (error) => {
        this.#limit.say('bad-message', () =>
          this.options.logger.warn('the uploader says what this version does not know', {
            error: errorText(error),
          }),
        );
      },
    });
    const link: Link = {
      connection,
      address: addressText(address),
      since: clock.monotonic(),
      welcomed: false,
      accepted: new Set(),
      announced: -1,
      tracks: undefined,
      pumping: false,
      pumped: undefined,
      bodies: new Set(),
      sendingBodies: Promise.resolve(),
    };
    this.#link = link;
    void connection.send({ type: 'hello', version: PROTOCOL_VERSION, session: outbox.session, ...hello });
    const end = await connection.closed;
    await link.sendingBodies;
    this.#link = undefined;
    if (!this.#stop.signal.aborted) this.#sayEnd(link, end);
    return {
      wasStable: link.welcomed && clock.monotonic() - link.since >= STABLE_MS,
      needsOperator: link.refused !== undefined && !SOON.has(link.refused),
    };
  }

  #sayEnd(link: Link, { reason, code }: { reason: string; code: string | undefined }): void {
    if (link.refused !== undefined) return;
    const { logger, outbox } = this.options;
    const { address: uploader } = link;
    this.#state = 'unreachable';
    const waiting = { waiting: outbox.size };
    if (link.welcomed) {
      this.#limit.change(uploader, 'lost', (fields) =>
        logger.warn('lost the uploader; trying again, segments wait in the spool', {
          uploader,
          reason,
          ...waiting,
          ...fields,
        }),
      );
    } else {
      this.#limit.change(uploader, `unreachable ${code ?? reason}`, (fields) =>
        logger.warn(
          'cannot reach the uploader: start it, or name another with --uploader; trying on, segments wait in the spool',
          {
            uploader,
            reason,
            ...waiting,
            ...fields,
          },
        ),
      );
    }
  }

  #receive(link: Link, message: UploaderMessage): void {
    const { outbox, logger } = this.options;
    if ('session' in message && message.session !== outbox.session) {
      this.#limit.say('stranger', () =>
        logger.warn('the uploader answers about a session that is not ours', { session: message.session }),
      );
      return;
    }
    switch (message.type) {
      case 'welcome':
        link.welcomed = true;
        link.accepted = new Set(message.accepted);
        link.announced = -1;
        this.#state = 'connected';
        if (message.settled !== undefined) outbox.settleThrough(message.settled);
        this.#limit.change(link.address, 'connected', () =>
          logger.info('connected to the uploader', { uploader: link.address, waiting: outbox.size }),
        );
        this.#announce(link);
        break;
      case 'channel':
        this.options.onTargetDuration(message.targetDuration);
        break;
      case 'accepted':
        link.accepted.add(message.index);
        break;
      case 'send':
        this.#sendBody(link, message.index);
        break;
      case 'published':
      case 'dropped':
      case 'rejected':
        this.#settle(message);
        break;
      case 'refused':
        this.#refused(link, message.code, message.reason);
        break;
      case 'pong':
        break;
    }
  }

  #settle(answer: FinalAnswer): void {
    const { outbox, logger } = this.options;
    const { type, index } = answer;
    if (!outbox.entry(index)) return;
    if (type === 'dropped') {
      this.#limit.say(`dropped ${answer.code}`, (fields) =>
        logger.warn('the uploader dropped a segment', { index, code: answer.code, ...fields }),
      );
    } else if (type === 'rejected') {
      this.#limit.say(`rejected ${answer.code}`, (fields) =>
        logger.error('the uploader rejected a segment', {
          index,
          code: answer.code,
          reason: answer.reason,
          ...fields,
        }),
      );
    }
    outbox.settle(index, type);
  }

  #refused(link: Link, code: RefusedCode, reason: string): void {
    link.refused = code;
    this.#state = 'refused';
    const what = SOON.has(code) ? 'trying again' : 'mend the cause; trying again once a minute';
    this.#limit.change(link.address, `refused ${code}`, (fields) =>
      this.options.logger.error(`the uploader refuses this segmenter; ${what}; segments wait in the spool`, {
        uploader: link.address,
        code,
        reason,
        waiting: this.options.outbox.size,
        ...fields,
      }),
    );
    link.connection.close(`refused: ${reason}`, code);
  }

  #announce(link: Link): void {
    if (!link.welcomed || link.pumping) return;
    link.pumping = true;
    void this.#pump(link);
  }

  /** Live and after a reconnect alike: whatever is above what was announced, as fast as the uploader takes it. */
  async #pump(link: Link): Promise<void> {
    const { outbox } = this.options;
    for (;;) {
      const entry = outbox.after(link.announced);
      if (!entry || link.connection.isClosed) {
        // In the same turn: what is entered from now on calls again.
        link.pumping = false;
        link.pumped?.();
        return;
      }
      link.announced = entry.index;
      link.pumped?.();
      const tracks = outbox.tracksFor(entry.index);
      if (tracks && tracks.index !== link.tracks) {
        link.tracks = tracks.index;
        await link.connection.send(tracks);
      }
      if (link.accepted.has(entry.index)) continue;
      const message = await outbox.announcement(entry.index);
      if (message) await link.connection.send(message);
    }
  }

  /** One after the other, behind the announcements that wait; it dies with its connection. */
  #sendBody(link: Link, index: number): void {
    if (link.bodies.has(index)) return;
    link.bodies.add(index);
    link.sendingBodies = link.sendingBodies.then(async () => {
      await announcedFirst(link);
      link.bodies.delete(index);
      const { outbox } = this.options;
      const entry = outbox.entry(index);
      if (entry?.type !== 'segment' || link.connection.isClosed) return;
      try {
        const id = { session: outbox.session, index };
        await link.connection.sendBody(id, outbox.segmentPath(index), entry.bytes);
      } catch (error) {
        if (!(error instanceof BodyError)) throw error;
        // When it was settled while we looked, the file had to go, and there is no gap.
        const gap = await outbox.lose(index, `its file cannot be read: ${error.message}`);
        if (gap) await link.connection.send(gap);
      }
    });
  }
}

/** Resolves when enough announcements are out that a body may follow. */
async function announcedFirst(link: Link): Promise<void> {
  for (let left = MOST_BEFORE_BODY; left > 0 && link.pumping && !link.connection.isClosed; left--) {
    await new Promise<void>((resolve) => (link.pumped = resolve));
  }
  link.pumped = undefined;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
