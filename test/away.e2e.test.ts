/** Where viewers begin (`--start-offset`), and what ends a stream whose encoder box does not come back (`--away-timeout`). */
import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { LADDER } from './helpers/encoder.js';
import { begin, listedMore } from './helpers/stage.js';
import { faultless } from './helpers/verdict.js';
import { play } from './player/index.js';
import { ended, expectOnlyGaps } from './watcher/index.js';

const TARGET_SECONDS = 2;
const OFFSET_SECONDS = 14;
const AWAY_SECONDS = 7;

test('players begin so long before the end, and come to an end when the encoder box is away for good', async () => {
  const stage = await begin({
    renditions: LADDER.slice(0, 1),
    target: TARGET_SECONDS,
    gop: TARGET_SECONDS,
    uploaderArguments: [
      ...['--window', '20', '--start-offset', String(-OFFSET_SECONDS)],
      ...['--away-timeout', String(AWAY_SECONDS)],
    ],
  });
  const { live, watcher } = stage;
  await listedMore(stage, OFFSET_SECONDS / TARGET_SECONDS - 2);

  // A pause of the uploader's own, of its machine for example, is nobody's absence.
  watcher.pauseRule5();
  live.uploader!.killAlone('SIGSTOP');
  await sleep(1000 * (AWAY_SECONDS + 2));
  live.uploader!.killAlone('SIGCONT');
  await listedMore(stage, 4);
  watcher.resumeRule5();

  const text = await (await fetch(new URL('low.m3u8', live.url))).text();
  const total = [...text.matchAll(/^#EXTINF:([\d.]+)/gm)].reduce(
    (sum, [, seconds]) => sum + Number(seconds),
    0,
  );
  expect(text).not.toMatch(/ENDLIST|#EXT-X-DISCONTINUITY\n/);
  const playing = play({ url: live.url, seconds: 60 });
  // While it plays, and before it has caught up with what is there now.
  await listedMore(stage, 3);
  watcher.pauseRule5();
  await live.killSegmenter('low');
  const report = await playing;

  const first = report.samples.find(({ decodedFrames }) => decodedFrames > 2)!;
  // Whoever knows no offset begins three target durations before the end. A segment may have come before it read.
  expect(first.currentTime).toBeGreaterThan(total - OFFSET_SECONDS - 0.5);
  expect(first.currentTime).toBeLessThan(total - 3 * TARGET_SECONDS - 0.5);
  expect(report.fatalErrors).toEqual([]);
  expect(report.ended).toBe(true);
  await watcher.until(({ renditions }) => renditions.every(ended), { what: 'ENDLIST', timeoutMs: 1000 });
  expectOnlyGaps(await faultless(watcher), () => false);
}, 120_000);
