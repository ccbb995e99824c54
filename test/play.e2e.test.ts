/** The main job, with real parts only: ffmpeg → segmenters → uploader → store → hls.js in Chromium. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { mkdir } from 'node:fs/promises';
import { makeBucket } from './helpers/bucket.js';
import { useCeph } from './helpers/ceph.js';
import { Live, s3Store, type LiveOptions } from './helpers/live.js';
import {
  acceptedByParsers,
  decodeAll,
  expectDecoded,
  expectPlayedInRealTime,
  play,
  segmentsOfPlaylist,
} from './player/index.js';
import { ended, expectNoViolations, expectOnlyGaps, watch } from './watcher/index.js';

const PLAY_SECONDS = 30;
const SCREENSHOTS = 'artifacts/screenshots';

let live: Live | undefined;
const cleanUps: (() => Promise<void>)[] = [];

afterEach(async () => {
  await live?.close();
  live = undefined;
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

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

describe.each(stores)('published to %s', (name, store) => {
  test('three renditions play without a fault, levels switching, and end', async () => {
    live = await Live.open({ ...(await store()), endOnEof: true });
    await live.startAll();
    await live.published();
    const watcher = watch({ url: live.url, renditionsSharingClock: live.names });
    await mkdir(SCREENSHOTS, { recursive: true });
    const report = await play({
      url: live.url,
      seconds: PLAY_SECONDS,
      switchLevels: true,
      screenshot: `${SCREENSHOTS}/${name.replaceAll(/\W+/g, '-')}.png`,
    });
    expectPlayedInRealTime(report, { allLevels: true });

    const exits = await live.endInput();
    expect(exits.map(({ code }) => code)).toEqual([0, 0, 0]);
    await watcher.until((history) => history.renditions.length > 0 && history.renditions.every(ended), {
      what: 'ENDLIST in all playlists',
      timeoutMs: 30_000,
    });
    const seen = await watcher.stop();
    expectNoViolations(seen);
    expectOnlyGaps(seen, () => false);
    expect(seen.discontinuities).toEqual([]);

    for (const rendition of live.names) {
      const url = new URL(`${rendition}.m3u8`, live.url);
      const text = await (await fetch(url)).text();
      expect(acceptedByParsers(text)).toBe(true);
      for (const segments of await segmentsOfPlaylist(url.href)) expectDecoded(await decodeAll(segments));
    }
  }, 180_000);
});
