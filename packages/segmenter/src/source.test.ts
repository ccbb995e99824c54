import { execFile } from 'node:child_process';
import { open, writeFile, type FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { silentLogger, systemClock } from '@hls-uplink/runtime';
import { until } from './fake-uploader.test.helper.js';
import { openSource, type InputSource, type SourceOptions } from './source.js';
import { TempFolder } from './spool.test.helper.js';

let folder: TempFolder;
let stop: AbortController;
let chunks: Buffer[];
let events: string[];

beforeEach(async () => {
  folder = await TempFolder.make();
  stop = new AbortController();
  chunks = [];
  events = [];
});
afterEach(() => folder[Symbol.asyncDispose]());

const read = (): Buffer => Buffer.concat(chunks);

function openInput(input: string, options: Partial<SourceOptions> = {}): Promise<InputSource> {
  return openSource(input, {
    clock: systemClock,
    logger: silentLogger,
    onLost: () => void events.push(`gone after ${read().length}`),
    onBack: () => void events.push(`back after ${read().length}`),
    ...options,
  });
}

async function readAll(input: string, options: Partial<SourceOptions> = {}): Promise<void> {
  const source = await openInput(input, options);
  for await (const chunk of source.read(stop.signal)) chunks.push(Buffer.from(chunk));
}

describe('a file', () => {
  test('is read whole', async () => {
    const bytes = Buffer.alloc(3_000_001, 'MPEG-TS ');
    await writeFile(`${folder.path}/in.ts`, bytes);
    await readAll(`${folder.path}/in.ts`);
    expect(read().equals(bytes)).toBe(true);
    expect((await openInput(`${folder.path}/in.ts`)).isRegularFile).toBe(true);
  });

  test('is left when asked to stop', async () => {
    await writeFile(`${folder.path}/in.ts`, Buffer.alloc(3_000_000));
    const source = await openInput(`${folder.path}/in.ts`);
    for await (const chunk of source.read(stop.signal)) {
      chunks.push(Buffer.from(chunk));
      stop.abort();
    }
    expect(chunks).toHaveLength(1);
  });

  test('of a device ends as it does', async () => {
    await readAll('/dev/null');
    expect(read()).toHaveLength(0);
  });

  test.each([
    ['missing.ts', 'input-missing', /there is no input/],
    ['', 'input-directory', /is a directory/],
    ['in.ts/x', 'input-unreadable', /ENOTDIR/],
  ])('%j is refused', async (name, code, message) => {
    await writeFile(`${folder.path}/in.ts`, '');
    await expect(openInput(`${folder.path}/${name}`)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test('of an unknown kind is refused, and no password shown', async () => {
    const opened = openInput('rtmp://me:secret@host/live?key=secret');
    await expect(opened).rejects.toMatchObject({ code: 'input-url' });
    await expect(opened).rejects.not.toThrow('secret');
  });
});

test.each(['realtime', 'loop'] as const)('--%s is for files alone', async (option) => {
  for (const input of ['udp://@239.1.1.1:0', '/dev/null']) {
    await expect(openInput(input, { [option]: true })).rejects.toMatchObject({
      code: 'bad-option',
      message: expect.stringMatching(`--${option} is for files`),
    });
  }
});

describe('a FIFO', () => {
  let path: string;
  let writer: FileHandle;
  let reading: Promise<void>;

  beforeEach(async () => {
    path = `${folder.path}/fifo`;
    await promisify(execFile)('mkfifo', [path]);
    reading = readAll(path);
    writer = await open(path, 'w');
  });
  afterEach(async () => {
    await writer.close().catch(() => undefined);
    stop.abort();
    await reading;
  });

  test('gives what is written, when it is written', async () => {
    await writer.write('one');
    await until(() => read().toString() === 'one');
    await writer.write('two');
    await until(() => read().toString() === 'onetwo');
    expect(events).toEqual([]);
  });

  test('survives that its writers go and come, and tells where', async () => {
    await writer.write('one');
    await writer.close();
    await until(() => events.length === 1);
    writer = await open(path, 'w');
    await writer.write('three');
    await until(() => read().length === 8);
    await writer.close();
    await until(() => events.length === 3);
    expect(events).toEqual(['gone after 3', 'back after 3', 'gone after 8']);
  });

  test('whose writer says nothing for too long counts as gone, until it goes on', async () => {
    stop.abort();
    await writer.close();
    await reading;
    stop = new AbortController();
    reading = readAll(path, { timeoutMs: 30 });
    writer = await open(path, 'w');
    await writer.write('one');
    await until(() => events.length === 1);
    await writer.write('two');
    await until(() => read().length === 6);
    expect(events.slice(0, 2)).toEqual(['gone after 3', 'back after 3']);
  });

  test('takes megabytes at full speed, in order, while the event loop goes on', async () => {
    const block = Buffer.alloc(1 << 20);
    for (let at = 0; at < block.length; at += 4) block.writeUInt32BE(at, at);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    for (let i = 0; i < 24; i++) {
      for (let sent = 0; sent < block.length;) sent += (await writer.write(block, sent)).bytesWritten;
    }
    await until(() => read().length === 24 * block.length);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
    for (let i = 0; i < 24; i++) {
      expect(read().compare(block, 0, block.length, i * block.length, (i + 1) * block.length)).toBe(0);
    }
  });
});
