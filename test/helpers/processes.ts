/** Real processes for end-to-end tests: started in groups of their own, read line by line, never left behind. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import type { Readable, Writable } from 'node:stream';

export interface OutputLine {
  from: 'stdout' | 'stderr';
  text: string;
  /** Milliseconds since 1970. */
  at: number;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface StartOptions {
  /** What error messages call it; default: the command. */
  name?: string;
  cwd?: string;
  /** Added to this process's environment; `undefined` takes a variable away. */
  env?: Record<string, string | undefined>;
  /** `pipe` gives `stdin`; a stream's descriptor is handed on; default: nothing to read. */
  stdin?: 'pipe' | 'ignore' | number;
  /** `pipe` leaves stdout's bytes to the test (`stdout`); default: lines are kept. */
  stdout?: 'lines' | 'pipe';
}

export interface StartedProcess {
  readonly name: string;
  readonly pid: number;
  /** All lines so far, of both outputs, in order of arrival. */
  readonly lines: readonly OutputLine[];
  readonly stdin: Writable | undefined;
  /** Raw bytes; only with `stdout: 'pipe'`. */
  readonly stdout: Readable | undefined;
  /** Resolves when the process is gone and its outputs are read to the end; never rejects once started. */
  readonly exited: Promise<Exit>;
  readonly running: boolean;
  /** The first line, past or future, that matches. Rejects after the time-out, or when the process ends without it. */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Signals the process's whole group; a group that is gone is no error. */
  kill(signal?: NodeJS.Signals): void;
  /** Signals the process alone, not its children. */
  killAlone(signal?: NodeJS.Signals): void;
  /** SIGTERM to the group, SIGKILL after the time; resolves with how it ended. */
  stop(timeoutMs?: number): Promise<Exit>;
}

const started = new Set<Child>();

class Child implements StartedProcess {
  readonly lines: OutputLine[] = [];
  readonly exited: Promise<Exit>;
  readonly pid: number;
  running = true;
  private readonly waiting = new Set<() => void>();
  private closed = false;

  constructor(
    readonly name: string,
    private readonly process: ChildProcess,
    stdout: 'lines' | 'pipe',
  ) {
    this.pid = process.pid ?? 0;
    this.exited = new Promise((resolve) => {
      process.once('exit', () => (this.running = false));
      process.once('close', (code, signal) => {
        this.running = false;
        this.closed = true;
        for (const wake of [...this.waiting]) wake();
        resolve({ code, signal });
      });
    });
    if (stdout === 'lines') this.readLines('stdout', process.stdout);
    this.readLines('stderr', process.stderr);
    // A peer that died makes writes fail; the test sees that by `exited`.
    process.stdin?.on('error', () => undefined);
  }

  get stdin(): Writable | undefined {
    return this.process.stdin ?? undefined;
  }

  get stdout(): Readable | undefined {
    return this.process.stdout ?? undefined;
  }

  private readLines(from: OutputLine['from'], stream: Readable | null): void {
    let rest = '';
    const keep = (text: string): void => {
      this.lines.push({ from, text, at: Date.now() });
      for (const wake of [...this.waiting]) wake();
    };
    stream?.setEncoding('utf8');
    stream?.on('data', (chunk: string) => {
      const parts = (rest + chunk).split(/\r?\n/);
      rest = parts.pop() ?? '';
      parts.forEach(keep);
    });
    stream?.on('end', () => {
      if (rest !== '') keep(rest);
    });
  }

  waitForLine(pattern: RegExp, timeoutMs = 10_000): Promise<RegExpExecArray> {
    const matcher = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
    let next = 0;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.waiting.delete(look);
      };
      const fail = (why: string): void => {
        settle();
        reject(new Error(`${this.name}: ${why} without a line like ${String(pattern)}${this.tail()}`));
      };
      const look = (): void => {
        for (; next < this.lines.length; next += 1) {
          const match = matcher.exec(this.lines[next]?.text ?? '');
          if (match !== null) {
            settle();
            resolve(match);
            return;
          }
        }
        if (this.closed) fail('ended');
      };
      const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
      this.waiting.add(look);
      look();
    });
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    send(-this.pid, signal);
  }

  killAlone(signal: NodeJS.Signals = 'SIGTERM'): void {
    if (this.running) send(this.pid, signal);
  }

  async stop(timeoutMs = 5_000): Promise<Exit> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), timeoutMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  private tail(): string {
    const last = this.lines.slice(-15).map((line) => `\n  ${line.from}: ${line.text}`);
    return last.length === 0 ? '; it printed nothing' : `; its last lines:${last.join('')}`;
  }
}

function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Starts a command in a process group of its own, so that its children can be signalled with it.
 * @throws Error when the command cannot be started at all (not found, not executable).
 */
export async function start(
  command: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<StartedProcess> {
  const name = options.name ?? command;
  const env = { ...process.env, ...options.env };
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined)),
    detached: true,
    stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'],
  });
  // Listeners before the first turn of the event loop: a fast process must not print unheard.
  const running = new Child(name, child, options.stdout ?? 'lines');
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => reject(new Error(`${name}: cannot start ${command}`, { cause })));
  });
  started.add(running);
  return running;
}

/** Kills the groups of all that was started here, children of dead leaders included, and waits for their ends. */
export async function stopAll(): Promise<void> {
  const all = [...started];
  started.clear();
  for (const child of all) child.kill('SIGKILL');
  await Promise.all(all.map((child) => child.exited));
}

process.once('exit', () => {
  for (const child of started) child.kill('SIGKILL');
});

// Under jest every test file that starts processes is cleaned up after, whether it passed or not.
const { afterAll: afterAllTests } = globalThis as { afterAll?: (hook: () => Promise<void>) => void };
afterAllTests?.(stopAll);

/** A TCP port of 127.0.0.1 that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface UntilOptions {
  /** Default 10 s. */
  timeoutMs?: number;
  /** Default 50 ms. */
  intervalMs?: number;
  /** Named when time is up. */
  what: string;
}

/**
 * Polls until the condition gives something truthy, and returns that. A condition that throws is asked again; its
 * last error is the cause when time is up.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000, intervalMs = 50, what }: UntilOptions,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      cause = error;
    }
    if (Date.now() >= deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause });
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
