/** Three encoders that share no clock, and all that can happen to them: what viewers, a player and the operator see. */
import { expect, test } from '@jest/globals';
import type { Live } from './helpers/live.js';
import { Mishaps } from './helpers/mishaps.js';
import { expectNoStackTrace } from './helpers/speech.js';
import { begin, listedMore } from './helpers/stage.js';
import { faultless } from './helpers/verdict.js';
import { expectPlayedOn, play } from './player/index.js';
import { expectOnlyDiscontinuities, expectOnlyGaps } from './watcher/index.js';

// At two seconds a busy machine is late for one rule or another.
const TARGET_SECONDS = 3;
const PAUSE_SECONDS = 20;
const PLAY_SECONDS = 40;

/** Who has numbers of its own, and why. */
async function alone({ httpPort }: Live): Promise<(string | undefined)[][]> {
  const answer = await fetch(`http://127.0.0.1:${httpPort}/api/channels`);
  const { channels } = (await answer.json()) as {
    channels: { renditions: { name: string; alone: boolean; misfit?: { why: string } }[] }[];
  };
  return channels[0]!.renditions.filter((one) => one.alone).map(({ name, misfit }) => [name, misfit?.why]);
}

test('each plays on, with the same discontinuities, and the operator is told which counts alone and why', async () => {
  const stage = await begin(
    { target: TARGET_SECONDS, gop: TARGET_SECONDS, ownEncoders: true, sources: { low: ['a', 'b'] } },
    undefined,
    { renditionsSharingClock: [] },
  );
  const { live, watcher } = stage;
  await listedMore(stage, 3);
  const playing = play({ url: live.url, seconds: PLAY_SECONDS, switchLevels: true });
  // Those that are away hold up the others' versions, or their own, until their deadlines.
  watcher.pauseRule5();
  const mishaps = new Mishaps(stage, TARGET_SECONDS);
  const stillStanding = mishaps.segmenterStandsStill('high', PAUSE_SECONDS);
  const restartedMs = Date.now();
  await mishaps.encoderStartedAgain('mid');
  const backMs = Date.now();
  await live.uploader!.waitForLine(/do not align.*clock of its own/, 30_000);
  // So may one be that a busy machine has started later than the others.
  expect(await alone(live)).toContainEqual(['mid', 'clock']);
  await live.killSegmenter('low~a');
  await stillStanding;
  await listedMore(stage, 2);
  await mishaps.segmenterKilled('mid');
  await mishaps.uploaderKilled();
  watcher.resumeRule5();
  expectPlayedOn(await playing);
  await listedMore(stage, 1);

  const report = await faultless(watcher);
  expectOnlyGaps(report, (gap) => mishaps.excuse(gap));
  expectOnlyDiscontinuities(
    report,
    ({ dateMs }) => dateMs! > restartedMs - 2000 * TARGET_SECONDS && dateMs! < backMs + 3000 * TARGET_SECONDS,
  );
  expect(report.discontinuities.map(({ rendition }) => rendition).sort()).toEqual([...live.names].sort());
  expect(new Set(report.renditions.map(({ segments }) => segments.at(-1)!.discontinuitySequence)).size).toBe(
    1,
  );
  // Another uploader takes it from the playlists.
  expect((await alone(live)).map(([name]) => name)).toContain('mid');
  // What is offered, each I-frame playlist once it is there, a rise of a peak or two, and the uploader that was started again.
  expect(report.multivariant.length).toBeLessThanOrEqual(12);
  expectNoStackTrace(live.uploader!, ...live.segmenters.values());
}, 180_000);
