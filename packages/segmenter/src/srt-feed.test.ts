import { chmod, readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '@hls-uplink/runtime';
import { until } from './fake-uploader.test.helper.js';
import { parseInputUrl } from './input-url.js';
import { LogBook, TempFolder } from './spool.test.helper.js';
import { SrtFeed } from './srt-feed.js';

let folder: TempFolder;
let stop: AbortController;
let read: string;

beforeEach(async () => {
  folder = await TempFolder.make();
  stop = new AbortController();
  read = '';
});
afterEach(async () => {
  stop.abort();
  await folder[Symbol.asyncDispose]();
});

/** A command in the place of the real one, which the end-to-end test runs: it notes its arguments and its process. */
async function command(script: string): Promise<void> {
  const file = `${folder.path}/srt-live-transmit`;
  await writeFile(file, `#!/bin/sh\necho $$ "$@" >${folder.path}/called\n${script}\n`);
  await chmod(file, 0o755);
}

const called = async (): Promise<string> => readFile(`${folder.path}/called`, 'utf8').catch(() => '');

async function readAll(path = `${folder.path}:/usr/bin:/bin`): Promise<void> {
  const input = parseInputUrl('srt://127.0.0.1:9000?passphrase=secret&latency=200');
  if (input.kind !== 'srt') throw new Error(input.kind);
  const feed = await SrtFeed.open(input, { clock: systemClock, logger: new LogBook() }, path);
  for await (const chunk of feed.connect(stop.signal)) read += Buffer.from(chunk).toString('latin1');
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test('without the command says which package has it', async () => {
  await expect(readAll(folder.path)).rejects.toMatchObject({
    code: 'input-srt',
    message: expect.stringMatching(/srt-live-transmit: apt-get install srt-tools/),
  });
  await expect(readAll('')).rejects.toMatchObject({ code: 'input-srt' });
});

describe('with the command', () => {
  test('reads its output, and hands it the URL with all parameters', async () => {
    await command('printf "one two"');
    await readAll();
    expect(read).toBe('one two');
    expect(await called()).toMatch(
      / -a:no -ll:error srt:\/\/127\.0\.0\.1:9000\?passphrase=secret&latency=200 file:\/\/con\n$/,
    );
  });

  test('that gives nothing: its last words, without the passphrase', async () => {
    await command(
      'echo "Media path: x" >&2; echo "cannot reach srt://127.0.0.1:9000?passphrase=secret" >&2; exit 1',
    );
    const reading = readAll();
    await expect(reading).rejects.toThrow(
      'srt-live-transmit gave nothing and ended (exit code 1): cannot reach srt://127.0.0.1:9000?…',
    );
  });

  test.each([
    ['ends with us', 'printf some; exec sleep 60'],
    ['is killed when it does not listen', 'trap "" TERM; printf some; while :; do sleep 0.1; done'],
  ])('%s', async (_what, script) => {
    await command(script);
    const reading = readAll();
    await until(() => read === 'some');
    const pid = Number.parseInt(await called());
    expect(isRunning(pid)).toBe(true);
    stop.abort();
    await reading;
    expect(isRunning(pid)).toBe(false);
  });
});
