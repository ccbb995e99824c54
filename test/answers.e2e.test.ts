/** Exactly one final answer to every announcement, whoever is killed and whenever: recorded on the wire. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { judgeAnswers } from './helpers/answers.js';
import { cleanUps } from './helpers/clean-ups.js';
import type { Rendition } from './helpers/encoder.js';
import type { Live, LiveOptions } from './helpers/live.js';
import { until } from './helpers/processes.js';
import { idOf, isFinal, recordingProxy, type RecordingProxy, type Said } from './helpers/recording-proxy.js';
import { mountSmallDisk } from './helpers/small-disk.js';
import { expectNoStackTrace } from './helpers/speech.js';
import { begin, end, listedMore, type Stage } from './helpers/stage.js';
import { expectOnlyGaps, type Report } from './watcher/index.js';

const RENDITIONS: readonly Rendition[] = [
  { name: 'low', picture: { width: 256, height: 144, kilobits: 150 } },
  { name: 'high', picture: { width: 384, height: 216, kilobits: 300 } },
];
// What is away for longer than 1.5 of them is lost: a process that starts on a busy machine must not be.
const TARGET_SECONDS = 3;
const STORE_MEGABYTES = 64;
const MOST_MS = 120_000;

/** A stage with a record of what is said on the wire. */
interface RecordedStage extends Stage {
  proxy: RecordingProxy;
}

async function beginRecorded(
  options: LiveOptions = {},
  prepare?: (live: Live) => Promise<void>,
): Promise<RecordedStage> {
  // Known before the proxy is: it listens first.
  const target = { port: 0 };
  const proxy = await recordingProxy(() => target.port);
  cleanUps.push(() => proxy.close());
  const stage = await begin(
    {
      renditions: RENDITIONS,
      target: TARGET_SECONDS,
      gop: TARGET_SECONDS,
      endOnEof: true,
      announceTo: () => proxy.port,
      ...options,
    },
    async (live) => {
      target.port = live.port;
      await prepare?.(live);
    },
  );
  await listedMore(stage, 2);
  return { ...stage, proxy };
}

/** The answer to an announcement got through: of its own, or as settled. */
async function answered({ record }: RecordingProxy, { message }: Said): Promise<Said> {
  const answers = (said: Said): boolean =>
    said.from === 'uploader' &&
    said.delivered &&
    ((isFinal(said.message) && idOf(said.message) === idOf(message)) ||
      (said.message.type === 'welcome' &&
        said.message.session === message.session &&
        Number(said.message['settled'] ?? -1) >= message.index!));
  return until(() => record.find(answers), { what: `an answer to ${idOf(message)}`, timeoutMs: 30_000 });
}

const saying =
  (type: string) =>
  ({ message }: Said): boolean =>
    message.type === type;

/** The end of the input ends the stream; then every announcement must have had its answer. */
async function finish(stage: RecordedStage): Promise<Report> {
  const report = await end(stage);
  const { live, proxy } = stage;
  expect(report.discontinuities).toEqual([]);
  expect(judgeAnswers(proxy.record)).toEqual([]);
  for (const { name } of RENDITIONS) {
    const left = await readdir(join(live.folder, 'spool/live', name));
    expect(left.filter((file) => /^\d|\.part$/.test(file))).toEqual([]);
  }
  // Nothing is dropped in any of this.
  const answers = proxy.record.map(({ message }) => message).filter(isFinal);
  expect(answers.filter(({ type }) => type !== 'published')).toEqual([]);
  return report;
}

test(
  'the uploader killed before it accepts, before it publishes, and before its answer is heard',
  async () => {
    let setReadOnly: (readOnly: boolean) => Promise<void> = () => Promise.resolve();
    const stage = await beginRecorded({}, async (live) => {
      const disk = await mountSmallDisk(join(live.folder, 'www'), STORE_MEGABYTES);
      cleanUps.push(() => disk.unmount());
      setReadOnly = (readOnly) => disk.setReadOnly(readOnly);
    });
    const { live, proxy, watcher } = stage;
    watcher.pauseRule5();
    const kill = (): void => live.uploader!.kill('SIGKILL');
    const restart = async (): Promise<void> => {
      await live.uploader!.exited;
      expectNoStackTrace(live.uploader!);
      await live.startUploader();
    };

    const notAccepted = await proxy.next(saying('segment'), () => {
      kill();
      return 'cut';
    });
    await restart();
    await answered(proxy, notAccepted);

    // A store that takes nothing keeps it from being published in the same moment.
    await until(() => setReadOnly(true).then(() => true), {
      what: 'nothing is being written',
      intervalMs: 5,
    });
    const accepted = await proxy.next(saying('accepted'), () => {
      kill();
      return 'deliver';
    });
    await live.uploader!.exited;
    const published = proxy.record
      .filter(({ message }) => isFinal(message))
      .map(({ message }) => idOf(message));
    expect(published).not.toContain(idOf(accepted.message));
    // Nor can it be when the segmenter is back: what is accepted is not announced again.
    const { session } = accepted.message;
    const welcome = proxy.next(
      ({ message }) => message.type === 'welcome' && message.session === session,
      () => 'deliver',
    );
    await restart();
    expect((await welcome).message['accepted']).not.toEqual([]);
    await setReadOnly(false);
    await answered(proxy, accepted);

    const notHeard = await proxy.next(saying('published'), () => {
      kill();
      return 'cut';
    });
    await restart();
    await answered(proxy, notHeard);

    await listedMore(stage, 1);
    watcher.resumeRule5();
    expectOnlyGaps(await finish(stage), () => false);
  },
  MOST_MS,
);

test(
  'a segmenter killed when it has announced, and when its answer is on the way',
  async () => {
    const stage = await beginRecorded();
    const { live, proxy, watcher } = stage;
    const { session } = (
      await proxy.next(
        ({ from, message }) => from === 'segmenter' && message.type === 'segment',
        () => 'deliver',
      )
    ).message;
    const name = live.names.find((one) =>
      proxy.record.some(({ message }) => message.session === session && message['rendition'] === one),
    )!;
    // It delivers nothing meanwhile, and when it is back it is waited for anew (DESIGN.md, "Lost").
    const kill = (): void => {
      watcher.pauseRule5();
      live.segmenters.get(name)!.kill('SIGKILL');
    };
    const ofIt =
      (type: string) =>
      ({ message }: Said): boolean =>
        message.type === type && message.session === session;
    const restart = async (): Promise<void> => {
      await live.segmenters.get(name)!.exited;
      await live.startSegmenter(name);
    };

    const announced = await proxy.next(ofIt('segment'), () => {
      kill();
      return 'deliver';
    });
    await restart();
    await answered(proxy, announced);

    const notHeard = await proxy.next(ofIt('published'), () => {
      kill();
      return 'cut';
    });
    await restart();
    await answered(proxy, notHeard);

    await listedMore(stage, 2);
    watcher.resumeRule5();
    await listedMore(stage, 2);
    // It was never another session, and used no index for two things.
    const hellos = proxy.record.filter(
      ({ message }) => message.type === 'hello' && message['rendition'] === name,
    );
    expect(new Set(hellos.map(({ message }) => message.session))).toEqual(new Set([session]));
    const crcs = new Map<string, Set<unknown>>();
    for (const { message } of proxy.record.filter(ofIt('segment'))) {
      crcs.set(idOf(message), (crcs.get(idOf(message)) ?? new Set()).add(message['crc32']));
    }
    expect([...crcs.values()].every(({ size }) => size === 1)).toBe(true);

    const report = await finish(stage);
    // What was open when it was killed, and what came until it was back.
    expectOnlyGaps(report, ({ rendition }) => rendition === name);
    expect(report.gaps.length).toBeGreaterThanOrEqual(2);
    expect(report.gaps.length).toBeLessThanOrEqual(4);
  },
  MOST_MS,
);

test(
  'a connection cut in the middle of a body: the bytes come again, whole, and nothing is lost',
  async () => {
    const stage = await beginRecorded({ remoteSpools: true });
    const { proxy } = stage;
    const half = await proxy.next(saying('body'), ({ message }) => ({
      cutBodyAfter: Math.floor(Number(message['bytes']) / 2),
    }));
    await answered(proxy, half);
    await listedMore(stage, 1);

    expect(half.bodyBytes).toBe(Math.floor(Number(half.message['bytes']) / 2));
    const again = proxy.record.filter(
      ({ message, connection }) =>
        message.type === 'body' && idOf(message) === idOf(half.message) && connection > half.connection,
    );
    expect(again.map(({ bodyBytes }) => bodyBytes)).toEqual([half.message['bytes']]);
    expectOnlyGaps(await finish(stage), () => false);
  },
  MOST_MS,
);
