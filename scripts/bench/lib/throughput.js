import { join } from 'node:path';
import { measuredRun } from './measured-run.js';
import { compare, megabytes, seconds } from './table.js';

/**
 * Both subjects, and bare Node.js, in turns over the same file, as fast as they can; the first turn of each is not
 * counted.
 */
export async function throughput({ title, input, folder, rounds, subjects, targets }) {
  const runs = { ours: [], theirs: [], bare: [] };
  for (let round = -1; round < rounds; round++) {
    for (const who of Object.keys(runs)) {
      const run = await measuredRun(subjects[who], input, join(folder, who));
      if (round >= 0) runs[who].push(run);
    }
  }
  const row = (what, key, text, who = 'ours') =>
    compare({
      what: `${title}: ${what}`,
      ours: runs[who].map((run) => run[key]),
      theirs: runs.theirs.map((run) => run[key]),
      target: who === 'ours' ? targets[key] : undefined,
      text,
    });
  return [
    row('CPU', 'cpu', seconds),
    row('wall', 'wall', seconds),
    row('peak RSS', 'rss', megabytes),
    row('CPU of bare Node.js', 'cpu', seconds, 'bare'),
    row('wall of bare Node.js', 'wall', seconds, 'bare'),
  ];
}
