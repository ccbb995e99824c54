/** The journal's disk is full: the uploader lives, says why, and goes on when there is room. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UPLOADER } from './helpers/live.js';
import { freePort, start, until, type StartedProcess } from './helpers/processes.js';
import { mountSmallDisk, type SmallDisk } from './helpers/small-disk.js';
import { expectNoStackTrace, logOf } from './helpers/speech.js';

const WAIT = { timeoutMs: 20_000, intervalMs: 50 };

let folder: string;
let disk: SmallDisk;
let port: number;
let http: number;
let uploader: StartedProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hls-journal-'));
  for (const name of ['state', 'bin', 'spool']) await mkdir(join(folder, name));
  disk = await mountSmallDisk(join(folder, 'state'), 2);
  [port, http] = [await freePort(), await freePort()];
  // What systemd would hear.
  const notify = join(folder, 'bin/systemd-notify');
  await writeFile(notify, `#!/bin/sh\necho "$*" >>${folder}/notified\n`);
  await chmod(notify, 0o755);
});
afterEach(async () => {
  await uploader?.stop();
  await disk.unmount();
  await rm(folder, { recursive: true, force: true });
});

async function startUploader(): Promise<StartedProcess> {
  const args = [
    ...['--listen', `127.0.0.1:${port}`, '--http', `127.0.0.1:${http}`, '--store', `file://${folder}/www`],
    ...['--journal', join(folder, 'state/journal'), '--spool-root', join(folder, 'spool')],
  ];
  const env = {
    PATH: `${folder}/bin:${process.env['PATH']}`,
    NOTIFY_SOCKET: join(folder, 'socket'),
    WATCHDOG_USEC: '1000000',
  };
  return (uploader = await start(process.execPath, [UPLOADER, ...args], { name: 'uploader', env }));
}

async function ready(): Promise<{ status: number; problems: string[] }> {
  const response = await fetch(`http://127.0.0.1:${http}/readyz`);
  const { problems } = (await response.json()) as { problems: string[] };
  return { status: response.status, problems };
}

const isReady = async (): Promise<boolean> =>
  ready().then(
    ({ status }) => status === 200,
    () => false,
  );

const notified = async (): Promise<string[]> =>
  (await readFile(join(folder, 'notified'), 'utf8').catch(() => '')).split('\n');

/** Says hello and waits for `welcome`, or for the end of the connection. */
function greet(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const hello = {
      type: 'hello',
      version: 1,
      channel: 'live',
      rendition: 'main',
      source: 'test',
      target: 6,
    };
    socket.write(`${JSON.stringify({ ...hello, session: 'a'.repeat(32) })}\n`);
    socket.on('data', (chunk) => {
      if (!chunk.includes('"welcome"')) return;
      resolve(true);
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(false));
  });
}

test('full while it runs: no restart by the watchdog, and well again by itself', async () => {
  const running = await startUploader();
  await until(isReady, { ...WAIT, what: 'it to be ready' });
  expect(await greet()).toBe(true);
  await disk.fill();
  // What little room a file had left in its last block is used up first.
  await until(async () => !(await greet()), { ...WAIT, what: 'a segmenter to be sent away' });
  expect(await ready()).toEqual({
    status: 503,
    problems: [expect.stringMatching(/^cannot write to the journal .*: free space there.*No space left/)],
  });
  const before = (await notified()).length;
  await until(async () => (await notified()).slice(before).includes('WATCHDOG=1'), {
    ...WAIT,
    what: 'the watchdog to be told on',
  });
  await disk.makeRoom();
  await until(isReady, { ...WAIT, what: 'it to be ready again' });
  expect(await greet()).toBe(true);
  const messages = logOf(running).map(({ message }) => message);
  expect(messages.filter((message) => /^cannot write to the journal/.test(String(message)))).toHaveLength(1);
  expect(messages).toContain('the journal takes writes again');
  expect(await running.stop()).toEqual({ code: 0, signal: null });
  expectNoStackTrace(running);
}, 60_000);

test('full at the start: it waits, says so, and begins when there is room; nothing is set aside', async () => {
  const first = await startUploader();
  await until(isReady, { ...WAIT, what: 'it to be ready' });
  expect(await greet()).toBe(true);
  first.kill('SIGKILL');
  await first.exited;
  await disk.fill();
  await rm(join(folder, 'notified'));

  const stopped = await startUploader();
  await stopped.waitForLine(/the disk of the journal .* is full: free space there/, 20_000);
  await until(async () => (await ready().catch(() => undefined))?.status === 503, {
    ...WAIT,
    what: 'an answer',
  });
  expect((await ready()).problems).toEqual([expect.stringMatching(/is full: free space there/)]);
  expect((await fetch(`http://127.0.0.1:${http}/healthz`)).status).toBe(200);
  await until(async () => (await notified()).includes('WATCHDOG=1'), { ...WAIT, what: 'the watchdog' });
  expect((await notified())[0]).toMatch(/^READY=1 STATUS=the disk of the journal .* is full/);
  expect(await stopped.stop()).toEqual({ code: 0, signal: null });
  expectNoStackTrace(stopped);

  const waiting = await startUploader();
  await waiting.waitForLine(/the disk of the journal .* is full/, 20_000);
  await disk.makeRoom();
  await until(isReady, { ...WAIT, what: 'it to be ready' });
  expect(await greet()).toBe(true);
  expect((await readdir(join(folder, 'state/journal'))).sort()).toEqual(['db', 'spool', 'writer']);
  expectNoStackTrace(waiting);
}, 60_000);
