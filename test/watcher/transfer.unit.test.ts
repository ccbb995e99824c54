import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort } from '../helpers/processes.js';
import { watch } from './index.js';
import { httpTransfer } from './transfer.js';

let server: Server;
let url: string;
let answer: RequestListener;

beforeEach(async () => {
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

const get = { method: 'GET', headers: {} } as const;

test('brings status, headers and body', async () => {
  answer = (request, response) => {
    response.setHeader('ETag', '"1"');
    if (request.headers['if-none-match'] === '"1"') response.writeHead(304).end();
    else response.end(`${request.method} ${request.url}`);
  };
  const transfer = httpTransfer();
  const first = await transfer(`${url}x`, get);
  expect(first).toMatchObject({ status: 200, headers: { etag: '"1"' }, complete: true });
  expect(Buffer.from(first.body).toString()).toBe('GET /x');
  expect(await transfer(url, { method: 'GET', headers: { 'if-none-match': '"1"' } })).toMatchObject({
    status: 304,
  });
  expect(await transfer(url, { method: 'HEAD', headers: {} })).toMatchObject({ status: 200, complete: true });
});

test('tells a body that was cut short', async () => {
  answer = (_, response) => {
    response.writeHead(200, { 'content-length': 10 });
    response.write('half', () => response.destroy());
  };
  expect(await httpTransfer()(url, get)).toMatchObject({ status: 200, complete: false });
});

test('rejects where nobody listens', async () => {
  const port = await freePort();
  await expect(httpTransfer()(`http://127.0.0.1:${port}/`, get)).rejects.toThrow(/ECONNREFUSED/);
});

test('asks once more when a kept connection was closed meanwhile', async () => {
  let asked = 0;
  answer = (request, response) => {
    asked += 1;
    if (asked === 2) request.socket.resetAndDestroy();
    else response.end(String(asked));
  };
  const transfer = httpTransfer();
  await transfer(url, get);
  expect(Buffer.from((await transfer(url, get)).body).toString()).toBe('3');
});

test('the watcher polls conditionally, over HTTP and its own clock', async () => {
  let conditional = 0;
  const playlist = '#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:2\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n';
  answer = (request, response) => {
    response.setHeader('ETag', '"1"');
    if (request.headers['if-none-match'] !== '"1"') return void response.end(playlist);
    conditional += 1;
    response.writeHead(304).end();
  };
  const watcher = watch({ url: `${url}live/low.m3u8`, pollMs: 10 });
  await watcher.until(() => conditional >= 3, { what: 'three conditional requests' });
  const report = await watcher.stop();
  expect(report.violations).toEqual([]);
  expect(report.renditions).toMatchObject([{ name: 'low', versions: [{ appended: 0 }] }]);
});
