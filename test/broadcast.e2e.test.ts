/** One broadcast through everything that happens to it, and a player that goes on all the while. */
import { expect, test } from '@jest/globals';
import { Mishaps } from './helpers/mishaps.js';
import { expectNoStackTrace } from './helpers/speech.js';
import { begin, listedMore } from './helpers/stage.js';
import { faultless } from './helpers/verdict.js';
import { expectPlayedOn, play } from './player/index.js';
import { expectOnlyGaps } from './watcher/index.js';

const TARGET_SECONDS = 4;
const PAUSE_SECONDS = 20;
const PLAY_SECONDS = 70;

test('three renditions: a segmenter killed, one that stands still, a redundant source killed, the uploader killed', async () => {
  const stage = await begin({ target: TARGET_SECONDS, sources: { low: ['a', 'b'] } });
  const { live, watcher } = stage;
  await listedMore(stage, 3);
  const playing = play({ url: live.url, seconds: PLAY_SECONDS, switchLevels: true });
  // Those that are away hold up the others' versions, or their own, until their deadlines.
  watcher.pauseRule5();
  const mishaps = new Mishaps(stage, TARGET_SECONDS);
  await mishaps.segmenterKilled('mid');
  await mishaps.segmenterStandsStill('high', PAUSE_SECONDS);
  await live.killSegmenter('low~a');
  await listedMore(stage, 2);
  await mishaps.uploaderKilled();
  watcher.resumeRule5();
  expectPlayedOn(await playing);
  await listedMore(stage, 1);

  const report = await faultless(watcher);
  expectOnlyGaps(report, (gap) => mishaps.excuse(gap));
  expect(report.discontinuities).toEqual([]);
  expect(new Set(report.gaps.map(({ rendition }) => rendition))).toEqual(new Set(['mid', 'high']));
  // What is offered, each I-frame playlist once it is there, a rise of a peak or two, and the uploader that was started again.
  expect(report.multivariant.length).toBeLessThanOrEqual(12);
  expectNoStackTrace(live.uploader!, ...live.segmenters.values());
}, 240_000);
