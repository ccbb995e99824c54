import { createCipheriv, randomUUID, type Cipher } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import type { SegmentKey } from './segment-keys.js';

/** So much is encrypted before anything else may run: a fraction of a millisecond. */
const PIECE_BYTES = 256 * 1024;

/** Cipher block chaining with the padding of PKCS #7 (RFC 8216 §4.3.2.4). */
const cipherOf = ({ key, iv }: Pick<SegmentKey, 'key' | 'iv'>): Cipher =>
  createCipheriv('aes-128-cbc', key, iv);

/**
 * Encrypts the first `bytes` of a buffer in their place; the padding comes behind them.
 * @param buffer of `encryptedBytes(bytes)`
 */
export async function encryptInPlace(
  buffer: Buffer,
  bytes: number,
  by: Pick<SegmentKey, 'key' | 'iv'>,
): Promise<void> {
  const cipher = cipherOf(by);
  let done = 0;
  for (let at = 0; at < bytes; at += PIECE_BYTES) {
    if (at > 0) await setImmediate();
    done += cipher.update(buffer.subarray(at, Math.min(at + PIECE_BYTES, bytes))).copy(buffer, done);
  }
  cipher.final().copy(buffer, done);
}

/** Lends an encrypted copy of a file, for as long as `use` runs. */
export async function withEncryptedCopy<T>(
  file: string,
  folder: string,
  by: Pick<SegmentKey, 'key' | 'iv'>,
  use: (copy: string) => Promise<T>,
): Promise<T> {
  const copy = join(folder, `.${randomUUID()}.part`);
  try {
    await pipeline(
      createReadStream(file),
      cipherOf(by),
      createWriteStream(copy, { flags: 'wx', mode: 0o640 }),
    );
    return await use(copy);
  } finally {
    // What a crash leaves goes with the next start.
    await unlink(copy).catch(() => undefined);
  }
}
