import { StoreError } from './store-error.js';

/** Names that begin so are the stores' own (temporary files, probes): never listed, never written for a caller. */
export const RESERVED_PREFIX = '.hls-uplink-';

/** S3's limit for a key, and what Linux's file systems take for one name; bytes of UTF-8. */
const KEY_BYTES = 1024;
const NAME_BYTES = 255;

/**
 * Throws a StoreError `bad-key` unless `key` is a relative path of plain names: no `..`, no empty names, no control
 * characters, no backslash, nothing longer than file systems and S3 take.
 */
export function checkKey(key: string): void {
  const wrong = whatIsWrong(key);
  if (wrong) throw new StoreError('bad-key', `Not a usable object key, ${wrong}: ${JSON.stringify(key)}`);
}

function whatIsWrong(key: string): string | undefined {
  if (key === '') return 'it is empty';
  if (key.startsWith('/')) return 'it begins with a slash';
  if (Buffer.byteLength(key) > KEY_BYTES) return `it is longer than ${KEY_BYTES} bytes`;
  // A lone surrogate has no UTF-8, so two such keys would become one name.
  if (/[\p{Cc}\p{Cs}\\]/u.test(key)) return 'it holds a control character or a backslash';
  for (const name of key.split('/')) {
    if (name === '') return 'it has an empty name between slashes';
    if (name === '.' || name === '..') return `it has a name ${name}`;
    if (Buffer.byteLength(name) > NAME_BYTES) return `it has a name longer than ${NAME_BYTES} bytes`;
    if (name.startsWith(RESERVED_PREFIX)) return `names that begin with ${RESERVED_PREFIX} are reserved`;
  }
  return undefined;
}
