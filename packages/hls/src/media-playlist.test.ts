import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import hlsParser from 'hls-parser';
import { Parser } from 'm3u8-parser';
import { damaged, mediaPlaylist } from './playlist.test.arbitrary.js';
import { parseMediaPlaylist, renderMediaPlaylist } from './media-playlist.js';
import { PlaylistError } from './playlist-error.js';
import type { MediaPlaylist } from './playlist.js';
import { targetDurationFor } from './window.js';

const start = Date.UTC(2024, 1, 29, 23, 59, 56, 500);

const live: MediaPlaylist = {
  version: 8,
  targetDuration: 6,
  mediaSequence: 41,
  discontinuitySequence: 2,
  independentSegments: true,
  segments: [
    { uri: 'main-a-1.ts', duration90k: 540_000, programDateTimeMs: start, discontinuity: false, gap: false },
    {
      uri: 'main-a-2.ts',
      duration90k: 540_540,
      programDateTimeMs: start + 6000,
      discontinuity: false,
      gap: true,
    },
    {
      uri: 'main-b-0.ts',
      duration90k: 1,
      programDateTimeMs: start + 20_000,
      discontinuity: true,
      gap: false,
    },
  ],
  endList: false,
  comments: [' state {"term":1}', ''],
};

const golden = `#EXTM3U
#EXT-X-VERSION:8
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:41
#EXT-X-DISCONTINUITY-SEQUENCE:2
#EXT-X-INDEPENDENT-SEGMENTS
# state {"term":1}
#
#EXT-X-PROGRAM-DATE-TIME:2024-02-29T23:59:56.500Z
#EXTINF:6.000000,
main-a-1.ts
#EXT-X-PROGRAM-DATE-TIME:2024-03-01T00:00:02.500Z
#EXT-X-GAP
#EXTINF:6.006000,
main-a-2.ts
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2024-03-01T00:00:16.500Z
#EXTINF:0.000011,
main-b-0.ts
`;

const vod: MediaPlaylist = {
  version: 3,
  targetDuration: 10,
  mediaSequence: 0,
  discontinuitySequence: 0,
  independentSegments: false,
  playlistType: 'VOD',
  segments: [{ uri: 'http://cdn/a-1.ts', duration90k: 899_999, discontinuity: false, gap: false }],
  endList: true,
  comments: [],
};

const goldenVod = `#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:10
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXTINF:9.999989,
http://cdn/a-1.ts
#EXT-X-ENDLIST
`;

const empty: MediaPlaylist = { ...live, segments: [], comments: [], independentSegments: false };

describe('renderMediaPlaylist', () => {
  test.each([
    ['live', live, golden],
    ['on demand', vod, goldenVod],
  ])('%s', (_name, playlist, text) => {
    expect(renderMediaPlaylist(playlist)).toBe(text);
    expect(parseMediaPlaylist(text)).toEqual(playlist);
  });

  test('a life without segments yet', () => {
    expect(parseMediaPlaylist(renderMediaPlaylist(empty))).toEqual(empty);
  });

  test.each(['', '#x.ts', 'a\nb.ts', 'a\r', ' a.ts', 'a\u0000.ts'])('refuses to write the URI %j', (uri) => {
    expect(() =>
      renderMediaPlaylist({ ...vod, segments: [{ uri, duration90k: 1, discontinuity: false, gap: false }] }),
    ).toThrow('not a URI');
  });

  test.each(['EXT-X-ENDLIST', 'a\n#EXT-X-ENDLIST', 'a\rb'])('refuses to write the comment %j', (comment) => {
    expect(() => renderMediaPlaylist({ ...vod, comments: [comment] })).toThrow('not a comment');
  });

  test.each([-1, 0.5, NaN, 2 ** 33 + 1])('refuses to write a duration of %p ticks', (duration90k) => {
    expect(() =>
      renderMediaPlaylist({
        ...vod,
        segments: [{ uri: 'a', duration90k, discontinuity: false, gap: false }],
      }),
    ).toThrow('not the duration');
  });

  test('property: what is written is read back', () => {
    fc.assert(
      fc.property(mediaPlaylist, (playlist) => {
        expect(parseMediaPlaylist(renderMediaPlaylist(playlist))).toEqual(playlist);
      }),
      { numRuns: 500 },
    );
  });

  test('property: every tick count survives EXTINF', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 33), (duration90k) => {
        const segments = [{ uri: 'a', duration90k, discontinuity: false, gap: false }];
        const text = renderMediaPlaylist({ ...vod, segments });
        expect(Math.round(Number(/EXTINF:([\d.]+),/.exec(text)?.[1]) * 90_000)).toBe(duration90k);
        expect(parseMediaPlaylist(text).segments).toEqual(segments);
      }),
    );
  });
});

describe('independent parsers read what is written', () => {
  test('hls-parser', () => {
    hlsParser.setOptions({ strictMode: true });
    const read = hlsParser.parse(renderMediaPlaylist(live)) as hlsParser.types.MediaPlaylist;
    expect(read).toMatchObject({
      isMasterPlaylist: false,
      version: 8,
      targetDuration: 6,
      mediaSequenceBase: 41,
      discontinuitySequenceBase: 2,
      independentSegments: true,
      endlist: false,
    });
    expect(read.segments).toHaveLength(3);
    live.segments.forEach((segment, at) => {
      const other = read.segments[at];
      expect(other?.uri).toBe(segment.uri);
      expect(Math.round((other?.duration ?? NaN) * 90_000)).toBe(segment.duration90k);
      expect(other?.programDateTime?.getTime()).toBe(segment.programDateTimeMs);
      expect(other?.discontinuity ?? false).toBe(segment.discontinuity);
      expect(other?.mediaSequenceNumber).toBe(41 + at);
    });
    expect(read.segments[2]?.discontinuitySequence).toBe(3);
    expect(hlsParser.parse(renderMediaPlaylist(vod))).toMatchObject({ endlist: true, playlistType: 'VOD' });
  });

  test('m3u8-parser', () => {
    const warnings: string[] = [];
    const parser = new Parser();
    parser.on('warn', ({ message }) => warnings.push(message));
    parser.push(renderMediaPlaylist(live));
    parser.end();
    expect(warnings).toEqual([]);
    expect(parser.manifest).toMatchObject({
      version: 8,
      targetDuration: 6,
      mediaSequence: 41,
      discontinuitySequence: 2,
      independentSegments: true,
    });
    expect(
      parser.manifest.segments.map((segment) => ({
        uri: segment.uri,
        duration90k: Math.round(segment.duration * 90_000),
        programDateTimeMs: Date.parse(segment.dateTimeString ?? ''),
        discontinuity: segment.discontinuity ?? false,
      })),
    ).toEqual(live.segments.map(({ gap: _unknownToIt, ...segment }) => segment));
  });

  test('property: hls-parser finds the same segments in any playlist', () => {
    hlsParser.setOptions({ strictMode: false });
    // It also holds a playlist to its target duration and to the version its tags need.
    const valid = mediaPlaylist
      .filter(({ segments }) => segments.every(({ duration90k }) => duration90k > 0))
      .map((playlist) => ({
        ...playlist,
        version: 8,
        targetDuration: targetDurationFor(
          Math.max(0, ...playlist.segments.map(({ duration90k }) => duration90k)),
        ),
      }));
    fc.assert(
      fc.property(valid, (playlist) => {
        const read = hlsParser.parse(renderMediaPlaylist(playlist)) as hlsParser.types.MediaPlaylist;
        expect(read.targetDuration).toBe(playlist.targetDuration);
        expect(read.segments.map(({ uri, duration }) => [uri, Math.round(duration * 90_000)])).toEqual(
          playlist.segments.map(({ uri, duration90k }) => [uri, duration90k]),
        );
      }),
    );
  });
});

describe('parseMediaPlaylist reads what other tools write', () => {
  test('ffmpeg: dates with an offset without colon, a tag that went away', () => {
    const read = parseMediaPlaylist(`#EXTM3U
#EXT-X-VERSION:6
#EXT-X-ALLOW-CACHE:NO
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXTINF:4.000000,
#EXT-X-PROGRAM-DATE-TIME:2024-01-01T01:00:00.250+0100
live7.ts
#EXTINF:3.960000,
#EXT-X-PROGRAM-DATE-TIME:2024-01-01T01:00:04.250+0100
live8.ts
`);
    expect(read).toMatchObject({ version: 6, mediaSequence: 7, discontinuitySequence: 0, comments: [] });
    expect(read.segments.map(({ uri, programDateTimeMs }) => [uri, programDateTimeMs])).toEqual([
      ['live7.ts', Date.UTC(2024, 0, 1, 0, 0, 0, 250)],
      ['live8.ts', Date.UTC(2024, 0, 1, 0, 0, 4, 250)],
    ]);
  });

  test('the original: no version, whole seconds, no comma, CRLF, no newline at the end', () => {
    const text =
      '#EXTM3U\r\n#EXT-X-TARGETDURATION:10\r\n#EXTINF:10\r\nhttp://cdn/a-00001.ts\r\n#EXT-X-ENDLIST';
    expect(parseMediaPlaylist(text)).toEqual({
      ...vod,
      version: 1,
      playlistType: undefined,
      segments: [{ uri: 'http://cdn/a-00001.ts', duration90k: 900_000, discontinuity: false, gap: false }],
    });
  });

  test('titles, unknown tags, blank lines and comments between segments', () => {
    const read = parseMediaPlaylist(`#EXTM3U
#EXT-X-TARGETDURATION:6
# kept
#EXT-X-SOMETHING:A="b,c"
#EXT-X-DATERANGE:ID="1",START-DATE="2024-01-01T00:00:00Z"
#EXTINF:5.96,a title, with a comma
# not kept

a.ts
#EXT-X-KEY:METHOD=NONE
#EXTINF:6,
b.ts
`);
    expect(read.comments).toEqual([' kept']);
    expect(read.segments.map(({ uri, duration90k }) => [uri, duration90k])).toEqual([
      ['a.ts', 536_400],
      ['b.ts', 540_000],
    ]);
  });

  test('dates that are stated once are derived for the others, in both directions', () => {
    const durations = ['6.006', '6.006', '6.006', '4'];
    const entry = (seconds: string, at: number): string =>
      `${at === 1 ? '#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:10Z\n' : ''}#EXTINF:${seconds},\n${at}.ts\n`;
    const read = parseMediaPlaylist(`#EXTM3U\n#EXT-X-TARGETDURATION:6\n${durations.map(entry).join('')}`);
    const tagged = Date.UTC(2024, 0, 1, 0, 0, 10);
    expect(read.segments.map(({ programDateTimeMs }) => programDateTimeMs)).toEqual([
      tagged - 6006,
      tagged,
      tagged + 6006,
      tagged + 12_012,
    ]);
  });

  test('derived dates do not add up their roundings', () => {
    // 1/30 s is 33.3 ms: three of them are 100 ms.
    const entries = Array.from({ length: 31 }, () => '#EXTINF:0.033333,\na.ts\n').join('');
    const date = '#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:00Z\n';
    const read = parseMediaPlaylist(`#EXTM3U\n#EXT-X-TARGETDURATION:1\n${date}${entries}`);
    expect(read.segments.at(-1)?.programDateTimeMs).toBe(Date.UTC(2024, 0, 1, 0, 0, 1));
  });

  test.each([
    ['2024-01-01T00:00:00Z', Date.UTC(2024, 0, 1)],
    ['2024-01-01T00:00:00', Date.UTC(2024, 0, 1)],
    ['2024-01-01T00:00:00.1Z', Date.UTC(2024, 0, 1) + 100],
    ['2024-01-01T00:00:00.123456Z', Date.UTC(2024, 0, 1) + 123],
    ['2024-01-01T00:00:00,5Z', Date.UTC(2024, 0, 1) + 500],
    ['2024-01-01T05:30:00+05:30', Date.UTC(2024, 0, 1)],
    ['2023-12-31T20:00:00-0400', Date.UTC(2024, 0, 1)],
    ['0099-12-31T00:00:00Z', Date.parse('0099-12-31T00:00:00Z')],
  ])('the date %s', (date, ms) => {
    const text = `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-PROGRAM-DATE-TIME:${date}\n#EXTINF:1,\na\n`;
    expect(parseMediaPlaylist(text).segments[0]?.programDateTimeMs).toBe(ms);
  });
});

describe('parseMediaPlaylist refuses', () => {
  const head = '#EXTM3U\n#EXT-X-TARGETDURATION:6\n';
  test.each([
    ['', 'no-playlist', 1],
    ['<html>', 'no-playlist', 1],
    ['\ufeff#EXTM3U\n', 'no-playlist', 1],
    ['#EXTM3U8\n', 'no-playlist', 1],
    ['#EXTM3U\n', 'missing-tag', 1],
    ['#EXTM3U', 'missing-tag', 1],
    ['#EXTM3U\n#EXT-X-TARGETDURATION:6.5\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-TARGETDURATION:\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-TARGETDURATION:-6\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-TARGETDURATION:9007199254740993\n', 'bad-value', 2],
    [`${head}#EXT-X-TARGETDURATION:6\n`, 'duplicate-tag', 3],
    [`${head}#EXT-X-VERSION:x\n`, 'bad-value', 3],
    [`${head}#EXT-X-PLAYLIST-TYPE:LIVE\n`, 'bad-value', 3],
    [`${head}a.ts\n`, 'stray-uri', 3],
    [`${head}#EXTINF:6,\n`, 'missing-uri', 3],
    [`${head}#EXTINF:6,\n#EXTINF:6,\na.ts\n`, 'missing-uri', 4],
    [`${head}#EXTINF:six,\na.ts\n`, 'bad-value', 3],
    [`${head}#EXTINF:-1,\na.ts\n`, 'bad-value', 3],
    [`${head}#EXTINF:NaN,\na.ts\n`, 'bad-value', 3],
    [`${head}#EXTINF:1e3,\na.ts\n`, 'bad-value', 3],
    [`${head}#EXTINF:99999999,\na.ts\n`, 'bad-value', 3],
    [`${head}#EXTINF:6,\na\u0000.ts\n`, 'bad-value', 4],
    [`${head}#EXT-X-PROGRAM-DATE-TIME:yesterday\n`, 'bad-value', 3],
    [`${head}#EXT-X-PROGRAM-DATE-TIME:2023-02-29T00:00:00Z\n`, 'bad-value', 3],
    [`${head}#EXT-X-PROGRAM-DATE-TIME:2023-02-20T24:00:00Z\n`, 'bad-value', 3],
    [`${head}#EXTINF:6,\na.ts\n#EXT-X-MEDIA-SEQUENCE:4\n`, 'late-tag', 5],
    [`${head}#EXTINF:6,\na.ts\n#EXT-X-DISCONTINUITY-SEQUENCE:4\n`, 'late-tag', 5],
    [`${head}#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY-SEQUENCE:4\n`, 'late-tag', 4],
    [`${head}#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n`, 'wrong-kind', 3],
    [`${head}#EXT-X-MAP:URI="init.mp4"\n`, 'unsupported-tag', 3],
    [`${head}#EXT-X-BYTERANGE:1@0\n`, 'unsupported-tag', 3],
    [`${head}#EXT-X-KEY:METHOD=AES-128,URI="k"\n`, 'unsupported-tag', 3],
    [`${head}#EXT-X-I-FRAMES-ONLY\n`, 'unsupported-tag', 3],
  ])('%j: %s in line %i', (text, code, line) => {
    let error: unknown;
    try {
      parseMediaPlaylist(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(PlaylistError);
    expect(error).toMatchObject({ code, line });
  });

  test('more than it was allowed', () => {
    expect(() => parseMediaPlaylist(golden, { maxLength: golden.length - 1 })).toThrow(
      expect.objectContaining({ code: 'too-long' }),
    );
    expect(() => parseMediaPlaylist(golden, { maxEntries: 2 })).toThrow(
      expect.objectContaining({ code: 'too-many-entries' }),
    );
    expect(parseMediaPlaylist(golden, { maxLength: golden.length, maxEntries: 3 })).toEqual(live);
  });

  test('every text that is cut off within an entry', () => {
    const cut = golden.slice(0, golden.indexOf('main-b'));
    expect(() => parseMediaPlaylist(cut)).toThrow(expect.objectContaining({ code: 'missing-uri' }));
  });

  test('property: a damaged text is a playlist that can be written again, or a PlaylistError', () => {
    const seen = new Map<string, number>();
    const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
    const text = fc.oneof(mediaPlaylist.map(renderMediaPlaylist), fc.constantFrom(golden, goldenVod));
    fc.assert(
      fc.property(damaged(text), (broken) => {
        try {
          const read = parseMediaPlaylist(broken);
          expect(parseMediaPlaylist(renderMediaPlaylist(read))).toEqual(read);
          count('read');
        } catch (error) {
          expect(error).toBeInstanceOf(PlaylistError);
          count((error as PlaylistError).code);
        }
      }),
      { numRuns: 3000 },
    );
    process.stdout.write(`damaged media playlists: ${JSON.stringify(Object.fromEntries(seen))}\n`);
    for (const what of ['read', 'bad-value', 'no-playlist', 'missing-uri', 'stray-uri', 'duplicate-tag']) {
      expect([what, (seen.get(what) ?? 0) >= 10]).toEqual([what, true]);
    }
  });
});
