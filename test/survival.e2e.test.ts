/** What the stream survives: real processes killed while a viewer that forgives nothing watches. */
import { expect, test } from '@jest/globals';
import { makeBucket } from './helpers/bucket.js';
import { useCeph } from './helpers/ceph.js';
import { cleanUps } from './helpers/clean-ups.js';
import { faultProxy, type FaultProxy } from './helpers/fault-proxy.js';
import { s3Store, type LiveOptions } from './helpers/live.js';
import { until } from './helpers/processes.js';
import { expectNoStackTrace } from './helpers/speech.js';
import { begin, type Stage } from './helpers/stage.js';
import { faultless } from './helpers/verdict.js';
import { ended, expectOnlyGaps, type ObservedSegment, type Report, type Watcher } from './watcher/index.js';

const TARGET_SECONDS = 4;
/** Seconds that a published stream is watched before and after what happens to it. */
const CALM_SECONDS = 2 * TARGET_SECONDS;
const MOST_MS = 120_000;

async function beginCalmly(options: LiveOptions = {}): Promise<Stage> {
  const stage = await begin({ target: TARGET_SECONDS, ...options });
  await grown(stage.watcher, CALM_SECONDS);
  return stage;
}

/** Every rendition has listed that many more seconds of media (gaps not counted). */
async function grown(watcher: Watcher, seconds: number): Promise<void> {
  const listed = (report: Pick<Report, 'renditions'>): Map<string, number> =>
    new Map(
      report.renditions.map(({ name, segments }) => [
        name,
        segments.filter(({ gap }) => !gap).reduce((sum, { durationSeconds }) => sum + durationSeconds, 0),
      ]),
    );
  const before = listed(watcher.report());
  await watcher.until(
    (history) =>
      history.renditions.length > 0 &&
      [...listed(history)].every(([name, sum]) => sum >= (before.get(name) ?? 0) + seconds),
    { what: `${seconds} s more in every rendition`, timeoutMs: 60_000 },
  );
}

const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Nothing that was sent is missing, whatever happened to the uploader. */
async function goesOnWhole(watcher: Watcher, seconds = CALM_SECONDS): Promise<void> {
  await grown(watcher, seconds);
  const report = await faultless(watcher);
  expectOnlyGaps(report, () => false);
  expect(report.discontinuities).toEqual([]);
}

test(
  'one segmenter killed and back 8 s later on the same clock: gaps for what it lost, nothing else',
  async () => {
    const { live, watcher } = await beginCalmly();
    await live.killSegmenter('mid');
    const from = Date.now();
    await pause(8);
    await live.startSegmenter('mid');
    const to = Date.now();
    await grown(watcher, CALM_SECONDS);
    const report = await faultless(watcher);
    expectOnlyGaps(report, (gap) => {
      const end = gap.dateMs! + gap.durationSeconds * 1000;
      return gap.rendition === 'mid' && end > from - 2000 && gap.dateMs! < to + TARGET_SECONDS * 1000;
    });
    expect(report.gaps.length).toBeGreaterThan(0);
    expect(report.discontinuities).toEqual([]);
  },
  MOST_MS,
);

test(
  'the uploader killed and started again: nothing is missing',
  async () => {
    const { live, watcher } = await beginCalmly();
    await live.killUploader();
    await live.startUploader();
    await goesOnWhole(watcher);
  },
  MOST_MS,
);

test(
  'the uploader started again with an empty journal folder: nothing is missing',
  async () => {
    const { live, watcher } = await beginCalmly();
    await live.killUploader();
    await live.startUploader('another-journal');
    await goesOnWhole(watcher);
  },
  MOST_MS,
);

test(
  'a segmenter and the uploader killed together: gaps in that rendition alone',
  async () => {
    const { live, watcher } = await beginCalmly();
    await Promise.all([live.killSegmenter('high'), live.killUploader()]);
    await live.startUploader();
    await live.startSegmenter('high');
    await grown(watcher, CALM_SECONDS);
    const report = await faultless(watcher);
    expectOnlyGaps(report, ({ rendition }) => rendition === 'high');
    expect(report.gaps.length).toBeLessThanOrEqual(3);
    expect(report.discontinuities).toEqual([]);
  },
  MOST_MS,
);

test(
  'the encoder that feeds all killed and started again by a supervisor: one discontinuity in all renditions',
  async () => {
    const { live, watcher } = await beginCalmly();
    watcher.pauseRule5();
    await live.killEncoder();
    await Promise.all([...live.segmenters.values()].map(({ exited }) => exited));
    for (const name of live.names) await live.startSegmenter(name);
    live.startEncoder();
    await grown(watcher, 2 * TARGET_SECONDS);
    watcher.resumeRule5();
    await grown(watcher, CALM_SECONDS);
    const report = await faultless(watcher);
    expectOnlyGaps(report, () => false);
    expect(report.discontinuities.map(({ rendition }) => rendition).sort()).toEqual([...live.names].sort());
    expect(new Set(report.discontinuities.map(({ number }) => number)).size).toBe(1);
    expect(report.renditions.some(ended)).toBe(false);
  },
  MOST_MS,
);

/** A bucket that viewers read at the gateway itself, and the uploader through a proxy that can fail it. */
async function behindProxy(
  bucket: string,
): Promise<{ proxy: FaultProxy; store: NonNullable<LiveOptions['store']> }> {
  const ceph = await useCeph();
  cleanUps.push(() => ceph.stop());
  await makeBucket(ceph, bucket, { publicRead: true });
  const proxy = await faultProxy(ceph.endpoint);
  cleanUps.push(() => proxy.close());
  return { proxy, store: s3Store(ceph, bucket, proxy.endpoint) };
}

const isSegmentPut = (method: string, path: string): boolean => method === 'PUT' && path.includes('.ts');

test(
  "the uploader killed between a segment's PUT and the playlist's: nothing is missing",
  async () => {
    const { proxy, store } = await behindProxy('survival');
    const { live, watcher } = await beginCalmly({ store });
    let stored = false;
    let killed: Promise<void> | undefined;
    proxy.swallow = (method, path) => {
      if (method !== 'PUT') return false;
      if (isSegmentPut(method, path)) stored = true;
      else if (stored && path.includes('.m3u8')) killed ??= live.killUploader();
      return killed !== undefined;
    };
    await until(() => killed !== undefined, {
      timeoutMs: 30_000,
      what: "a playlist's PUT follows a segment's",
    });
    await killed;
    proxy.swallow = () => false;
    await live.startUploader();
    await goesOnWhole(watcher);
  },
  MOST_MS,
);

test(
  'the uploader told to stop while segments are uploaded: it publishes them first, and the next one goes on',
  async () => {
    const { proxy, store } = await behindProxy('stopping');
    const { live, watcher } = await begin({ target: TARGET_SECONDS, store });
    const held = new Set<string>();
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    proxy.hold = async (method, path) => {
      if (!isSegmentPut(method, path)) return;
      held.add(new URL(path, store.publicBase).pathname);
      await released;
    };
    await until(() => held.size === live.names.length, {
      timeoutMs: 30_000,
      what: 'an upload of every rendition',
    });
    const uploader = live.uploader!;
    uploader.kill('SIGTERM');
    await uploader.waitForLine(/"message":"stopping/);
    const listed = async (): Promise<string[]> =>
      Promise.all(live.names.map(async (name) => (await fetch(new URL(`${name}.m3u8`, live.url))).text()));
    const file = (path: string): string => path.split('/').at(-1)!;
    const before = (await listed()).join();
    for (const path of held) expect(before).not.toContain(file(path));
    expect(uploader.running).toBe(true);

    release();
    expect(await uploader.exited).toEqual({ code: 0, signal: null });
    expectNoStackTrace(uploader);
    const after = (await listed()).join();
    expect([...held].filter((path) => !after.includes(file(path)))).toEqual([]);

    await live.startUploader();
    await goesOnWhole(watcher, 2 * TARGET_SECONDS);
  },
  MOST_MS,
);

test(
  'the store away for more than two windows: live at its edge within two target durations, dvr and event with all of it later',
  async () => {
    const { proxy, store } = await behindProxy('outage');
    const target = 2;
    const windowSeconds = 6 * target;
    const uploaderArguments = ['--event', '1h', '--dvr', '10m'];
    const { live, watcher } = await begin({ store, target, uploaderArguments });
    await grown(watcher, 2 * target);
    watcher.pauseRule5();
    proxy.refuse = () => true;
    await pause(2.5 * windowSeconds);
    proxy.refuse = () => false;
    const backMs = Date.now();
    const atTheEdge = (segment: ObservedSegment): boolean =>
      !segment.gap && segment.dateMs! + segment.durationSeconds * 1000 > backMs - target * 1000;
    await watcher.until(({ renditions }) => renditions.every(({ segments }) => segments.some(atTheEdge)), {
      what: 'the live edge in every rendition',
      timeoutMs: 30_000,
    });
    watcher.resumeRule5();
    await grown(watcher, 2 * target);
    const report = await faultless(watcher);
    expectOnlyGaps(report, () => false);
    expect(report.discontinuities).toEqual([]);

    // What the live playlists have skipped the others have, and nothing else is missing there.
    for (const name of live.names)
      for (const view of ['dvr', 'event']) {
        const newest = report.renditions.find((one) => one.name === name)!.segments.at(-1)!;
        const read = async (): Promise<string> =>
          (await fetch(new URL(`${name}-${view}.m3u8`, live.url))).text();
        const has = async (): Promise<boolean> => (await read()).includes(newest.uri);
        await until(has, { what: `${name}-${view} to catch up` });
        const text = await read();
        expect(text).not.toContain('EXT-X-GAP');
        expect(text).toContain('\n#EXT-X-MEDIA-SEQUENCE:0\n');
        expect(text.split('#EXTINF').length - 1).toBeGreaterThan(newest.number);
      }

    const told = live.uploader!.lines.filter(({ text }) => text.includes('dvr and event catch up'));
    expect(told.length).toBeGreaterThanOrEqual(live.names.length);
    const answer = await fetch(`http://127.0.0.1:${live.httpPort}/api/channels`);
    const { channels } = (await answer.json()) as {
      channels: { renditions: { name: string; counts: { dropped: { backlog?: number } } }[] }[];
    };
    for (const { name, segments } of report.renditions) {
      expect(segments.find(atTheEdge)!.listedAt - backMs).toBeLessThan(2 * target * 1000);
      // One hole, and each number in it is a segment that was dropped and counted.
      const holes = segments.flatMap(({ number }, i) => {
        const missing = i > 0 ? number - segments[i - 1]!.number - 1 : 0;
        return missing > 0 ? [missing] : [];
      });
      const counts = channels[0]!.renditions.find((one) => one.name === name)!.counts;
      expect(holes).toEqual([counts.dropped.backlog]);
    }
  },
  2 * MOST_MS,
);
