import { join } from 'node:path';
import { measuredRun } from './measured-run.js';
import { median, megabytes, seconds } from './table.js';

/** Time is to grow as the input does, memory not at all; the figures' own scatter is allowed for. */
const MOST_TIME = 4.4;
const MOST_MEMORY = 1.1;

/** A stream against one four times as large. */
export async function growth({ inputs, sizes, folder, rounds, subject }) {
  const runs = [[], []];
  for (let round = 0; round < rounds; round++)
    for (const [n, input] of inputs.entries())
      runs[n].push(await measuredRun(subject, input, join(folder, 'one')));
  const row = (what, key, text, most) => {
    const [small, large] = runs.map((all) => median(all.map((run) => run[key])));
    return {
      what: `${sizes[1]} against ${sizes[0]}: ${what}`,
      ours: `${text(large)} against ${text(small)}`,
      ratio: (large / small).toFixed(2),
      target: `≤ ${most}`,
      met: large / small <= most,
    };
  };
  return [row('CPU', 'cpu', seconds, MOST_TIME), row('peak RSS', 'rss', megabytes, MOST_MEMORY)];
}
