import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, errorText } from '@hls-uplink/runtime';

/**
 * Makes the folder and those above it. (Node's own `recursive` never returns where the system says "no such file" of
 * a folder whose parent is there, as in /proc.)
 */
export async function makeFolder(path: string, mode = 0o750): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (errorCode(error) === 'EEXIST' && (await stat(path)).isDirectory()) return;
    const parent = dirname(path);
    if (errorCode(error) !== 'ENOENT' || parent === path || (await exists(parent))) throw error;
    await makeFolder(parent, mode);
    await makeFolder(path, mode);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Whether it failed for want of room, at whatever depth: that mends itself, or an operator does while we wait. */
export function isDiskFull(error: unknown): boolean {
  return /\b(ENOSPC|EDQUOT)\b|no space left on device|disk quota exceeded/i.test(errorText(error));
}
