/** Bad input of every kind: one clear line that says what and what to do, a fitting end or a visible retry. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BAD_INPUT, type Command } from './helpers/bad-input-cases.js';
import { keysIn, makeBucket } from './helpers/bucket.js';
import { useCeph, type Ceph } from './helpers/ceph.js';
import { cleanUps } from './helpers/clean-ups.js';
import { Live, LIVE_UPLOAD, s3Store, SEGMENTER, UPLOADER } from './helpers/live.js';
import { freePort, start, until, type StartedProcess } from './helpers/processes.js';
import { mountSmallDisk, type SmallDisk } from './helpers/small-disk.js';
import { expectNoStackTrace, logOf } from './helpers/speech.js';
import { faultless } from './helpers/verdict.js';
import { watch } from './watcher/index.js';

const run = promisify(execFile);

/** Of all that the tests name; it does not change after `beforeAll`. */
let folder: string;
let busy: Server;
let readOnly: SmallDisk;
let ceph: Ceph;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hls-bad-'));
  const encode =
    '-v error -f lavfi -i testsrc2=size=160x90:rate=25 -f lavfi -i sine -t 12 -c:v libx264 -preset ultrafast -g 50 -keyint_min 50 -sc_threshold 0 -c:a aac -f mpegts clip.ts';
  await run('ffmpeg', encode.split(' '), { cwd: folder });
  await run('ffmpeg', '-v error -f lavfi -i testsrc -frames:v 1 picture.jpg'.split(' '), { cwd: folder });
  await writeFile(join(folder, 'empty.ts'), '');
  await writeFile(join(folder, 'notes.txt'), 'Dear diary,\n'.repeat(300));
  await writeFile(join(folder, 'unknown-name.yaml'), 'stroe: file:///srv/live\n');
  await writeFile(join(folder, 'no-yaml.yaml'), 'store: [\n');
  await mkdir(join(folder, 'read-only'));
  readOnly = await mountSmallDisk(join(folder, 'read-only'), 1);
  await readOnly.setReadOnly(true);
  busy = createServer();
  await new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve));
  ceph = await useCeph();
}, 180_000);

afterAll(async () => {
  await ceph?.stop();
  busy?.close();
  await readOnly?.unmount();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

const commands: Record<Command, string> = {
  'hls-segmenter': SEGMENTER,
  live_upload: LIVE_UPLOAD,
  'hls-uploader': UPLOADER,
};

const startCommand = (
  command: Command,
  args: readonly string[],
  env: Record<string, string | undefined> = {},
): Promise<StartedProcess> =>
  start(process.execPath, [commands[command], ...args], { name: command, cwd: folder, env });

describe('one line and the end', () => {
  const port = (text: string): string =>
    text.replaceAll('PORT', String((busy.address() as AddressInfo).port));

  test.each(BAD_INPUT)(
    '$what',
    async ({ command, args, code, says }) => {
      const words = port(args).replace('/FOLDER', folder).split(' ');
      const one = await startCommand(command, words);
      expect(await one.exited).toEqual({ code, signal: null });
      expectNoStackTrace(one);
      expect(one.lines).toHaveLength(1);
      const [line] = one.lines;
      expect(line?.from).toBe('stderr');
      expect(line?.text).toMatch(new RegExp(`^${command === 'live_upload' ? 'hls-segmenter' : command}: `));
      for (const pattern of says) expect(line?.text).toMatch(new RegExp(port(pattern.source), pattern.flags));
      expect(line?.text).not.toContain('hush');
    },
    20_000,
  );
});

test('a closed uploader port is said once while it is tried on, and nothing is lost', async () => {
  const port = await freePort();
  const spool = join(folder, 'spool-closed');
  const args = ['--uploader', `127.0.0.1:${port}`, '--spool', spool, '--segment-duration', '2', 'clip.ts'];
  const alone = await startCommand('hls-segmenter', ['--drain-timeout', '2', ...args]);
  expect(await alone.exited).toEqual({ code: 0, signal: null });
  const said = logOf(alone).filter(({ message }) => message.includes('cannot reach the uploader'));
  expect(said).toEqual([
    expect.objectContaining({
      level: 'warn',
      message: expect.stringMatching(/start it, or name another with --uploader; trying on/),
      uploader: `127.0.0.1:${port}`,
      reason: expect.stringContaining('ECONNREFUSED'),
    }),
  ]);
  expect(logOf(alone)).toContainEqual(
    expect.objectContaining({ level: 'warn', waiting: 7, message: expect.stringContaining('spool keeps') }),
  );
  expectNoStackTrace(alone);
  expect((await readdir(join(spool, 'live/main'))).filter((name) => /^\d+\.ts$/.test(name))).toHaveLength(6);
}, 30_000);

describe('a store that refuses', () => {
  interface Refused {
    uploader: StartedProcess;
    segmenter: StartedProcess;
    ready(): Promise<{ status: number; problems: string[] }>;
  }

  /** An uploader, and a segmenter with a whole stream for it, until the store's refusal is said. */
  async function begin(
    name: string,
    store: string,
    env: Record<string, string | undefined> = {},
  ): Promise<Refused> {
    const [listen, http] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const spool = join(folder, `spool-${name}`);
    const uploader = await startCommand(
      'hls-uploader',
      [
        ...['--listen', listen, '--http', http, '--store', store],
        ...['--journal', join(folder, `journal-${name}`), '--spool-root', spool],
      ],
      env,
    );
    await uploader.waitForLine(/"message":"ready"/);
    const segmenter = await startCommand('hls-segmenter', [
      ...['--uploader', listen, '--spool', spool, '--segment-duration', '2'],
      ...['--drain-timeout', '100', 'clip.ts'],
    ]);
    const ready: Refused['ready'] = async () => {
      const answer = await fetch(`http://${http}/readyz`);
      const { problems } = (await answer.json()) as { problems: string[] };
      return { status: answer.status, problems };
    };
    await uploader.waitForLine(/the store does not take what it is given/);
    await until(async () => (await ready()).problems.some((problem) => problem.includes('live/')), {
      what: 'the stream itself is refused, after the check at the start',
    });
    return { uploader, segmenter, ready };
  }

  const refusals = ({ uploader }: Refused): string[] =>
    logOf(uploader)
      .filter(({ message }) => message === 'the store does not take what it is given')
      .map(({ level, retry, error }) => `${level}, ${String(retry)}: ${String(error)}`);

  /** It says so at most once a minute, is not ready, and goes on by itself once `mend` is done. */
  async function recovers(refused: Refused, reason: RegExp, mend: () => Promise<unknown>): Promise<void> {
    expect(refusals(refused)).toEqual([expect.stringMatching(reason)]);
    expect(refusals(refused)[0]).toMatch(/^error, once a minute: /);
    expect(await refused.ready()).toEqual({
      status: 503,
      problems: [expect.stringMatching(reason)],
    });
    expect(refused.segmenter.running).toBe(true);
    await mend();
    const { uploader, segmenter } = refused;
    await uploader.waitForLine(/"message":"the store takes writes again"/, 75_000);
    expect(await segmenter.exited).toEqual({ code: 0, signal: null });
    expect(logOf(segmenter).at(-1)).toMatchObject({ message: 'done', published: 6, lost: 0, dropped: 0 });
    expect(await refused.ready()).toEqual({ status: 200, problems: [] });
    expect(refusals(refused).length).toBeLessThanOrEqual(2);
    await endsInOrder(refused);
  }

  async function endsInOrder({ uploader, segmenter }: Refused): Promise<void> {
    uploader.kill('SIGTERM');
    expect(await uploader.exited).toEqual({ code: 0, signal: null });
    expectNoStackTrace(uploader, segmenter);
  }

  const expectWholeStream = (playlist: string): void => {
    expect(playlist.match(/^#EXTINF/gm)).toHaveLength(6);
    expect(playlist).toMatch(/#EXT-X-ENDLIST\n$/);
    expect(playlist).not.toContain('GAP');
  };

  /** All wait for the same minute. */
  test('a read-only folder, a missing bucket and wrong credentials: it goes on by itself once they are mended', async () => {
    const www = join(folder, 'www-read-only');
    await mkdir(www);
    const disk = await mountSmallDisk(www, 8);
    cleanUps.push(() => disk.unmount());
    await disk.setReadOnly(true);
    const missing = `bad-input-${process.pid}`;
    const onMissing = s3Store(ceph, missing);
    const locked = `${missing}-locked`;
    await makeBucket(ceph, locked, { publicRead: true });
    const onLocked = s3Store(ceph, locked);
    const credentials = join(folder, 'credentials');
    const writeCredentials = (secret: string): Promise<void> =>
      writeFile(
        credentials,
        `[default]\naws_access_key_id = ${ceph.accessKey}\naws_secret_access_key = ${secret}\n`,
      );
    await writeCredentials(`not${ceph.secretKey}`);
    const elsewhere = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE'];

    const [readOnlyFolder, missingBucket, denied] = await Promise.all([
      begin('folder', `file://${www}`),
      begin('bucket', onMissing.url, onMissing.env),
      begin('denied', onLocked.url, {
        ...Object.fromEntries(elsewhere.map((name) => [name, undefined])),
        AWS_SHARED_CREDENTIALS_FILE: credentials,
      }),
    ]);
    await Promise.all([
      recovers(
        readOnlyFolder,
        new RegExp(`file://${www}: EROFS.*, (open|mkdir) .*; name a folder on .* for writing`),
        () => disk.setReadOnly(false),
      ),
      recovers(
        missingBucket,
        new RegExp(`s3://${missing}/ at .*NoSuchBucket; create the bucket ${missing}, or name another one$`),
        () => makeBucket(ceph, missing, { publicRead: true }),
      ),
      recovers(
        denied,
        new RegExp(
          `s3://${locked}/ at .*SignatureDoesNotMatch.*; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY \\(or the profile`,
        ),
        async () => {
          expect(await keysIn(ceph, locked)).toEqual([]);
          await writeCredentials(ceph.secretKey);
        },
      ),
    ]);
    expectWholeStream(await readFile(join(www, 'live/main.m3u8'), 'utf8'));
    for (const { publicBase } of [onMissing, onLocked])
      expectWholeStream(await (await fetch(`${publicBase}/live/main.m3u8`)).text());
    const said = denied.uploader.lines.map(({ text }) => text).join('\n');
    expect(said).not.toContain(ceph.secretKey);
  }, 120_000);
});

test('a full spool: gaps for what it did not take, reading goes on, and so does the stream when there is room', async () => {
  const live = await Live.open({
    renditions: [{ name: 'main', picture: { width: 256, height: 144, kilobits: 300 } }],
    target: 2,
    gop: 1,
  });
  cleanUps.push(() => live.close());
  const disk = await mountSmallDisk(join(live.folder, 'spool'), 4);
  cleanUps.push(() => disk.unmount());
  await live.startAll();
  await live.published();
  const watcher = watch({ url: live.url, keep: join(live.folder, 'seen') });
  cleanUps.push(() => watcher.stop().catch(() => undefined));
  const segmenter = live.segmenters.get('main')!;
  const lost = (): boolean => logOf(segmenter).some(({ message }) => message === 'segment lost');

  await until(
    async () => {
      // Again and again: segments that are published give their room back.
      await disk.fill();
      return lost();
    },
    { what: 'a segment is lost', timeoutMs: 20_000 },
  );
  await watcher.until(
    ({ renditions }) => renditions.some(({ segments }) => segments.some(({ gap }) => gap)),
    {
      what: 'a gap is listed',
      timeoutMs: 20_000,
    },
  );
  expect(segmenter.running).toBe(true);
  await disk.makeRoom();
  await watcher.until(
    ({ renditions: [main] }) => {
      const segments = main?.segments ?? [];
      return segments.length - 1 - segments.findLastIndex(({ gap }) => gap) >= 3;
    },
    { what: 'three segments after the last gap', timeoutMs: 30_000 },
  );
  const report = await faultless(watcher);
  expect(report.gaps.length).toBeGreaterThan(0);
  expect(report.discontinuities).toEqual([]);

  const said = logOf(segmenter).filter(({ level }) => level !== 'info');
  expect(said).toContainEqual(
    expect.objectContaining({ message: 'segment lost', reason: expect.stringContaining('no space left') }),
  );
  // Each loss once, and the disk's state when it changes.
  expect(said.length).toBeLessThanOrEqual(2 * report.gaps.length + 3);
  expect((await live.endInput()).map(({ code }) => code)).toEqual([0]);
  expectNoStackTrace(segmenter, live.uploader!);
}, 120_000);
