/** One encoder feeds two segmenters of a rendition: whichever is killed, viewers see nothing of it. */
import { readdir } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import type { Live } from './helpers/live.js';
import { LADDER } from './helpers/encoder.js';
import { until } from './helpers/processes.js';
import { expectNoStackTrace } from './helpers/speech.js';
import { begin, listedMore } from './helpers/stage.js';
import { faultless } from './helpers/verdict.js';
import { ended, expectOnlyGaps } from './watcher/index.js';

interface Status {
  sources: {
    rendition: string;
    source: string;
    connected: boolean;
    active: boolean;
    sameEncode?: boolean;
    published: number;
    settled: number;
  }[];
  renditions: { name: string; counts: { switches: number; gaps: number } }[];
}

async function statusOf(live: Live): Promise<Status> {
  const response = await fetch(`http://127.0.0.1:${live.httpPort}/api/channels`);
  return ((await response.json()) as { channels: Status[] }).channels[0]!;
}

/** This one is active; the other is known to be the same encode, and has had two more segments answered: one of them is whole. */
async function standsBy(live: Live, active: string, spare: string): Promise<void> {
  const find = async (name: string): Promise<Status['sources'][number] | undefined> =>
    (await statusOf(live)).sources.find(({ rendition, source }) => rendition === 'low' && source === name);
  const before = (await find(spare))?.settled ?? -1;
  const both = async (): Promise<boolean> => {
    const other = await find(spare);
    const isReady = other?.connected === true && other.sameEncode === true && other.settled >= before + 2;
    return isReady && (await find(active))?.active === true;
  };
  await until(both, { what: `${spare} stands by for ${active}`, timeoutMs: 20_000 });
}

test('two segmenters of one encode: the active one is killed, comes back, and the other is killed', async () => {
  const stage = await begin({
    renditions: LADDER.slice(0, 2),
    target: 2,
    gop: 1,
    sources: { low: ['a', 'b'] },
    endOnEof: true,
  });
  const { live, watcher } = stage;
  const first = (await statusOf(live)).sources.find(
    ({ active, rendition }) => active && rendition === 'low',
  )!;
  const [a, b] = first.source === 'a' ? ['a', 'b'] : ['b', 'a'];
  await standsBy(live, a, b);
  await live.killSegmenter(`low~${a}`);
  await listedMore(stage, 3);
  await live.startSegmenter('low', a);
  await standsBy(live, b, a);
  await live.killSegmenter(`low~${b}`);
  await listedMore(stage, 3);
  const { sources, renditions } = await statusOf(live);
  expect(renditions.find(({ name }) => name === 'low')!.counts).toMatchObject({ switches: 2, gaps: 0 });
  for (const { published } of sources) expect(published).toBeGreaterThan(0);

  // What the killed one was not answered yet is answered when it is back.
  await live.startSegmenter('low', b);
  await standsBy(live, a, b);
  await live.endInput();
  await watcher.until(({ renditions: seen }) => seen.length === 2 && seen.every(ended), {
    what: 'ENDLIST in both playlists',
    timeoutMs: 30_000,
  });
  const report = await faultless(watcher);
  expectOnlyGaps(report, () => false);
  expect(report.discontinuities).toEqual([]);
  const spooled = await readdir(`${live.folder}/spool`, { recursive: true });
  expect(spooled.filter((name) => name.endsWith('.ts'))).toEqual([]);
  expectNoStackTrace(live.uploader!, ...live.segmenters.values());
}, 120_000);
