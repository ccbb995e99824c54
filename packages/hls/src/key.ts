import { parseRawAttributes, quotedString, unquoted } from './attribute-list.js';
import { excerpt } from './lines.js';
import { PlaylistError } from './playlist-error.js';

const TAG = 'EXT-X-KEY';

/** EXT-X-KEY (RFC 8216 §4.3.2.4), of the KEYFORMAT identity. */
export type Key =
  /** What follows is clear. */
  | { method: 'NONE' }
  | {
      method: 'AES-128';
      /** URI */
      uri: string;
      /** IV, 32 hexadecimal digits without 0x, upper case. */
      iv: string;
    };

/**
 * The tag, without a newline.
 * @throws Error a mistake of the caller: it cannot be written
 */
export function renderKey(key: Key): string {
  if (key.method === 'NONE') return `#${TAG}:METHOD=NONE`;
  const { method, uri, iv } = key;
  if (uri === '' || hasControlCharacters(uri)) throw new Error(`not a URI of a key: ${excerpt(uri)}`);
  if (!/^[0-9A-F]{32}$/.test(iv)) throw new Error('not an initialization vector of 128 bits');
  return `#${TAG}:METHOD=${method},URI=${quotedString(uri)},IV=0x${iv}`;
}

/**
 * The key of a tag's value. One without IV is not taken: its segments' numbers would be their vectors.
 * @throws PlaylistError `bad-value`, `unsupported-tag`
 */
export function parseKey(value: string, line: number): Key {
  const attributes = parseRawAttributes(TAG, value, line);
  const method = attributes.get('METHOD') ?? '';
  if (method === 'NONE') return { method };
  const format = attributes.get('KEYFORMAT') ?? '"identity"';
  const [uri, iv] = [attributes.get('URI'), attributes.get('IV')];
  if (method !== 'AES-128' || format !== '"identity"' || iv === undefined)
    throw new PlaylistError(
      'unsupported-tag',
      line,
      `${TAG} ${excerpt(value)} cannot be carried on: only AES-128 with an IV can`,
    );
  if (!uri?.startsWith('"') || unquoted(uri) === '' || hasControlCharacters(uri))
    throw new PlaylistError('bad-value', line, `${TAG} has no URI, or one that cannot be`);
  if (!/^0[xX][0-9A-Fa-f]{1,32}$/.test(iv))
    throw new PlaylistError('bad-value', line, `${TAG}: IV is ${excerpt(iv)}, not of 128 bits`);
  return { method, uri: unquoted(uri), iv: iv.slice(2).toUpperCase().padStart(32, '0') };
}

// eslint-disable-next-line no-control-regex -- that is what it looks for
const hasControlCharacters = (text: string): boolean => /[\x00-\x1f\x7f]/.test(text);
