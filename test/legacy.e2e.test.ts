/** The original's interface: its line from an unmodified old segmenter, and its eight arguments. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { LIVE_UPLOAD, UPLOADER } from './helpers/live.js';
import { freePort, start, until, type StartedProcess } from './helpers/processes.js';
import { expectNoStackTrace } from './helpers/speech.js';
import { faultless } from './helpers/verdict.js';
import { serveStatic } from './player/index.js';
import { ended, expectOnlyGaps, watch } from './watcher/index.js';

let folder: string;
let port: number;
let uploader: StartedProcess;
const cleanUps: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hls-legacy-'));
  cleanUps.push(() => rm(folder, { recursive: true, force: true }));
  for (const name of ['spool', 'encoder', 'bucket']) await mkdir(join(folder, name));
  port = await freePort();
  uploader = await start(
    process.execPath,
    [
      UPLOADER,
      ...['--listen', `127.0.0.1:${port}`, '--http', `127.0.0.1:${await freePort()}`],
      ...['--store', `file://${folder}/www`, '--bucket', `bucket=file://${folder}/bucket`],
      ...[
        '--journal',
        join(folder, 'journal'),
        '--spool-root',
        join(folder, 'spool'),
        '--log-level',
        'debug',
      ],
    ],
    { name: 'uploader' },
  );
  cleanUps.push(() => uploader.stop());
  await uploader.waitForLine(/"message":"ready"/);
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const encode = (seconds: number): string[] =>
  `-v error -f lavfi -i testsrc2=size=256x144:rate=25 -f lavfi -i sine=r=48000 -t ${seconds} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 -c:a aac -pes_payload_size 0`.split(
    ' ',
  );

/** What the old segmenter is: files of two seconds each as they are made, and what it says of them. */
class OldSegmenter {
  private constructor(
    private readonly encoder: StartedProcess,
    private readonly urlPrefix: string,
  ) {}

  static async start(segments: number, urlPrefix: string): Promise<OldSegmenter> {
    for (const name of await readdir(join(folder, 'encoder'))) await rm(join(folder, 'encoder', name));
    const output =
      '-f hls -hls_time 2 -hls_list_size 0 -hls_flags temp_file -start_number 1 -hls_segment_filename made-%d.ts made.m3u8';
    const input = encode(2 * segments).flatMap((word) => (word === '-i' ? ['-re', word] : [word]));
    // `-re` is an option of the input that follows: before its format.
    const words = input.join(' ').replaceAll('-f lavfi -re', '-re -f lavfi').split(' ');
    const encoder = await start('ffmpeg', [...words, ...output.split(' ')], { cwd: join(folder, 'encoder') });
    return new OldSegmenter(encoder, urlPrefix);
  }

  /** The file of that number, once it is whole. */
  async made(number: number): Promise<string> {
    const made = join(folder, 'encoder', `made-${number}.ts`);
    await until(() => stat(made), { what: `segment ${number} of the encoder`, timeoutMs: 20_000 });
    const path = join(folder, 'spool', `sample-${String(number).padStart(5, '0')}.ts`);
    await writeFile(`${path}.part`, await readFile(made));
    await rename(`${path}.part`, path);
    return path;
  }

  line(number: number, { end = false } = {}): string {
    const first = Math.max(1, number - 5);
    return `stream-128k.m3u8, ${folder}/spool/, 2, sample, ${this.urlPrefix}, ${first}, ${number}, ${end ? 1 : 0}, bucket, stream0001`;
  }

  get done(): Promise<unknown> {
    return this.encoder.exited;
  }
}

/** A connection of the real `nc`, closed after this text. */
async function sendWithNc(text: string): Promise<void> {
  const nc = await start('nc', ['-N', '127.0.0.1', String(port)], { stdin: 'pipe' });
  nc.stdin!.end(text);
  expect(await nc.exited).toEqual({ code: 0, signal: null });
  // No answer is sent.
  expect(nc.lines).toEqual([]);
}

const digest = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

test('lines of an old segmenter, sent with nc, make a stream without a fault that ends when told', async () => {
  const site = await serveStatic({ folder: join(folder, 'bucket') });
  cleanUps.push(() => site.close());
  const url = `${site.url}stream0001/index.m3u8`;
  const watcher = watch({ url, keep: join(folder, 'seen') });
  cleanUps.push(() => watcher.stop().catch(() => undefined));
  const originals = new Map<string, string>();

  const first = await OldSegmenter.start(6, `${site.url}stream0001/`);
  for (let number = 1; number <= 6; number++) {
    const path = await first.made(number);
    originals.set(path, await digest(path));
    // A line ends with a newline, or with its connection.
    await sendWithNc(first.line(number) + (number % 2 === 0 ? '' : '\n'));
    if (number === 3) await sendWithNc(`${first.line(number)}\n`);
  }
  await first.done;
  for (const [path, before] of originals) expect(await digest(path)).toBe(before);
  const listed = (count: number): Promise<void> =>
    watcher.until(({ renditions: [one] }) => one?.segments.length === count, {
      what: `${count} segments`,
      timeoutMs: 20_000,
    });
  await listed(6);

  // Started again it counts from 1 again, and writes over its files.
  watcher.pauseRule5();
  const second = await OldSegmenter.start(4, `${site.url}stream0001/`);
  for (let number = 1; number <= 4; number++) {
    await second.made(number);
    await sendWithNc(`${second.line(number, { end: number === 4 })}\n`);
    if (number === 1) await listed(7).then(() => watcher.resumeRule5());
  }
  await second.done;
  await watcher.until(({ renditions }) => renditions.every(ended), { what: 'ENDLIST' });
  const report = await faultless(watcher);
  expectOnlyGaps(report, () => false);
  const [rendition] = report.renditions;
  expect(rendition?.name).toBe('stream-128k');
  const segments = rendition!.segments;
  expect(segments.map(({ durationSeconds }) => durationSeconds)).toEqual(Array(10).fill(2));
  const names = segments.map(({ uri }) => {
    expect(uri.startsWith(`${site.url}stream0001/`)).toBe(true);
    return /\/sample-([0-9a-f]{32})-(\d{6})\.ts$/.exec(uri)?.slice(1) ?? [];
  });
  const sessions = [...new Set(names.map(([session]) => session))];
  expect(sessions).toHaveLength(2);
  expect(names).toEqual([
    ...[0, 1, 2, 3, 4, 5].map((index) => [sessions[0], `00000${index}`]),
    ...[0, 1, 2, 3].map((index) => [sessions[1], `00000${index}`]),
  ]);
  expect(report.discontinuities.map(({ uri }) => uri)).toEqual([segments[6]?.uri]);
  expect((await readdir(join(folder, 'spool'))).sort()).toEqual(
    [1, 2, 3, 4, 5, 6].map((number) => `sample-0000${number}.ts`),
  );
  expectNoStackTrace(uploader);
}, 120_000);

test('live_upload takes the original’s arguments, and the end of its input ends the stream', async () => {
  await mkdir(join(folder, 'bin'));
  await symlink(LIVE_UPLOAD, join(folder, 'bin/live_upload'));
  const encoder = `ffmpeg ${encode(42).join(' ')} -f mpegts -`;
  const command =
    'live_upload - 10 ./spool/ sample_128k stream-128k.m3u8 http://cdn/stream0001/ bucket stream0001';
  const pipeline = await start('sh', ['-c', `${encoder} | ${command}`], {
    name: 'live_upload',
    cwd: folder,
    env: {
      PATH: [join(folder, 'bin'), process.env['PATH']].join(delimiter),
      HLS_SEGMENTER_UPLOADER: `127.0.0.1:${port}`,
      HLS_SEGMENTER_DRAIN_TIMEOUT: '60',
    },
  });
  expect(await pipeline.exited).toEqual({ code: 0, signal: null });
  expectNoStackTrace(pipeline, uploader);

  const published = join(folder, 'bucket/stream0001');
  const playlist = await readFile(join(published, 'stream-128k.m3u8'), 'utf8');
  const uris = playlist.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const names = uris.map(
    (uri) => /^http:\/\/cdn\/stream0001\/(sample_128k-[0-9a-f]{32}-\d{6}\.ts)$/.exec(uri)?.[1],
  );
  expect(names.map((name) => name?.slice(-9))).toEqual([0, 1, 2, 3, 4].map((index) => `00000${index}.ts`));
  expect([...playlist.matchAll(/^#EXTINF:([\d.]+),/gm)].map(([, seconds]) => Number(seconds))).toEqual([
    10, 10, 10, 10, 2,
  ]);
  expect(playlist).toMatch(/^#EXT-X-TARGETDURATION:10$/m);
  expect(playlist).not.toMatch(/#EXT-X-(GAP|DISCONTINUITY)$/m);
  expect(playlist).toMatch(/#EXT-X-ENDLIST\n$/);
  expect((await readdir(published)).sort()).toEqual(
    ['index.m3u8', 'stream-128k.m3u8', 'stream-128k-iframes.m3u8', ...names.map(String)].sort(),
  );
  expect(await readFile(join(published, 'index.m3u8'), 'utf8')).toMatch(/^stream-128k\.m3u8$/m);
  // Answered, so gone; the default store was not asked for anything.
  const spool = await readdir(join(folder, 'spool/stream0001/stream-128k'));
  expect(spool.filter((name) => /^\d|\.part$/.test(name))).toEqual([]);
  expect(await readdir(join(folder, 'www')).catch(() => [])).toEqual([]);
}, 60_000);
