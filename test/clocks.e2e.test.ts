/** Three encoders that share no clock, one of them killed and started again: what viewers and the operator see. */
import { expect, test } from '@jest/globals';
import { join } from 'node:path';
import { cleanUps } from './helpers/clean-ups.js';
import { Live } from './helpers/live.js';
import { expectNoStackTrace } from './helpers/speech.js';
import { faultless } from './helpers/verdict.js';
import {
  expectOnlyDiscontinuities,
  expectOnlyGaps,
  watch,
  type History,
  type Watcher,
} from './watcher/index.js';

const TARGET_SECONDS = 2;

/** Every rendition has listed media that begins after this. */
async function listedSince(watcher: Watcher, ms: number): Promise<void> {
  await watcher.until(
    ({ renditions }: History) =>
      renditions.length === 3 &&
      renditions.every(({ segments }) => segments.some(({ gap, dateMs }) => !gap && dateMs! > ms)),
    { what: 'later media in every rendition', timeoutMs: 40_000 },
  );
}

test('each plays on, with the same discontinuities, and the operator is told which counts alone and why', async () => {
  const live = await Live.open({ target: TARGET_SECONDS, ownEncoders: true });
  cleanUps.push(() => live.close());
  await live.startAll();
  await live.published();
  const watcher = watch({ url: live.url, renditionsSharingClock: [], keep: join(live.folder, 'seen') });
  cleanUps.push(() => watcher.stop().catch(() => undefined));
  await listedSince(watcher, Date.now() + TARGET_SECONDS * 1000);

  const killedMs = Date.now();
  await live.killEncoderOf('mid');
  await live.startSegmenter('mid');
  live.startEncoderOf('mid');
  const startedMs = Date.now();
  await live.uploader!.waitForLine(/do not align.*clock of its own/, 30_000);
  await listedSince(watcher, startedMs + 5 * TARGET_SECONDS * 1000);

  const report = await faultless(watcher);
  const isWhileAway = (dateMs: number): boolean =>
    dateMs > killedMs - 2000 * TARGET_SECONDS && dateMs < startedMs + 3000 * TARGET_SECONDS;
  expectOnlyGaps(report, ({ rendition, dateMs }) => rendition === 'mid' && isWhileAway(dateMs!));
  expectOnlyDiscontinuities(report, ({ dateMs }) => isWhileAway(dateMs!));
  expect(report.discontinuities.map(({ rendition }) => rendition).sort()).toEqual([...live.names].sort());
  expect(new Set(report.renditions.map(({ segments }) => segments.at(-1)!.discontinuitySequence)).size).toBe(
    1,
  );
  const answer = await fetch(`http://127.0.0.1:${live.httpPort}/api/channels`);
  const { channels } = (await answer.json()) as {
    channels: { renditions: { name: string; alone: boolean; misfit?: { why: string } }[] }[];
  };
  const alone = channels[0]!.renditions.filter((one) => one.alone);
  expect(alone.map(({ name, misfit }) => [name, misfit?.why])).toEqual([['mid', 'clock']]);
  expectNoStackTrace(live.uploader!, ...live.segmenters.values());
}, 120_000);
