import winston from 'winston';
import { errorText } from './errors.js';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFields = Record<string, unknown>;

/** Structured log; `child` gives the context once (channel, rendition) instead of in each line. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  level?: LogLevel;
  /** Where lines go; default stderr. On a terminal they are for people, else one JSON object each. */
  stream?: NodeJS.WritableStream & { isTTY?: boolean };
}

function readableLine({
  timestamp: at,
  level,
  message,
  ...fields
}: winston.Logform.TransformableInfo): string {
  const extra = Object.entries(fields).map(([name, value]) => ` ${name}=${textOf(value)}`);
  return printable(`${String(at).slice(11, 23)} ${level.padEnd(5)} ${String(message)}${extra.join('')}`);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Error) return errorText(value);
  return (
    JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ??
    '-'
  );
}

/** Texts of peers and of files must not begin new lines, nor steer the terminal. */
function printable(line: string): string {
  // eslint-disable-next-line no-control-regex -- that is what it looks for
  return line.replaceAll(/[\x00-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

export function createLogger({ level = 'info', stream = process.stderr }: LoggerOptions = {}): Logger {
  const { combine, timestamp, json, printf } = winston.format;
  return winston.createLogger({
    level,
    format: combine(timestamp(), stream.isTTY ? printf(readableLine) : json()),
    transports: [new winston.transports.Stream({ stream })],
  });
}

/** For tests and for library use without a log. */
export const silentLogger: Logger = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => silentLogger,
};
