import { copyFileSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { measuredRun } from './measured-run.js';
import { sizeText } from './material.js';

const PACKET = 188;
/** The smallest object takes as much: what there is comes with reads, pictures and segments. */
const MOST_BYTES = 16;
const SCAVENGE = /Scavenge ([\d.]+) \([\d.]+\) -> ([\d.]+)/g;

/** Bytes that garbage collections of the young generation found, from V8's own trace. */
function allocatedBytes(trace) {
  let before = 0;
  let bytes = 0;
  for (const [, from, to] of trace.matchAll(SCAVENGE)) {
    bytes += Math.max(0, Number(from) - before) * 1024 * 1024;
    before = Number(to);
  }
  return bytes;
}

/** What the heap takes for each packet once everything is loaded: of the whole stream, less that of its first half. */
export async function allocations({ input, bytes, folder, subject }) {
  const half = join(folder, 'half.ts');
  copyFileSync(input, half);
  truncateSync(half, Math.floor(bytes / 2));
  const found = [];
  for (const file of [half, input]) {
    const trace = join(folder, 'trace');
    const traced = {
      ...subject,
      // V8 writes its trace to stdout.
      command: (output) => [
        ...['bash', '-c', `exec "$@" >${trace}`, 'bash', process.execPath, '--trace-gc'],
        ...subject.command(output),
      ],
    };
    await measuredRun(traced, file, join(folder, 'one'));
    found.push(allocatedBytes(readFileSync(trace, 'utf8')));
    rmSync(trace);
  }
  rmSync(half);
  const allocated = Math.max(0, found[1] - found[0]);
  const perPacket = allocated / (bytes / 2 / PACKET);
  return [
    {
      what: `heap allocated over ${sizeText(bytes / 2)}`,
      ours: `${(allocated / 1e6).toFixed(0)} MB, ${perPacket.toFixed(1)} bytes a packet`,
      target: `< ${MOST_BYTES}`,
      met: perPacket < MOST_BYTES,
    },
  ];
}
