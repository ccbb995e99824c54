import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import type { Survey } from '../packages/uploader/src/channel/testing/short/survey.js';

const RUNS = Number(process.env['SHORT_RUNS'] ?? 100_000);
/** Of the first sequence; `SHORT_SEED=n SHORT_RUNS=1` repeats one alone. */
const SEED = Number(process.env['SHORT_SEED'] ?? process.env['FC_SEED'] ?? 1);

/** In a thread of their own, as the build made them: within jest each takes three times as long. */
const THREAD = new URL('../packages/uploader/dist/channel/testing/short/survey.js', import.meta.url);

function run(from: number, count: number): Promise<Survey> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(THREAD, { workerData: { from, count } });
    thread.once('message', resolve);
    thread.once('error', reject);
  });
}

test('property: in short sequences of every kind no rule is broken, and what could be published is published', async () => {
  const { lengths, occurred, faults, explanation = '' } = await run(SEED, RUNS);
  const median = lengths.sort((a, b) => a - b)[lengths.length >> 1]!;
  console.log(`${lengths.length} sequences of ${median} events (median); occurred in:`, occurred);
  if (faults.length > 0)
    throw new Error(
      [
        `${faults.length} of ${lengths.length} break a rule`,
        ...faults.slice(0, 40).map(({ seed, fault }) => `seed ${seed}: ${fault}`),
        explanation,
      ].join('\n'),
    );
  if (RUNS < 1000) return;
  expect(median).toBeGreaterThanOrEqual(50);
  const wanted = [
    'wraps',
    'discontinuities',
    'gaps',
    'switches',
    'takeOvers',
    'storeFailures',
    'renditions',
    'recordings',
  ];
  for (const what of wanted) expect([what, occurred[what]! >= RUNS / 20]).toEqual([what, true]);
}, 1_500_000);
