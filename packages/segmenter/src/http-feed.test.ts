import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '@hls-uplink/runtime';
import { until } from './fake-uploader.test.helper.js';
import { HttpFeed } from './http-feed.js';
import { parseInputUrl } from './input-url.js';
import { LogBook } from './spool.test.helper.js';

let stop: AbortController;
let read: string;
let servers: Server[];

beforeEach(() => {
  stop = new AbortController();
  read = '';
  servers = [];
});
afterEach(() => {
  stop.abort();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function readAll(url: string): Promise<void> {
  const input = parseInputUrl(url);
  if (input.kind !== 'http') throw new Error(url);
  const feed = new HttpFeed(input, { clock: systemClock, logger: new LogBook() });
  for await (const chunk of feed.connect(stop.signal)) read += Buffer.from(chunk).toString('latin1');
}

describe('what is read', () => {
  test('a chunked answer, to its end', async () => {
    const host = await serve((_request, response) => {
      response.write('one ');
      response.end('two');
    });
    await readAll(`http://${host}/live.ts`);
    expect(read).toBe('one two');
  });

  test('one with a length', async () => {
    const host = await serve((_request, response) => response.setHeader('content-length', 3).end('one'));
    await readAll(`http://${host}/live.ts`);
    expect(read).toBe('one');
  });

  test.each([301, 302, 303, 307, 308])('after a redirect by %d, relative and absolute', async (status) => {
    const seen: string[] = [];
    const host = await serve(({ url = '' }, response) => {
      seen.push(url);
      const next: Record<string, string> = { '/a/1': '2', '/a/2': `http://${host}/b?c=d` };
      if (next[url] === undefined) response.end('there');
      else response.writeHead(status, { location: next[url] }).end('moved');
    });
    await readAll(`http://${host}/a/1`);
    expect(read).toBe('there');
    expect(seen).toEqual(['/a/1', '/a/2', '/b?c=d']);
  });

  test('user and password go to their own server, and to no other', async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end('there');
    });
    const host = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(302, { location: request.url === '/1' ? '/2' : `http://${other}/` }).end();
    });
    await readAll(`http://me:p%40ss@${host}/1`);
    const basic = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
    expect(seen).toEqual([basic, basic, undefined]);
  });
});

describe('what is refused, and how it is said', () => {
  test.each<[number, RegExp]>([
    [404, /answers 404 Not Found: check the path, and whether the encoder runs$/],
    [401, /answers 401 Unauthorized: give user and password/],
    [403, /answers 403 Forbidden: the server does not allow it/],
    [503, /answers 503 Service Unavailable: the server has no stream/],
    [500, /answers 500 Internal Server Error$/],
    [204, /answers 204 No Content$/],
  ])('%d', async (status, message) => {
    const host = await serve((_request, response) => response.writeHead(status).end());
    await expect(readAll(`http://me:secret@${host}/live.ts?token=secret`)).rejects.toThrow(message);
    await expect(readAll(`http://me:secret@${host}/live.ts?token=secret`)).rejects.not.toThrow('secret');
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['a circle of redirects', { location: '/' }, /more than 5 redirects/],
    ['a redirect to nowhere', {}, /redirects to nowhere/],
    ['a redirect to a file', { location: 'file:///etc/passwd' }, /which is no HTTP/],
  ])('%s', async (_what, headers, message) => {
    let requests = 0;
    const host = await serve((_request, response) => {
      requests++;
      response.writeHead(302, headers).end();
    });
    await expect(readAll(`http://${host}/`)).rejects.toThrow(message);
    expect(requests).toBeLessThanOrEqual(6);
  });

  test.each(['application/vnd.apple.mpegurl', 'audio/x-mpegurl', 'text/html; charset=utf-8'])(
    '%s is no transport stream',
    async (type) => {
      const host = await serve((_request, response) =>
        response.setHeader('content-type', type).end('#EXTM3U'),
      );
      await expect(readAll(`http://${host}/`)).rejects.toThrow(`is ${type}, no transport stream`);
    },
  );

  test('a server that is not there', async () => {
    const host = await serve(() => undefined);
    servers[0]!.close();
    await once(servers[0]!, 'close');
    await expect(readAll(`http://${host}/`)).rejects.toThrow(/ECONNREFUSED.*: nothing listens there/);
  });

  test('an answer that is broken off', async () => {
    const host = await serve((_request, response) => {
      response.write('half');
      response.socket!.end();
    });
    await expect(readAll(`http://${host}/`)).rejects.toThrow('the server broke the connection off');
    expect(read).toBe('half');
  });
});

test('being stopped is no error, before an answer and in the middle of it', async () => {
  let requests = 0;
  let closed = 0;
  const host = await serve((request, response) => {
    requests++;
    response.on('close', () => closed++);
    if (request.url === '/middle') response.write('some');
  });
  for (const path of ['/before', '/middle']) {
    const reading = readAll(`http://${host}${path}`);
    await until(() => (path === '/middle' ? read === 'some' : requests === 1));
    stop.abort();
    await reading;
    stop = new AbortController();
  }
  await until(() => closed === 2);
});
