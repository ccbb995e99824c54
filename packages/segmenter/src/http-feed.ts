import type { IncomingMessage } from 'node:http';
import { errorCode, errorText } from '@hls-uplink/runtime';
import { withoutSecrets, type HttpInput } from './input-url.js';
import type { Feed } from './live-source.js';
import type { FeedOptions } from './udp-feed.js';

const MOST_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];

/** A transport stream that an HTTP server sends for as long as it lasts. */
export class HttpFeed implements Feed {
  readonly listens = false;
  readonly name: string;

  constructor(
    private readonly input: HttpInput & { name: string },
    private readonly options: FeedOptions,
  ) {
    this.name = input.name;
  }

  async *connect(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const response = await this.#follow(signal);
    if (!response) return;
    this.options.logger.info('connected', { input: this.name });
    try {
      for await (const chunk of response) yield chunk as Uint8Array;
    } catch (error) {
      if (!signal.aborted) throw new Error('the server broke the connection off', { cause: error });
    } finally {
      response.destroy();
    }
  }

  /** The first answer that is no redirect; nothing when aborted. */
  async #follow(signal: AbortSignal): Promise<IncomingMessage | undefined> {
    let { url } = this.input;
    for (let redirects = 0; ; redirects++) {
      let response: IncomingMessage;
      try {
        response = await request(url, signal);
      } catch (error) {
        if (signal.aborted) return undefined;
        throw new Error(`cannot get ${withoutSecrets(url.href)}: ${errorText(error)}${connectHint(error)}`, {
          cause: error,
        });
      }
      const { statusCode = 0, headers } = response;
      if (statusCode === 200) return checked(response, url);
      response.destroy();
      if (!REDIRECTS.includes(statusCode)) throw refusal(url, response);
      if (redirects === MOST_REDIRECTS) {
        throw new Error(`cannot get ${this.name}: more than ${MOST_REDIRECTS} redirects`);
      }
      url = redirected(url, headers.location);
    }
  }
}

async function request(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  const { get } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  return new Promise((resolve, reject) => {
    const headers = {
      'user-agent': 'hls-segmenter',
      accept: 'video/mp2t, */*',
      'accept-encoding': 'identity',
    };
    // User and password of the URL become Basic authorization. A connection of its own: it is used once.
    get(url, { signal, agent: false, headers }, resolve).on('error', reject);
  });
}

/** User and password go along only to the same server. */
function redirected(from: URL, location: string | undefined): URL {
  const where = withoutSecrets(from.href);
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw new Error(`cannot get ${where}: it redirects to nowhere`);
  }
  const to = new URL(location, from);
  if (to.protocol !== 'http:' && to.protocol !== 'https:') {
    throw new Error(`cannot get ${where}: it redirects to ${withoutSecrets(to.href)}, which is no HTTP`);
  }
  if (to.origin === from.origin && to.username === '') {
    to.username = from.username;
    to.password = from.password;
  }
  return to;
}

/** A playlist has status 200, too. */
function checked(response: IncomingMessage, url: URL): IncomingMessage {
  const type = response.headers['content-type'] ?? '';
  if (!/mpegurl|dash\+xml|text\/html/i.test(type)) return response;
  response.destroy();
  throw new Error(
    `${withoutSecrets(url.href)} is ${type}, no transport stream: let ffmpeg read it, and pipe into -`,
  );
}

const refusals: Record<number, string> = {
  401: 'give user and password, as in http://USER:PASSWORD@HOST/',
  403: 'the server does not allow it: check user, password and token',
  404: 'check the path, and whether the encoder runs',
  503: 'the server has no stream at the moment, or too many clients',
};

function refusal(url: URL, { statusCode = 0, statusMessage }: IncomingMessage): Error {
  const hint = refusals[statusCode];
  const status = `${statusCode} ${statusMessage ?? ''}`.trim();
  return new Error(
    `cannot get ${withoutSecrets(url.href)}: the server answers ${status}${hint === undefined ? '' : `: ${hint}`}`,
  );
}

function connectHint(error: unknown): string {
  const code = errorCode(error) ?? '';
  if (code === 'ECONNREFUSED') return ': nothing listens there; check host and port';
  if (code === 'ENOTFOUND') return ': check the name of the host';
  if (/CERT|SIGNED|ISSUER/.test(code))
    return ': name the authority in the environment by NODE_EXTRA_CA_CERTS=FILE';
  return '';
}
