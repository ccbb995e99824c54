import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { allocations } from './lib/allocations.js';
import { bare, ffmpeg, segmenter } from './lib/commands.js';
import { growth } from './lib/growth.js';
import { liveRate, proportionalMemory } from './lib/live.js';
import { HIGH, LOW, makeMaterial, parseSize, sizeText } from './lib/material.js';
import { Peer } from './lib/peer-process.js';
import { throughput } from './lib/throughput.js';
import { header, row } from './lib/table.js';

const PARTS = ['cpu', 'low', 'disk', 'live', 'pss', 'allocations', 'growth'];

const HELP = `scripts/bench/segmenter [options]

hls-segmenter, connected to a peer that answers, with its log on, against "ffmpeg -c copy -f hls", both fed with the
same bytes by the same kind of pipe, in turns. CPU is user and system time of the process and all its threads; the
peer and the feeder are processes of their own. Figures are medians (least to most).

  --only PARTS     some of ${PARTS.join(', ')}, with commas
  --size SIZE      of the stream of 5 Mbit/s (default 1G); of the one of 0.8 Mbit/s it is a fifth
  --rounds N       of each part (default 5)
  --seconds N      each window at live rate (default 10)
  --settle N       seconds at live rate before the first window (default 120)
  --processes N    at once, for memory (default 20)
  --dir DIR        material and output in memory (default /dev/shm)
  --disk DIR       the same on a disk (default ${tmpdir()})
  --strict         exit code 1 when a target is missed

cpu: 5 Mbit/s to memory. low: 0.8 Mbit/s. disk: 5 Mbit/s to a disk. Each also of bare Node.js, which reads, sums and
writes and looks at nothing: no segmenter in Node.js takes less. live: 5 Mbit/s in bursts of 10 ms, both at the
same time, the start left out: what runs for days is compiled within two minutes. pss:
proportional memory of many processes. allocations: what the heap takes per packet. growth: the stream against one
four times as large.`;

function options() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: PARTS.join(',') },
      size: { type: 'string', default: '1G' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '10' },
      settle: { type: 'string', default: '120' },
      processes: { type: 'string', default: '20' },
      dir: { type: 'string', default: '/dev/shm' },
      disk: { type: 'string', default: tmpdir() },
      strict: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const only = values.only.split(',');
  const unknown = only.find((part) => !PARTS.includes(part));
  if (unknown !== undefined) throw new RangeError(`--only ${unknown}: the parts are ${PARTS.join(', ')}`);
  const count = (name) => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < 1)
      throw new RangeError(`--${name} ${values[name]}: a number from 1 on`);
    return number;
  };
  return {
    ...values,
    only,
    bytes: parseSize(values.size),
    rounds: count('rounds'),
    seconds: count('seconds'),
    settle: count('settle'),
    processes: count('processes'),
  };
}

async function bench({ only, bytes, rounds, seconds, settle, processes, dir, disk }) {
  const root = mkdtempSync(join(dir, 'hls-bench-'));
  const diskRoot = mkdtempSync(join(disk, 'hls-bench-'));
  const peer = await Peer.start();
  let isOver = false;
  const cleanUp = () => {
    if (isOver) return;
    isOver = true;
    peer.stop();
    for (const folder of [root, diskRoot]) rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      cleanUp();
      process.exit(1);
    });
  }
  const missed = [];
  let met = 0;
  const tell = (rows) => {
    for (const one of rows) {
      console.log(row(one));
      if (one.met === false) missed.push(`${one.what}: ${one.ratio ?? one.ours}, target ${one.target}`);
      if (one.met === true) met++;
    }
  };
  const subjects = { ours: segmenter(peer.address), theirs: ffmpeg() };
  const atHigh = { ...subjects, bare: bare(5e6) };
  try {
    console.error('making the material …');
    const wantsHigh = only.some((part) => part !== 'low');
    const high = wantsHigh ? await makeMaterial(join(root, 'high.ts'), HIGH, bytes) : undefined;
    const work = (base) => {
      const folder = join(base, 'work');
      mkdirSync(folder, { recursive: true });
      return folder;
    };
    console.log(header());
    if (only.includes('cpu')) {
      const targets = { cpu: 0.5, wall: 0.55, rss: 1 };
      const title = `${sizeText(bytes)} at 5 Mbit/s to memory`;
      tell(await throughput({ title, input: high, folder: work(root), rounds, subjects: atHigh, targets }));
    }
    if (only.includes('low')) {
      const low = await makeMaterial(join(root, 'low.ts'), LOW, bytes / 5);
      const targets = { cpu: 0.45, wall: 0.55, rss: 1 };
      const title = `${sizeText(bytes / 5)} at 0.8 Mbit/s to memory`;
      const atLow = { ...subjects, bare: bare(0.8e6) };
      tell(await throughput({ title, input: low, folder: work(root), rounds, subjects: atLow, targets }));
      rmSync(low);
    }
    if (only.includes('disk')) {
      const title = `${sizeText(bytes)} at 5 Mbit/s to a disk`;
      tell(
        await throughput({
          title,
          input: high,
          folder: work(diskRoot),
          rounds,
          subjects: atHigh,
          targets: {},
        }),
      );
    }
    if (only.includes('live')) {
      tell(
        await liveRate({
          input: high,
          folder: work(root),
          settle,
          windows: rounds,
          seconds,
          subjects,
          target: 0.8,
        }),
      );
    }
    if (only.includes('pss')) {
      tell(await proportionalMemory({ input: high, folder: work(root), processes, subjects, target: 0.75 }));
    }
    if (only.includes('allocations')) {
      tell(await allocations({ input: high, bytes, folder: work(root), subject: subjects.ours }));
    }
    if (only.includes('growth')) {
      const large = await makeMaterial(join(root, 'large.ts'), HIGH, bytes * 4);
      const sizes = [sizeText(bytes), sizeText(bytes * 4)];
      tell(
        await growth({ inputs: [high, large], sizes, folder: work(root), rounds, subject: subjects.ours }),
      );
    }
  } finally {
    cleanUp();
  }
  return { met, missed };
}

try {
  const settings = options();
  if (settings.help) console.log(HELP);
  else {
    const { met, missed } = await bench(settings);
    const targets = met + missed.length;
    if (targets > 0) console.log(`\n${met} of ${targets} targets met${missed.length > 0 ? '. MISSED:' : ''}`);
    for (const one of missed) console.log(`  ${one}`);
    process.exitCode = settings.strict && missed.length > 0 ? 1 : 0;
  }
} catch (error) {
  const isUsage = error instanceof RangeError || error.code?.startsWith('ERR_PARSE_ARGS');
  console.error(`bench: ${error.message}`);
  process.exitCode = isUsage ? 2 : 1;
}
