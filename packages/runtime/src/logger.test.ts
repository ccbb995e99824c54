import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { createLogger, silentLogger, type LoggerOptions } from './logger.js';

function logged(
  options: LoggerOptions & { isTTY?: boolean },
  log: (logger: ReturnType<typeof createLogger>) => void,
) {
  const stream = Object.assign(new PassThrough(), { isTTY: options.isTTY ?? false });
  log(createLogger({ ...options, stream }));
  return String(stream.read() ?? '');
}

describe('createLogger', () => {
  test('one JSON object a line off a terminal, with the context of its children', () => {
    const text = logged({}, (logger) => {
      const child = logger.child({ channel: 'live' }).child({ rendition: 'main' });
      child.warn('slow store', { delayMs: 1200 });
      logger.debug('not shown');
      logger.info('plain');
    });
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toEqual([
      {
        level: 'warn',
        message: 'slow store',
        channel: 'live',
        rendition: 'main',
        delayMs: 1200,
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      },
      { level: 'info', message: 'plain', timestamp: expect.any(String) },
    ]);
  });

  test('readable on a terminal', () => {
    const text = logged({ isTTY: true }, (logger) =>
      logger.child({ channel: 'live' }).error('no', { count: 2, why: 'full' }),
    );
    expect(text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} error no channel=live count=2 why=full\n$/);
  });

  test('what a peer sent can neither break a line nor steer the terminal', () => {
    const text = logged({ isTTY: true }, (logger) =>
      logger.warn('a\nb', { name: 'x\n12:00:00 info  forged', escape: '\u001b[2J' }),
    );
    expect(text.trimEnd().split('\n')).toHaveLength(1);
    expect(text).not.toContain('\u001b');
  });

  test('fields that cannot be JSON do not break the log', () => {
    const log = (logger: ReturnType<typeof createLogger>): void =>
      logger.info('size', { bytes: 10n, missing: undefined, error: new Error('why') });
    expect(logged({ isTTY: true }, log)).toContain('bytes=10');
    expect(logged({}, log)).toContain('"message":"size"');
  });

  test.each([
    ['error', 1],
    ['warn', 2],
    ['info', 3],
    ['debug', 4],
  ] as const)('level %s shows %i of four', (level, count) => {
    const text = logged({ level }, (logger) => {
      logger.error('1');
      logger.warn('2');
      logger.info('3');
      logger.debug('4');
    });
    expect(text.trimEnd().split('\n')).toHaveLength(count);
  });
});

test('silentLogger says nothing', () => {
  expect(silentLogger.child({ a: 1 })).toBe(silentLogger);
  expect(silentLogger.error('x')).toBeUndefined();
});
