/** A disk of a few megabytes that can be full or read-only: file permissions do not stop root, a mount does. */
import { execFile } from 'node:child_process';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const BLOCK = Buffer.alloc(4096, 1);

export interface SmallDisk {
  readonly folder: string;
  /** Takes what room there is; may be repeated when some has come back. */
  fill(): Promise<void>;
  /** Gives back what `fill` took. */
  makeRoom(): Promise<void>;
  /** @throws Error while a file is open for writing */
  setReadOnly(readOnly: boolean): Promise<void>;
  /** May be in use still; gone when nobody uses it any more. */
  unmount(): Promise<void>;
}

/** Mounts an empty disk over an existing folder. @throws Error that says what it needs */
export async function mountSmallDisk(folder: string, megabytes: number): Promise<SmallDisk> {
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0755`, 'tmpfs', folder]).catch(
    (cause: unknown) => {
      const message = `cannot mount a small disk on ${folder}: run this test as root, in a container with CAP_SYS_ADMIN`;
      throw new Error(message, { cause });
    },
  );
  const filler = join(folder, 'filler');
  return {
    folder,
    async fill() {
      const file = await open(filler, 'a');
      try {
        for (;;) await file.write(BLOCK);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        await file.close();
      }
    },
    makeRoom: () => unlink(filler),
    async setReadOnly(readOnly) {
      await run('mount', ['-o', `remount,${readOnly ? 'ro' : 'rw'}`, folder]);
    },
    async unmount() {
      await run('umount', ['--lazy', folder]);
    },
  };
}
