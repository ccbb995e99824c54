/** Encoders on another machine, behind a link that was away for long: what is too old never crosses it. */
import { expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { judgeAnswers } from './helpers/answers.js';
import { cleanUps } from './helpers/clean-ups.js';
import type { Rendition } from './helpers/encoder.js';
import { idOf, recordingProxy, type Message } from './helpers/recording-proxy.js';
import { slowLink } from './helpers/slow-link.js';
import { begin, listedMore } from './helpers/stage.js';
import { faultless } from './helpers/verdict.js';
import { expectOnlyGaps, type ObservedSegment } from './watcher/index.js';

/** One: of several whoever comes back first goes on, and after the deadline gaps stand for the others. */
const RENDITIONS: readonly Rendition[] = [
  { name: 'main', picture: { width: 384, height: 216, kilobits: 300 } },
];
const TARGET_SECONDS = 1;
const WINDOW = 6;
const OUTAGE_SECONDS = 3 * WINDOW * TARGET_SECONDS + 1;
/** Of the streams' own rate. */
const LINK_RATE = 2;
const MOST_MS = 90_000;

test(
  'a link away for three windows comes back at twice the rate: live edge, and what is dropped is never asked for',
  async () => {
    const uploader = { port: 0 };
    const proxy = await recordingProxy(() => uploader.port);
    cleanUps.push(() => proxy.close());
    const link = await slowLink(() => proxy.port);
    cleanUps.push(() => link.close());
    const stage = await begin(
      {
        renditions: RENDITIONS,
        target: TARGET_SECONDS,
        gop: TARGET_SECONDS,
        remoteSpools: true,
        announceTo: () => link.port,
      },
      (live) => {
        uploader.port = live.port;
        return Promise.resolve();
      },
    );
    await listedMore(stage, 3);
    const { live, watcher } = stage;
    const said = (type: string, from = 0): Message[] =>
      proxy.record.slice(from).flatMap(({ message }) => (message.type === type ? [message] : []));
    const segments = said('segment').filter(
      (one, i, all) => all.findIndex((two) => idOf(two) === idOf(one)) === i,
    );
    const bytes = segments.reduce((sum, one) => sum + Number(one['bytes']), 0);
    const rate = (bytes / segments.length) * (RENDITIONS.length / TARGET_SECONDS);

    watcher.pauseRule5();
    link.cut();
    await delay(1000 * OUTAGE_SECONDS);
    const before = { record: proxy.record.length, bytes: link.bytes };
    link.bytesPerSecond = LINK_RATE * rate;
    link.mend();
    const welcomes = (): number => said('welcome', before.record).length;
    await watcher.until(() => welcomes() === RENDITIONS.length, {
      what: 'it to be back',
      timeoutMs: 20_000,
    });
    const backMs = Date.now();
    const atTheEdge = (segment: ObservedSegment): boolean =>
      !segment.gap && segment.dateMs! + segment.durationSeconds * 1000 > backMs - TARGET_SECONDS * 1000;
    await watcher.until(({ renditions }) => renditions.every((one) => one.segments.some(atTheEdge)), {
      what: 'the live edge in every rendition',
      timeoutMs: 30_000,
    });
    const crossed = link.bytes - before.bytes;
    await listedMore(stage, 2);
    const report = await faultless(watcher);
    expectOnlyGaps(report, () => false);
    expect(report.discontinuities).toEqual([]);

    // Two target durations, and what the window takes over the link.
    const mostMs = 1000 * TARGET_SECONDS * (2 + WINDOW / LINK_RATE);
    const after = proxy.record.slice(before.record);
    const dropped = new Set(said('dropped', before.record).map(idOf));
    for (const { name, segments: listed } of report.renditions) {
      expect(listed.find(atTheEdge)!.listedAt - backMs).toBeLessThan(mostMs);
      const holes = listed.flatMap(({ number }, i) => {
        const skipped = i > 0 ? number - listed[i - 1]!.number - 1 : 0;
        return skipped > 0 ? [skipped] : [];
      });
      expect(holes).toHaveLength(1);
      // Each number that viewers never saw is a segment that was dropped, told and counted.
      const { session } = said('hello').find((one) => one['rendition'] === name)!;
      const ofIt = said('dropped', before.record).filter((one) => one.session === session);
      expect(ofIt.map(({ code }) => code)).toEqual(Array(holes[0]).fill('backlog'));
      expect(await backlogOf(live.httpPort, name)).toBe(holes[0]);
    }
    expect(
      live.uploader!.lines.filter(({ text }) => text.includes('all but the last is dropped')),
    ).toHaveLength(RENDITIONS.length);
    const bodies = after.filter(({ message }) => message.type === 'send' || message.type === 'body');
    expect(bodies.filter(({ message }) => dropped.has(idOf(message)))).toEqual([]);
    // The windows, what was cut meanwhile, and the announcements of all.
    const seconds = WINDOW + 1 + mostMs / 1000;
    expect(crossed).toBeLessThan(seconds * rate + 4000 * after.length);
    expect(judgeAnswers(proxy.record).filter((fault) => !fault.endsWith('was never answered'))).toEqual([]);
  },
  MOST_MS,
);

async function backlogOf(port: number, rendition: string): Promise<number | undefined> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/channels`);
  const { channels } = (await answer.json()) as {
    channels: { renditions: { name: string; counts: { dropped: { backlog?: number } } }[] }[];
  };
  return channels[0]!.renditions.find(({ name }) => name === rendition)?.counts.dropped.backlog;
}
