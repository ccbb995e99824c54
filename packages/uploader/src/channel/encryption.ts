import type { Key } from '@hls-uplink/hls';
import type { RenditionState } from './state.js';

const BLOCK_BYTES = 16;

/** With the padding of PKCS #7: to a whole number of blocks, at least one byte (RFC 8216 §4.3.2.4). */
export function encryptedBytes(bytes: number): number {
  return bytes - (bytes % BLOCK_BYTES) + BLOCK_BYTES;
}

/**
 * EXT-X-KEY of the next entry. Each that is encrypted has its own, so that no entry needs another one's tag; one that is
 * clear says so where players would still decrypt.
 */
export function keyAfter(
  { entries, adopted }: Pick<RenditionState, 'entries' | 'adopted'>,
  own: Key | undefined,
): Key | undefined {
  const before = entries.findLast(({ encryption }) => encryption)?.encryption;
  const isKeyed = before ? before.method !== 'NONE' : adopted?.entries.at(-1)?.isKeyed;
  return own ?? (isKeyed ? { method: 'NONE' } : undefined);
}
