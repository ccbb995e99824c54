import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ProtocolError } from './errors.js';
import { encodeMessage } from './framing.js';
import type { SegmenterMessage, UploaderMessage } from './messages.js';
import { parseSegmenterMessage, parseUploaderMessage } from './parse.js';

const session = '0123456789abcdef'.repeat(2);
const wallClock = '2024-02-29T23:59:59.123Z';
const segment = {
  type: 'segment',
  session,
  index: 7,
  path: '/spool/7.ts',
  bytes: 188,
  crc32: 1,
  startPts: 0,
  endPts: 540000,
  wallClock,
  ended: 'cut',
  independent: true,
  keyPictures: [{ offset: 376, bytes: 188, pts: 0 }],
} as const;

const fromSegmenter: SegmenterMessage[] = [
  { type: 'hello', version: 1, channel: 'news/berlin', rendition: 'main', source: 'a', session, target: 6 },
  {
    type: 'tracks',
    session,
    index: 0,
    tracks: [
      { kind: 'video', pid: 256, codec: 'avc1.64001f', width: 1280, height: 720, frameRate: 29.97 },
      { kind: 'audio', pid: 257, codec: 'mp4a.40.2', channels: 2, sampleRate: 48000, language: 'deu' },
      { kind: 'other', pid: 258 },
    ],
    gop: 180000,
  },
  { ...segment, keyPictures: [...segment.keyPictures], markers: [] },
  { type: 'body', session, index: 7, bytes: 188 },
  { type: 'gap', session, index: 8, startPts: 1, endPts: 2, wallClock, reason: 'ENOSPC' },
  { type: 'leave', session, index: 9, reason: 'SIGTERM' },
  { type: 'end', session, index: 10 },
  { type: 'ping' },
];

const fromUploader: UploaderMessage[] = [
  { type: 'welcome', version: 1, session, accepted: [3, 4] },
  { type: 'welcome', version: 1, session, settled: 0, accepted: [] },
  { type: 'channel', targetDuration: 6 },
  { type: 'accepted', session, index: 0 },
  { type: 'send', session, index: 0 },
  { type: 'published', session, index: 0 },
  { type: 'dropped', session, index: 0, code: 'late' },
  { type: 'rejected', session, index: 0, code: 'bad-file', reason: 'the CRC differs' },
  { type: 'refused', code: 'rendition-busy', reason: 'another session feeds it' },
  { type: 'pong' },
];

function refusal(parse: () => unknown): ProtocolError {
  try {
    parse();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('messages go over the wire and come out the same', () => {
  test.each(fromSegmenter)('segmenter: $type', (message) => {
    expect(parseSegmenterMessage(encodeMessage(message))).toEqual(message);
    expect(refusal(() => parseUploaderMessage(encodeMessage(message))).code).toBe('bad-message');
  });
  test.each(fromUploader)('uploader: $type', (message) => {
    expect(parseUploaderMessage(encodeMessage(message))).toEqual(message);
    expect(refusal(() => parseSegmenterMessage(encodeMessage(message))).code).toBe('bad-message');
  });
  test('markers may be left out', () => {
    expect(parseSegmenterMessage(JSON.stringify(segment))).toMatchObject({ markers: [] });
  });
});

const marker = {
  kind: 'out',
  pts: 5400,
  immediate: false,
  eventId: 0xffffffff,
  segmentationType: 0x34,
  duration90k: 2 ** 40 - 1,
  section: 'FC30',
} as const;

describe('markers', () => {
  test('come out as they went in', () => {
    const least = { kind: 'command', pts: 0, immediate: true, section: 'FC' } as const;
    const message = { ...segment, keyPictures: [], markers: [marker, least] };
    expect(parseSegmenterMessage(JSON.stringify(message))).toEqual(message);
  });

  test.each<[string, object[], RegExp]>([
    ['33 of them', Array.from({ length: 33 }, () => marker), /markers/],
    ['of another kind', [{ ...marker, kind: 'maybe' }], /kind/],
    ['a time of 34 bits', [{ ...marker, pts: 2 ** 33 }], /pts/],
    ['an event of 33 bits', [{ ...marker, eventId: 2 ** 32 }], /eventId/],
    ['half a byte', [{ ...marker, section: 'FC3' }], /section/],
    ['no byte', [{ ...marker, section: '' }], /section/],
    ['what would end the line of a playlist', [{ ...marker, section: 'FC\n' }], /section/],
    ['a section of 1025 bytes', [{ ...marker, section: 'FC'.repeat(1025) }], /section/],
  ])('%s: refused', (_what, markers, where) => {
    const error = refusal(() => parseSegmenterMessage(JSON.stringify({ ...segment, markers })));
    expect(error).toMatchObject({ code: 'bad-message' });
    expect(error.message).toMatch(where);
  });
});

describe('what is no message', () => {
  test.each(['', 'hello', '{', '[]', 'null', '"x"', '7', '{"a":1}{'])('%j is bad-json, and fatal', (text) => {
    expect(refusal(() => parseSegmenterMessage(text))).toMatchObject({ code: 'bad-json', fatal: true });
  });

  const [hello, tracks] = fromSegmenter;
  test.each<[string, object, RegExp]>([
    ['no type', {}, /type/],
    ['unknown type', { type: 'x' }, /type/],
    ['unknown field', { ...segment, colour: 1 }, /colour/],
    ['missing field', { ...segment, path: undefined }, /path/],
    ['a timestamp of 34 bits', { ...segment, startPts: 2 ** 33 }, /startPts/],
    ['a negative timestamp', { ...segment, startPts: -1 }, /startPts/],
    ['a broken timestamp', { ...segment, startPts: 1.5 }, /startPts/],
    ['a text for a number', { ...segment, bytes: '188' }, /bytes/],
    ['a CRC of 33 bits', { ...segment, crc32: 2 ** 32 }, /crc32/],
    ['a date that is none', { ...segment, wallClock: '2023-02-29T00:00:00Z' }, /wallClock/],
    [
      'a key picture without bytes',
      { ...segment, keyPictures: [{ offset: 0, pts: 0 }] },
      /keyPictures\.0\.bytes/,
    ],
    ['another version', { ...hello, version: 2 }, /version/],
    ['a channel that climbs', { ...hello, channel: '../x' }, /channel/],
    ['a channel with an empty part', { ...hello, channel: 'a//b' }, /channel/],
    ['a channel with a hidden part', { ...hello, channel: 'a/.b' }, /channel/],
    ['a channel with a slash at its end', { ...hello, channel: 'a/' }, /channel/],
    ['a rendition of two parts', { ...hello, rendition: 'a/b' }, /rendition/],
    ['a rendition with a newline', { ...hello, rendition: 'a\n' }, /rendition/],
    ['the name of a derived file', { ...hello, rendition: 'main-dvr' }, /derived/],
    ['the name of a VOD playlist', { ...hello, rendition: 'main-20261128T030627Z-vod' }, /derived/],
    ['the index as a rendition', { ...hello, rendition: 'index' }, /derived/],
    ['an index that is a path', { ...hello, names: { index: '../x.m3u8' } }, /names\.index/],
    ['a URL prefix with a quote', { ...hello, names: { urlPrefix: 'http://x/"' } }, /names\.urlPrefix/],
    ['a URL prefix with a newline', { ...hello, names: { urlPrefix: 'http://x/\n' } }, /names\.urlPrefix/],
    ['a target of nothing', { ...hello, target: 0 }, /target/],
    ['a token with a newline', { ...hello, token: 'a\nb' }, /token/],
    [
      'a codec with a quote',
      { ...tracks, tracks: [{ kind: 'video', pid: 1, codec: 'a"b' }] },
      /tracks\.0\.codec/,
    ],
    ['a codec with a newline', { ...tracks, tracks: [{ kind: 'video', pid: 1, codec: 'a\n#EXT' }] }, /codec/],
    ['two codecs in one', { ...tracks, tracks: [{ kind: 'video', pid: 1, codec: 'a,b' }] }, /codec/],
  ])('%s', (_name, message, naming) => {
    const error = refusal(() => parseSegmenterMessage(JSON.stringify(message)));
    expect(error).toMatchObject({ code: 'bad-message', fatal: false });
    expect(error.message).toMatch(naming);
    expect(error.message).not.toContain('\n');
  });

  test('session and index are given where they can be read, so that it can be rejected alone', () => {
    const bad = (fields: object) =>
      refusal(() => parseSegmenterMessage(JSON.stringify({ ...segment, bytes: 0, ...fields })));
    expect(bad({})).toMatchObject({ session, index: 7, fatal: false });
    expect(bad({ index: -1 })).toMatchObject({ session, index: undefined });
    expect(bad({ session: 'x' })).toMatchObject({ session: undefined, index: 7 });
  });

  test('a bad body is fatal: where the next line begins is unknown', () => {
    const text = JSON.stringify({ type: 'body', session, index: 7 });
    expect(refusal(() => parseSegmenterMessage(text))).toMatchObject({ code: 'bad-message', fatal: true });
  });

  test('a prototype cannot be smuggled in', () => {
    const text = '{"type":"ping","__proto__":{"polluted":true}}';
    try {
      expect(Object.keys(parseSegmenterMessage(text))).toEqual(['type']);
    } catch (error) {
      expect(error).toMatchObject({ code: 'bad-message' });
    }
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('the message of an error stays short, however much was wrong', () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`field${n}`, n]));
    const keyPictures = Array.from({ length: 4000 }, () => ({}));
    const error = refusal(() => parseSegmenterMessage(JSON.stringify({ ...segment, ...many, keyPictures })));
    expect(error.message.length).toBeLessThan(1000);
  });

  test('property: any JSON, and any message with one field changed, is a message or a ProtocolError', () => {
    const seen = { taken: 0, refused: 0 };
    const one = (text: string): void => {
      try {
        const message = parseSegmenterMessage(text);
        expect(parseSegmenterMessage(encodeMessage(message))).toEqual(message);
        seen.taken++;
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
        seen.refused++;
      }
    };
    const keys = [...new Set(fromSegmenter.flatMap((message) => Object.keys(message)))];
    fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), one));
    fc.assert(
      fc.property(
        fc.constantFrom(...fromSegmenter),
        fc.constantFrom(...keys),
        fc.oneof(
          fc.jsonValue(),
          fc.constantFrom(0, 1, 5, session, 'main', wallClock),
          fc.constant(undefined),
        ),
        (message, key, value) => one(JSON.stringify({ ...message, [key]: value })),
      ),
      { numRuns: 2000 },
    );
    process.stdout.write(`messages with one field changed: ${JSON.stringify(seen)}\n`);
    expect(seen.taken).toBeGreaterThan(100);
    expect(seen.refused).toBeGreaterThan(500);
  });
});
