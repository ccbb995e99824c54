import { open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Ends the names of files that are not whole yet; what bears it at a start is left of a crash. */
export const PART_SUFFIX = '.part';

/** What was renamed or made in a folder stays so after a power cut. */
export async function syncDirectory(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * The file appears, or is replaced, whole and for good: temporary name → fsync → rename → fsync of the folder.
 * After an error the old file, if any, is as it was.
 */
export async function writeDurably(path: string, content: string): Promise<void> {
  const part = path + PART_SUFFIX;
  try {
    await writeSynced(part, content);
    await rename(part, path);
  } catch (error) {
    // On a full disk the part would be in the way of the next try.
    await unlink(part).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Synced, but neither atomic nor sure to have its name after a power cut. */
export async function writeSynced(path: string, content: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}
