import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSecondsOf, pssOf } from './proc.js';
import { compare, median, megabytes, percent } from './table.js';

const BITS_PER_SECOND = 5e6;
const BURST_MS = 10;
/** Until some segments are cut, and what the start needs is done. */
const SETTLE_MS = 20_000;

/** Subjects that read FIFOs, into which a process of its own writes at live rate. */
class LiveProcesses {
  #children = [];
  #feeder;

  constructor(input, folder, commands) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const fifos = commands.map((_, n) => join(folder, `fifo-${n}`));
    execFileSync('mkfifo', fifos);
    const bits = `${BITS_PER_SECOND}`;
    this.#feeder = spawn(
      process.execPath,
      [join(import.meta.dirname, 'feeder.js'), input, bits, `${BURST_MS}`, ...fifos],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    for (const [n, command] of commands.entries()) {
      // Read and write: it opens without waiting for the feeder.
      const stdin = openSync(fifos[n], 'r+');
      const log = join(folder, `log-${n}`);
      const stderr = openSync(log, 'w');
      const [name, ...args] = command(join(folder, `out-${n}`), `r${n}`);
      // Its own opening of the FIFO, so that the end of the feeder is its end.
      const child = spawn('bash', ['-c', 'exec "$@" <"$0"', fifos[n], name, ...args], {
        stdio: ['ignore', 'ignore', stderr],
      });
      this.#children.push({ child, stdin, log });
      closeSync(stderr);
    }
  }

  get pids() {
    return this.#children.map(({ child }) => child.pid);
  }

  /** @throws Error when one has gone */
  check() {
    for (const { child, log } of this.#children) {
      if (child.exitCode === null && child.signalCode === null) continue;
      throw new Error(`ended too early:\n${readFileSync(log, 'utf8').slice(-2000)}`);
    }
  }

  async end() {
    this.#feeder.kill();
    for (const { stdin } of this.#children) closeSync(stdin);
    for (const { child } of this.#children) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill();
        await once(child, 'exit');
      }
    }
  }
}

/** Both at the same time, so that what else goes on disturbs them alike. CPU as part of a core, in each window. */
export async function liveRate({ input, folder, settle, windows, seconds, subjects, target }) {
  const live = new LiveProcesses(input, join(folder, 'live'), [
    subjects.ours.command,
    subjects.theirs.command,
  ]);
  const loads = [[], []];
  try {
    await sleep(settle * 1000);
    for (let n = 0; n < windows; n++) {
      const before = live.pids.map(cpuSecondsOf);
      const start = performance.now();
      await sleep(seconds * 1000);
      live.check();
      const passed = (performance.now() - start) / 1000;
      for (const [who, pid] of live.pids.entries())
        loads[who].push((cpuSecondsOf(pid) - before[who]) / passed);
    }
  } finally {
    await live.end();
  }
  const [ours, theirs] = loads;
  const what = `live, 5 Mbit/s in bursts of ${BURST_MS} ms: CPU`;
  return [compare({ what, ours, theirs, target, text: percent })];
}

/** Many of one kind at once, then of the other: what each takes of the machine's memory. */
export async function proportionalMemory({ input, folder, processes, subjects, target }) {
  const found = [];
  for (const subject of [subjects.ours, subjects.theirs]) {
    const commands = Array.from({ length: processes }, () => subject.command);
    const live = new LiveProcesses(input, join(folder, 'many'), commands);
    try {
      await sleep(SETTLE_MS);
      live.check();
      found.push(live.pids.map(pssOf));
    } finally {
      await live.end();
    }
  }
  const [ours, theirs] = found.map((all) => [median(all)]);
  const what = `${processes} processes at once: PSS each`;
  return [compare({ what, ours, theirs, target, text: megabytes })];
}
