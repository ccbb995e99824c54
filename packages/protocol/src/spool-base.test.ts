import { describe, expect, test } from '@jest/globals';
import { defaultSpoolBase } from './spool-base.js';

describe('the default place of the spools', () => {
  test.each([
    ['root', { uid: 0, env: { XDG_STATE_HOME: '/x' }, home: '/root' }, '/var/lib/hls-segmenter'],
    ['a user', { uid: 7, env: {}, home: '/home/a' }, '/home/a/.local/state/hls-segmenter'],
    ['XDG', { uid: 7, env: { XDG_STATE_HOME: '/x/y' }, home: '/home/a' }, '/x/y/hls-segmenter'],
    [
      'a relative XDG',
      { uid: 7, env: { XDG_STATE_HOME: 'y' }, home: '/home/a' },
      '/home/a/.local/state/hls-segmenter',
    ],
    ['no home', { uid: 7, env: {}, home: '', tmp: '/t' }, '/t/hls-segmenter-7'],
  ])('%s', (_who, facts, folder) => {
    expect(defaultSpoolBase(facts)).toBe(folder);
  });

  test('is the same at every call, and absolute', () => {
    expect(defaultSpoolBase()).toBe(defaultSpoolBase());
    expect(defaultSpoolBase()).toMatch(/^\//);
  });
});
