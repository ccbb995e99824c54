import { renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isInMemory } from './disk.js';

/** Ends the names of files that are not whole yet; what bears it at a start is left of a crash. */
export const PART_SUFFIX = '.part';

/** What was renamed or made in a folder stays so after a power cut. */
export async function syncDirectory(folder: string): Promise<void> {
  if (isInMemory(folder)) return;
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
  if (isInMemory(dirname(path))) return writeInMemory(path, part, content);
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

/** The file has its new name, whatever bore it before, for good. */
export async function renameDurably(from: string, to: string): Promise<void> {
  const folder = dirname(to);
  if (isInMemory(folder)) return renameSync(from, to);
  await rename(from, to);
  await syncDirectory(folder);
}

/** Without a detour where the file is in memory. */
export async function removeFile(path: string): Promise<void> {
  if (isInMemory(dirname(path))) unlinkSync(path);
  else await unlink(path);
}

/** Memory does not make wait, and eight ways to the pool and back would cost more than all of it. */
function writeInMemory(path: string, part: string, content: string): void {
  try {
    writeFileSync(part, content);
    renameSync(part, path);
  } catch (error) {
    try {
      unlinkSync(part);
    } catch {
      // It was not made.
    }
    throw error;
  }
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
