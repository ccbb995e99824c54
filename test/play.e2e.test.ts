/** The main job, with real parts only: ffmpeg → segmenters → uploader → store → hls.js in Chromium. */
import { describe, expect, test } from '@jest/globals';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeBucket } from './helpers/bucket.js';
import { useCeph } from './helpers/ceph.js';
import { cleanUps } from './helpers/clean-ups.js';
import { s3Store, type Live, type LiveOptions } from './helpers/live.js';
import { expectNoStackTrace } from './helpers/speech.js';
import { begin, end, listedMore } from './helpers/stage.js';
import { expectPlayedInRealTime, frozenMs, play } from './player/index.js';
import { expectOnlyGaps } from './watcher/index.js';

const PLAY_SECONDS = 30;
const TARGET_SECONDS = 4;
const SCREENSHOTS = 'artifacts/screenshots';

const stores: [string, () => Promise<LiveOptions>][] = [
  ['a directory', () => Promise.resolve({})],
  [
    "Ceph's S3 gateway",
    async () => {
      const ceph = await useCeph();
      cleanUps.push(() => ceph.stop());
      await makeBucket(ceph, 'play', { publicRead: true });
      return { store: s3Store(ceph, 'play') };
    },
  ],
];

/** Segments that the uploader has not finally answered yet. */
async function unanswered({ folder, names }: Live): Promise<string[]> {
  const files = await Promise.all(names.map((name) => readdir(join(folder, 'spool/live', name))));
  return files.flat().filter((file) => /^\d+\.ts$/.test(file));
}

describe.each(stores)('published to %s', (name, store) => {
  test('three renditions play without a fault, levels switching, and end', async () => {
    const stage = await begin({ ...(await store()), target: TARGET_SECONDS, endOnEof: true });
    const { live } = stage;
    // A player keeps three target durations away from the live edge (RFC 8216 §6.3.3).
    await listedMore(stage, 3);
    await mkdir(SCREENSHOTS, { recursive: true });
    const report = await play({
      url: live.url,
      seconds: PLAY_SECONDS,
      switchLevels: true,
      screenshot: `${SCREENSHOTS}/${name.replaceAll(/\W+/g, '-')}.png`,
    });
    expectPlayedInRealTime(report, { allLevels: true });
    expect(report.targetDuration).toBe(TARGET_SECONDS);
    // Two switches by currentLevel.
    expect(frozenMs(report)).toBeLessThanOrEqual(2 * (TARGET_SECONDS + 1) * 1000);

    const seen = await end(stage);
    expectOnlyGaps(seen, () => false);
    expect(seen.discontinuities).toEqual([]);
    expect(await unanswered(live)).toEqual([]);
    expect(await live.uploader!.stop(15_000)).toEqual({ code: 0, signal: null });
    expectNoStackTrace(live.uploader!);
  }, 180_000);
});
