import { join } from 'node:path';
import { measuredRun } from './measured-run.js';
import { compare, megabytes, seconds } from './table.js';

/** Both subjects in turns over the same file, as fast as they can; the first turn of each is not counted. */
export async function throughput({ title, input, folder, rounds, subjects, targets }) {
  const runs = { ours: [], theirs: [] };
  for (let round = -1; round < rounds; round++) {
    for (const who of ['ours', 'theirs']) {
      const run = await measuredRun(subjects[who], input, join(folder, who));
      if (round >= 0) runs[who].push(run);
    }
  }
  const row = (what, key, text) =>
    compare({
      what: `${title}: ${what}`,
      ours: runs.ours.map((run) => run[key]),
      theirs: runs.theirs.map((run) => run[key]),
      target: targets[key],
      text,
    });
  return [row('CPU', 'cpu', seconds), row('wall', 'wall', seconds), row('peak RSS', 'rss', megabytes)];
}
