import { constants } from 'node:fs';
import { open, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { isAbsolute, normalize, sep } from 'node:path';
import { crc32 } from 'node:zlib';
import { errorCode, errorText } from '@hls-uplink/runtime';

/** What a file must be. */
export interface FileFacts {
  bytes: number;
  /** As zlib's, unsigned. */
  crc32: number;
}

export type Checked =
  | { ok: true }
  /** Not a file of this machine that may be opened: its bytes must come another way. */
  | { ok: false; why: 'unreachable'; reason: string }
  /** It was opened, and is not what was announced. */
  | { ok: false; why: 'wrong'; reason: string }
  /** It may be there, but this machine cannot read now: to be tried again. */
  | { ok: false; why: 'failed'; reason: string };

export type ReadWhole = { ok: true; buffer: Buffer } | Exclude<Checked, { ok: true }>;
type Problem = Exclude<Checked, { ok: true }>;

const CHUNK_BYTES = 256 * 1024;
const MOST_CHECKS = 8;
/** Not of the file but of this process or machine. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR', 'EIO', 'ESTALE', 'EBUSY']);

/**
 * Opens files below the spool roots and nothing else (DESIGN.md, rule 10): the path must lie below a root as it is
 * written, the last part may be no link, and what the descriptor turned out to be must lie below the real root and be
 * a regular file. A FIFO or device is neither waited for nor read.
 */
export class SpoolFiles {
  #checking = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param roots absolute; one that does not exist yet is looked for at each use */
  constructor(readonly roots: readonly string[]) {}

  /** Whether the file is there with this size and CRC-32. Reads it once, in pieces, off the event loop's way. */
  async check(path: string, facts: FileFacts): Promise<Checked> {
    // Peers announce as many as they like; files are opened a few at a time.
    if (this.#checking >= MOST_CHECKS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#checking++;
    try {
      return await this.#use(path, facts, (handle) => crcMatches(handle, facts));
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#checking--;
    }
  }

  /** The whole file in memory, checked; behind it is room up to `size`. The caller bounds that. */
  async read(path: string, facts: FileFacts, size = facts.bytes): Promise<ReadWhole> {
    const buffer = Buffer.allocUnsafe(size);
    const checked = await this.#use(path, facts, (handle) => crcMatches(handle, facts, buffer));
    return checked.ok ? { ok: true, buffer } : checked;
  }

  /**
   * Checks it and lends a path that names the opened file itself, whatever happens to its name meanwhile, for as long
   * as `use` runs.
   */
  async lend<T>(
    path: string,
    facts: FileFacts,
    use: (file: string) => Promise<T>,
  ): Promise<{ ok: true; value: T } | Problem> {
    let value: { value: T } | undefined;
    const checked = await this.#use(path, facts, async (handle) => {
      const problem = await crcMatches(handle, facts);
      if (!problem) value = { value: await use(`/proc/self/fd/${handle.fd}`) };
      return problem;
    });
    if (!checked.ok) return checked;
    return value
      ? { ok: true, value: value.value }
      : { ok: false, why: 'failed', reason: `${path} was not used` };
  }

  /** Opens it for reading, whatever its size and content. The caller closes it. */
  async open(path: string): Promise<{ ok: true; handle: FileHandle; bytes: number } | Problem> {
    const allowed = await this.#realRoots(path);
    if (allowed.length === 0) return unreachable(`${path} is not below a spool root`);
    let handle: FileHandle;
    try {
      handle = await open(
        path,
        constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
      );
    } catch (error) {
      return problemOf(error, path);
    }
    try {
      const real = await readlink(`/proc/self/fd/${handle.fd}`);
      const stat = await handle.stat();
      if (!allowed.some((root) => isBelow(real, root))) {
        await handle.close();
        return unreachable(`${path} leads out of the spool roots`);
      }
      if (!stat.isFile()) {
        await handle.close();
        return unreachable(`${path} is not a regular file`);
      }
      return { ok: true, handle, bytes: stat.size };
    } catch (error) {
      await handle.close().catch(() => undefined);
      return problemOf(error, path);
    }
  }

  async #use(
    path: string,
    { bytes }: FileFacts,
    use: (handle: FileHandle) => Promise<Problem | undefined>,
  ): Promise<Checked> {
    const opened = await this.open(path);
    if (!opened.ok) return opened;
    try {
      if (opened.bytes !== bytes) return wrong(`${path} has ${opened.bytes} bytes instead of ${bytes}`);
      return (await use(opened.handle)) ?? { ok: true };
    } catch (error) {
      // What `use` itself throws is not about the file.
      if ((error as { syscall?: unknown }).syscall !== 'read') throw error;
      return problemOf(error, path);
    } finally {
      await opened.handle.close();
    }
  }

  /** The real roots the path may turn out to lie below: those it lies below as it is written. */
  async #realRoots(path: string): Promise<string[]> {
    if (!isAbsolute(path) || path.includes('\0') || normalize(path) !== path) return [];
    const real: string[] = [];
    for (const root of this.roots) {
      const resolved = await realpath(root).catch(() => undefined);
      if (resolved !== undefined && (isBelow(path, normalize(root)) || isBelow(path, resolved)))
        real.push(resolved);
    }
    return real;
  }
}

function isBelow(path: string, root: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep);
}

async function crcMatches(handle: FileHandle, facts: FileFacts, into?: Buffer): Promise<Problem | undefined> {
  const scratch = into ?? Buffer.allocUnsafe(Math.min(CHUNK_BYTES, facts.bytes));
  let crc = 0;
  for (let at = 0; at < facts.bytes;) {
    const from = into ? at : 0;
    const length = Math.min(CHUNK_BYTES, facts.bytes - at);
    const { bytesRead } = await handle.read(scratch, from, length, at);
    if (bytesRead === 0) return wrong(`it became shorter: ${at} bytes instead of ${facts.bytes}`);
    crc = crc32(scratch.subarray(from, from + bytesRead), crc);
    at += bytesRead;
  }
  if (crc === facts.crc32) return undefined;
  return wrong(`its CRC-32 is ${hex(crc)} instead of ${hex(facts.crc32)}`);
}

const hex = (crc: number): string => crc.toString(16).padStart(8, '0');
const wrong = (reason: string): Problem => ({ ok: false, why: 'wrong', reason });
const unreachable = (reason: string): Problem => ({ ok: false, why: 'unreachable', reason });

function problemOf(error: unknown, path: string): Problem {
  const why = PASSING.has(errorCode(error) ?? '') ? 'failed' : 'unreachable';
  return { ok: false, why, reason: `${path}: ${errorText(error)}` };
}
