/** Two uploaders of one channel: one of them publishes, and which one viewers cannot tell. */
import { expect, test } from '@jest/globals';
import { makeBucket } from './helpers/bucket.js';
import { useCeph } from './helpers/ceph.js';
import { cleanUps } from './helpers/clean-ups.js';
import { s3Store } from './helpers/live.js';
import { until } from './helpers/processes.js';
import { expectNoStackTrace } from './helpers/speech.js';
import { begin, listedMore } from './helpers/stage.js';
import { faultless } from './helpers/verdict.js';
import { expectOnlyGaps } from './watcher/index.js';

const TARGET_SECONDS = 4;

/** Who wrote a playlist, by its comment line. */
async function ownerOf(url: string): Promise<{ writer: string; term: number }> {
  const text = await (await fetch(url)).text();
  return JSON.parse(/^#hls-uplink:(.*)$/m.exec(text)![1]!) as { writer: string; term: number };
}

test('an uploader that stands still loses the channel to the next one, and awake again writes nothing of it', async () => {
  const ceph = await useCeph();
  cleanUps.push(() => ceph.stop());
  await makeBucket(ceph, 'takeover', { publicRead: true });
  const stage = await begin({ target: TARGET_SECONDS, store: s3Store(ceph, 'takeover'), spare: true });
  const { live, watcher } = stage;
  await live.startSpare();
  const playlists = [live.url, ...live.names.map((name) => new URL(`${name}.m3u8`, live.url).href)];
  const terms = async (): Promise<number[]> =>
    (await Promise.all(playlists.map(ownerOf))).map(({ term }) => term);
  await listedMore(stage, 2);
  expect(await terms()).toEqual(playlists.map(() => 1));
  const { writer: first } = await ownerOf(live.url);

  // The segmenters find out within 5 s, which with a segment of 4 s is more than viewers are promised.
  watcher.pauseRule5();
  live.uploader!.killAlone('SIGSTOP');
  await until(async () => (await terms()).every((term) => term === 2), {
    timeoutMs: 30_000,
    what: 'the other one to have it',
  });
  await listedMore(stage, 1);
  watcher.resumeRule5();
  live.uploader!.killAlone('SIGCONT');
  // What it is told to do with the channel as it knows it comes to nothing.
  await live.uploader!.waitForLine(/a segmenter is gone/, 30_000);
  const told = await fetch(`http://127.0.0.1:${live.httpPort}/api/channels/live/end`, {
    method: 'POST',
    headers: { 'x-hls-uplink': '1' },
  });
  expect(told.status).toBe(202);
  await live.uploader!.waitForLine(/another uploader publishes/, 30_000);
  await listedMore(stage, 3);
  expect(await terms()).toEqual(playlists.map(() => 2));
  expect((await ownerOf(live.url)).writer).not.toBe(first);
  expect(live.uploader!.running).toBe(true);
  expectNoStackTrace(live.uploader!, live.spare!, ...live.segmenters.values());

  const report = await faultless(watcher);
  expectOnlyGaps(report, () => false);
  expect(report.discontinuities).toEqual([]);
}, 120_000);
