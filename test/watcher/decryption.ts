/** AES-128 as a player undoes it (RFC 8216 §4.3.2.4). */
import { createDecipheriv } from 'node:crypto';
import { parseAttributeList, plain, quoted } from './attribute-list.js';

export interface SegmentKey {
  uri: string;
  /** 16 bytes. */
  iv: Uint8Array;
}

/** Of an EXT-X-KEY: undefined when what follows is clear. @throws SyntaxError */
export function keyOf(value: string): SegmentKey | undefined {
  const list = parseAttributeList(value);
  const method = plain(list, 'METHOD', /^(NONE|AES-128)$/);
  if (method === 'NONE') {
    if (list.size > 1) throw new SyntaxError(`nothing may stand beside NONE: ${value}`);
    return undefined;
  }
  const uri = quoted(list, 'URI');
  const iv = plain(list, 'IV', /^0x[0-9A-F]{32}$/);
  if (method === undefined || uri === undefined || iv === undefined)
    throw new SyntaxError(`no METHOD, URI or IV: ${value}`);
  return { uri, iv: Buffer.from(iv.slice(2), 'hex') };
}

/** @throws Error when the key is none, or not that of these bytes */
export function decrypt(bytes: Uint8Array, key: Uint8Array, iv: Uint8Array): Uint8Array {
  if (key.length !== 16) throw new Error(`a key of ${key.length} bytes`);
  const decipher = createDecipheriv('aes-128-cbc', key, iv);
  return Buffer.concat([decipher.update(bytes), decipher.final()]);
}
