import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Parser } from 'm3u8-parser';
import { clientValue, parseDateRange, renderDateRange, type DateRange } from './date-range.js';
import { parseMediaPlaylist } from './media-playlist.js';
import { PlaylistError } from './playlist-error.js';
import { dateRange } from './playlist.test.arbitrary.js';

const value = (range: DateRange): string => renderDateRange(range).slice('#EXT-X-DATERANGE:'.length);
const start = Date.parse('2014-03-05T11:15:00Z');

describe('tags as in RFC 8216', () => {
  test('§8.10: a splice, and where it ended', () => {
    const out = {
      id: 'splice-6FFFFFF0',
      startDateMs: start,
      plannedDurationSeconds: 59.993,
      scte35Out: 'FC002F',
    };
    expect(renderDateRange(out)).toBe(
      '#EXT-X-DATERANGE:ID="splice-6FFFFFF0",START-DATE="2014-03-05T11:15:00.000Z",PLANNED-DURATION=59.993,SCTE35-OUT=0xFC002F',
    );
    const back = {
      id: 'splice-6FFFFFF0',
      startDateMs: start,
      endDateMs: start + 59_994,
      durationSeconds: 59.994,
      scte35In: 'FC002A',
    };
    expect(renderDateRange(back)).toBe(
      '#EXT-X-DATERANGE:ID="splice-6FFFFFF0",START-DATE="2014-03-05T11:15:00.000Z",END-DATE="2014-03-05T11:15:59.994Z",DURATION=59.994,SCTE35-IN=0xFC002A',
    );
  });

  test('X- attributes are texts or numbers; END-ON-NEXT', () => {
    const clientAttributes = { 'X-AD-URL': clientValue('https://a/?b,c'), 'X-N': clientValue(-1.5) };
    const range = { id: 'a', class: 'ad', startDateMs: start, clientAttributes, endOnNext: true as const };
    expect(value(range)).toBe(
      'ID="a",CLASS="ad",START-DATE="2014-03-05T11:15:00.000Z",X-AD-URL="https://a/?b,c",X-N=-1.5,END-ON-NEXT=YES',
    );
  });

  test.each([
    [1e-7, '0'],
    [100, '100'],
    [0.1, '0.1'],
    [-2, '-2'],
  ])('%d has no exponent and no needless zeros', (number, text) => {
    expect(clientValue(number)).toBe(text);
  });
});

test('what is written is read again, by another parser, too', () => {
  fc.assert(
    fc.property(dateRange, (range) => {
      expect(parseDateRange(value(range), 1)).toEqual(range);
    }),
  );
  const parser = new Parser();
  parser.push(
    `#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:2014-03-05T11:15:00.000Z\n${renderDateRange({
      id: 'a',
      startDateMs: start,
      scte35Out: 'FC00',
    })}\n#EXTINF:6,\na.ts\n`,
  );
  parser.end();
  expect((parser.manifest as unknown as { dateRanges: unknown }).dateRanges).toMatchObject([
    { id: 'a', startDate: new Date(start), scte35Out: '0xFC00' },
  ]);
});

test('unknown attributes are ignored, X- ones kept as they are', () => {
  const parsed = parseDateRange('ID="a",START-DATE="2014-03-05T11:15:00Z",CUE="PRE",X-A=0xAb,X-B="b"', 1);
  expect(parsed).toEqual({ id: 'a', startDateMs: start, clientAttributes: { 'X-A': '0xAb', 'X-B': '"b"' } });
});

test.each([
  ['', /ID/],
  ['ID="a"', /START-DATE/],
  ['START-DATE="2014-03-05T11:15:00Z"', /ID/],
  ['ID=a,START-DATE="2014-03-05T11:15:00Z"', /ID is not in quotes/],
  ['ID="a",START-DATE="yesterday"', /START-DATE/],
  ['ID="a",START-DATE="2014-03-05T11:15:00Z",END-DATE="2014-03-05T11:14:59Z"', /END-DATE is before/],
  ['ID="a",START-DATE="2014-03-05T11:15:00Z",DURATION=-1', /DURATION/],
  ['ID="a",START-DATE="2014-03-05T11:15:00Z",SCTE35-OUT="0xFC"', /SCTE35-OUT/],
  ['ID="a",START-DATE="2014-03-05T11:15:00Z",SCTE35-CMD=FC', /SCTE35-CMD/],
  ['ID="a",START-DATE="2014-03-05T11:15:00Z",X-A=b', /X-A/],
  ['ID="a",START-DATE="2014-03-05T11:15:00Z",END-ON-NEXT=NO', /END-ON-NEXT/],
  ['ID="a",ID="b",START-DATE="2014-03-05T11:15:00Z"', /second ID/],
])('%s is refused', (text, reason) => {
  expect(() => parseDateRange(text, 3)).toThrow(PlaylistError);
  expect(() => parseDateRange(text, 3)).toThrow(reason);
});

test.each<[string, Partial<DateRange>]>([
  ['a quote in its ID', { id: 'a"b' }],
  ['a newline in its class', { class: 'a\nb' }],
  ['an attribute that is no X-', { clientAttributes: { SCTE35: '1' } }],
  ['an attribute that ends the line', { clientAttributes: { 'X-A': '"a\n"' } }],
  ['a section that is none', { scte35Out: '0xFC' }],
])('%s cannot be written', (_what, wrong) => {
  expect(() => renderDateRange({ id: 'a', startDateMs: start, ...wrong })).toThrow(Error);
});

test('one of another tool that the standard does not allow costs nothing but itself', () => {
  const text = `#EXTM3U
#EXT-X-TARGETDURATION:6
#EXT-X-DATERANGE:ID="a",SCTE35-IN=0xFC00
#EXT-X-DATERANGE:ID="b",START-DATE="2014-03-05T11:15:00Z"
#EXTINF:6,
a.ts
`;
  const { segments } = parseMediaPlaylist(text);
  expect(segments[0]?.dateRanges?.map(({ id }) => id)).toEqual(['b']);
});
