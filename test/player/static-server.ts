/** A small HTTP server on loopback for a page and for folders of media. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

export interface StaticServer {
  /** With a slash at the end. */
  readonly url: string;
  close(): Promise<void>;
}

export interface StaticOptions {
  /** Served as files. */
  folder?: string;
  /** Path (`/page`) to text; wins over the folder. */
  pages?: Record<string, { type: string; text: string }>;
  /** Looks at each request first; true when it has answered (or never will). */
  intercept?: (path: string, response: ServerResponse) => boolean;
}

const types: Record<string, string> = {
  '.m3u8': 'application/vnd.apple.mpegurl',
  '.ts': 'video/mp2t',
  '.js': 'text/javascript',
  '.html': 'text/html; charset=utf-8',
};

export async function serveStatic({ folder, pages = {}, intercept }: StaticOptions): Promise<StaticServer> {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname));
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('cache-control', 'no-store');
    if (intercept?.(path, response) === true) return;
    const page = pages[path];
    if (page !== undefined) {
      response.setHeader('content-type', page.type).end(page.text);
      return;
    }
    try {
      if (folder === undefined || path.includes('..')) throw new Error('not served');
      const body = await readFile(join(folder, path));
      response.setHeader('content-type', types[extname(path)] ?? 'application/octet-stream').end(body);
    } catch {
      response.writeHead(404).end();
    }
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
