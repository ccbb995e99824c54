import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { SegmenterMessage } from '@hls-uplink/protocol';
import { FakeUploader, polite, until, type FakeConnection } from './fake-uploader.test.helper.js';
import { TempFolder } from './spool.test.helper.js';

/** The real command, as built, as a process of its own. */
const repository = join(import.meta.dirname, '../../..');
const bin = join(repository, 'packages/segmenter/bin');
const run = promisify(execFile);

/** 13 s of picture and sound, a key picture every 2 s. */
const encode = (output: string[]): string[] =>
  '-v error -f lavfi -i testsrc2=size=160x90:rate=25 -f lavfi -i sine -t 13 -c:v libx264 -preset ultrafast -g 50 -keyint_min 50 -sc_threshold 0 -c:a aac -f mpegts'
    .split(' ')
    .concat(output);

interface Ended {
  code: number | null;
  stderr: string;
}

class Segmenter {
  readonly child: ChildProcessWithoutNullStreams;
  stderr = '';
  readonly ended: Promise<Ended>;

  constructor(args: string[], command = 'hls-segmenter.js') {
    this.child = spawn(process.execPath, [join(bin, command), ...args], { cwd: folder.path });
    this.child.stdin.on('error', () => undefined);
    this.child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = once(this.child, 'close').then(([code]) => ({
      code: code as number | null,
      stderr: this.stderr,
    }));
    started.push(this);
  }
}

let folder: TempFolder;
let media: TempFolder | undefined;
let clip: string;
let uploader: FakeUploader;
const started: Segmenter[] = [];

beforeAll(async () => {
  const tsc = join(repository, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [tsc, '--build', 'packages/segmenter'], { cwd: repository }).catch(
    ({ stdout }: { stdout: string }) => {
      throw new Error(`the build failed: ${stdout}`);
    },
  );
  media = await TempFolder.make();
  clip = `${media.path}/clip.ts`;
  await run('ffmpeg', encode([clip]));
}, 180_000);
afterAll(() => media?.[Symbol.asyncDispose]());

beforeEach(async () => {
  folder = await TempFolder.make();
  uploader = await FakeUploader.listen({ onMessage: publish });
});
afterEach(async () => {
  for (const { child, ended } of started.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  await uploader.close();
  await folder[Symbol.asyncDispose]();
});

/** Accepts and publishes whatever is announced. */
function publish(message: SegmenterMessage, connection: FakeConnection): void {
  polite(message, connection);
  if (
    message.type === 'segment' ||
    message.type === 'gap' ||
    message.type === 'leave' ||
    message.type === 'end'
  ) {
    const { session, index } = message;
    connection.send({ type: 'accepted', session, index });
    connection.send({ type: 'published', session, index });
  }
}

const segmenter = (...args: string[]): Segmenter =>
  new Segmenter(['--uploader', `127.0.0.1:${uploader.port}`, '--spool', `${folder.path}/spool`, ...args]);

const said = (): string[] => uploader.connections.flatMap((connection) => connection.said);
const segments = (): SegmenterMessage[] =>
  uploader.connections.flatMap((connection) => connection.messages).filter(({ type }) => type === 'segment');

/** Files of segments and records left in the spool of a stream. */
const left = async (stream = 'live/main'): Promise<string[]> =>
  (await readdir(`${folder.path}/spool/${stream}`)).filter((name) => /^\d|\.part$/.test(name)).sort();

const LIMIT_MS = 30_000;

describe('bad input gets one clear line and no stack', () => {
  test.each([
    ['an empty file', 'empty.ts', Buffer.alloc(0), 1, 'empty'],
    ['a text file', 'notes.txt', Buffer.from('Dear diary,\n'.repeat(300)), 1, 'no-sync'],
    ['a JPEG', 'a.jpg', undefined, 1, 'no-sync'],
    ['a missing file', 'missing.ts', undefined, 2, 'input-missing'],
    ['a directory', '.', undefined, 2, 'input-directory'],
    ['a URL of an unknown kind', 'rtmp://host/live', undefined, 2, 'input-url'],
    ['a network address without its port', 'udp://@239.0.0.1', undefined, 2, 'input-url'],
  ])(
    '%s',
    async (_what, name, content, code, reason) => {
      if (content) await writeFile(`${folder.path}/${name}`, content);
      if (name.endsWith('.jpg')) {
        await run('ffmpeg', `-v error -f lavfi -i testsrc -frames:v 1 ${folder.path}/${name}`.split(' '));
      }
      const ended = await segmenter(name).ended;
      expect(ended.code).toBe(code);
      const line = new RegExp(`^hls-segmenter: .*${name.replaceAll('.', '\\.')}.* \\(${reason}\\)\\n$`);
      expect(ended.stderr).toMatch(line);
      // Nobody was bothered with it.
      expect(uploader.connections).toHaveLength(0);
    },
    LIMIT_MS,
  );

  test.each([
    ['an empty stdin', ['-'], 1, /stdin.*\(empty\)/],
    [
      'an unknown option',
      ['--chanel', 'x', '-'],
      2,
      /--chanel.*did you mean --channel\?.*\(unknown-option\)/,
    ],
    ['no argument', [], 2, /\(bad-argument\)/],
    [
      'a spool that cannot be',
      ['--spool', '/proc/spool', '-'],
      2,
      /\/proc\/spool.*--spool.*\(spool-unusable\)/,
    ],
  ])(
    '%s',
    async (_what, args, code, line) => {
      const process = segmenter(...args);
      process.child.stdin.end();
      const ended = await process.ended;
      expect(ended.code).toBe(code);
      expect(ended.stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(line)]);
    },
    LIMIT_MS,
  );
});

describe('the command', () => {
  test(
    'segments a file, ends the stream, and leaves nothing behind',
    async () => {
      const ended = await segmenter('--channel', 'news', '--rendition', '720p', '--bandwidth', '0100', clip)
        .ended;
      expect(ended.code).toBe(0);
      expect(uploader.last?.hello).toMatchObject({
        channel: 'news',
        rendition: '720p',
        target: 6,
        bandwidth: 100,
      });
      expect(said()).toEqual(['tracks 0', 'segment 0', 'segment 1', 'segment 2', 'end 3']);
      expect(await left('news/720p')).toEqual([]);
    },
    LIMIT_MS,
  );

  test(
    'leaves at the end of stdin, and goes on with the next index in the same session',
    async () => {
      for (let round = 0; round < 2; round++) {
        const process = segmenter('-');
        process.child.stdin.end(await readFile(clip));
        expect((await process.ended).code).toBe(0);
      }
      expect(said()).toEqual([
        ...['tracks 0', 'segment 0', 'segment 1', 'segment 2', 'leave 3'],
        ...['tracks 4', 'segment 4', 'segment 5', 'segment 6', 'leave 7'],
      ]);
      expect(new Set(uploader.connections.map(({ hello }) => hello?.session)).size).toBe(1);
    },
    LIMIT_MS,
  );

  test(
    'reads a pipe, and ends the stream with it when told to',
    async () => {
      const args = `--end-on-eof --uploader 127.0.0.1:${uploader.port} --spool ${folder.path}/spool`;
      await run('sh', ['-c', `cat ${clip} | ${process.execPath} ${join(bin, 'hls-segmenter.js')} ${args} -`]);
      expect(said().at(-1)).toBe('end 3');
    },
    LIMIT_MS,
  );

  test(
    'closes its segment and leaves on SIGTERM, also with --end-on-eof',
    async () => {
      const process = segmenter('--end-on-eof', '-');
      process.child.stdin.write(await readFile(clip));
      await until(() => segments().length === 2);
      process.child.kill('SIGTERM');
      expect((await process.ended).code).toBe(0);
      expect(said().slice(-2)).toEqual(['segment 2', 'leave 3']);
      expect(segments().at(-1)).toMatchObject({ ended: 'leave' });
    },
    LIMIT_MS,
  );

  test(
    'keeps what is not answered in time, says how much, and announces it again at the next start',
    async () => {
      uploader.onMessage = polite;
      const first = await segmenter('--drain-timeout', '0.2', clip).ended;
      expect(first.code).toBe(0);
      expect(first.stderr).toMatch(/left without all answers.*"waiting":4/);
      expect(await left()).toEqual(['0.json', '0.ts', '1.json', '1.ts', '2.json', '2.ts', '3.json']);

      uploader.onMessage = publish;
      const second = segmenter('-');
      await until(() => uploader.last?.said.includes('end 3') ?? false);
      second.child.stdin.end();
      expect((await second.ended).stderr).toMatch(/\(empty\)/);
      expect(await left()).toEqual([]);
      expect(uploader.last?.said).toEqual(['tracks 0', 'segment 0', 'segment 1', 'segment 2', 'end 3']);
    },
    LIMIT_MS,
  );

  test(
    'killed in the middle loses nothing that was announced, and uses no index twice',
    async () => {
      const first = segmenter('-');
      uploader.onMessage = polite;
      first.child.stdin.write(await readFile(clip));
      await until(() => segments().length === 2);
      first.child.kill('SIGKILL');
      await first.ended;
      uploader.onMessage = publish;
      const second = segmenter('-');
      second.child.stdin.end(await readFile(clip));
      expect((await second.ended).code).toBe(0);
      expect(uploader.last?.said).toEqual([
        ...[
          'tracks 0',
          'segment 0',
          'segment 1',
          'tracks 2',
          'segment 2',
          'segment 3',
          'segment 4',
          'leave 5',
        ],
      ]);
      expect(await left()).toEqual([]);
    },
    LIMIT_MS,
  );

  test(
    'without an uploader says so once, reads on, and exits in its time',
    async () => {
      await uploader.close();
      const ended = await segmenter('--drain-timeout', '1', clip).ended;
      uploader = await FakeUploader.listen();
      expect(ended.code).toBe(0);
      expect(ended.stderr.match(/cannot reach the uploader.*ECONNREFUSED/g)).toHaveLength(1);
      expect(ended.stderr).toMatch(/"segments":3/);
    },
    LIMIT_MS,
  );

  test(
    'leaves when the writer of its FIFO goes, and goes on with the next one',
    async () => {
      const fifo = `${folder.path}/fifo`;
      await run('mkfifo', [fifo]);
      const process = segmenter(fifo);
      for (const last of ['leave 3', 'leave 7']) {
        const writer = await open(fifo, 'w');
        await writer.writeFile(await readFile(clip));
        await writer.close();
        await until(() => said().includes(last));
      }
      process.child.kill('SIGTERM');
      expect((await process.ended).code).toBe(0);
      expect(
        segments().map((segment) => segment.type === 'segment' && (segment.discontinuity ?? '')),
      ).toEqual([...['start', '', '', 'start', '', '']]);
      expect(said().filter((what) => what.startsWith('leave'))).toEqual(['leave 3', 'leave 7']);
    },
    LIMIT_MS,
  );

  test(
    'does the original’s job with the original’s arguments',
    async () => {
      const args = [
        '-',
        '10',
        `${folder.path}/spool/`,
        'sample',
        'stream-128k.m3u8',
        'http://cdn/s1/',
        'bucket',
        's1',
      ];
      const process = new Segmenter(['--uploader', `127.0.0.1:${uploader.port}`, ...args], 'live_upload.js');
      process.child.stdin.end(await readFile(clip));
      expect((await process.ended).code).toBe(0);
      expect(uploader.last?.hello).toMatchObject({
        channel: 's1',
        rendition: 'stream-128k',
        target: 10,
        names: {
          bucket: 'bucket',
          index: 'stream-128k.m3u8',
          segmentPrefix: 'sample',
          urlPrefix: 'http://cdn/s1/',
        },
      });
      expect(said().at(-1)).toBe('end 2');
      expect(await left('s1/stream-128k')).toEqual([]);
    },
    LIMIT_MS,
  );
});

test(
  'a second process is kept out of the spool while the first lives, and gets it when that was killed',
  async () => {
    const first = segmenter('-');
    first.child.stdin.write((await readFile(clip)).subarray(0, 300_000));
    await until(() => first.stderr.includes('segmenting'));
    const refused = await segmenter('--drain-timeout', '0.3', '-').ended;
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(new RegExp(`process ${first.child.pid}\\).*\\(spool-locked\\)\\n$`));
    const waiting = segmenter('--drain-timeout', '20', clip);
    first.child.kill('SIGKILL');
    expect((await waiting.ended).code).toBe(0);
    expect(said().at(-1)).toMatch(/^end/);
  },
  LIMIT_MS,
);
