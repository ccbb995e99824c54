import { createHash, randomUUID } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import {
  copyFile,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  stat,
  unlink,
  type FileHandle,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { errorCode } from '@hls-uplink/runtime';
import type { Backend } from './checked-store.js';
import { directoryError } from './directory-error.js';
import { unreadable, wrongSize, type FileBody } from './file-body.js';
import { checkKey, RESERVED_PREFIX } from './object-key.js';
import type { Body, PutOptions, PutResult, StoredEntry, StoredObject } from './object-store.js';
import { StoreError, throwIfAborted, tooLarge } from './store-error.js';

/** A lock of this age, milliseconds, is a crash's: it is held for a read and a rename. */
const STALE_LOCK_MS = 10_000;
const LOCK_RETRY_MS = 20;
/** A temporary file of this age, milliseconds, is a crash's: no write of a live process takes so long. */
const STALE_MS = 60 * 60 * 1000;

/**
 * Objects as files below a folder; `a/b.ts` is `<root>/a/b.ts`. A file appears whole: temporary name, write, fsync,
 * rename, fsync of the folder. Content types are not kept: who serves the folder derives them from the name.
 */
export class DirectoryStore implements Backend {
  readonly name: string;
  readonly capabilities = { conditionalWrites: true, headers: false, list: true } as const;

  private constructor(
    /** Absolute path of the folder. */
    readonly root: string,
  ) {
    this.name = pathToFileURL(root).href;
  }

  /** Removes the temporary files that crashes left. A folder that is missing is made at the first write. */
  static async open(root: string): Promise<DirectoryStore> {
    // What may not be read or removed here fails at the first put or check too, and is said there.
    await removeStale(root).catch(() => undefined);
    return new DirectoryStore(root);
  }

  async put(key: string, body: Body, { ifAbsent = false, ifMatch, signal }: PutOptions): Promise<PutResult> {
    const doing = `put ${key} to ${this.name}`;
    throwIfAborted(signal, doing);
    const path = join(this.root, key);
    const folder = dirname(path);
    const temporary = join(folder, `${RESERVED_PREFIX}${randomUUID()}.tmp`);
    try {
      await makeFolder(folder);
      try {
        await writeDurably(temporary, body, doing);
        throwIfAborted(signal, doing);
        if (ifAbsent) await linkNew(temporary, path, doing);
        else if (ifMatch !== undefined) await replace(temporary, path, ifMatch, doing, signal);
        else await rename(temporary, path);
      } finally {
        // What went wrong before is the reason; what stays is removed at a later start.
        await unlink(temporary).catch(() => undefined);
      }
      await syncFolder(folder);
    } catch (error) {
      throw directoryError(error, doing);
    }
    return 'text' in body ? { etag: etagOf(body.text) } : {};
  }

  async get(
    key: string,
    { signal, maxBytes }: { signal: AbortSignal; maxBytes: number },
  ): Promise<StoredObject | undefined> {
    const doing = `get ${key} from ${this.name}`;
    throwIfAborted(signal, doing);
    let handle: FileHandle | undefined;
    try {
      handle = await open(join(this.root, key), 'r').catch(ignoreMissing);
      const found = await handle?.stat();
      if (!handle || !found?.isFile()) return undefined;
      if (found.size > maxBytes) throw tooLarge(doing, found.size, maxBytes);
      const text = await handle.readFile({ encoding: 'utf8', signal });
      return { text, etag: etagOf(text) };
    } catch (error) {
      throwIfAborted(signal, doing);
      throw directoryError(error, doing);
    } finally {
      await handle?.close();
    }
  }

  async *list(prefix: string, signal: AbortSignal): AsyncIterable<StoredEntry> {
    const doing = `list ${prefix}* in ${this.name}`;
    throwIfAborted(signal, doing);
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    if (folder !== '') checkKey(folder.slice(0, -1));
    try {
      for await (const { path, entry } of walk(join(this.root, folder))) {
        throwIfAborted(signal, doing);
        const key = path.slice(this.root.length + 1);
        if (entry.name.startsWith(RESERVED_PREFIX) || !key.startsWith(prefix)) continue;
        const found = await stat(path).catch(ignoreMissing);
        if (found) yield { key, bytes: found.size, modifiedMs: found.mtimeMs };
      }
    } catch (error) {
      throw directoryError(error, doing);
    }
  }

  async delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const failures: StoreError[] = [];
    for (const key of keys) {
      const doing = `delete ${key} from ${this.name}`;
      throwIfAborted(signal, doing);
      // A folder of that name is no object: nothing to delete.
      await unlink(join(this.root, key)).catch((error: unknown) => {
        if (!isMissing(error) && errorCode(error) !== 'EISDIR') failures.push(directoryError(error, doing));
      });
    }
    const [first] = failures;
    if (first && failures.length === 1) throw first;
    if (first) {
      throw new StoreError(
        first.code,
        `${failures.length} of ${keys.length} deletes failed; first: ${first.message}`,
        {
          cause: first,
        },
      );
    }
  }

  async close(): Promise<void> {}
}

/** Every regular file below `folder`; what cannot be read as a folder has none. Links are not followed. */
async function* walk(folder: string): AsyncIterable<{ path: string; entry: Dirent }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(ignoreMissing);
  for (const entry of entries ?? []) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield { path, entry };
  }
}

async function removeStale(root: string): Promise<void> {
  for await (const { path, entry } of walk(root)) {
    if (!entry.name.startsWith(RESERVED_PREFIX)) continue;
    const found = await stat(path).catch(ignoreMissing);
    if (found && Date.now() - found.mtimeMs > STALE_MS) await unlink(path).catch(ignoreMissing);
  }
}

/**
 * Makes the folder and those above it, and the new names durable. Not by Node's own `recursive`: that says "no such
 * file" of a read-only disk, and never returns where the system says that of a folder whose parent is there (/proc).
 */
async function makeFolder(folder: string): Promise<void> {
  const parent = dirname(folder);
  try {
    await mkdir(folder);
  } catch (error) {
    // What else may stand there is found by whoever writes into it.
    if (errorCode(error) === 'EEXIST') return;
    if (errorCode(error) !== 'ENOENT' || parent === folder) throw error;
    await makeFolder(parent);
    await mkdir(folder).catch((again: unknown) => {
      // Another put was faster.
      if (errorCode(again) !== 'EEXIST') throw again;
    });
  }
  await syncFolder(parent);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeDurably(path: string, body: Body, doing: string): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    if ('file' in body) await copyBody(body, path, handle, doing);
    else await handle.writeFile('text' in body ? body.text : body.bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function copyBody(body: FileBody, path: string, handle: FileHandle, doing: string): Promise<void> {
  const found = await stat(body.file).catch((error: unknown) => {
    throw unreadable(body, doing, 'cannot be read', error);
  });
  if (!found.isFile()) throw unreadable(body, doing, 'is not a file');
  if (found.size !== body.bytes) throw wrongSize(body, doing, found.size);
  const { mode } = await handle.stat();
  await copyFile(body.file, path, constants.COPYFILE_FICLONE).catch((error: unknown) => {
    // The target is open for writing already: a permission that fails here is the source's.
    const ofSource = ['EACCES', 'EPERM', 'ENOENT', 'EISDIR'].includes(errorCode(error) ?? '');
    throw ofSource ? unreadable(body, doing, 'cannot be read', error) : error;
  });
  // copyFile gives the copy the mode of the source, which may be private to the spool's owner.
  await handle.chmod(mode & 0o777);
  const { size } = await handle.stat();
  if (size !== body.bytes) throw wrongSize(body, doing, size);
}

/** link(2) is the one way to make a name only if there is none, with its content already there. */
async function linkNew(temporary: string, path: string, doing: string): Promise<void> {
  await link(temporary, path).catch((error: unknown) => {
    if (errorCode(error) !== 'EEXIST') throw error;
    throw new StoreError('exists', `Cannot ${doing}: it exists already`, { cause: error });
  });
}

const etagOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

/** Renames while nobody else who asks for an `etag` does: a file system has no rename on condition. */
async function replace(
  temporary: string,
  path: string,
  etag: string,
  doing: string,
  signal: AbortSignal,
): Promise<void> {
  const lock = join(dirname(path), `${RESERVED_PREFIX}${etagOf(path)}.lock`);
  for (;;) {
    throwIfAborted(signal, doing);
    const held = await open(lock, 'wx').catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
    });
    await held?.close();
    if (held) break;
    const found = await stat(lock).catch(ignoreMissing);
    if (found && Date.now() - found.mtimeMs > STALE_LOCK_MS) await unlink(lock).catch(ignoreMissing);
    else await new Promise((resolve) => setTimeout(resolve, LOCK_RETRY_MS));
  }
  try {
    const text = await readFile(path, 'utf8').catch(ignoreMissing);
    if (text === undefined || etagOf(text) !== etag)
      throw new StoreError('changed', `Cannot ${doing}: it is not the file that was read; read it again`);
    await rename(temporary, path);
  } finally {
    await unlink(lock).catch(ignoreMissing);
  }
}

function isMissing(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function ignoreMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}
