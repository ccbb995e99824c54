import process from 'node:process';
import { parseArgs } from 'node:util';
import { systemClock } from '@hls-uplink/runtime';
import { Cutting } from '../packages/segmenter/dist/cutting.js';
import { examine, LIST, readCorpus, readList } from './lib/corpus.js';

const HELP = `scripts/corpus-report [options] DIR

Segments each transport stream in DIR (or DIR/files) with a target of 2 s, and prints a row per file: segments and the
PTS of their first pictures, discontinuities, bytes skipped, other counters that are not zero, codecs, key pictures
found of those that the facts have. Where DIR/facts.jsonl is there, each row is held against it: "differs" says what is
not as the facts say, and whether ${LIST.split('/').slice(-2).join('/')} explains it.

  --json           one JSON object per file, with everything
  --help

Exit code 1 when a file crashes or hangs the segmenter, or is refused without being on the list.`;

const PTS_SHOWN = 3;
const NOT_SHOWN = ['bytes', 'packets', 'skippedBytes', 'segments'];

const shortened = (values) =>
  values.length <= 2 * PTS_SHOWN
    ? values.join(' ')
    : [...values.slice(0, PTS_SHOWN), '…', ...values.slice(-PTS_SHOWN)].join(' ');

function row(result, facts) {
  const { name, segments, tracks, refused, counters, differs, unexplained, faults, compared } = result;
  const lines = [];
  const counted = Object.entries(counters ?? {}).filter(
    ([key, value]) => value > 0 && !NOT_SHOWN.includes(key),
  );
  if (refused) lines.push(`refused: ${refused.code}: ${refused.message}`);
  if (segments.length > 0) {
    const seconds = segments.reduce((all, segment) => all + segment.seconds, 0);
    const jumps = segments.slice(1).filter(({ discontinuity }) => discontinuity);
    const keys = new Set(segments.flatMap((segment) => segment.keys)).size;
    const known = Object.values(facts?.es ?? {}).find((es) => es.keys)?.keys.length;
    lines.push(
      `${segments.length} segments, ${seconds.toFixed(3)} s · cuts ${shortened(segments.map((s) => s.startPts))}`,
      `${jumps.length} discontinuities${jumps.length > 0 ? ` (${jumps.map((s) => s.discontinuity).join(', ')})` : ''} · ` +
        `${keys} key pictures${known === undefined ? '' : ` of ${known}`} · ` +
        (tracks ?? []).map(({ kind, codec }) => codec ?? kind).join(', '),
    );
  }
  lines.push(
    `${counters?.skippedBytes ?? 0} bytes skipped${counted.map(([key, value]) => ` · ${key} ${value}`).join('')}`,
  );
  for (const [what, how] of Object.entries(differs))
    lines.push(`differs: ${what}: ${how}${unexplained.includes(what) ? '' : ' (explained)'}`);
  if (!compared) lines.push('no facts');
  for (const fault of faults) lines.push(`FAULT: ${fault}`);
  return `${name}\n${lines.map((line) => `    ${line}\n`).join('')}`;
}

let options;
try {
  options = parseArgs({
    options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  if (!options.values.help && options.positionals.length !== 1) throw new TypeError('one folder is wanted');
} catch (error) {
  console.error(`corpus-report: ${error.message}; see --help`);
  process.exit(2);
}
if (options.values.help) {
  console.log(HELP);
  process.exit(0);
}

let corpus;
try {
  corpus = readCorpus(options.positionals[0]);
} catch (error) {
  console.error(`corpus-report: cannot read ${options.positionals[0]}: ${error.message}`);
  process.exit(2);
}
if (corpus.length === 0) {
  console.error(`corpus-report: no transport streams in ${options.positionals[0]}`);
  process.exit(2);
}

const list = readList();
let current;
// What never settles leaves nothing to wait for.
process.on('beforeExit', () => {
  console.error(`${current}\n    FAULT: hangs`);
  process.exit(1);
});
let faulty = 0;
let differing = 0;
for (const file of corpus) {
  current = file.name;
  const result = await examine(file, { Cutting, clock: systemClock }, list);
  if (result.faults.length > 0) faulty++;
  if (result.unexplained.length > 0) differing++;
  process.stdout.write(options.values.json ? `${JSON.stringify(result)}\n` : row(result, file.facts));
}
if (!options.values.json)
  console.log(
    `${corpus.length} files, ${differing} with differences that nothing explains, ${faulty} with faults`,
  );
process.exit(faulty > 0 ? 1 : 0);
