import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseAttributeList } from './attribute-list.js';
import { parseMediaPlaylist } from './media-playlist.js';
import { parseMultivariantPlaylist } from './multivariant-playlist.js';

const good = [
  '#EXTM3U',
  '#EXT-X-VERSION:8',
  '#EXT-X-TARGETDURATION:6',
  '#EXT-X-MEDIA-SEQUENCE:41',
  '#EXT-X-DISCONTINUITY-SEQUENCE:3',
  '#EXT-X-INDEPENDENT-SEGMENTS',
  '# a comment',
  '',
  '#EXT-X-DISCONTINUITY',
  '#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.678Z',
  '#EXTINF:6.000,',
  'low-1.ts',
  '#EXT-X-GAP',
  '#EXTINF:5.5,a title, with a comma',
  'gap.ts',
  '#EXT-X-ENDLIST',
];
const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

describe('a media playlist', () => {
  test('is read in full', () => {
    const playlist = parseMediaPlaylist(text(good));
    expect(playlist).toMatchObject({
      version: 8,
      targetDuration: 6,
      mediaSequence: 41,
      discontinuitySequence: 3,
      independentSegments: true,
      ended: true,
      type: undefined,
      leastVersion: 8,
    });
    expect(playlist.segments).toMatchObject([
      {
        uri: 'low-1.ts',
        durationSeconds: 6,
        discontinuity: true,
        gap: false,
        dateMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
      },
      { uri: 'gap.ts', durationSeconds: 5.5, discontinuity: false, gap: true, dateMs: undefined },
    ]);
    expect(parseMediaPlaylist(text(good).replaceAll('\n', '\r\n'))).toEqual(playlist);
  });

  test.each([
    ['#EXT-X-TARGETDURATION:6', '', /no EXT-X-TARGETDURATION/],
    ['#EXT-X-TARGETDURATION:6', '#EXT-X-TARGETDURATION:6.0', /line 3: no decimal integer/],
    ['#EXTM3U', '#EXTM3U8', /does not begin/],
    ['#EXT-X-VERSION:8', '#EXT-X-VERSION:8\n#EXT-X-VERSION:8', /VERSION twice/],
    ['#EXTINF:6.000,', '', /no EXTINF for low-1.ts/],
    ['#EXTINF:6.000,', '#EXTINF:6.000', /no duration and comma/],
    ['#EXTINF:6.000,', '#EXTINF:-1,', /no duration and comma/],
    ['#EXTINF:6.000,', '#EXTINF:6.000,\n#EXTINF:6.000,', /EXTINF twice/],
    ['low-1.ts', 'low 1.ts', /white space/],
    ['#EXT-X-GAP', '#EXT-X-GAP:YES', /takes no value/],
    ['#EXT-X-GAP', '#EXT-X-MEDIA-SEQUENCE:7', /twice|after the first/],
    ['#EXT-X-GAP', '#EXT-X-VENDOR:7', /not a tag/],
    ['05.678Z', '05.678', /no date with time zone/],
    ['#EXT-X-ENDLIST', '#EXT-X-ENDLIST\n#EXTINF:1,\nx.ts', /after EXT-X-ENDLIST/],
    ['#EXT-X-ENDLIST', '#EXTINF:1,', /no segment at the end/],
    ['#EXT-X-DISCONTINUITY-SEQUENCE:3', '#EXT-X-DISCONTINUITY-SEQUENCE:x', /no decimal integer/],
    ['#EXT-X-INDEPENDENT-SEGMENTS', '#EXT-X-INDEPENDENT-SEGMENTS:YES', /takes no value/],
    ['#EXT-X-INDEPENDENT-SEGMENTS', '#EXT-X-PLAYLIST-TYPE:LIVE', /neither EVENT nor VOD/],
  ])('with %s as %j is refused', (line, instead, message) => {
    const broken = text(good).replace(line, instead);
    expect(broken).not.toBe(text(good));
    expect(() => parseMediaPlaylist(broken)).toThrow(message);
  });

  test('knows the version that its tags need', () => {
    const least = (...lines: string[]): number =>
      parseMediaPlaylist(text(['#EXTM3U', '#EXT-X-TARGETDURATION:6', ...lines])).leastVersion;
    expect(least('#EXTINF:6,', 'a.ts')).toBe(1);
    expect(least('#EXTINF:6.0,', 'a.ts')).toBe(3);
    expect(least('#EXT-X-BYTERANGE:10@0', '#EXTINF:6,', 'a.ts')).toBe(4);
    expect(least('#EXT-X-I-FRAMES-ONLY', '#EXT-X-MAP:URI="m"', '#EXTINF:6,', 'a.ts')).toBe(5);
    expect(least('#EXT-X-GAP', '#EXTINF:6,', 'a.ts')).toBe(8);
  });

  test('cut anywhere is refused, or is a shorter one only at a line’s end', () => {
    const whole = text(good);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (length) => {
        const cut = whole.slice(0, length);
        try {
          expect(parseMediaPlaylist(cut).segments.length).toBeLessThanOrEqual(2);
          return cut.endsWith('\n');
        } catch (error) {
          return error instanceof SyntaxError;
        }
      }),
    );
  });

  test('with anything in it is read or refused, never more', () => {
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.string({ unit: 'grapheme-ascii' }), (at, junk) => {
        const broken = text(good.with(at, junk));
        try {
          parseMediaPlaylist(broken);
          parseMultivariantPlaylist(broken);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
    );
  });
});

describe('a multivariant playlist', () => {
  const inf =
    'BANDWIDTH=2000,AVERAGE-BANDWIDTH=1500,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=29.970';

  test('is read in full', () => {
    const media = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="sound.m3u8"';
    const lines = ['#EXTM3U', media, `#EXT-X-STREAM-INF:${inf},AUDIO="a"`, 'low.m3u8'];
    expect(parseMultivariantPlaylist(text(lines))).toEqual({
      independentSegments: false,
      variants: [
        {
          uri: 'low.m3u8',
          bandwidth: 2000,
          averageBandwidth: 1500,
          codecs: ['avc1.64001f', 'mp4a.40.2'],
          resolution: '640x360',
          frameRate: 29.97,
          audioGroup: 'a',
        },
      ],
      renditions: [{ uri: 'sound.m3u8', type: 'AUDIO', group: 'a' }],
    });
  });

  test.each([
    ['#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=7\nlow.m3u8', /without BANDWIDTH/],
    [`#EXT-X-STREAM-INF:${inf}\n#EXT-X-VERSION:3\nlow.m3u8`, /without a URI/],
    [`#EXT-X-STREAM-INF:${inf}`, /without a URI at the end/],
    ['#EXT-X-STREAM-INF:BANDWIDTH="7"\nlow.m3u8', /BANDWIDTH is not/],
    ['#EXT-X-STREAM-INF:BANDWIDTH=7,CODECS=avc1\nlow.m3u8', /CODECS must be quoted/],
    ['low.m3u8', /not a line of/],
  ])('%j is refused', (lines, message) => {
    expect(() => parseMultivariantPlaylist(`#EXTM3U\n${lines}\n`)).toThrow(message);
  });
});

describe('an attribute list', () => {
  test('holds any quoted text and any plain one', () => {
    const name = fc.stringMatching(/^[A-Z0-9-]{1,12}$/);
    const value = fc.oneof(
      fc.record({ kind: fc.constant('quoted' as const), text: fc.stringMatching(/^[^"\r\n]{0,20}$/) }),
      fc.record({ kind: fc.constant('plain' as const), text: fc.stringMatching(/^[^",\s]{1,20}$/) }),
    );
    fc.assert(
      fc.property(fc.dictionary(name, value, { minKeys: 1 }), (dictionary) => {
        const entries = Object.entries(dictionary);
        const written = entries.map(
          ([key, { kind, text: t }]) => `${key}=${kind === 'quoted' ? `"${t}"` : t}`,
        );
        expect([...parseAttributeList(written.join(','))]).toEqual(entries);
      }),
    );
  });

  test.each(['', 'A=1,', ',A=1', 'A=1,A=2', 'A', 'A="x', 'a=1', 'A=1 B=2', 'A=1, B=2'])(
    '%j is none',
    (list) => {
      expect(() => parseAttributeList(list)).toThrow(SyntaxError);
    },
  );
});
