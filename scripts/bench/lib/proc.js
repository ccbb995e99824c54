/** What Linux tells of processes; of one that has gone: nothing, or 0. */
import { readdirSync, readFileSync } from 'node:fs';

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const kilobytes = (text, name) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;

export const childrenOf = (pid) =>
  read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);

export const commandOf = (pid) => read(`/proc/${pid}/comm`).trim();

/** Bytes. */
export const peakRssOf = (pid) => kilobytes(read(`/proc/${pid}/status`), 'VmHWM');

/** Bytes, shared pages divided among those who share them. */
export const pssOf = (pid) => kilobytes(read(`/proc/${pid}/smaps_rollup`), 'Pss');

/** Seconds that the threads of a process have run, to a nanosecond; those that have ended are not counted. */
export function cpuSecondsOf(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) =>
    Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0] || 0),
  );
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1e9;
}
