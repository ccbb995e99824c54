/** ffmpeg's own HLS is published, stops, and our programs go on under the same name: a viewer who is watching goes on watching. */
import { expect, test } from '@jest/globals';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cleanUps } from './helpers/clean-ups.js';
import { Live } from './helpers/live.js';
import { start } from './helpers/processes.js';
import { expectNoStackTrace } from './helpers/speech.js';
import { watch } from './watcher/index.js';

const TARGET_SECONDS = 2;
const LISTED = 6;

test('entries, numbers and target duration of the playlist that ffmpeg left go on', async () => {
  const live = await Live.open({
    renditions: [{ name: 'low', picture: { width: 256, height: 144, kilobits: 150 } }],
    target: TARGET_SECONDS,
  });
  cleanUps.push(() => live.close());
  const folder = join(live.folder, 'www/live');
  await mkdir(folder);
  // Of more than it lists the first are gone; one GOP is longer than what our segmenter would cut.
  const ffmpeg = await start(
    'ffmpeg',
    [
      ...'-v error -f lavfi -i testsrc2=s=256x144:r=25 -f lavfi -i sine=f=440:r=48000 -t 24'.split(' '),
      ...'-c:v libx264 -preset ultrafast -g 75 -sc_threshold 0 -c:a aac -f hls -hls_time 3'.split(' '),
      ...['-hls_list_size', String(LISTED)],
      ...['-hls_flags', 'omit_endlist+program_date_time+independent_segments', join(folder, 'low.m3u8')],
    ],
    { name: 'ffmpeg' },
  );
  expect(await ffmpeg.exited).toEqual({ code: 0, signal: null });

  const watcher = watch({ url: new URL('low.m3u8', live.url).href, minimumSegments: LISTED });
  cleanUps.push(() => watcher.stop().catch(() => undefined));
  watcher.pauseRule5();
  await watcher.until(({ renditions }) => renditions[0]?.segments.length === LISTED, {
    what: 'what ffmpeg listed',
  });
  await live.startAll();
  await watcher.until(({ renditions }) => renditions[0]!.segments.length >= LISTED + 3, {
    what: 'three entries of ours',
    timeoutMs: 30_000,
  });
  const report = await watcher.stop();

  const [{ versions, segments }] = report.renditions as [(typeof report.renditions)[0]];
  expect(new Set(versions.map(({ playlist }) => playlist.targetDuration))).toEqual(new Set([3]));
  expect(segments.map(({ number }) => number)).toEqual(segments.map((_, i) => 2 + i));
  expect(segments.flatMap(({ number, discontinuity }) => (discontinuity ? [number] : []))).toEqual([
    2 + LISTED,
  ]);
  expect(segments.map(({ uri }) => /^low\d\.ts$/.test(uri))).toEqual(segments.map((_, i) => i < LISTED));
  expect(versions.at(-1)!.playlist.segments[0]!.uri).toMatch(/^low\d\.ts$/);
  expect(segments.map(({ fetch }) => fetch?.status)).toEqual(segments.map(() => 200));
  // How one version follows the other (rules 2, 4, 8, 9, 11, 13, 18); ffmpeg has no discontinuity sequence, and a lower version.
  const said = report.violations.filter(({ rule }) => [2, 4, 8, 9, 11, 13, 18].includes(rule));
  expect(said.map(({ message }) => message)).toEqual([
    'EXT-X-VERSION is 6, less than 8',
    'no EXT-X-DISCONTINUITY-SEQUENCE',
    'EXT-X-VERSION changed from 6 to 8',
  ]);
  expectNoStackTrace(live.uploader!, ...live.segmenters.values());
}, 60_000);
