import type { z } from 'zod';
import { ProtocolError } from './errors.js';
import {
  segmenterMessage,
  sessionId,
  uploaderMessage,
  type SegmenterMessage,
  type UploaderMessage,
} from './messages.js';

/**
 * One line from a segmenter as a message that keeps the schema.
 * @throws ProtocolError `bad-json` (fatal: what is not JSON may be the rest of a body), `bad-message` with session
 *   and index where they can be read (fatal only for a `body`: how many bytes follow is unknown)
 */
export function parseSegmenterMessage(text: string): SegmenterMessage {
  return parse(segmenterMessage, text);
}

/** One line from the uploader; errors as `parseSegmenterMessage`. */
export function parseUploaderMessage(text: string): UploaderMessage {
  return parse(uploaderMessage, text);
}

function parse<T>(schema: z.ZodType<T>, text: string): T {
  const value = parseObject(text);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { type, session, index } = value;
  const kind = typeof type === 'string' ? JSON.stringify(type.slice(0, 40)) : 'no type';
  throw new ProtocolError('bad-message', type === 'body', `message ${kind}: ${issuesText(result.error)}`, {
    session: sessionId.safeParse(session).data,
    index: Number.isSafeInteger(index) && (index as number) >= 0 ? (index as number) : undefined,
  });
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ProtocolError('bad-json', true, `not a line of JSON: ${excerpt(text)}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError('bad-json', true, `not a JSON object: ${excerpt(text)}`);
  }
  return value as Record<string, unknown>;
}

/** At most three fields and what is wrong with each; a peer's mistake must not fill a log. */
function issuesText(error: z.ZodError): string {
  const texts = error.issues.slice(0, 3).map(({ path, message }) => {
    const field = path.map(String).join('.');
    return (field ? `${field.slice(0, 80)}: ${message}` : message).slice(0, 200);
  });
  const more = error.issues.length - texts.length;
  return texts.join('; ') + (more > 0 ? `; and ${more} more` : '');
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
