import { Backoff, errorText, sleep, type Clock, type Logger } from '@hls-uplink/runtime';
import { LogLimit } from './log-limit.js';
import type { Presence } from './presence.js';
import { watchSilence } from './silence.js';
import type { InputSource } from './source.js';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;

/** One way of getting a stream over a network. */
export interface Feed {
  /** For messages, without secrets. */
  readonly name: string;
  /** The peer comes to us: after a connection the next one is waited for at once. */
  readonly listens: boolean;
  /**
   * One connection, from its making to its end, or until the signal is aborted; nothing of it is left then. Each chunk
   * is valid until the next is asked for. May be called again afterwards.
   * @throws an error that says why there is none, or none any more
   */
  connect(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export interface LiveSourceOptions {
  clock: Clock;
  logger: Logger;
  presence: Presence;
  /** Without data for so long, the connection is made anew; 0: never. */
  timeoutMs: number;
  /** Rises whenever what was handed on had data in it; left out: all is data. */
  found?: () => number;
  /** The end of a connection that gave something is the end of the input. */
  endsWithPeer: boolean;
}

/** A network input that goes and comes: connects again and again, at growing intervals while that fails. */
export class LiveSource implements InputSource {
  readonly isRegularFile = false;
  readonly name: string;
  readonly #backoff = new Backoff({ firstMs: FIRST_DELAY_MS, longestMs: LONGEST_DELAY_MS });
  readonly #limit: LogLimit;

  constructor(
    private readonly feed: Feed,
    private readonly options: LiveSourceOptions,
  ) {
    this.name = feed.name;
    this.#limit = new LogLimit(options.clock);
  }

  async *read(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const { clock, logger, presence, endsWithPeer } = this.options;
    while (!signal.aborted) {
      const connection = new Connection(this.feed, this.options, signal);
      for await (const chunk of connection.read()) {
        const returning = presence.heard();
        if (returning) await returning;
        yield chunk;
      }
      if (signal.aborted) return;
      const { reason, gaveData, ended } = connection;
      if (gaveData && ended === 'orderly' && endsWithPeer) return;
      if (gaveData) this.#backoff.reset();
      // What was lost is said once; that it does not come back, now and then.
      if (presence.isThere) logger.warn('the input is lost; trying again', { input: this.name, reason });
      else {
        this.#limit.change(this.name, reason, (fields) =>
          logger.warn('the input does not come; trying on', { input: this.name, reason, ...fields }),
        );
      }
      await presence.lost(reason);
      const isExpected = ended === 'silence' || (this.feed.listens && gaveData);
      if (!isExpected) await sleep(clock, this.#backoff.next(), signal);
    }
  }
}

/** One connection of a feed; `read` never throws, how it ended can be asked afterwards. */
class Connection {
  gaveData = false;
  ended: 'orderly' | 'broken' | 'silence' = 'orderly';
  reason = 'the sender closed the connection';
  readonly #stop = new AbortController();

  constructor(
    private readonly feed: Feed,
    private readonly options: LiveSourceOptions,
    private readonly signal: AbortSignal,
  ) {}

  async *read(): AsyncGenerator<Uint8Array> {
    const stop = (): void => this.#stop.abort();
    this.signal.addEventListener('abort', stop, { once: true });
    const { clock, timeoutMs, found } = this.options;
    const chunks = watchSilence(this.feed.connect(this.#stop.signal), {
      clock,
      timeoutMs,
      ...(found && { found }),
      onSilence: () => {
        this.#end('silence', `${found ? 'no packets have' : 'nothing has'} come for ${timeoutMs / 1000} s`);
        stop();
      },
    });
    try {
      for await (const chunk of chunks) {
        // Stopped, but still on its way.
        if (this.#stop.signal.aborted) break;
        this.gaveData = true;
        yield chunk;
      }
    } catch (error) {
      if (this.ended === 'orderly') this.#end('broken', errorText(error));
    } finally {
      this.signal.removeEventListener('abort', stop);
    }
  }

  #end(how: 'broken' | 'silence', reason: string): void {
    this.ended = how;
    this.reason = reason;
  }
}
