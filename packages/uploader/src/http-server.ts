import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { errorCode, errorText, type Clock, type Logger } from '@hls-uplink/runtime';
import type { Channels } from './channels.js';
import type { ChannelWorker } from './channel-worker.js';
import { channelStatus } from './channel-status.js';
import { DateRangeRequestError, readDateRangeRequest } from './date-range-request.js';
import type { Journal } from './journal.js';
import { JournalError } from './journal-error.js';
import type { LegacyFeeds } from './legacy-feeds.js';
import { LiveFiles } from './live-files.js';
import type { OwnSpool } from './own-spool.js';
import { listen, type UploaderServer } from './server.js';
import { sameToken } from './session.js';
import { statusPage } from './status-page.js';
import type { StoreAccess, StoreLanes } from './store-lanes.js';

export interface HttpServerOptions {
  channels: Channels;
  stores: readonly StoreLanes[];
  /** Of the keys, when they have one. */
  keyStore?: StoreAccess | undefined;
  journal: Journal;
  server: Pick<UploaderServer, 'connections'>;
  legacy: Pick<LegacyFeeds, 'counts'>;
  ownSpool: Pick<OwnSpool, 'bytes'>;
  token?: string | undefined;
  /** Of a directory store: served below /live. */
  folder?: string;
  /** A connection on which nothing moves for so long is closed, milliseconds. Default a minute. */
  idleMs?: number;
  clock: Clock;
  logger: Logger;
}

const MOST_CONNECTIONS = 1000;
/** TCP keeps much for a slow viewer, and takes more only when a good part of that is gone. */
const IDLE_MS = 60_000;
/** Commands change something: no page of another site may send them. Such a header makes browsers ask first. */
const COMMAND_HEADER = 'x-hls-uplink';

/** Status page with a player, health checks, the API, and the published files of a directory store. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;
  readonly #live: LiveFiles | undefined;
  #listening = false;
  #player: Promise<Buffer> | undefined;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#live = options.folder === undefined ? undefined : new LiveFiles(options.folder);
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => this.#failed(error, response));
    });
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.headersTimeout = 10_000;
    this.#server.requestTimeout = 30_000;
    // Of no progress, also while an answer goes out: a viewer that stops reading holds a file and a connection.
    this.#server.timeout = options.idleMs ?? IDLE_MS;
  }

  /** @returns the port. @throws ConfigError */
  async listen(host: string, port: number): Promise<number> {
    const actual = await listen(this.#server, host, port, '--http');
    this.#listening = true;
    return actual;
  }

  async stop(): Promise<void> {
    if (!this.#listening) return;
    this.#listening = false;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request.url ?? '/');
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (path === undefined) return sendJson(response, 400, { message: 'that is no path' });
    if (path.startsWith('/live/') && this.#live)
      return this.#live.answer(path.slice('/live/'.length), request, response);
    const end = /^\/api\/channels\/(.+)\/end$/.exec(path);
    if (end?.[1] !== undefined) return this.#end(end[1], request, response);
    const dateRanges = /^\/api\/channels\/(.+)\/dateranges$/.exec(path);
    if (dateRanges?.[1] !== undefined) return this.#dateRange(dateRanges[1], request, response);
    if (!isRead) {
      response.setHeader('allow', 'GET, HEAD');
      return sendJson(response, 405, { message: 'only GET and HEAD' });
    }
    switch (path) {
      case '/':
        return send(response, 200, 'text/html; charset=utf-8', statusPage);
      case '/assets/hls.js':
        return send(
          response,
          200,
          'text/javascript; charset=utf-8',
          await this.#playerScript(),
          'public, max-age=3600',
        );
      case '/healthz':
        return sendJson(response, 200, { status: 'alive' });
      case '/readyz':
        return this.#ready(response);
      case '/api/channels':
        return sendJson(response, 200, this.#channels());
      default:
        return sendJson(response, 404, { message: 'there is nothing here' });
    }
  }

  #ready(response: ServerResponse): void {
    const { stores, keyStore, journal } = this.#options;
    const problems = [
      ...[...stores, ...(keyStore ? [keyStore] : [])].flatMap(({ store, health }) =>
        health.good ? [] : [`store ${store.name}: ${health.problem}`],
      ),
      ...(journal.problem === undefined ? [] : [journal.problem]),
    ];
    sendJson(response, problems.length === 0 ? 200 : 503, {
      status: problems.length === 0 ? 'ready' : 'not ready',
      problems,
    });
  }

  #channels(): unknown {
    const { channels, stores, keyStore, journal, server, legacy, ownSpool, clock } = this.#options;
    return {
      channels: [...channels].map((worker) => channelStatus(worker, clock.now(), this.#live !== undefined)),
      stores: stores.map((lanes) => ({ ...storeStatus(lanes), uploads: lanes.segments.load })),
      ...(keyStore && { keyStore: storeStatus(keyStore) }),
      connections: server.connections,
      legacy: legacy.counts,
      journal: { healthy: journal.healthy, ...journal.counts },
      ownSpoolBytes: ownSpool.bytes,
    };
  }

  /** The live channel that a command is for; undefined when it may not be given: then that is answered. */
  #commanded(
    channel: string,
    what: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): ChannelWorker | undefined {
    const { channels, token } = this.#options;
    const refuse = (status: number, message: string): undefined => {
      request.resume();
      sendJson(response, status, { message });
    };
    if (request.method !== 'POST' || request.headers[COMMAND_HEADER] === undefined) {
      response.setHeader('allow', 'POST');
      return refuse(405, `a POST with the header ${COMMAND_HEADER} ${what}`);
    }
    const given = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    if (token !== undefined && !sameToken(given, token))
      return refuse(401, 'the token is missing or wrong: set HLS_UPLOADER_TOKEN');
    const worker = channels.get(channel);
    if (!worker) {
      const known = [...channels].map(({ id }) => id).join(', ') || 'none';
      return refuse(404, `there is no channel ${channel}; there are: ${known}`);
    }
    const { phase } = worker.state;
    return phase === 'live' ? worker : refuse(409, `channel ${channel} is not live (${phase})`);
  }

  async #dateRange(channel: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#commanded(channel, 'adds a date range', request, response)) return;
    try {
      const range = await readDateRangeRequest(request);
      // The body took its time: the channel may have been read again since.
      const worker = this.#commanded(channel, 'adds a date range', request, response);
      if (!worker) return;
      const refusal = await worker.requests.dateRange(range);
      if (refusal !== undefined) return sendJson(response, 409, { message: refusal });
      this.#options.logger.info('a date range is added', { channel, id: range.id });
      sendJson(response, 202, { message: 'it comes with the next segment', id: range.id });
    } catch (error) {
      if (!(error instanceof DateRangeRequestError)) throw error;
      // What is left of a body that is too long is not read.
      if (error.status === 413) response.setHeader('connection', 'close');
      sendJson(response, error.status, { message: error.message });
    }
  }

  async #end(channel: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { logger } = this.#options;
    const worker = this.#commanded(channel, 'ends a channel', request, response);
    if (!worker) return;
    request.resume();
    logger.info('the end of a channel is asked for', { channel });
    await worker.requests.end();
    sendJson(response, 202, { message: `channel ${channel} ends` });
  }

  #playerScript(): Promise<Buffer> {
    this.#player ??= readFile(createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js'));
    return this.#player;
  }

  #failed(error: unknown, response: ServerResponse): void {
    // A viewer that went away.
    if (/^(ERR_STREAM|ECONNRESET|EPIPE)/.test(errorCode(error) ?? '')) return;
    // What is promised is on disk; that it takes no writes has been said.
    if (error instanceof JournalError) return sendJson(response, 503, { message: error.message });
    this.#options.logger.error('a request could not be answered', { error: errorText(error) });
    if (response.headersSent) response.destroy();
    else sendJson(response, 500, { message: 'this failed; the log of the daemon says why' });
  }
}

const storeStatus = ({ store, health }: StoreAccess): Record<string, unknown> => ({
  name: store.name,
  good: health.good,
  ...(health.problem !== undefined && { problem: health.problem }),
});

function pathOf(url: string): string | undefined {
  const [raw = '/'] = url.split(/[?#]/, 1);
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Buffer,
  cache = 'no-store',
): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': cache,
    'x-content-type-options': 'nosniff',
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, 'application/json; charset=utf-8', `${JSON.stringify(value)}\n`);
}
