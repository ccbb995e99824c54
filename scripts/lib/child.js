import { spawn } from 'node:child_process';
import { openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A process of the demo, in a process group of its own so that Ctrl-C does not reach it: the demo decides who stops
 * when. What it says goes to its log file.
 */
export class Child {
  #process;
  /** How it ended: `{ code, signal }`, or `{ error }` when it could not be started. Never rejects. */
  exited;
  ended = undefined;

  /** @param options.stdout gets what the process writes to stdout, as text; else that goes to the log too */
  constructor(name, command, args, { logFile, stdout }) {
    this.name = name;
    this.logFile = logFile;
    writeFileSync(logFile, '');
    const log = openSync(logFile, 'a');
    this.#process = spawn(command, args, {
      detached: true,
      stdio: ['ignore', stdout ? 'pipe' : log, log],
    });
    closeSync(log);
    if (stdout) this.#process.stdout.setEncoding('utf8').on('data', stdout);
    this.exited = new Promise((resolve) => {
      this.#process.once('error', (error) => resolve({ error }));
      this.#process.once('exit', (code, signal) => resolve({ code, signal }));
    }).then((ended) => (this.ended = ended));
  }

  /** Sends the signal to the whole group; nothing when it has ended. */
  kill(signal) {
    if (this.ended || this.#process.pid === undefined) return;
    try {
      process.kill(-this.#process.pid, signal);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }

  /** Waits for its end, at most `ms`, then kills it. Says whether it ended by itself. */
  async endWithin(ms) {
    const timer = new globalThis.AbortController();
    const late = sleep(ms, 'late', { signal: timer.signal }).catch(() => undefined);
    const inTime = (await Promise.race([this.exited, late])) !== 'late';
    timer.abort();
    if (!inTime) this.kill('SIGKILL');
    await this.exited;
    return inTime;
  }

  get succeeded() {
    return this.ended?.code === 0;
  }

  /** `uploader ended with exit code 2` and the end of its log, for people. */
  report() {
    const { error, code, signal } = this.ended ?? {};
    const how = error
      ? `could not be started: ${error.message}`
      : `ended ${signal ? `by ${signal}` : `with exit code ${code}`}`;
    const tail = readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-8);
    return `${this.name} ${how}. The end of ${this.logFile}:\n${tail.map((line) => `    ${line}`).join('\n')}`;
  }
}
