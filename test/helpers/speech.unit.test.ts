import { describe, expect, test } from '@jest/globals';
import { expectNoStackTrace, logOf } from './speech.js';

const saying = (...texts: string[]): Parameters<typeof logOf>[0] => ({
  name: 'it',
  lines: texts.map((text) => ({ from: 'stderr' as const, text, at: 0 })),
});

describe('a stack trace is found', () => {
  test.each([
    ['a frame', '    at Object.open (file:///srv/x.js:3:14)'],
    ['a frame of an anonymous function', '    at file:///srv/x.js:3:14'],
    ['one of Node', '    at async node:internal/process/task_queues:95:5'],
    ['one inside JSON', '{"message":"x","stack":"Error: x\\n    at open (file:///srv/x.js:3:14)"}'],
    ['what Node prints after it', 'Node.js v20.19.0'],
  ])('%s', (_what, text) => {
    expect(() => expectNoStackTrace(saying('fine', text))).toThrow('a stack trace:\n  it: ');
  });

  test.each(['cannot read x: ENOENT: no such file', '{"message":"looking at 127.0.0.1:80","level":"info"}'])(
    'not in %s',
    (text) => expect(() => expectNoStackTrace(saying(text))).not.toThrow(),
  );
});

test('log lines are JSON with level and message', () => {
  expect(logOf(saying('{"level":"info","message":"ready","port":1}'))).toEqual([
    { level: 'info', message: 'ready', port: 1 },
  ]);
  expect(() => logOf(saying('Killed'))).toThrow('no log line: Killed');
  expect(() => logOf(saying('{"level":"info"}'))).toThrow('without level or message');
});
