import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import hlsParser from 'hls-parser';
import { Parser } from 'm3u8-parser';
import { damaged, multivariantPlaylist } from './playlist.test.arbitrary.js';
import { parseMultivariantPlaylist, renderMultivariantPlaylist } from './multivariant-playlist.js';
import { PlaylistError } from './playlist-error.js';
import type { MultivariantPlaylist } from './playlist.js';

const playlist: MultivariantPlaylist = {
  independentSegments: true,
  comments: ['hls-uplink {"term":3}'],
  variants: [
    {
      uri: 'high.m3u8',
      bandwidth: 5_000_000,
      averageBandwidth: 4_600_000,
      codecs: ['avc1.64001f', 'mp4a.40.2'],
      resolution: { width: 1280, height: 720 },
      frameRate: 29.97,
      closedCaptions: 'NONE',
    },
    { uri: 'sound.m3u8', bandwidth: 64_000, codecs: ['mp4a.40.2'] },
    { uri: 'unknown.m3u8', bandwidth: 1, codecs: [] },
  ],
};

const golden = `#EXTM3U
#EXT-X-VERSION:8
#EXT-X-INDEPENDENT-SEGMENTS
#hls-uplink {"term":3}
#EXT-X-STREAM-INF:BANDWIDTH=5000000,AVERAGE-BANDWIDTH=4600000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,CLOSED-CAPTIONS=NONE
high.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"
sound.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1
unknown.m3u8
`;

describe('renderMultivariantPlaylist', () => {
  test('golden', () => {
    expect(renderMultivariantPlaylist(playlist)).toBe(golden);
    expect(parseMultivariantPlaylist(golden)).toEqual(playlist);
  });

  test('I-frame playlists come after the variants, with their URI as an attribute', () => {
    const iFrameVariants = [
      {
        uri: 'high-iframes.m3u8',
        bandwidth: 400_000,
        codecs: ['avc1.64001f'],
        resolution: { width: 1280, height: 720 },
      },
      { uri: 'unknown-iframes.m3u8', bandwidth: 1, codecs: [] },
    ];
    const text = renderMultivariantPlaylist({ ...playlist, iFrameVariants });
    expect(text)
      .toBe(`${golden}#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=400000,CODECS="avc1.64001f",RESOLUTION=1280x720,URI="high-iframes.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="unknown-iframes.m3u8"
`);
    expect(parseMultivariantPlaylist(text)).toEqual({ ...playlist, iFrameVariants });
    hlsParser.setOptions({ strictMode: true });
    const read = hlsParser.parse(text) as hlsParser.types.MasterPlaylist;
    expect(read.variants.filter(({ isIFrameOnly }) => isIFrameOnly)).toMatchObject([
      { uri: 'high-iframes.m3u8', bandwidth: 400_000 },
      { uri: 'unknown-iframes.m3u8', bandwidth: 1 },
    ]);
  });

  test('closed captions', () => {
    const group = 'cc';
    const captioned: MultivariantPlaylist = {
      independentSegments: false,
      comments: [],
      closedCaptions: [
        { group, name: 'CC1', instreamId: 'CC1' },
        { group, name: 'Deutsch', instreamId: 'SERVICE2', language: 'de' },
      ],
      variants: [{ uri: 'a.m3u8', bandwidth: 1, codecs: [], closedCaptions: group }],
    };
    const text = renderMultivariantPlaylist(captioned);
    expect(text.split('\n').slice(2)).toEqual([
      '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC1",INSTREAM-ID="CC1"',
      '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",LANGUAGE="de",NAME="Deutsch",INSTREAM-ID="SERVICE2"',
      '#EXT-X-STREAM-INF:BANDWIDTH=1,CLOSED-CAPTIONS="cc"',
      'a.m3u8',
      '',
    ]);
    expect(parseMultivariantPlaylist(text)).toEqual(captioned);
    const seen = hlsParser.parse(text) as {
      variants?: { closedCaptions?: { name: string; instreamId: string }[] }[];
    };
    expect(seen.variants?.[0]?.closedCaptions).toMatchObject([{ instreamId: 'CC1' }, { name: 'Deutsch' }]);
  });

  test('refuses what would break a line or a quote', () => {
    const variant = { uri: 'a', bandwidth: 1, codecs: ['a"b'] };
    expect(() => renderMultivariantPlaylist({ ...playlist, variants: [variant] })).toThrow('quotes');
    expect(() =>
      renderMultivariantPlaylist({ ...playlist, variants: [{ ...variant, uri: 'a\nb', codecs: [] }] }),
    ).toThrow('not a URI');
  });

  test('property: what is written is read back', () => {
    fc.assert(
      fc.property(multivariantPlaylist, (any) => {
        expect(parseMultivariantPlaylist(renderMultivariantPlaylist(any))).toEqual(any);
      }),
      { numRuns: 500 },
    );
  });

  test('hls-parser reads it', () => {
    hlsParser.setOptions({ strictMode: true });
    const read = hlsParser.parse(golden) as hlsParser.types.MasterPlaylist;
    expect(read).toMatchObject({ isMasterPlaylist: true, independentSegments: true });
    expect(read.variants).toHaveLength(3);
    expect(read.variants[0]).toMatchObject({
      uri: 'high.m3u8',
      bandwidth: 5_000_000,
      averageBandwidth: 4_600_000,
      codecs: 'avc1.64001f,mp4a.40.2',
      resolution: { width: 1280, height: 720 },
      frameRate: 29.97,
    });
  });

  test('m3u8-parser reads it', () => {
    const warnings: string[] = [];
    const parser = new Parser();
    parser.on('warn', ({ message }) => warnings.push(message));
    parser.push(golden);
    parser.end();
    expect(warnings).toEqual([]);
    expect(parser.manifest.playlists?.map(({ uri }) => uri)).toEqual(playlist.variants.map(({ uri }) => uri));
    expect(parser.manifest.playlists?.[0]?.attributes).toMatchObject({
      BANDWIDTH: 5_000_000,
      'AVERAGE-BANDWIDTH': '4600000',
      CODECS: 'avc1.64001f,mp4a.40.2',
      RESOLUTION: { width: 1280, height: 720 },
      'CLOSED-CAPTIONS': 'NONE',
    });
  });
});

describe('parseMultivariantPlaylist', () => {
  test('reads what other tools write', () => {
    const read = parseMultivariantPlaylist(`#EXTM3U\r
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x, y",URI="a.m3u8"\r
#EXT-X-STREAM-INF:PROGRAM-ID=1, BANDWIDTH="1280000", NAME="720p, high", CODECS="avc1.4d401e, mp4a.40.2", CLOSED-CAPTIONS="cc"\r
\r
low.m3u8\r
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i.m3u8"\r
`);
    expect(read).toEqual({
      independentSegments: false,
      comments: [],
      variants: [
        {
          uri: 'low.m3u8',
          bandwidth: 1_280_000,
          codecs: ['avc1.4d401e', 'mp4a.40.2'],
          closedCaptions: 'cc',
        },
      ],
      iFrameVariants: [{ uri: 'i.m3u8', bandwidth: 1, codecs: [] }],
    });
  });

  test.each([
    ['', 'no-playlist', 1],
    ['#EXTM3U\na.m3u8\n', 'stray-uri', 2],
    ['#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n', 'missing-uri', 2],
    ['#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=2\na\n', 'missing-uri', 3],
    ['#EXTM3U\n#EXT-X-STREAM-INF:CODECS="x"\na\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-STREAM-INF:\na\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,BANDWIDTH=2\na\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1.5\na\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="x\na\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=big\na\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,FRAME-RATE=x\na\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH\na\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:URI="i"\n', 'bad-value', 2],
    ['#EXTM3U\n#EXT-X-TARGETDURATION:6\n', 'wrong-kind', 2],
    ['#EXTM3U\n#EXTINF:6,\na.ts\n', 'wrong-kind', 2],
  ])('refuses %j: %s in line %i', (text, code, line) => {
    expect(() => parseMultivariantPlaylist(text)).toThrow(expect.objectContaining({ code, line }));
  });

  test('refuses more than it was allowed', () => {
    expect(() => parseMultivariantPlaylist(golden, { maxLength: 10 })).toThrow(
      expect.objectContaining({ code: 'too-long' }),
    );
    expect(() => parseMultivariantPlaylist(golden, { maxEntries: 2 })).toThrow(
      expect.objectContaining({ code: 'too-many-entries' }),
    );
  });

  test('property: a damaged text is a playlist or a PlaylistError', () => {
    const seen = { read: 0, refused: 0 };
    const text = fc.oneof(multivariantPlaylist.map(renderMultivariantPlaylist), fc.constant(golden));
    fc.assert(
      fc.property(damaged(text), (broken) => {
        try {
          expect(parseMultivariantPlaylist(broken).variants.every(({ uri }) => uri !== '')).toBe(true);
          seen.read++;
        } catch (error) {
          expect(error).toBeInstanceOf(PlaylistError);
          seen.refused++;
        }
      }),
      { numRuns: 2000 },
    );
    process.stdout.write(`damaged multivariant playlists: ${JSON.stringify(seen)}\n`);
    expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(100);
  });
});
