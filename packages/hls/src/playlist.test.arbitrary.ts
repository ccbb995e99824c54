import fc from 'fast-check';
import { clientValue, type DateRange } from './date-range.js';
import type { Key } from './key.js';
import type { MediaSegment } from './media-segment.js';
import type { ClosedCaptions, MediaPlaylist, MultivariantPlaylist, Variant } from './playlist.js';

const safeInteger = fc.nat(Number.MAX_SAFE_INTEGER);

const uri = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_./-]{0,40}\.ts$/),
  fc.webUrl({ withQueryParameters: true }),
);

const comment = fc
  .oneof(fc.json(), fc.string({ unit: 'grapheme', maxLength: 60 }))
  .map((text) => `hls-uplink ${text}`)
  .filter((text) => !/[\r\n]/.test(text));

/** From 1970 to 9999. */
const date = fc.integer({ min: 0, max: 253_402_300_799_999 });

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });

const quotable = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((text) => !/["\r\n]/.test(text));
const section = fc.stringMatching(/^[0-9A-F]{2,40}$/);
const milliseconds = fc.nat(100_000_000).map((ms) => ms / 1000);

/** Any that can be written. */
export const dateRange: fc.Arbitrary<DateRange> = fc
  .record({
    id: quotable,
    class: optional(quotable),
    startDateMs: date,
    durationSeconds: optional(milliseconds),
    plannedDurationSeconds: optional(milliseconds),
    clientAttributes: optional(
      fc.dictionary(
        fc.stringMatching(/^X-[A-Z0-9-]{1,12}$/),
        fc.oneof(quotable, fc.integer(), milliseconds).map(clientValue),
        { minKeys: 1, maxKeys: 3 },
      ),
    ),
    scte35Cmd: optional(section),
    scte35Out: optional(section),
    scte35In: optional(section),
    endOnNext: optional(fc.constant(true as const)),
    length: optional(fc.nat(1000)),
  })
  .map(({ length, ...range }) => {
    const whole = { ...range, endDateMs: length === undefined ? undefined : range.startDateMs + length };
    return Object.fromEntries(
      Object.entries(whole).filter(([, value]) => value !== undefined),
    ) as unknown as DateRange;
  })
  .filter(({ endDateMs = 0 }) => endDateMs <= 253_402_300_799_999);

/** Without what other parsers hold against several: ranges of one class that overlap, two ends that differ. */
const plainDateRange = dateRange.map((range) => {
  const plain = { ...range };
  delete plain.class;
  delete plain.endOnNext;
  delete plain.durationSeconds;
  return plain;
});

const key: fc.Arbitrary<Key> = fc.oneof(
  fc.record({
    method: fc.constant('AES-128' as const),
    uri: uri.map((text) => text.replaceAll('"', '%22')),
    iv: fc.stringMatching(/^[0-9A-F]{32}$/),
  }),
  fc.constant({ method: 'NONE' as const }),
);

/** What is clear says so where it follows what is encrypted. */
function keyed(segments: MediaSegment[]): MediaSegment[] {
  let isEncrypted = false;
  return segments.map((one) => {
    const own = one.key ?? (isEncrypted && !one.gap ? { method: 'NONE' as const } : undefined);
    if (own) isEncrypted = own.method !== 'NONE';
    return { ...one, ...(own && { key: own }) };
  });
}

const segment = (dated: boolean): fc.Arbitrary<MediaSegment> =>
  fc
    .record({
      uri,
      duration90k: fc.oneof(
        { weight: 4, arbitrary: fc.nat(30 * 90_000) },
        { weight: 1, arbitrary: fc.nat(2 ** 33) },
      ),
      ...(dated ? { programDateTimeMs: date } : {}),
      discontinuity: fc.boolean(),
      key: optional(key),
      gap: fc.boolean(),
      dateRanges: dated
        ? optional(fc.array(plainDateRange, { minLength: 1, maxLength: 3 }))
        : fc.constant(undefined),
    })
    .map(({ dateRanges, key: own, ...rest }) => ({
      ...rest,
      ...(own && { key: own }),
      ...(dateRanges && { dateRanges }),
    }));

/** Any that can be written: all of its segments have a date, or none has. */
export const mediaPlaylist: fc.Arbitrary<MediaPlaylist> = fc.boolean().chain((dated) =>
  fc.record(
    {
      version: fc.integer({ min: 1, max: 12 }),
      targetDuration: fc.integer({ min: 1, max: 1000 }),
      mediaSequence: safeInteger,
      discontinuitySequence: safeInteger,
      independentSegments: fc.boolean(),
      startOffset: fc.integer({ min: -1e9, max: 1e9 }).map((thousandths) => thousandths / 1000),
      playlistType: fc.constantFrom('EVENT' as const, 'VOD' as const),
      segments: fc.array(segment(dated), { maxLength: 12 }).map(keyed),
      endList: fc.boolean(),
      comments: fc.array(comment, { maxLength: 3 }),
    },
    {
      requiredKeys: [
        'version',
        'targetDuration',
        'mediaSequence',
        'discontinuitySequence',
        'independentSegments',
        'segments',
        'endList',
        'comments',
      ],
    },
  ),
);

const variant: fc.Arbitrary<Variant> = fc.record(
  {
    uri,
    bandwidth: safeInteger,
    averageBandwidth: safeInteger,
    codecs: fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9]{3}(\.[A-Za-z0-9]{1,6}){0,2}$/), {
      maxLength: 3,
    }),
    resolution: fc.record({
      width: fc.integer({ min: 1, max: 8192 }),
      height: fc.integer({ min: 1, max: 8192 }),
    }),
    frameRate: fc.integer({ min: 1, max: 240_000 }).map((thousandths) => thousandths / 1000),
    closedCaptions: fc.constantFrom('NONE', 'cc'),
  },
  { requiredKeys: ['uri', 'bandwidth', 'codecs'] },
);

const captionText = fc.stringMatching(/^[A-Za-z0-9 ,=#-]{1,20}$/);

const closedCaptions: fc.Arbitrary<ClosedCaptions> = fc.record(
  { group: captionText, name: captionText, instreamId: captionText, language: captionText },
  { requiredKeys: ['group', 'name', 'instreamId'] },
);

export const multivariantPlaylist: fc.Arbitrary<MultivariantPlaylist> = fc.record(
  {
    independentSegments: fc.boolean(),
    closedCaptions: fc.array(closedCaptions, { minLength: 1, maxLength: 3 }),
    variants: fc.array(variant, { maxLength: 6 }),
    comments: fc.array(comment, { maxLength: 3 }),
  },
  { requiredKeys: ['independentSegments', 'variants', 'comments'] },
);

const fragments = [
  '\n',
  '\r\n',
  '#',
  ':',
  ',',
  '"',
  '-',
  '.',
  '9',
  '\u0000',
  '\ufeff',
  '#EXTM3U\n',
  '#EXTINF:6,\n',
  '\n#EXTINF:6,\n#EXTINF:6,\n',
  '\n#EXTINF:5.96,\n#EXT-X-GAP\n#EXTINF:6,\n',
  '#EXT-X-ENDLIST\n',
  '#EXT-X-DISCONTINUITY\n',
  '#EXT-X-TARGETDURATION:6\n',
  '#EXT-X-MEDIA-SEQUENCE:1\n',
  '#EXT-X-PROGRAM-DATE-TIME:2024-13-01T00:00:00Z\n',
  '#EXT-X-STREAM-INF:BANDWIDTH=1\n',
  '#EXT-X-KEY:METHOD=AES-128,URI="k"\n',
  '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1\n',
  '#EXT-X-KEY:METHOD=NONE\n',
  'x.ts\n',
];

/** A text damaged in a few places: pieces cut out, doubled, put in. */
export const damaged = (text: fc.Arbitrary<string>): fc.Arbitrary<string> => {
  // A double would be biased towards 0, and most texts damaged in their first line.
  const fraction = fc.nat(9999).map((part) => part / 10_000);
  const damage = fc.record({
    at: fraction,
    length: fc.nat(30),
    put: fc.oneof(fc.constantFrom(...fragments), fc.string({ maxLength: 5 }), fc.constant('')),
    double: fc.boolean(),
  });
  return fc.tuple(text, fc.array(damage, { minLength: 1, maxLength: 4 })).map(([whole, damages]) =>
    damages.reduce((current, { at, length, put, double }) => {
      const start = Math.floor(at * current.length);
      const piece = current.slice(start, start + length);
      return current.slice(0, start) + (double ? piece + piece : '') + put + current.slice(start + length);
    }, whole),
  );
};
