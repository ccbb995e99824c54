import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { commandOf, childrenOf, peakRssOf } from './proc.js';

const LOOK_MS = 20;
/** bash's `time` asks wait4: user and system seconds of the command and all its threads, to a millisecond. */
const SCRIPT = `TIMEFORMAT='%3U %3S %3R'; exec 3>&1; input=$1 log=$2; shift 2
{ time "$@" 2>"$log" >/dev/null 3>&-; } < <(exec cat "$input") 2>&3`;

/**
 * Runs a subject over a whole file that comes through a pipe.
 * @returns its CPU and wall seconds, and its peak of resident memory in bytes
 * @throws Error when it failed
 */
export async function measuredRun(subject, input, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const log = join(folder, 'log');
  const output = join(folder, 'out');
  const shell = spawn('bash', ['-c', SCRIPT, 'bash', input, log, ...subject.command(output)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let times = '';
  shell.stdout.setEncoding('utf8').on('data', (text) => (times += text));
  let rss = 0;
  const look = setInterval(() => {
    for (const pid of childrenOf(shell.pid))
      if (!['cat', 'bash'].includes(commandOf(pid))) rss = Math.max(rss, peakRssOf(pid));
  }, LOOK_MS);
  const [code] = await once(shell, 'close');
  clearInterval(look);
  const said = readFileSync(log, 'utf8');
  if (code !== 0) throw new Error(`${subject.name} failed:\n${said.slice(-2000)}`);
  subject.check(said);
  rmSync(folder, { recursive: true, force: true });
  const [user, system, wall] = times.trim().split(' ').map(Number);
  return { cpu: user + system, wall, rss };
}
