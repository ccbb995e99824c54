import { createServer } from 'node:http';
import type { Address } from './options.js';
import { listen } from './server.js';

/**
 * Answers in the place of the HTTP server while the daemon cannot begin: it is alive, and not ready.
 * @param problem why
 * @returns what stops it. @throws ConfigError `port-taken`, `bad-listen`
 */
export async function startWaitingServer(
  { host, port }: Address,
  problem: string,
): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    const isAlive = request.url === '/healthz';
    const body = isAlive ? { status: 'alive' } : { status: 'not ready', problems: [problem] };
    request.resume();
    response.writeHead(isAlive ? 200 : 503, {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'close',
    });
    response.end(`${JSON.stringify(body)}\n`);
  });
  server.maxConnections = 100;
  server.headersTimeout = 10_000;
  server.timeout = 10_000;
  await listen(server, host, port, '--http');
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}
