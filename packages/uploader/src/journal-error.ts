import { ConfigError, errorCode, errorText } from '@hls-uplink/runtime';
import { isDiskFull } from './folder.js';

/** The journal could not do what was asked; what was to be appended is not durable. */
export class JournalError extends Error {
  override readonly name = 'JournalError';

  constructor(
    readonly code: 'journal-write' | 'journal-corrupt' | 'journal-closed',
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** What LevelDB says is in the cause of what its wrapper says. */
const innermost = (error: unknown): unknown => (error as { cause?: unknown }).cause ?? error;

/**
 * Whether the database is damaged. LevelDB tells some kinds of damage only by the text; a file of the database that is
 * missing is one of them. That there was no room for such a file is none.
 */
export function isCorrupt(error: unknown): boolean {
  const cause = innermost(error);
  if (isDiskFull(cause) || errorCode(cause) === 'LEVEL_LOCKED') return false;
  if (errorCode(cause) === 'LEVEL_CORRUPTION') return true;
  return /corruption|missing files|\.ldb|\.log:|JSON|decode/i.test(errorText(cause));
}

/** `journal-locked` when another process has it, else `journal-unwritable`. */
export function unusable(folder: string, error: unknown): ConfigError {
  const isLocked = errorCode(innermost(error)) === 'LEVEL_LOCKED';
  const message = isLocked
    ? `another process uses the journal ${folder}: stop that hls-uploader, or give this one another --journal`
    : `cannot use the journal folder ${folder}: give --journal a folder that this user can write to`;
  return new ConfigError(isLocked ? 'journal-locked' : 'journal-unwritable', message, {
    cause: innermost(error),
  });
}
