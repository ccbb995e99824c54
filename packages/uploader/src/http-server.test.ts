import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readlink, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@hls-uplink/runtime';
import { fakeLogic } from './fake-logic.test.helper.js';
import { FakeStore } from './fake-store.test.helper.js';
import { HttpServer } from './http-server.js';
import { JournalError } from './journal-error.js';
import { rangeOf } from './live-files.js';
import { StoreHealth } from './store-health.js';
import { Peer } from './peer.test.helper.js';
import { until } from './until.test.helper.js';
import { startUploader, type TestUploader } from './uploader.test.helper.js';

const IDLE_MS = 1000;
const LARGE_BYTES = 188 * 200_000;

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

describe('HttpServer', () => {
  let uploader: TestUploader;
  let http: HttpServer;
  let folder: string;
  let port: number;
  let keyHealth: StoreHealth;
  const logic = fakeLogic();
  const segment = Buffer.from(Array.from({ length: 1880 }, (_, index) => index % 251));
  const key = Buffer.from('0123456789abcdef');
  const playlist = '#EXTM3U\n#EXT-X-TARGETDURATION:7\n';

  /** The path goes as it is: fetch would tidy it up. */
  function ask(
    path: string,
    options: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { method = 'GET', headers = {}, body } = options;
      request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      })
        .on('error', reject)
        .end(body);
    });
  }

  beforeAll(async () => {
    uploader = await startUploader({ logic });
    folder = await mkdtemp(join(tmpdir(), 'live-'));
    await mkdir(join(folder, 'live'));
    await writeFile(join(folder, 'live/main.m3u8'), playlist);
    await writeFile(join(folder, 'live/main-1.ts'), segment);
    await writeFile(join(folder, 'live/a-0-b.key'), key);
    await writeFile(join(folder, 'live/empty-1.ts'), '');
    // More than the system keeps for a viewer that reads nothing.
    await writeFile(join(folder, 'live/large-1.ts'), '');
    await truncate(join(folder, 'live/large-1.ts'), LARGE_BYTES);
    await writeFile(join(folder, 'live/.part.ts'), segment);
    await writeFile(join(folder, 'live/notes.txt'), 'private');
    await writeFile(join(folder, 'top.ts'), segment);
    await symlink('/etc/passwd', join(folder, 'live/passwd.ts'));
    await symlink('/etc', join(folder, 'etc'));
    execFileSync('mkfifo', [join(folder, 'live/fifo.ts')]);
    const { channels, journal, server, legacy, ownSpool, lanes } = uploader;
    const keyStore = new FakeStore();
    keyHealth = new StoreHealth({ store: keyStore, clock: systemClock, logger: silentLogger });
    keyHealth.succeeded();
    http = new HttpServer({
      channels,
      stores: [lanes],
      keyStore: { store: keyStore, health: keyHealth },
      journal,
      server,
      legacy,
      ownSpool,
      token: 'secret',
      folder,
      idleMs: IDLE_MS,
      clock: systemClock,
      logger: silentLogger,
    });
    port = await http.listen('127.0.0.1', 0);
  });
  afterAll(async () => {
    await http.stop();
    await uploader.stop();
    await uploader.remove();
    await rm(folder, { recursive: true, force: true });
  });

  test('the page and its player come from here alone', async () => {
    const page = await ask('/');
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.body.toString()).toContain('<script src="/assets/hls.js">');
    expect(page.body.toString()).not.toMatch(/https?:/);
    // Else browsers ask for /favicon.ico, which is not there.
    expect(page.body.toString()).toContain('<link rel="icon" href="data:,">');
    const player = await ask('/assets/hls.js');
    expect(player.status).toBe(200);
    expect(player.body.length).toBeGreaterThan(100_000);
  });

  test('is ready when the store is', async () => {
    expect((await ask('/healthz')).status).toBe(200);
    const before = await ask('/readyz');
    expect(before.status).toBe(503);
    expect(before.body.toString()).toContain('not checked yet');
    uploader.lanes.health.succeeded();
    expect((await ask('/readyz')).status).toBe(200);
  });

  test('a playlist may be kept for half its target duration, and is gzipped where asked', async () => {
    const plain = await ask('/live/live/main.m3u8');
    expect(plain).toMatchObject({ status: 200, body: Buffer.from(playlist) });
    expect(plain.headers).toMatchObject({
      'content-type': 'application/vnd.apple.mpegurl',
      'cache-control': 'public, max-age=3',
      'access-control-allow-origin': '*',
    });
    const zipped = await ask('/live/live/main.m3u8?x=1', { headers: { 'accept-encoding': 'br, gzip' } });
    expect(zipped.headers['content-encoding']).toBe('gzip');
    const refused = await ask('/live/live/main.m3u8', { headers: { 'accept-encoding': 'gzip;q=0' } });
    expect(refused.headers['content-encoding']).toBeUndefined();
  });

  test.each([
    [undefined, 200, 0, 1880],
    ['bytes=0-187', 206, 0, 188],
    ['bytes=1880-', 416, 0, 0],
    ['bytes=1000-', 206, 1000, 1880],
    ['bytes=-80', 206, 1800, 1880],
    ['bytes=1000-9999', 206, 1000, 1880],
    ['bytes=5-2', 200, 0, 1880],
    ['lines=1-2', 200, 0, 1880],
  ])('range %s of a segment', async (range, status, from, to) => {
    const answer = await ask('/live/live/main-1.ts', { headers: range === undefined ? {} : { range } });
    expect(answer.status).toBe(status);
    if (status === 416) return expect(answer.headers['content-range']).toBe('bytes */1880');
    expect(answer.body).toEqual(segment.subarray(from, to));
    expect(answer.headers).toMatchObject({
      'content-type': 'video/mp2t',
      'content-length': String(to - from),
    });
    expect(answer.headers['cache-control']).toContain('immutable');
    const head = await ask('/live/live/main-1.ts', {
      method: 'HEAD',
      headers: range === undefined ? {} : { range },
    });
    expect(head).toMatchObject({ status, body: Buffer.alloc(0) });
    expect(head.headers['content-length']).toBe(String(to - from));
  });

  test('a key that lies there is served as one', async () => {
    const answer = await ask('/live/live/a-0-b.key');
    expect(answer).toMatchObject({ status: 200, body: key });
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'cache-control': 'private, max-age=86400',
      'access-control-allow-origin': '*',
    });
  });

  test('is ready when the store of the keys is', async () => {
    keyHealth.failed(new Error('no keys today'));
    const answer = await ask('/readyz');
    expect(answer.status).toBe(503);
    expect(answer.body.toString()).toContain('store fake:: no keys today');
    const { keyStore } = JSON.parse((await ask('/api/channels')).body.toString()) as { keyStore: unknown };
    expect(keyStore).toEqual({ name: 'fake:', good: false, problem: 'no keys today' });
    keyHealth.succeeded();
    expect((await ask('/readyz')).status).toBe(200);
  });

  test('ranges of nothing', () => {
    expect(rangeOf('bytes=0-0', 0)).toBe('unsatisfiable');
    expect(rangeOf('bytes=-0', 10)).toBe('unsatisfiable');
    expect(rangeOf('bytes=-', 10)).toBeUndefined();
  });

  test.each([
    '/live/',
    '/live/live',
    '/live/live/',
    '/live/live/../live/main.m3u8',
    '/live/live/%2e%2e/live/main.m3u8',
    '/live/..%2f..%2fetc/passwd.ts',
    '/live/live/.part.ts',
    '/live/live/notes.txt',
    '/live/live/passwd.ts',
    '/live/live/fifo.ts',
    '/live/etc/passwd.ts',
    '/live//etc/hosts.ts',
    '/live/live/absent.ts',
    '/live/live/main.m3u8%00.ts',
    '/live/top.ts',
    '/nothing',
  ])('%s is not found', async (path) => {
    expect((await ask(path)).status).toBe(404);
  });

  test('what is no path, and other methods, are refused', async () => {
    expect((await ask('/live/%ff%zz')).status).toBe(400);
    expect((await ask('/live/live/main-1.ts', { method: 'PUT' })).status).toBe(405);
    expect((await ask('/api/channels', { method: 'POST' })).status).toBe(405);
    expect((await ask('/live/live/empty-1.ts')).body).toHaveLength(0);
  });

  test('the API tells of channels, and ends one for whoever may', async () => {
    const peer = await Peer.hello(uploader.port);
    const { channels } = JSON.parse((await ask('/api/channels')).body.toString()) as { channels: unknown[] };
    expect(channels).toMatchObject([
      {
        id: 'live',
        phase: 'live',
        playlist: '/live/live/index.m3u8',
        sources: [{ rendition: 'main', connected: true }],
      },
    ]);
    expect(channels).toMatchObject([{ stalled: false }]);
    const worker = uploader.channels.get('live')!;
    Object.assign(worker.state, { stalledSinceMs: Date.UTC(2026, 0, 2) });
    expect(JSON.parse((await ask('/api/channels')).body.toString())).toMatchObject({
      channels: [{ stalled: true, stalledSince: '2026-01-02T00:00:00.000Z' }],
    });
    const end = (path: string, headers: Record<string, string>): Promise<Answer> =>
      ask(path, { method: 'POST', headers });
    const command = { 'x-hls-uplink': '1' };
    const allowed = { ...command, authorization: 'Bearer secret' };
    expect((await end('/api/channels/live/end', {})).status).toBe(405);
    expect((await end('/api/channels/live/end', command)).status).toBe(401);
    expect((await end('/api/channels/nope/end', allowed)).status).toBe(404);
    const full = new JournalError('journal-write', 'cannot write to the journal: free space there');
    const append = jest.spyOn(uploader.journal, 'append').mockRejectedValueOnce(full);
    const refused = await end('/api/channels/live/end', allowed);
    append.mockRestore();
    expect([refused.status, JSON.parse(refused.body.toString())]).toEqual([503, { message: full.message }]);
    expect(logic.events.some(({ type }) => type === 'end-requested')).toBe(false);
    expect((await end('/api/channels/live/end', allowed)).status).toBe(202);
    expect(logic.events.at(-1)?.type).toBe('end-requested');
    peer.end();
  });

  test('takes date ranges, as it takes commands', async () => {
    const peer = await Peer.hello(uploader.port);
    const { state } = uploader.channels.get('live')!;
    const command = { 'x-hls-uplink': '1' };
    const allowed = { ...command, authorization: 'Bearer secret' };
    const range = { id: 'promo', startDate: '2026-11-22T12:00:00Z', attributes: { 'X-N': 1 } };
    const give = async (headers: Record<string, string>, body: unknown): Promise<[number, unknown]> => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const answer = await ask('/api/channels/live/dateranges', { method: 'POST', headers, body: text });
      return [answer.status, JSON.parse(answer.body.toString())];
    };
    expect((await give({}, range))[0]).toBe(405);
    expect((await give(command, range))[0]).toBe(401);
    expect(await give(allowed, '{')).toEqual([400, { message: 'the body is no JSON' }]);
    expect(await give(allowed, { ...range, colour: 1 })).toEqual([
      400,
      { message: expect.stringMatching(/colour/) },
    ]);
    expect((await give(allowed, ' '.repeat(17_000)))[0]).toBe(413);
    expect(await give(allowed, range)).toEqual([409, { message: 'nothing is listed yet' }]);
    expect(logic.events.some(({ type }) => type === 'date-range-given')).toBe(false);
    const listed = { entries: [{ dateMs: Date.parse('2026-11-22T11:59:00Z') }] };
    Object.assign(state.renditions, { main: listed });
    const id = 'promo-20261122T120000.000Z';
    expect(await give(allowed, range)).toEqual([202, { message: 'it comes with the next segment', id }]);
    expect(logic.events.at(-1)).toMatchObject({
      type: 'date-range-given',
      range: { id, startDateMs: Date.parse(range.startDate), clientAttributes: { 'X-N': '1' } },
    });
    const early = { ...range, startDate: '2026-11-22T11:58:59Z' };
    expect(await give(allowed, early)).toEqual([
      409,
      { message: expect.stringMatching(/before all that the live playlists list/) },
    ]);
    delete state.renditions['main'];
    peer.end();
  });

  function viewer(): Socket {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    socket.write('GET /live/live/large-1.ts HTTP/1.1\r\nHost: test\r\n\r\n');
    return socket;
  }

  /** Whether this process has a file of this name open. */
  async function isOpen(name: string): Promise<boolean> {
    const links = (await readdir('/proc/self/fd')).map((fd) =>
      readlink(`/proc/self/fd/${fd}`).catch(() => ''),
    );
    return (await Promise.all(links)).some((path) => path.endsWith(`/${name}`));
  }

  test('a viewer that stops reading is let go', async () => {
    const socket = viewer();
    let bytes = 0;
    await once(socket, 'data');
    socket.pause();
    expect(await isOpen('large-1.ts')).toBe(true);
    // Only who reads hears of the end; that the file is closed can be seen.
    await until('the server to let the file go', async () => !(await isOpen('large-1.ts')));
    socket.on('data', (chunk: Buffer) => (bytes += chunk.length)).resume();
    await once(socket, 'close');
    expect(bytes).toBeLessThan(LARGE_BYTES);
  });

  test('a viewer that reads slowly gets all, however long it takes', async () => {
    const socket = viewer();
    const startedMs = performance.now();
    let bytes = 0;
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      socket.pause();
      setTimeout(() => socket.resume(), 5);
    });
    await until('all to be here', () => bytes > LARGE_BYTES, 15_000);
    expect(performance.now() - startedMs).toBeGreaterThan(2 * IDLE_MS);
    socket.destroy();
  }, 20_000);

  test('a port that is taken is said', async () => {
    const { channels, journal, server, legacy, ownSpool, lanes } = uploader;
    const second = new HttpServer({
      channels,
      stores: [lanes],
      journal,
      server,
      legacy,
      ownSpool,
      clock: systemClock,
      logger: silentLogger,
    });
    await expect(second.listen('127.0.0.1', port)).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'port-taken',
    });
  });
});
