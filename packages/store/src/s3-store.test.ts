/** Faults that no real server has on demand; what a real one does is in `test/store-contract.e2e.test.ts`. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { acceptErrorsOfNode } from './object-store.contract.js';
import type { ObjectStore, PutOptions } from './object-store.js';
import { openStore, type OpenStoreOptions } from './open-store.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;
interface Seen {
  what: string;
  port: number | undefined;
  headers: IncomingMessage['headers'];
}

const signal = new AbortController().signal;
const segment: PutOptions = { contentType: 'video/mp2t', cacheControl: 'max-age=1209600', signal };
const playlist: PutOptions = { contentType: 'application/vnd.apple.mpegurl', lane: 'playlist', signal };
const get = { signal, maxBytes: 1000 };

const closing: (() => Promise<unknown>)[] = [];

beforeAll(() => {
  acceptErrorsOfNode();
  process.env['AWS_ACCESS_KEY_ID'] = 'key';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function listen(server: Server | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A store on a server that answers as told. */
async function storeOn(
  handler: Handler,
  options: OpenStoreOptions = {},
): Promise<{ store: ObjectStore; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    seen.push({
      what: `${request.method} ${request.url?.replace(/\?x-id=.*$/, '')}`,
      port: request.socket.remotePort,
      headers: request.headers,
    });
    void handler(request, response);
  });
  const endpoint = `http://127.0.0.1:${await listen(server)}`;
  const store = await openStore(`s3://bucket/live?endpoint=${endpoint}`, { env: {}, ...options });
  closing.push(async () => {
    await store.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { store, seen };
}

function endpointOf(store: ObjectStore): string {
  return store.name.replace(/^.* at /, '');
}

async function drain(request: IncomingMessage): Promise<void> {
  request.resume();
  if (!request.readableEnded) await new Promise((resolve) => request.once('end', resolve));
}

const ok: Handler = async (request, response) => {
  await drain(request);
  response.setHeader('ETag', '"1"').end();
};

function fault(status: number, code: string, message = code): Handler {
  return async (request, response) => {
    await drain(request);
    response.writeHead(status, { 'content-type': 'application/xml' });
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`);
  };
}

describe('requests to an S3-compatible server', () => {
  test('have no checksum trailer, no ACL and no Expect, and keep their connection', async () => {
    const { store, seen } = await storeOn(ok);
    await store.put('a.ts', { bytes: new Uint8Array(3_000_000) }, segment);
    await store.put('b.ts', { bytes: new Uint8Array(3_000_000) }, segment);
    expect(seen.map(({ what }) => what)).toEqual(['PUT /bucket/live/a.ts', 'PUT /bucket/live/b.ts']);
    expect(seen[0]?.port).toBe(seen[1]?.port);
    for (const { headers } of seen) {
      expect(headers).toMatchObject({ 'content-length': '3000000', 'cache-control': 'max-age=1209600' });
      expect(Object.keys(headers).join()).not.toMatch(/checksum|trailer|acl|expect|content-encoding/);
    }
  });

  test('carry the ACL asked for', async () => {
    const { store, seen } = await storeOn(ok);
    const endpoint = endpointOf(store);
    const open = await openStore(`s3://bucket/live?endpoint=${endpoint}&acl=public-read`, { env: {} });
    closing.unshift(() => open.close());
    await open.put('a.ts', { text: 'x' }, segment);
    expect(seen[0]?.headers['x-amz-acl']).toBe('public-read');
  });

  test('find the server in the environment, too', async () => {
    const { store, seen } = await storeOn(ok);
    const endpoint = endpointOf(store);
    const open = await openStore('s3://bucket/live', { env: { AWS_ENDPOINT_URL_S3: endpoint } });
    closing.unshift(() => open.close());
    await open.put('a.ts', { text: 'x' }, segment);
    expect(seen.map(({ what }) => what)).toEqual(['PUT /bucket/live/a.ts']);
    expect(open.name).toContain(endpoint);
  });

  test('for playlists never wait behind segments', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const { store, seen } = await storeOn(
      async (request, response) => {
        if (request.url?.includes('.ts')) await held;
        await ok(request, response);
      },
      { maxSockets: 1 },
    );
    const segments = [1, 2, 3].map((index) => store.put(`${index}.ts`, { text: 'x' }, segment));
    await store.put('index.m3u8', { text: 'x' }, playlist);
    await store.get('index.m3u8', get);
    expect(seen.filter(({ what }) => what.includes('.ts')).length).toBeLessThanOrEqual(1);
    release();
    await Promise.all(segments);
    expect(new Set(seen.filter(({ what }) => what.includes('.ts')).map(({ port }) => port)).size).toBe(1);
  });

  test('that wait for a free connection do not time out', async () => {
    const { store } = await storeOn(
      async (request, response) => {
        await delay(150);
        await ok(request, response);
      },
      { maxSockets: 1, idleTimeoutMs: 400 },
    );
    const puts = Array.from({ length: 6 }, (_, index) => store.put(`${index}.ts`, { text: 'x' }, segment));
    expect(await Promise.all(puts)).toHaveLength(6);
  });
});

describe('a server that fails', () => {
  test.each([
    ['503', fault(503, 'SlowDown'), 'server', true],
    ['500', fault(500, 'InternalError'), 'server', true],
    ['409', fault(409, 'ConditionalRequestConflict'), 'conflict', true],
    ['412', fault(412, 'PreconditionFailed'), 'exists', false],
    ['ACL refused', fault(400, 'AccessControlListNotSupported'), 'refused', false],
    ['reset', (request: IncomingMessage) => void request.socket.destroy(), 'unreachable', true],
  ] as const)('%s: asked once, and said', async (_, handler, code, retryable) => {
    const { store, seen } = await storeOn(handler);
    await expect(store.put('a.ts', { text: 'x' }, segment)).rejects.toMatchObject({ code, retryable });
    expect(seen).toHaveLength(1);
  });

  test('403 for an object that may not be there: the missing right is named', async () => {
    const { store } = await storeOn(fault(403, 'AccessDenied', 'Access Denied'));
    await expect(store.get('a.m3u8', get)).rejects.toMatchObject({
      code: 'denied',
      message: expect.stringContaining('Without s3:ListBucket'),
    });
  });

  test('a 404 for an object is undefined, for a bucket an error', async () => {
    const { store } = await storeOn(fault(404, 'NoSuchKey'));
    expect(await store.get('a.m3u8', get)).toBeUndefined();
    const { store: none } = await storeOn(fault(404, 'NoSuchBucket'));
    await expect(none.get('a.m3u8', get)).rejects.toMatchObject({ code: 'missing-bucket' });
  });

  test('one that is no S3 server', async () => {
    const { store } = await storeOn((_, response) => void response.end('<html><body>It works!<br></html>'));
    await expect(store.list('', signal)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'server',
      message: expect.stringContaining('check that there is an S3 server at'),
    });
  });

  test('an answer cut off is never taken for a shorter object', async () => {
    const { store } = await storeOn((_, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('x'.repeat(50), () => response.destroy());
    });
    await expect(store.get('a.m3u8', get)).rejects.toMatchObject({ code: 'unreachable', retryable: true });
  });

  test('an object larger than asked for is not read to its end', async () => {
    let closed = (): void => undefined;
    const gone = new Promise<void>((resolve) => (closed = resolve));
    const { store } = await storeOn((_, response) => {
      response.once('close', closed);
      const write = (): void => {
        while (response.write('x'.repeat(10_000)));
        response.once('drain', write);
      };
      write();
    });
    await expect(store.get('a.m3u8', get)).rejects.toMatchObject({ code: 'too-large' });
    await gone;
  });
});

describe('credentials of a file', () => {
  const names = [
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_SHARED_CREDENTIALS_FILE',
    'AWS_EC2_METADATA_DISABLED',
  ];
  let before: (string | undefined)[];
  let folder: string;
  let file: string;
  const write = (key: string): Promise<void> =>
    writeFile(file, `[default]\naws_access_key_id = ${key}\naws_secret_access_key = secret\n`);
  const keysOf = (seen: Seen[]): (string | undefined)[] =>
    seen.map(({ headers }) => /Credential=(\w+)\//.exec(headers.authorization ?? '')?.[1]);
  const onlyGood: Handler = (request, response) =>
    (request.headers.authorization?.includes('Credential=good/') ? ok : fault(403, 'InvalidAccessKeyId'))(
      request,
      response,
    );

  beforeEach(async () => {
    before = names.map((name) => process.env[name]);
    folder = await mkdtemp(join(tmpdir(), 's3-store-'));
    file = join(folder, 'credentials');
    delete process.env['AWS_ACCESS_KEY_ID'];
    delete process.env['AWS_SECRET_ACCESS_KEY'];
    process.env['AWS_SHARED_CREDENTIALS_FILE'] = file;
    process.env['AWS_EC2_METADATA_DISABLED'] = 'true';
  });
  afterEach(async () => {
    for (const [i, name] of names.entries()) {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    }
    await rm(folder, { recursive: true });
  });

  test('are looked up anew after a refusal, for segments and playlists, and only then', async () => {
    await write('bad');
    const { store, seen } = await storeOn(onlyGood);
    const puts = (): Promise<unknown>[] => [
      store.put('a.ts', { text: 'x' }, segment),
      store.put('a.m3u8', { text: 'x' }, playlist),
    ];
    for (const put of puts()) await expect(put).rejects.toMatchObject({ code: 'denied' });
    for (const put of puts()) await expect(put).rejects.toMatchObject({ code: 'denied' });
    await write('good');
    await Promise.all(puts());
    await write('bad');
    await Promise.all(puts());
    expect(keysOf(seen)).toEqual([...Array<string>(4).fill('bad'), ...Array<string>(4).fill('good')]);
  });

  test('that was not there at the start', async () => {
    const { store, seen } = await storeOn(onlyGood);
    const put = (): Promise<unknown> => store.put('a.ts', { text: 'x' }, segment);
    await expect(put()).rejects.toMatchObject({
      code: 'denied',
      message: expect.stringContaining('no cred'),
    });
    await write('good');
    await put();
    expect(keysOf(seen)).toEqual(['good']);
  });
});

describe('time-outs measure progress', () => {
  test.each([
    ['no answer', () => undefined],
    [
      'an answer that stops',
      (_: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('x'.repeat(50));
      },
    ],
  ] as const)('%s', async (_, handler) => {
    const { store } = await storeOn(handler, { idleTimeoutMs: 200 });
    await expect(store.get('a.m3u8', get)).rejects.toMatchObject({ code: 'unreachable', retryable: true });
  });

  test('an upload that is not read', async () => {
    const { store } = await storeOn(() => undefined, { idleTimeoutMs: 200 });
    const bytes = new Uint8Array(30_000_000);
    await expect(store.put('a.ts', { bytes }, segment)).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('a handshake that is not answered', async () => {
    // Reads, so that it sees the other side go.
    const server = createTcpServer((socket) => socket.on('error', () => undefined).resume());
    const endpoint = `https://127.0.0.1:${await listen(server)}`;
    const store = await openStore(`s3://bucket/live?endpoint=${endpoint}`, { env: {}, idleTimeoutMs: 200 });
    closing.push(async () => {
      await store.close();
      await new Promise((resolve) => server.close(resolve));
    });
    await expect(store.get('a.m3u8', get)).rejects.toMatchObject({ code: 'unreachable', retryable: true });
  });

  test('a slow upload that moves is left alone, however long it takes', async () => {
    const idleTimeoutMs = 600;
    const { store } = await storeOn(
      async (request, response) => {
        let read = 0;
        // Whatever the kernel buffers, about 10 MB, must be read well within the time-out.
        for await (const chunk of request as AsyncIterable<Buffer>) {
          const before = read;
          read += chunk.length;
          if (Math.floor(before / 2_000_000) !== Math.floor(read / 2_000_000)) await delay(60);
        }
        response.end();
      },
      { idleTimeoutMs },
    );
    const began = performance.now();
    await store.put('a.ts', { bytes: new Uint8Array(30_000_000) }, segment);
    expect(performance.now() - began).toBeGreaterThan(idleTimeoutMs * 1.2);
  });
});

describe('stopping', () => {
  test('ends the request at once', async () => {
    const stop = new AbortController();
    let closed = (): void => undefined;
    const gone = new Promise<void>((resolve) => (closed = resolve));
    const { store } = await storeOn((request) => {
      request.socket.once('close', closed);
      stop.abort();
    });
    await expect(store.put('a.ts', { text: 'x' }, { ...segment, signal: stop.signal })).rejects.toMatchObject(
      {
        code: 'aborted',
      },
    );
    await gone;
  });
});

describe('deleting', () => {
  test('one by one where the server knows no other way, remembered', async () => {
    const { store, seen } = await storeOn(async (request, response) => {
      if (request.method === 'POST') return fault(501, 'NotImplemented')(request, response);
      response.writeHead(204).end();
    });
    await store.delete(['a.ts', 'b.ts'], signal);
    await store.delete(['c.ts', 'd.ts'], signal);
    expect(seen.map(({ what }) => what.split(' ')[0])).toEqual(['POST', ...Array<string>(4).fill('DELETE')]);
  });

  test('one by one tries them all, and says what failed', async () => {
    const { store, seen } = await storeOn(async (request, response) => {
      if (request.method === 'POST') return fault(405, 'MethodNotAllowed')(request, response);
      if (request.url?.includes('b.ts')) return fault(500, 'InternalError')(request, response);
      if (request.url?.includes('c.ts')) return fault(404, 'NoSuchKey')(request, response);
      response.writeHead(204).end();
    });
    await expect(store.delete(['a.ts', 'b.ts', 'c.ts', 'd.ts'], signal)).rejects.toMatchObject({
      code: 'server',
      message: expect.stringContaining('delete b.ts'),
    });
    expect(seen).toHaveLength(5);
  });

  test('a batch that fails as a whole is no reason for single deletes', async () => {
    const { store, seen } = await storeOn(fault(503, 'SlowDown'));
    await expect(store.delete(['a.ts', 'b.ts'], signal)).rejects.toMatchObject({ code: 'server' });
    expect(seen).toHaveLength(1);
  });

  test('a key of a batch that failed is said', async () => {
    const { store } = await storeOn(async (request, response) => {
      await drain(request);
      response.end(
        '<?xml version="1.0"?><DeleteResult>' +
          '<Error><Key>live/a.ts</Key><Code>NoSuchKey</Code><Message>none</Message></Error>' +
          '<Error><Key>live/b.ts</Key><Code>InternalError</Code><Message>Oops</Message></Error></DeleteResult>',
      );
    });
    await expect(store.delete(['a.ts', 'b.ts'], signal)).rejects.toMatchObject({
      code: 'server',
      message: expect.stringMatching(/delete live\/b\.ts \(1 of 2 failed\).*Oops/),
    });
  });
});
