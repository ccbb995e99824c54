/** What commands say to their operator. */
import type { OutputLine, StartedProcess } from './processes.js';

/** A frame of a stack trace, alone on its line or inside a line of JSON, and what Node prints around one. */
const STACK = /(^|\\n)\s+at .*[:(<]|node:internal|Node\.js v\d|UnhandledPromise|\bthrow err/;

/** @throws Error with the lines that look like a stack trace */
export function expectNoStackTrace(...processes: readonly Pick<StartedProcess, 'name' | 'lines'>[]): void {
  const found = processes.flatMap(({ name, lines }) =>
    lines.filter(({ text }) => STACK.test(text)).map(({ text }) => `  ${name}: ${text}`),
  );
  if (found.length > 0) throw new Error(`a stack trace:\n${found.join('\n')}`);
}

export interface LogEntry {
  level: string;
  message: string;
  [field: string]: unknown;
}

/** The lines of a log off a terminal: one JSON object each. @throws Error for a line that is none */
export function logOf({ name, lines }: Pick<StartedProcess, 'name' | 'lines'>): LogEntry[] {
  return lines.filter(({ from }) => from === 'stderr').map((line) => entryOf(name, line));
}

function entryOf(name: string, { text }: OutputLine): LogEntry {
  try {
    const entry = JSON.parse(text) as LogEntry;
    if (typeof entry.message === 'string' && typeof entry.level === 'string') return entry;
  } catch (cause) {
    throw new Error(`${name} printed what is no log line: ${text}`, { cause });
  }
  throw new Error(`${name} printed a log line without level or message: ${text}`);
}
