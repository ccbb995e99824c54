import { expect, test } from '@jest/globals';
import { nearest } from './nearest.js';

const names = ['window', 'target-duration', 'spool-root', 'store', 'http'];

test.each([
  ['windw', 'window'],
  ['windwo', 'window'],
  ['targetDuration', 'target-duration'],
  ['TARGET_DURATION', 'target-duration'],
  ['spool-roots', 'spool-root'],
  ['stor', 'store'],
  ['htp', 'http'],
  ['colour', undefined],
  ['x', undefined],
  ['', undefined],
])('%s is meant as %s', (typed, meant) => {
  expect(nearest(typed, names)).toBe(meant);
});
