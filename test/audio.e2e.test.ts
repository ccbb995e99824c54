/** Sound alone, beside pictures and as a channel of its own: it is cut at its own frames, and nothing is missing. */
import { describe, expect, test } from '@jest/globals';
import type { Rendition } from './helpers/encoder.js';
import { begin, end, listedMore } from './helpers/stage.js';
import {
  decodeAll,
  expectDecoded,
  expectPlayedInRealTime,
  play,
  readByFfmpeg,
  segmentsOfPlaylist,
} from './player/index.js';
import { expectOnlyGaps, type Report } from './watcher/index.js';

const TARGET_SECONDS = 2;
const MOST_MS = 90_000;
/** More than the window holds, so that it slides. */
const ENTRIES = 8;
/** Within a slot, so that the last one has both sound and pictures; near its start, so that it comes in time on a busy machine. */
const SECONDS = 22.5;
const PLAY_SECONDS = 5;

const aac: Rendition = { name: 'sound' };
const pictures: Rendition = {
  name: 'pictures',
  picture: { width: 256, height: 144, kilobits: 150 },
  sound: 'mp2',
};

const CASES: { what: string; renditions: Rendition[]; codecs: Record<string, unknown[]> }[] = [
  {
    what: 'AAC alone beside pictures whose sound is MPEG-1 layer II',
    renditions: [pictures, aac],
    codecs: { pictures: [expect.stringMatching(/^avc1\.[0-9a-f]{6}$/), 'mp4a.40.33'], sound: ['mp4a.40.2'] },
  },
  { what: 'a channel of AAC alone', renditions: [aac], codecs: { sound: ['mp4a.40.2'] } },
];

describe.each(CASES)('$what', ({ renditions, codecs }) => {
  test(
    'is published without a fault, and ends',
    async () => {
      const stage = await begin({
        renditions,
        target: TARGET_SECONDS,
        gop: TARGET_SECONDS,
        seconds: SECONDS,
        endOnEof: true,
      });
      await listedMore(stage, 3);
      const more = listedMore(stage, ENTRIES - 3);
      // Not the channel: no browser decodes the other's sound.
      const soundUrl = new URL('sound.m3u8', stage.live.url).href;
      expectPlayedInRealTime(await play({ url: soundUrl, seconds: PLAY_SECONDS, soundAlone: true }));
      await more;
      const report = await end(stage);
      const last = Math.max(
        ...report.renditions.flatMap(({ segments }) => segments.map(({ number }) => number)),
      );
      // What comes of it more than a deadline after the other rendition's is lost.
      expectOnlyGaps(report, ({ number, durationSeconds }) => number === last && durationSeconds < 1);
      expect(report.discontinuities).toEqual([]);

      const { variants = [] } = report.multivariant.at(-1)?.playlist ?? {};
      expect(Object.fromEntries(variants.map(({ uri, codecs: said }) => [uri, said]))).toEqual(
        Object.fromEntries(Object.entries(codecs).map(([name, all]) => [`${name}.m3u8`, all])),
      );
      expect(variants.map(({ uri, resolution }) => [uri, resolution])).toEqual(
        variants.map(({ uri }) => [uri, uri === 'pictures.m3u8' ? '256x144' : undefined]),
      );
      expectOneTimeline(report);
      const text = await (await fetch(soundUrl)).text();
      const seconds = [...text.matchAll(/^#EXTINF:([\d.]+)/gm)].reduce(
        (sum, [, one]) => sum + Number(one),
        0,
      );
      const read = await readByFfmpeg(soundUrl);
      // It knows no EXT-X-GAP.
      if (report.gaps.length === 0)
        expect(read).toEqual({ errors: [], frames: 0, seconds: expect.closeTo(seconds, 0) });
      for (const { name, url, versions } of report.renditions) {
        expect(versions.at(-1)?.playlist.mediaSequence).toBeGreaterThan(0);
        for (const segments of await segmentsOfPlaylist(url)) {
          const decoded = await decodeAll(segments);
          expectDecoded(decoded);
          expect(decoded.every(({ frames }) => frames > 0)).toBe(name === 'pictures');
        }
      }
      expect(await stage.live.uploader?.stop()).toEqual({ code: 0, signal: null });
    },
    MOST_MS,
  );
});

/** One clock, one mapping to dates: what is heard and seen together has one date, to the millisecond it is told in. */
function expectOneTimeline({ renditions }: Report): void {
  const listed = renditions.flatMap(({ segments }) => segments.filter(({ gap }) => !gap));
  expect(listed.length).toBeGreaterThanOrEqual(ENTRIES * renditions.length);
  const zeros = listed.map(({ dateMs, facts }) => {
    const start = facts?.video?.firstPts ?? facts?.audio[0]?.firstPts;
    return dateMs! - start! / 90;
  });
  expect(Math.max(...zeros) - Math.min(...zeros)).toBeLessThan(2);
}
