/** One broadcast through everything that happens to it, and a player that goes on all the while. */
import { expect, test } from '@jest/globals';
import { expectNoStackTrace } from './helpers/speech.js';
import { begin, listedMore } from './helpers/stage.js';
import { faultless } from './helpers/verdict.js';
import { play } from './player/index.js';
import { expectOnlyGaps } from './watcher/index.js';

const TARGET_SECONDS = 4;
const PAUSE_SECONDS = 20;
const PLAY_SECONDS = 70;

const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

test('three renditions: a segmenter killed, one that stands still, a redundant source killed, the uploader killed', async () => {
  const stage = await begin({ target: TARGET_SECONDS, sources: { low: ['a', 'b'] } });
  const { live, watcher } = stage;
  await listedMore(stage, 3);
  const playing = play({ url: live.url, seconds: PLAY_SECONDS, switchLevels: true });
  // Those that are away hold up the others' versions, or their own, until their deadlines.
  watcher.pauseRule5();
  const missing: { rendition: string; fromMs: number; toMs: number }[] = [];
  const away = async (rendition: string, during: () => Promise<void>): Promise<void> => {
    const fromMs = Date.now() - TARGET_SECONDS * 1000;
    await during();
    // The segment that was open is lost with it, and so is the one that is begun in the middle.
    missing.push({ rendition, fromMs, toMs: Date.now() + 2 * TARGET_SECONDS * 1000 });
  };
  await away('mid', async () => {
    await live.killSegmenter('mid');
    await pause(TARGET_SECONDS);
    await live.startSegmenter('mid');
  });
  await away('high', async () => {
    const high = live.segmenters.get('high')!;
    high.killAlone('SIGSTOP');
    await pause(PAUSE_SECONDS);
    high.killAlone('SIGCONT');
  });
  await live.killSegmenter('low~a');
  await listedMore(stage, 2);
  await live.killUploader();
  await live.startUploader();
  await listedMore(stage, 2);
  watcher.resumeRule5();
  const played = await playing;
  await listedMore(stage, 1);

  expect(played.fatalErrors).toEqual([]);
  expect(played.startedAfterMs).toBeDefined();
  expect(played.playedSeconds).toBeGreaterThan(0.8 * played.realSeconds);
  const report = await faultless(watcher);
  expectOnlyGaps(report, ({ rendition, dateMs, durationSeconds }) =>
    missing.some(
      (one) =>
        one.rendition === rendition && dateMs! + durationSeconds * 1000 > one.fromMs && dateMs! < one.toMs,
    ),
  );
  expect(report.discontinuities).toEqual([]);
  expect(new Set(report.gaps.map(({ rendition }) => rendition))).toEqual(new Set(['mid', 'high']));
  expectNoStackTrace(live.uploader!, ...live.segmenters.values());
}, 240_000);
