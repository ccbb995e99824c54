import { Agent as HttpAgent, type AgentOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { S3Client } from '@aws-sdk/client-s3';
import { isDenied } from './s3-error.js';
import type { S3Location } from './store-url.js';

export interface S3ClientOptions {
  /** A connection on which no byte moves for so long has failed, milliseconds. */
  idleTimeoutMs: number;
  /** Connections at most; requests above that wait for one. */
  maxSockets: number;
}

/**
 * Handed on to the provider chain, which else would read the files of credentials and profiles once in a process's
 * life. It reads them when it looks credentials up, not for every request.
 */
const filesAnew = { ignoreCache: true };

/** The SDK prints some of its warnings on the console; what fails is told by the errors. */
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/**
 * A client with connections of its own. It tries once: backing off is the caller's, who knows what else is waiting.
 * Its timeouts measure progress, a slow upload that moves is left alone (DESIGN.md, rule 12).
 */
export function createS3Client(
  { region, endpoint }: Pick<S3Location, 'region' | 'endpoint'>,
  { idleTimeoutMs, maxSockets }: S3ClientOptions,
  shared?: S3Client,
): S3Client {
  // The SDK tells on stderr, in seven lines, that its versions of 2027 need Node 22. This one is pinned.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  const agentOptions = { keepAlive: true, maxSockets };
  const client = new S3Client({
    ...filesAnew,
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && {
      endpoint,
      forcePathStyle: true,
      // Default checksums break many S3-compatible servers (HLS-RULES 28).
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    }),
    // Looked up once for all clients of a store.
    ...(shared && { credentials: shared.config.credentials, region: shared.config.region }),
    maxAttempts: 1,
    // With this header the SDK opens a new connection for every body above 2 MB.
    expectContinueHeader: false,
    requestHandler: {
      httpAgent: limitConnecting(new HttpAgent(agentOptions), idleTimeoutMs),
      httpsAgent: limitConnecting(new HttpsAgent(agentOptions), idleTimeoutMs),
      socketTimeout: idleTimeoutMs,
      logger: silent,
    },
  });
  lookUpAnewWhenDenied(client);
  return client;
}

/**
 * After a refusal the next request looks its credentials up anew: the SDK keeps those without an expiry for ever, and
 * an operator who mends them need not restart anything (DESIGN.md, rule 12).
 */
function lookUpAnewWhenDenied(client: S3Client): void {
  let denied = false;
  client.middlewareStack.add(
    (next) => async (args) => {
      if (denied) {
        // Requests that come together share one look-up.
        await client.config.credentials({ forceRefresh: true });
        denied = false;
      }
      try {
        return await next(args);
      } catch (error) {
        denied ||= isDenied(error);
        throw error;
      }
    },
    { step: 'initialize', name: 'lookUpAnewWhenDenied' },
  );
}

/**
 * Gives up a connection that is not made after `timeoutMs`. The SDK's own `connectionTimeout` also counts the time
 * that a request waits for a free connection, so a busy uplink would look like a dead one.
 */
function limitConnecting<A extends HttpAgent>(agent: A, timeoutMs: number): A {
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (
    options: AgentOptions,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex | null | undefined => {
    const socket = create(options, callback);
    if (!socket) return socket;
    const timer = setTimeout(() => {
      const error = new Error(`no connection after ${timeoutMs} ms`);
      socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
    }, timeoutMs);
    const connected = (): void => clearTimeout(timer);
    socket
      .once(agent instanceof HttpsAgent ? 'secureConnect' : 'connect', connected)
      .once('close', connected);
    return socket;
  };
  return agent;
}
