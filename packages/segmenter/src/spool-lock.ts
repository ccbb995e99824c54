import { randomBytes } from 'node:crypto';
import { link, readFile, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, sleep, type Clock } from '@hls-uplink/runtime';
import { PART_SUFFIX, writeDurably, writeSynced } from './durable-file.js';

/** Who holds a lock: process ids are given again, so that it takes the start time, and the boot, to know one. */
interface Holder {
  pid: number;
  /** Clock ticks from boot to the process's start (proc(5), field 22 of stat); empty where there is no /proc. */
  started: string;
  boot: string;
}

const POLL_MS = 100;
const LOCK_NAME = /^lock-(\d{1,15})$/;

/** A live process has the folder. */
export class SpoolLockedError extends Error {
  override readonly name = 'SpoolLockedError';
  readonly code = 'spool-locked';

  constructor(
    readonly folder: string,
    readonly pid: number,
  ) {
    super(`process ${pid} holds the spool folder ${folder}`);
  }
}

/**
 * Keeps a second process out of a folder. The lock is the file `lock-N` of the highest N; who finds its holder dead
 * makes N + 1. Only one can (`link` fails for the others), N never goes down, and so nobody ever removes a lock that
 * another has just taken over, as with a single lock file that is found stale by two.
 */
export class SpoolLock {
  private constructor(
    private readonly folder: string,
    private readonly number: number,
  ) {}

  /**
   * Waits up to `waitMs` for another holder to go.
   * @param onWait called at once with each holder that is waited for
   * @throws SpoolLockedError; an errno error when the folder cannot be written; the signal's reason
   */
  static async acquire(
    folder: string,
    waitMs: number,
    clock: Clock,
    { signal, onWait }: { signal?: AbortSignal; onWait?: (pid: number) => void } = {},
  ): Promise<SpoolLock> {
    const until = clock.monotonic() + waitMs;
    let waitedFor: number | undefined;
    const mine = JSON.stringify(await thisProcess());
    for (;;) {
      const highest = Math.max(0, ...(await lockNumbers(folder)));
      const holder = await holderOf(join(folder, lockName(highest)));
      if (holder && (await isAlive(holder))) {
        signal?.throwIfAborted();
        if (clock.monotonic() >= until) throw new SpoolLockedError(folder, holder.pid);
        if (holder.pid !== waitedFor) onWait?.(holder.pid);
        waitedFor = holder.pid;
        await sleep(clock, POLL_MS, signal);
        continue;
      }
      const lock = await take(folder, highest + 1, mine);
      if (lock) return new SpoolLock(folder, lock);
    }
  }

  /** Lets the next one in; its file stays, so that the number does. */
  async release(): Promise<void> {
    await writeDurably(join(this.folder, lockName(this.number)), '{}');
  }
}

const lockName = (number: number): string => `lock-${number}`;

/** The number when the lock is ours; nothing when another was faster. */
async function take(folder: string, number: number, content: string): Promise<number | undefined> {
  const own = join(folder, `lock-${randomBytes(8).toString('hex')}${PART_SUFFIX}`);
  const path = join(folder, lockName(number));
  await writeSynced(own, content);
  try {
    await link(own, path);
  } catch (error) {
    // ENOENT: whoever got the lock has tidied up our unfinished file.
    if (errorCode(error) === 'EEXIST' || errorCode(error) === 'ENOENT') return undefined;
    throw error;
  } finally {
    await unlink(own).catch(() => undefined);
  }
  const numbers = await lockNumbers(folder);
  // Others may have come, gone and tidied up since we looked.
  if (Math.max(...numbers) > number) {
    await unlink(path);
    return undefined;
  }
  for (const old of numbers) {
    if (old < number) await unlink(join(folder, lockName(old))).catch(() => undefined);
  }
  return number;
}

async function lockNumbers(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  return names.map((name) => Number(LOCK_NAME.exec(name)?.[1] ?? 0)).filter((number) => number > 0);
}

async function holderOf(path: string): Promise<Holder | undefined> {
  try {
    const { pid, started, boot } = JSON.parse(await readFile(path, 'utf8')) as Partial<Holder>;
    if (typeof pid === 'number' && typeof started === 'string' && typeof boot === 'string') {
      return { pid, started, boot };
    }
  } catch (error) {
    // Gone meanwhile, or the rest of a crash of the whole machine: nobody holds it.
    if (errorCode(error) !== 'ENOENT' && !(error instanceof SyntaxError)) throw error;
  }
  return undefined;
}

async function isAlive(holder: Holder): Promise<boolean> {
  if (holder.boot !== (await bootId())) return false;
  if (holder.started !== '') return (await startTime(holder.pid)) === holder.started;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

async function thisProcess(): Promise<Holder> {
  return { pid: process.pid, started: (await startTime(process.pid)) ?? '', boot: await bootId() };
}

async function startTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  // The command's name, in brackets, may contain anything; the fields after it are separated by spaces.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie is dead, only its parent has not asked yet.
  return fields?.[0] === 'Z' || fields?.[0] === 'X' ? undefined : fields?.[19];
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => '')).trim();
}
