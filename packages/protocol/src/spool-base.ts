import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the place of the spools depends on; by default this process's own. */
export interface SpoolBaseFacts {
  env?: NodeJS.ProcessEnv;
  /** Absent where the system has no user ids. */
  uid?: number | undefined;
  /** Empty when the user has none. */
  home?: string;
  tmp?: string;
}

/**
 * The folder that holds the spool folders of all segmenters of a user unless told otherwise, and that an uploader of
 * the same user opens announced files under unless told otherwise. Follows the user alone, not what is writable at the
 * moment, so that both always find the same: `/var/lib/hls-segmenter` for root, else `hls-segmenter` in
 * `$XDG_STATE_HOME` (default `~/.local/state`), and in the folder for temporary files for who has no home.
 */
export function defaultSpoolBase(facts: SpoolBaseFacts = {}): string {
  const { env = process.env, uid = process.getuid?.(), home = homeOf(env), tmp = tmpdir() } = facts;
  if (uid === 0) return '/var/lib/hls-segmenter';
  const state = env['XDG_STATE_HOME'];
  // XDG Base Directory Specification: a relative path is to be ignored.
  if (state?.startsWith('/')) return join(state, 'hls-segmenter');
  if (home.startsWith('/')) return join(home, '.local/state/hls-segmenter');
  return join(tmp, uid === undefined ? 'hls-segmenter' : `hls-segmenter-${uid}`);
}

/** `homedir` throws for a user id that the system does not know, as containers run under. */
function homeOf(env: NodeJS.ProcessEnv): string {
  try {
    return homedir();
  } catch {
    return env['HOME'] ?? '';
  }
}
