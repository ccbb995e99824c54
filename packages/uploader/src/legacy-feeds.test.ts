import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync, spawn } from 'node:child_process';
import { copyFile, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Segment } from '@hls-uplink/protocol';
import { silentLogger, type Logger } from '@hls-uplink/runtime';
import { fakeLogic } from './fake-logic.test.helper.js';
import { until } from './until.test.helper.js';
import { startUploader, type TestUploader } from './uploader.test.helper.js';

describe('LegacyFeeds', () => {
  let made: string;
  let uploader: TestUploader;
  let logic: ReturnType<typeof fakeLogic>;
  let errors: string[];
  let logger: Logger;

  beforeAll(async () => {
    made = await mkdtemp(join(tmpdir(), 'legacy-'));
    const input = '-f lavfi -i testsrc2=size=160x90:rate=25 -f lavfi -i sine=frequency=440';
    const codecs = '-c:v libx264 -preset ultrafast -bf 0 -g 50 -keyint_min 50 -sc_threshold 0 -c:a aac -t 8';
    const output = '-f segment -segment_time 2 -segment_format mpegts';
    execFileSync('ffmpeg', [...`-v error ${input} ${codecs} ${output}`.split(' '), join(made, 's-%05d.ts')]);
    return () => rm(made, { recursive: true, force: true });
  }, 60_000);
  beforeEach(async () => {
    errors = [];
    logger = {
      ...silentLogger,
      error: (message, fields) => void errors.push(`${message}: ${JSON.stringify(fields)}`),
      child: () => logger,
    };
    logic = fakeLogic();
    uploader = await startUploader({ logic, logger });
    for (const name of await readdir(made)) await copyFile(join(made, name), join(uploader.spool, name));
  });
  afterEach(async () => {
    await uploader.stop();
    await uploader.remove();
  });

  const line = (
    number: number,
    { end = 0, folder = uploader.spool, bucket = 'bucket', prefix = 's', index = 'stream.m3u8' } = {},
  ): string =>
    `${index}, ${folder}, 2, ${prefix}, http://cdn/stream/, 0, ${number}, ${end}, ${bucket}, stream0001`;

  /** As an old segmenter on a shell would send it. */
  async function nc(text: string): Promise<void> {
    const child = spawn('nc', ['-N', '-w', '5', '127.0.0.1', String(uploader.port)], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    child.stdin.end(text);
    await new Promise((resolve) => child.on('close', resolve));
  }

  const accepted = (): Segment[] =>
    logic.events.flatMap((event) =>
      event.type === 'accepted' && event.announcement.type === 'segment' ? [event.announcement] : [],
    );
  const published = (count: number): Promise<void> =>
    until(`${count} to be published`, () => [...uploader.channels][0]?.counts.published === count);

  test('lines by nc become announcements with the real times, and the originals stay', async () => {
    await nc(`${line(0)}\n`);
    await nc(`${line(1)}\n${line(1)}\n`);
    await nc(line(2));
    await nc(`${line(3, { end: 1 })}\n`);
    await published(5);
    const [session] = new Set(accepted().map((segment) => segment.session));
    expect(
      accepted().map(({ startPts, endPts, index, discontinuity, keyPictures }) => [
        index,
        endPts - startPts,
        discontinuity,
        keyPictures.map(({ offset, pts }) => [offset > 0, pts === startPts]),
      ]),
    ).toEqual([
      [0, 180_000, 'start', [[true, true]]],
      [1, 180_000, undefined, [[true, true]]],
      [2, 180_000, undefined, [[true, true]]],
      [3, 180_000, undefined, [[true, true]]],
    ]);
    const starts = accepted().map(({ startPts }) => startPts);
    expect(starts.slice(1)).toEqual(
      accepted()
        .slice(0, 3)
        .map(({ endPts }) => endPts),
    );
    expect(
      logic.events.map(({ type }) => type).filter((type) => /connected|tracks|opened/.test(type)),
    ).toEqual(['opened', 'connected', 'tracks']);
    expect(logic.events.find(({ type }) => type === 'tracks')).toMatchObject({
      tracks: {
        gop: 180_000,
        tracks: [
          { kind: 'video', width: 160, height: 90, frameRate: 25, codec: expect.stringMatching(/^avc1\./) },
          { kind: 'audio', codec: 'mp4a.40.2', sampleRate: 44_100, channels: 1 },
        ],
      },
    });
    expect(logic.events.filter(({ type }) => type === 'accepted').at(-1)).toMatchObject({
      announcement: { type: 'end', session, index: 4 },
    });
    expect(logic.events.find(({ type }) => type === 'connected')).toMatchObject({
      facts: {
        rendition: 'stream',
        target: 2,
        names: { index: 'stream.m3u8', segmentPrefix: 's', urlPrefix: 'http://cdn/stream/' },
      },
    });
    expect((await readdir(uploader.spool)).sort()).toEqual((await readdir(made)).sort());
    await until('the copies to go', () => uploader.ownSpool.bytes === 0);
    await until('the repeat to be counted', () => uploader.legacy.counts.repeats === 1);
    expect(uploader.legacy.counts).toEqual({ lines: 5, repeats: 1, refused: 0 });
    expect(errors).toEqual([]);
  });

  test('a line that waits for its channel to be opened holds no stop up, and is not lost', async () => {
    uploader.store.getFault = () => true;
    await nc(line(0));
    await until('it to be journalled', () => uploader.journal.channels.length === 1);
    await uploader.server.stop(AbortSignal.abort());
    expect(uploader.journal.channels).toEqual([[...uploader.channels][0]?.id]);
  });

  test('lines wait while the own spool is full, and are refused at the stop', async () => {
    const giveBack = uploader.ownSpool.reserve(1e9, 1e9);
    let isTaken = false;
    const first = uploader.legacy.line(line(0)).then(() => (isTaken = true));
    await until('the line to wait', () => uploader.legacy.counts.lines === 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(isTaken).toBe(false);
    giveBack?.();
    await first;
    expect(accepted()).toHaveLength(1);
    uploader.ownSpool.reserve(2e9, 4e9);
    const second = uploader.legacy.line(line(1));
    uploader.legacy.stop();
    await second;
    expect(uploader.legacy.counts.refused).toBe(1);
  });

  test('a number not above the last, and other bytes under the same number, are a new session; a hole is a loss', async () => {
    await uploader.legacy.line(line(0));
    await uploader.legacy.line(line(2));
    await uploader.legacy.line(line(1));
    await copyFile(join(made, 's-00003.ts'), join(uploader.spool, 's-00001.ts'));
    await uploader.legacy.line(line(1));
    const sessions = [...new Set(accepted().map(({ session }) => session))];
    expect(
      accepted().map(({ session, index, discontinuity }) => [
        sessions.indexOf(session),
        index,
        discontinuity,
      ]),
    ).toEqual([
      [0, 0, 'start'],
      [0, 1, 'loss'],
      [1, 0, 'start'],
      [2, 0, 'start'],
    ]);
  });

  test('after a restart the session goes on, and a repeat is still one', async () => {
    await uploader.legacy.line(line(0));
    await published(1);
    await uploader.stop();
    const again = fakeLogic();
    uploader = await startUploader({ folder: uploader.folder, logic: again });
    await uploader.legacy.line(line(0));
    await uploader.legacy.line(line(1));
    const [before] = accepted();
    logic = again;
    expect(accepted()).toMatchObject([{ session: before?.session, index: 1 }]);
    expect(accepted()[0]?.discontinuity).toBeUndefined();
    expect(again.events.map(({ type }) => type).slice(0, 4)).toEqual([
      'opened',
      'connected',
      'tracks',
      'accepted',
    ]);
    expect(uploader.legacy.counts.repeats).toBe(1);
  });

  test('while the store is down lines are journalled, and published later', async () => {
    let down = true;
    uploader.store.getFault = () => down;
    const following = [uploader.legacy.line(line(0)), uploader.legacy.line(line(1))];
    await until('the first to be journalled', () => uploader.journal.channels.length > 0);
    down = false;
    await Promise.all(following);
    await published(2);
    expect(accepted().map(({ index }) => index)).toEqual([0, 1]);
  });

  test.each<[string, () => string | Promise<string>, string]>([
    ['a file that is not there', () => line(9), 'bad-path'],
    ['a folder outside the roots', () => line(0, { folder: made }), 'bad-path'],
    ['another bucket', () => line(0, { bucket: 'other' }), 'bucket'],
    ['the index of the channel', () => line(0, { index: 'index.m3u8' }), 'bad-name'],
    ['a broken line', () => line(0).replace(', 2,', ', two,'), 'bad-legacy-line'],
    [
      'a file of text',
      async () => {
        await writeFile(join(uploader.spool, 't-00000.ts'), 'no transport stream '.repeat(100));
        return line(0, { prefix: 't' });
      },
      'no-sync',
    ],
    [
      'an empty file',
      async () => {
        await writeFile(join(uploader.spool, 't-00000.ts'), '');
        return line(0, { prefix: 't' });
      },
      'bad-file',
    ],
    [
      'a link',
      async () => {
        await symlink(join(made, 's-00000.ts'), join(uploader.spool, 't-00000.ts'));
        return line(0, { prefix: 't' });
      },
      'bad-path',
    ],
  ])('%s is told to the operator, and the next line goes on', async (_, text, code) => {
    await nc(`${await text()}\n${line(0)}\n`);
    await published(1);
    expect(uploader.legacy.counts).toMatchObject({ lines: 2, refused: 1 });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(`"code":"${code}"`);
    await until('the copies to go', () => uploader.ownSpool.bytes === 0);
  });

  test('a relative folder is looked for at the spool roots', async () => {
    await uploader.legacy.line(line(0, { folder: './spool/' }));
    await uploader.legacy.line(line(1, { folder: '.' }));
    expect(accepted().map(({ index }) => index)).toEqual([0, 1]);
  });
});
