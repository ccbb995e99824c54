import { describe, expect, test } from '@jest/globals';
import hlsParser from 'hls-parser';
import { Parser } from 'm3u8-parser';
import { renderIFramePlaylist, type IFramePlaylist } from './i-frame-playlist.js';

const playlist: IFramePlaylist = {
  version: 8,
  targetDuration: 6,
  mediaSequence: 31,
  discontinuitySequence: 2,
  segments: [
    {
      uri: 'high-1.ts',
      duration90k: 180_000,
      programDateTimeMs: 1_700_000_000_000,
      discontinuity: true,
      gap: false,
      map: { length: 376, offset: 0 },
      byteRange: { length: 9_400, offset: 376 },
    },
    {
      uri: 'high-1.ts',
      duration90k: 360_000,
      programDateTimeMs: 1_700_000_002_000,
      discontinuity: false,
      gap: false,
      byteRange: { length: 18_800, offset: 188_000 },
    },
    {
      uri: 'high-gap-2.ts',
      duration90k: 540_000,
      programDateTimeMs: 1_700_000_006_000,
      discontinuity: false,
      gap: true,
    },
  ],
  endList: true,
};

const golden = `#EXTM3U
#EXT-X-VERSION:8
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:31
#EXT-X-DISCONTINUITY-SEQUENCE:2
#EXT-X-I-FRAMES-ONLY
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="high-1.ts",BYTERANGE="376@0"
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z
#EXTINF:2.000000,
#EXT-X-BYTERANGE:9400@376
high-1.ts
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:22.000Z
#EXTINF:4.000000,
#EXT-X-BYTERANGE:18800@188000
high-1.ts
#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:26.000Z
#EXT-X-GAP
#EXTINF:6.000000,
high-gap-2.ts
#EXT-X-ENDLIST
`;

describe('renderIFramePlaylist', () => {
  test('golden', () => {
    expect(renderIFramePlaylist(playlist)).toBe(golden);
  });

  test('refuses what would break a line', () => {
    const [first] = playlist.segments;
    const segments = [{ ...first!, uri: 'a\nb' }];
    expect(() => renderIFramePlaylist({ ...playlist, segments })).toThrow('not a URI');
  });

  test('hls-parser reads it', () => {
    hlsParser.setOptions({ strictMode: true });
    const read = hlsParser.parse(golden) as hlsParser.types.MediaPlaylist;
    expect(read).toMatchObject({ isIFrame: true, targetDuration: 6, mediaSequenceBase: 31, endlist: true });
    expect(read.segments.map(({ byterange }) => byterange)).toEqual([
      { length: 9_400, offset: 376 },
      { length: 18_800, offset: 188_000 },
      undefined,
    ]);
    expect(read.segments[0]!.map).toMatchObject({ uri: 'high-1.ts', byterange: { length: 376, offset: 0 } });
  });

  test('m3u8-parser reads it', () => {
    const parser = new Parser();
    const warnings: string[] = [];
    parser.on('warn', ({ message }: { message: string }) => warnings.push(message));
    parser.push(golden);
    parser.end();
    expect(warnings).toEqual([]);
    expect(parser.manifest).toMatchObject({ iFramesOnly: true, mediaSequence: 31, endList: true });
    const { segments } = parser.manifest as { segments: { byterange?: object }[] };
    expect(segments.map(({ byterange }) => byterange)).toEqual([
      { length: 9_400, offset: 376 },
      { length: 18_800, offset: 188_000 },
      undefined,
    ]);
  });
});
