import { errorCode } from '@hls-uplink/runtime';
import { StoreError } from './store-error.js';

/** Turns what the file system said while `doing` ("put a.ts to file:///srv/live") into a StoreError. */
export function directoryError(error: unknown, doing: string): StoreError {
  if (error instanceof StoreError) return error;
  const because = (error as Error).message || String(error);
  const wrong = (code: ConstructorParameters<typeof StoreError>[0], remedy: string): StoreError =>
    new StoreError(code, `Cannot ${doing}: ${because}; ${remedy}`, { cause: error });
  switch (errorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return wrong('full', 'free some room, or name a folder on a larger disk');
    case 'EACCES':
    case 'EPERM':
      return wrong('not-writable', 'give this user the right to write there');
    case 'EROFS':
      return wrong('not-writable', 'name a folder on a file system that is mounted for writing');
    case 'ENOTDIR':
    case 'EEXIST':
    case 'EISDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
      return wrong('not-writable', 'remove what stands in the way, or name another folder');
    default:
      // EIO, EMFILE, ESTALE, ETIMEDOUT …: of the machine or a network disk; these pass.
      return wrong('server', 'check the disk (dmesg) and the mount; it is tried again');
  }
}
