import { open, type FileHandle } from 'node:fs/promises';
import { StoreError } from './store-error.js';
import type { Body } from './object-store.js';

export type FileBody = Extract<Body, { file: string }>;

const CHUNK_BYTES = 1024 * 1024;

/** Reads the file whole into one buffer. Throws a StoreError `unreadable-body` unless it has exactly `body.bytes`. */
export async function readWhole(body: FileBody, doing: string): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(body.bytes);
  let filled = 0;
  for await (const chunk of readChunks(body, doing, (bytes) => buffer.subarray(filled, filled + bytes))) {
    filled += chunk.length;
  }
  return buffer;
}

/**
 * The file's bytes in pieces, never more than one piece ahead of the reader. Throws a StoreError `unreadable-body`
 * unless they are exactly `body.bytes`, before the last piece at the latest: what consumes them never sees an end that
 * is not the file's.
 */
export async function* readChunks(
  body: FileBody,
  doing: string,
  buffer: (bytes: number) => Buffer = (bytes) => Buffer.allocUnsafe(bytes),
): AsyncGenerator<Buffer> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(body.file, 'r');
    const found = await handle.stat();
    if (!found.isFile()) throw unreadable(body, doing, 'is not a file');
    if (found.size !== body.bytes) throw wrongSize(body, doing, found.size);
    for (let at = 0; at < body.bytes;) {
      const piece = buffer(Math.min(CHUNK_BYTES, body.bytes - at));
      const { bytesRead } = await handle.read(piece, 0, piece.length, at);
      if (bytesRead === 0) throw wrongSize(body, doing, at);
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw unreadable(body, doing, 'cannot be read', error);
  } finally {
    await handle?.close();
  }
}

export function wrongSize(body: FileBody, doing: string, bytes: number): StoreError {
  return unreadable(body, doing, `has ${bytes} bytes instead of the ${body.bytes} announced`);
}

export function unreadable(body: FileBody, doing: string, what: string, cause?: unknown): StoreError {
  const because = cause === undefined ? '' : ` (${(cause as Error).message})`;
  return new StoreError('unreadable-body', `Cannot ${doing}: ${body.file} ${what}${because}`, { cause });
}
