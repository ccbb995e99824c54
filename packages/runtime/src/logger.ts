import winston from 'winston';

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

const { combine, timestamp, json, printf } = winston.format;

const readable = printf(({ timestamp: at, level, message, ...fields }) => {
  const extra = Object.entries(fields).map(
    ([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${String(at).slice(11, 23)} ${level.padEnd(5)} ${String(message)}${extra.join('')}`;
});

export function createLogger({ level = 'info', stream = process.stderr }: LoggerOptions = {}): Logger {
  return winston.createLogger({
    level,
    format: combine(timestamp(), stream.isTTY ? readable : json()),
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
