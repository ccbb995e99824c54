import type { Key } from '@hls-uplink/hls';
import type { Entry } from './state.js';

const BLOCK_BYTES = 16;

/** With the padding of PKCS #7: to a whole number of blocks, at least one byte (RFC 8216 §4.3.2.4). */
export function encryptedBytes(bytes: number): number {
  return bytes - (bytes % BLOCK_BYTES) + BLOCK_BYTES;
}

/**
 * EXT-X-KEY of the next entry. Each that is encrypted has its own, so that no entry needs another one's tag; one that is
 * clear says so where players would still decrypt.
 */
export function keyAfter(entries: readonly Entry[], own: Key | undefined): Key | undefined {
  const before = entries.findLast(({ encryption }) => encryption)?.encryption;
  return own ?? (before && before.method !== 'NONE' ? { method: 'NONE' } : undefined);
}
