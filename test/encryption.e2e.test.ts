/** AES-128 through the real programs: a watcher, ffmpeg and hls.js decrypt what is published, across rotations and a restart. */
import { expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cleanUps } from './helpers/clean-ups.js';
import { LADDER } from './helpers/encoder.js';
import { UPLOADER } from './helpers/live.js';
import { until } from './helpers/processes.js';
import { begin, end, listedMore } from './helpers/stage.js';
import {
  complaintsOfParsers,
  expectPlayedInRealTime,
  play,
  readByFfmpeg,
  serveStatic,
} from './player/index.js';

const TARGET_SECONDS = 2;
const ROTATION = 2;
const PLAY_SECONDS = 8;

const keyUris = (text: string): string[] => [
  ...new Set(
    [...text.matchAll(/^#EXT-X-KEY:METHOD=AES-128,URI="(.*)",IV=0x[0-9A-F]{32}$/gm)].map(([, uri]) => uri!),
  ),
];

test('an encrypted channel decrypts in ffmpeg and hls.js across key rotations and a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keys-'));
  cleanUps.push(() => rm(folder, { recursive: true, force: true }));
  const keyServer = await serveStatic({ folder: join(folder, 'keys') });
  cleanUps.push(() => keyServer.close());
  const config = join(folder, 'uploader.yaml');
  const settings = {
    'encryption-secret': 'nobody must know this, not even the tests',
    'key-rotation': ROTATION,
    'key-store': `file://${folder}/keys`,
    'key-url': `${keyServer.url}{channel}/{key}.key`,
  };
  await writeFile(config, JSON.stringify(settings));

  const stage = await begin({
    renditions: LADDER.slice(0, 2),
    target: TARGET_SECONDS,
    endOnEof: true,
    uploaderArguments: ['--config', config, '--window', '40', '--event', '1h'],
  });
  const { live, watcher } = stage;
  await listedMore(stage, 1);
  // One of two is away: the next version comes when it is back, or its deadline has passed.
  watcher.pauseRule5();
  await live.killSegmenter('mid');
  await live.startSegmenter('mid');
  await listedMore(stage, 2);
  watcher.resumeRule5();
  const report = await play({ url: live.url, seconds: PLAY_SECONDS });
  // Of keys and decryption none: the rendition that was killed begins in the middle, or has a gap.
  expectPlayedInRealTime(report, { allowErrors: ['bufferSeekOverHole', 'fragGap'] });

  const seen = await end(stage);
  for (const { name, segments } of seen.renditions) {
    const text = await (await fetch(new URL(`${name}.m3u8`, live.url))).text();
    expect(complaintsOfParsers(text)).toEqual([]);
    const listed = segments.filter(({ gap }) => !gap);
    expect(text.match(/^#EXT-X-KEY:/gm)).toHaveLength(listed.length);
    const uris = keyUris(text);
    expect(uris.length).toBeGreaterThanOrEqual(Math.floor(listed.length / ROTATION));
    expect(uris.length).toBeGreaterThan(PLAY_SECONDS / TARGET_SECONDS / ROTATION);
    for (const uri of uris) {
      expect(uri.startsWith(`${keyServer.url}live/`)).toBe(true);
      const stored = await readFile(join(folder, 'keys/live', uri.slice(uri.lastIndexOf('/') + 1)));
      expect(stored).toHaveLength(16);
    }
  }
  // ffmpeg knows no EXT-X-GAP, and would ask for what the killed one lost.
  const { segments } = seen.renditions.find(({ name }) => name === 'low')!;
  const seconds = segments.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);
  const published = (): Promise<string[]> => readdir(join(live.folder, 'www/live'));
  const vod = async (): Promise<string | undefined> =>
    (await published()).find((name) => /^low-.*-vod\.m3u8$/.test(name));
  await until(async () => (await vod()) !== undefined, { what: 'the VOD of the event' });
  for (const name of ['low.m3u8', 'low-event.m3u8', (await vod())!]) {
    const { errors, frames } = await readByFfmpeg(new URL(name, live.url).href);
    expect([name, errors]).toEqual([name, []]);
    expect(frames).toBeGreaterThan(25 * (seconds - 1));
  }

  expect((await published()).filter((name) => /iframes|\.key$/.test(name))).toEqual([]);
  expect(await (await fetch(live.url)).text()).not.toContain('I-FRAME');
  const [name = ''] = await readdir(join(folder, 'keys/live'));
  const id = name.replace(/\.key$/, '');
  const { stdout } = await promisify(execFile)(process.execPath, [UPLOADER, 'key', id, '--config', config]);
  expect(stdout.trim()).toBe((await readFile(join(folder, 'keys/live', name))).toString('hex'));
}, 120_000);
