import { excerpt } from './lines.js';
import { PlaylistError } from './playlist-error.js';

const ATTRIBUTE = /\s*([A-Z0-9-]+)=("[^"]*"|[^",\s]*)\s*(,|$)/y;

/**
 * The attributes of a tag by name, quotes taken off (RFC 8216 §4.2).
 * @throws PlaylistError `bad-value`
 */
export function parseAttributeList(tag: string, value: string, line: number): Map<string, string> {
  const raw = parseRawAttributes(tag, value, line);
  return new Map([...raw].map(([name, text]) => [name, unquoted(text)]));
}

/** A value without its quotes, if it has any. */
export const unquoted = (raw: string): string => (raw.startsWith('"') ? raw.slice(1, -1) : raw);

/**
 * As `parseAttributeList`, the values as they stand there: quotes tell a text from a number.
 * @throws PlaylistError `bad-value`
 */
export function parseRawAttributes(tag: string, value: string, line: number): Map<string, string> {
  const attributes = new Map<string, string>();
  ATTRIBUTE.lastIndex = 0;
  while (ATTRIBUTE.lastIndex < value.length) {
    const at = ATTRIBUTE.lastIndex;
    const match = ATTRIBUTE.exec(value);
    const [, name = '', raw = ''] = match ?? [];
    if (!match || attributes.has(name)) {
      const what = match ? `a second ${name}` : `no attribute at ${excerpt(value.slice(at))}`;
      throw new PlaylistError('bad-value', line, `${tag} has ${what}`);
    }
    attributes.set(name, raw);
  }
  return attributes;
}

/**
 * A value in quotes.
 * @throws Error a mistake of the caller: it cannot be written
 */
export function quotedString(value: string): string {
  if (/["\r\n]/.test(value)) throw new Error(`cannot stand in quotes: ${excerpt(value)}`);
  return `"${value}"`;
}
