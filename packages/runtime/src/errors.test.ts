import { describe, expect, test } from '@jest/globals';
import { ConfigError, errorCode, errorText } from './errors.js';

describe('errorText', () => {
  const cause = new Error('connect ECONNREFUSED 127.0.0.1:1');
  test.each<[string, unknown, string]>([
    ['an error', new Error('no'), 'no'],
    ['its cause', new Error('cannot store a', { cause }), 'cannot store a: connect ECONNREFUSED 127.0.0.1:1'],
    ['a cause that was told already', new Error(`no: ${cause.message}`, { cause }), `no: ${cause.message}`],
    ['causes of causes', new Error('a', { cause: new Error('b', { cause: 'c' }) }), 'a: b: c'],
    ['an error without a message', new TypeError(), 'TypeError'],
    ['several lines', new Error('a\n  b\n'), 'a b'],
    ['what is no error', 'text', 'text'],
    ['nothing', undefined, 'undefined'],
  ])('%s', (_name, error, text) => {
    expect(errorText(error)).toBe(text);
  });

  test('never goes round in circles', () => {
    const a = new Error('a');
    a.cause = new Error('b', { cause: a });
    expect(errorText(a)).toMatch(/^a: b/);
  });

  test('gives the reasons of an AggregateError', () => {
    // What net.connect fails with when a name has several addresses: its own message is empty.
    const error = new AggregateError([new Error('refused ::1'), new Error('refused 127.0.0.1')]);
    expect(errorText(error)).toBe('refused ::1; refused 127.0.0.1');
  });
});

test('errorCode', () => {
  expect(errorCode(new ConfigError('port-taken', 'x'))).toBe('port-taken');
  expect(errorCode(Object.assign(new Error(), { code: 'ENOENT' }))).toBe('ENOENT');
  expect(errorCode(Object.assign(new Error(), { code: 7 }))).toBeUndefined();
  expect(errorCode(null)).toBeUndefined();
  expect(errorCode('text')).toBeUndefined();
});
