import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Backoff, errorCode, errorText, sleep, type Clock, type Logger } from '@hls-uplink/runtime';
import { isDiskFull } from './folder.js';
import { Journal } from './journal.js';
import { OwnSpool } from './own-spool.js';

/** While it waits the log hears of it again, milliseconds. */
const LOG_EVERY_MS = 60_000;

export interface StateFolderOptions {
  /** Of the journal; the own spool is in it. */
  folder: string;
  clock: Clock;
  logger: Logger;
  /** Aborted when the process is to stop. */
  signal: AbortSignal;
  /** Called once, when it has to wait. */
  waiting: (problem: string) => Promise<void>;
}

export interface StateFolder {
  journal: Journal;
  ownSpool: OwnSpool;
  ownFolder: string;
  /** Who this uploader is in what it publishes; the same after a restart. */
  writer: string;
}

/**
 * Opens the journal and the own spool in it. A full disk is waited for: ending would only have an operator start the
 * daemon again by hand, when all that is missing is room.
 * @returns undefined when `signal` is aborted before. @throws ConfigError for what waiting does not mend
 */
export async function openStateFolder(options: StateFolderOptions): Promise<StateFolder | undefined> {
  const { clock, logger, signal, waiting } = options;
  const backoff = new Backoff({ firstMs: 1000, longestMs: 10_000 });
  let loggedMs = -Infinity;
  while (!signal.aborted) {
    try {
      return await open(options);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      const problem = `the disk of the journal ${options.folder} is full: free space there; it goes on by itself`;
      if (clock.monotonic() - loggedMs >= LOG_EVERY_MS) {
        loggedMs = clock.monotonic();
        logger.error(problem, { error: errorText(error) });
      }
      if (backoff.attempts === 0) await waiting(problem);
      await sleep(clock, backoff.next(), signal);
    }
  }
  return undefined;
}

async function open({ folder, clock, logger }: StateFolderOptions): Promise<StateFolder> {
  const journal = await Journal.open({ folder, clock, logger });
  const ownFolder = join(folder, 'spool');
  try {
    const writer = await writerOf(folder);
    return { journal, ownFolder, writer, ownSpool: await OwnSpool.open(ownFolder, (id) => journal.has(id)) };
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/** The name of a copied machine tells it from the one it was copied from. */
async function writerOf(folder: string): Promise<string> {
  const path = join(folder, 'writer');
  let id = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
    return '';
  });
  if (!/^[0-9a-f]{16}$/.test(id)) {
    id = randomBytes(8).toString('hex');
    await writeFile(path, id);
  }
  return `${hostname()
    .replaceAll(/[^A-Za-z0-9_.-]/g, '_')
    .slice(0, 100)}-${id}`;
}
