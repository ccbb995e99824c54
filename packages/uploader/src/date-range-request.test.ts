import { describe, expect, test } from '@jest/globals';
import { DateRangeRequestError, dateRangeOf } from './date-range-request.js';

const least = { id: 'promo', startDate: '2026-11-22T12:00:00Z' };

describe('what may be asked for', () => {
  test('the least there is', () => {
    expect(dateRangeOf(least)).toEqual({
      id: 'promo-20261122T120000.000Z',
      startDateMs: Date.parse('2026-11-22T12:00:00Z'),
    });
  });

  test('all there is; dates of any offset', () => {
    expect(
      dateRangeOf({
        id: 'promo',
        class: 'com.example.promo',
        startDate: '2026-11-22T13:00:00.5+01:00',
        durationSeconds: 29.97,
        attributes: { 'X-URL': 'https://example.com/?a=1,b', 'X-N': -0.5 },
      }),
    ).toEqual({
      id: 'promo-20261122T120000.500Z',
      class: 'com.example.promo',
      startDateMs: Date.parse('2026-11-22T12:00:00.500Z'),
      durationSeconds: 29.97,
      clientAttributes: { 'X-URL': '"https://example.com/?a=1,b"', 'X-N': '-0.5' },
    });
    expect(dateRangeOf({ ...least, endDate: '2026-11-22T12:00:10Z' })).toMatchObject({
      endDateMs: Date.parse('2026-11-22T12:00:10Z'),
    });
  });
});

test.each<[string, unknown, RegExp]>([
  ['nothing', undefined, /./],
  ['a list', [], /./],
  ['no ID', { startDate: least.startDate }, /id/],
  ['no start', { id: 'a' }, /startDate/],
  ['an ID with a quote', { ...least, id: 'a"' }, /id/],
  ['an ID of SCTE-35', { ...least, id: 'scte35-insert-1' }, /scte35/],
  ['an ID of 101 characters', { ...least, id: 'a'.repeat(101) }, /id/],
  ['a day that is none', { ...least, startDate: '2026-02-30T00:00:00Z' }, /startDate/],
  ['a date without offset', { ...least, startDate: '2026-11-22T12:00:00' }, /startDate/],
  ['an end before the start', { ...least, endDate: '2026-11-22T11:00:00Z' }, /endDate/],
  ['two ends', { ...least, endDate: '2026-11-22T13:00:00Z', durationSeconds: 1 }, /not both/],
  ['a negative duration', { ...least, durationSeconds: -1 }, /durationSeconds/],
  ['a class with a newline', { ...least, class: 'a\nb' }, /class/],
  ['an attribute without X-', { ...least, attributes: { 'SCTE35-OUT': '0xFC' } }, /attributes/],
  ['an attribute of small letters', { ...least, attributes: { 'X-a': 1 } }, /attributes/],
  ['a value with a quote', { ...least, attributes: { 'X-A': 'a",X-B="' } }, /attributes/],
  ['a value that ends the line', { ...least, attributes: { 'X-A': '\n#EXT-X-ENDLIST' } }, /attributes/],
  ['a value that is an object', { ...least, attributes: { 'X-A': {} } }, /attributes/],
  [
    '21 attributes',
    { ...least, attributes: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`X-${n}`, n])) },
    /attributes/,
  ],
  ['an unknown field', { ...least, cue: 'PRE' }, /cue/],
])('%s is refused', (_what, body, reason) => {
  expect(() => dateRangeOf(body)).toThrow(DateRangeRequestError);
  expect(() => dateRangeOf(body)).toThrow(reason);
});
