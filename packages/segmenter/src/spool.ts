import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { access, constants, mkdir, open, readFile, readdir, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { sessionId } from '@hls-uplink/protocol';
import { ConfigError, errorCode, errorText, type Clock, type Logger } from '@hls-uplink/runtime';
import * as z from 'zod';
import { isInMemory } from './disk.js';
import { PART_SUFFIX, syncDirectory, writeDurably } from './durable-file.js';
import { SpoolLock, SpoolLockedError } from './spool-lock.js';

const SESSION_FILE = 'session.json';
const NEXT_INDEX_FILE = 'next-index';
/** As many digits as `Number.MAX_SAFE_INTEGER` has. */
const INDEX_DIGITS = 16;

const sessionFile = z.strictObject({ session: sessionId });

export interface SpoolOptions {
  /** Made when missing, with its parents. */
  folder: string;
  /** How long another process that has the folder is waited for, milliseconds. */
  waitMs: number;
  clock: Clock;
  logger: Logger;
  signal?: AbortSignal;
}

/**
 * The folder where one stream's segments live until they are answered: a session, its next index, and a lock.
 * Other users on the machine can read it as far as the umask lets them: an uploader opens the segments where they are.
 */
export class Spool {
  #nextIndexWritten = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(
    /** Absolute. */
    readonly folder: string,
    /** 128 random bits made with the folder, 32 hexadecimal digits. */
    readonly session: string,
    private readonly lock: SpoolLock,
    private readonly nextIndexFile: FileHandle,
  ) {}

  /** @throws ConfigError `spool-locked`, `spool-unusable`, `spool-damaged`; the signal's reason */
  static async open(options: SpoolOptions): Promise<Spool> {
    const folder = resolve(options.folder);
    const { waitMs, clock, logger, signal } = options;
    try {
      await makeFolder(folder);
      await access(folder, constants.W_OK | constants.X_OK | constants.R_OK);
      const lock = await SpoolLock.acquire(folder, waitMs, clock, {
        ...(signal && { signal }),
        onWait: (pid) =>
          logger.warn(
            `process ${pid}, another hls-segmenter, holds the spool folder; waiting up to ${waitMs / 1000} s for it to end`,
            { folder, pid },
          ),
      });
      try {
        const removed = await removeParts(folder);
        if (removed > 0)
          logger.warn('removed unfinished files that a crash left', { folder, files: removed });
        const session = await sessionOf(folder, logger);
        return new Spool(folder, session, lock, await openNextIndex(folder));
      } catch (error) {
        await lock.release().catch(() => undefined);
        throw error;
      }
    } catch (error) {
      if (signal?.aborted) {
        logger.info('asked to stop while the spool folder was waited for', { folder });
        throw error;
      }
      throw spoolError(folder, waitMs, error);
    }
  }

  /** Where a file of this folder lies. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /**
   * The lowest index that was never used, as far as was written down with `setNextIndex`.
   * @throws ConfigError `spool-damaged`
   */
  async nextIndex(): Promise<number> {
    const { buffer, bytesRead } = await this.nextIndexFile.read(Buffer.alloc(64), 0, 64, 0);
    const text = buffer.toString('latin1', 0, bytesRead);
    if (!/^\d{16}\n$/.test(text)) throw damaged(this.folder, NEXT_INDEX_FILE);
    this.#nextIndexWritten = Number(text);
    return this.#nextIndexWritten;
  }

  /**
   * Writes down, for good, that all indexes below `index` are used; a lower one than before is nothing. Done in place,
   * in one sector, so that it works on a full disk too.
   * @throws errno errors
   */
  setNextIndex(index: number): Promise<void> {
    const written = this.#writing.then(async () => {
      if (index <= this.#nextIndexWritten) return;
      const text = nextIndexText(index);
      if (isInMemory(this.folder)) writeSync(this.nextIndexFile.fd, text, 0, 'latin1');
      else {
        await this.nextIndexFile.write(text, 0, 'latin1');
        await this.nextIndexFile.datasync();
      }
      this.#nextIndexWritten = index;
    });
    this.#writing = written.catch(() => undefined);
    return written;
  }

  /** Lets the next process in. */
  async close(): Promise<void> {
    await this.#writing;
    await this.nextIndexFile.close();
    await this.lock.release();
  }
}

const nextIndexText = (index: number): string => `${String(index).padStart(INDEX_DIGITS, '0')}\n`;

/** Not `mkdir` with `recursive`: in Node 20 that never ends where the kernel answers ENOENT, as in /proc. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return;
    if (errorCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path).catch((again: unknown) => {
      // Another segmenter was faster.
      if (errorCode(again) !== 'EEXIST') throw again;
    });
  }
}

async function openNextIndex(folder: string): Promise<FileHandle> {
  const path = join(folder, NEXT_INDEX_FILE);
  try {
    return await open(path, 'r+');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  await writeDurably(path, nextIndexText(0));
  return await open(path, 'r+');
}

async function sessionOf(folder: string, logger: Logger): Promise<string> {
  const path = join(folder, SESSION_FILE);
  try {
    return sessionFile.parse(JSON.parse(await readFile(path, 'utf8'))).session;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) throw damaged(folder, SESSION_FILE);
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  const session = randomBytes(16).toString('hex');
  // An index is never older than its session.
  await writeDurably(join(folder, NEXT_INDEX_FILE), nextIndexText(0));
  await writeDurably(path, JSON.stringify({ session }));
  logger.debug('a new session', { folder, session });
  return session;
}

async function removeParts(folder: string): Promise<number> {
  const parts = (await readdir(folder)).filter((name) => name.endsWith(PART_SUFFIX));
  for (const name of parts) await unlink(join(folder, name));
  if (parts.length > 0) await syncDirectory(folder);
  return parts.length;
}

function damaged(folder: string, file: string): ConfigError {
  return new ConfigError(
    'spool-damaged',
    `the file ${file} of the spool folder ${folder} is damaged: move the folder away and start again ` +
      '(a new session begins; the segments waiting in the old folder are lost)',
  );
}

function spoolError(folder: string, waitMs: number, error: unknown): unknown {
  if (error instanceof ConfigError) return error;
  if (error instanceof SpoolLockedError) {
    return new ConfigError(
      'spool-locked',
      `another hls-segmenter (process ${error.pid}) has the spool folder ${folder}, and still had it after ` +
        `${waitMs / 1000} s: stop it, or give this one another --channel, --rendition, --source or --spool`,
      { cause: error },
    );
  }
  if (errorCode(error) === undefined) return error;
  return new ConfigError(
    'spool-unusable',
    `cannot use the spool folder ${folder}: ${errorText(error)}: mend that, or give another folder with --spool`,
    { cause: error },
  );
}

/** The folder of one stream among others: no two streams share one, whatever characters their names have. */
export function spoolFolder(base: string, channel: string, rendition: string, source?: string): string {
  const stream = source === undefined ? rendition : `${rendition}@${escapeName(source)}`;
  return resolve(base, escapeName(channel), stream);
}

const escapeName = (name: string): string =>
  name.replaceAll(/[^A-Za-z0-9_.-]/g, (character) =>
    character === '/' ? '+' : `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
