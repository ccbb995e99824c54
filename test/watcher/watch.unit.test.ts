import { describe, expect, test } from '@jest/globals';
import {
  ended,
  expectNoViolations,
  expectOnlyDiscontinuities,
  expectOnlyGaps,
  watch,
  type Watcher,
} from './index.js';
import { recordedTransfer, VirtualClock, type Resource } from './fixtures/recording.js';
import {
  entryPoint,
  epochAt,
  gapAt,
  laterLife,
  publishMs,
  segmentCount,
  session,
  type Faults,
} from './fixtures/session.js';
import { afterEnd, rules, version, view } from './fixtures/viewing.js';

/** Later than the session by its own time. */
const stallMs = (i: number): number => publishMs(i) + (i > 7 ? 3_500 : 0);

describe('a session by the rules', () => {
  test('has no violation, and all of it was seen', async () => {
    const report = await view(session());
    expectNoViolations(report);
    expect(report.renditions.map(({ name }) => name)).toEqual(['low', 'mid', 'high']);
    for (const rendition of report.renditions) {
      expect(rendition.segments.map(({ number }) => number)).toEqual([...Array(segmentCount).keys()]);
      expect(rendition.versions).toHaveLength(segmentCount);
      const real = rendition.segments.filter(({ gap }) => !gap);
      expect(real.every(({ facts, fetch }) => facts?.video !== undefined && fetch?.status === 200)).toBe(
        true,
      );
      expect(rendition.segments.filter(({ probes }) => probes.length >= 2).length).toBeGreaterThan(0);
      expect(rendition.segments.at(-1)?.discontinuitySequence).toBe(1);
    }
    expectOnlyGaps(report, ({ rendition, number }) => rendition === 'low' && number === gapAt);
    expect(() => expectOnlyGaps(report, () => false)).toThrow(
      /gap that need not be, 1 times:\n {2}low 6, 2 s from 2026/,
    );
    expectOnlyDiscontinuities(report, ({ number }) => number === epochAt);
    expect(() => expectOnlyDiscontinuities(report, () => false)).toThrow(/3 times/);
  });

  test.each<[string, Faults]>([
    ['starts on recovery points', { plan: () => ({ pictureType: 'recovery' as const }) }],
    [
      'has no sound, and says so',
      { plan: () => ({ audio: false }), multivariant: (t) => t.replaceAll(',mp4a.40.2', '') },
    ],
    [
      'dates only the first entry of an epoch',
      { entry: (entry, i) => (i === 0 || i === epochAt ? {} : entry) },
    ],
    [
      'rewrites its comments at the end',
      { states: [afterEnd((text) => text.replace('# state', '# later'))] },
    ],
  ])('%s', async (_, faults) => {
    expectNoViolations(await view(session(faults)));
  });
});

describe('what a test declares', () => {
  test('a stall that is declared breaks no rule, one that goes on after it does', async () => {
    const declared = await view(session({ publishedAtMs: stallMs }), {
      script: async (watcher, at) => {
        await at(publishMs(7) + 1_000);
        watcher.pauseRule5();
        await at(stallMs(8) - 1_000);
        watcher.resumeRule5();
      },
    });
    expectNoViolations(declared);
    const tooEarly = await view(session({ publishedAtMs: (i) => publishMs(i) + (i > 7 ? 6_000 : 0) }), {
      script: async (watcher, at) => {
        await at(publishMs(7) + 1_000);
        watcher.pauseRule5();
        await at(publishMs(7) + 1_500);
        watcher.resumeRule5();
      },
    });
    expect(rules(tooEarly)).toEqual([5]);
  });

  const away: Faults = {
    publishedAtMs: stallMs,
    states: ['index.m3u8', 'low.m3u8', 'mid.m3u8', 'high.m3u8'].flatMap((path) => [
      { atMs: publishMs(7) + 500, resources: { [path]: { status: 0, body: '' } } },
      ...(path === 'index.m3u8'
        ? [{ atMs: stallMs(8) - 500, resources: { [path]: multivariant() } }]
        : [{ atMs: stallMs(8) - 500, resources: { [path]: version(7, path.replace('.m3u8', '')) } }]),
    ]),
  };

  test('a server that is away is excused when it is declared away, not otherwise', async () => {
    const script = async (watcher: Watcher, at: (ms: number) => Promise<void>): Promise<void> => {
      await at(publishMs(7) + 450);
      watcher.serverDown();
      await at(stallMs(8) - 400);
      watcher.serverUp();
    };
    expectNoViolations(await view(session(away), { script }));
    expect(rules(await view(session(away)))).toEqual([4, 5]);
  });

  test('a new life is one when it is announced, and a change after the end otherwise', async () => {
    const first = session();
    const both = [...first, ...laterLife(first, publishMs(segmentCount + 4))];
    const report = await view(both, { lives: 2, script: (watcher) => Promise.resolve(watcher.newLife()) });
    expectNoViolations(report);
    expect(report.renditions.map(({ endedAt }) => endedAt.length)).toEqual([2, 2, 2]);
    expect(report.renditions[0]?.segments.at(-1)).toMatchObject({ life: 1, number: 2 * segmentCount - 1 });
    expect(rules(await view(both, { lives: 2 }))).toContain(18);
  });

  test('a rendition on another clock may be cut and counted otherwise', async () => {
    const other: Faults = {
      seconds: (i, r) => (r === 'high' && i === 8 ? 1.5 : 2),
      firstNumber: (r) => (r === 'high' ? 7 : 0),
      plan: (plan, _, r) => (r === 'high' ? { pts: (plan.pts + 777_777) % 2 ** 33 } : {}),
    };
    expectNoViolations(await view(session(other), { renditionsSharingClock: ['low', 'mid'] }));
    expect(rules(await view(session(other)))).toEqual([20]);
    const alone: Faults = { entry: (_, i, r) => (r === 'high' && i === 9 ? { discontinuity: true } : {}) };
    expect(rules(await view(session(alone), { renditionsSharingClock: ['low', 'mid'] }))).toEqual([20]);
  });

  test('until says what it waited for and what it saw', async () => {
    const clock = new VirtualClock();
    const watcher = watch({ url: entryPoint, transfer: recordedTransfer([], clock), clock });
    const waiting = watcher.until(() => false, { what: 'the channel', timeoutMs: 500 });
    await expect(clock.run(waiting)).rejects.toThrow(/500 ms in vain for the channel \(nothing seen\)/);
    expect((await clock.run(watcher.stop())).violations).toEqual([]);
  });

  test('a media playlist alone is a rendition', async () => {
    const clock = new VirtualClock();
    const url = entryPoint.replace('index', 'mid');
    const watcher = watch({ url, transfer: recordedTransfer(session(), clock), clock });
    const seen = watcher.until(({ renditions }) => renditions.some(ended), { what: 'the end' });
    const report = await clock.run(seen.then(() => watcher.stop()));
    expectNoViolations(report);
    expect(report.renditions.map(({ name, segments }) => [name, segments.length])).toEqual([
      ['mid', segmentCount],
    ]);
  });
});

function multivariant(): Resource {
  const state = session().find(({ resources }) => 'index.m3u8' in resources);
  return { status: 200, body: String(state?.resources['index.m3u8']?.body) };
}

test('violations are listed for people', async () => {
  const report = await view(session({ publishedAtMs: stallMs }));
  expect(() => expectNoViolations(report)).toThrow(
    /3 violations of HLS-RULES:\n {2}20.*rule 5, low: no new segment/,
  );
});
