import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseMediaPlaylist, renderMediaPlaylist } from './media-playlist.js';
import { mediaPlaylist } from './playlist.test.arbitrary.js';
import { segmentTexts } from './segment-text.js';

test('entries as they stand, without what is not about them alone', () => {
  const text = `#EXTM3U
#EXT-X-TARGETDURATION:6
#EXT-X-DISCONTINUITY
#EXT-X-INDEPENDENT-SEGMENTS
# a comment
#EXTINF:6,a title, with a comma
#EXT-X-PROGRAM-DATE-TIME:2024-01-01T01:00:00.250+0100\r
a.ts\r

#EXT-X-PART:DURATION=1,URI="b.0.ts"
#EXT-X-BITRATE:500
#EXTINF:5.97667,\t
b.ts
#EXT-X-ENDLIST
`;
  expect(segmentTexts(text)).toEqual([
    '#EXT-X-DISCONTINUITY\n#EXTINF:6,a title, with a comma\n#EXT-X-PROGRAM-DATE-TIME:2024-01-01T01:00:00.250+0100\na.ts',
    '#EXT-X-BITRATE:500\n#EXTINF:5.97667,\nb.ts',
  ]);
});

test('a key stands in each that it holds for', () => {
  const key = '#EXT-X-KEY:METHOD=AES-128,URI="a,METHOD=NONE,b",IV=0x1';
  const text = `#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n0\n${key}\n#EXTINF:6,\n1\n#EXTINF:6,\n2\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:6,\n3\n#EXTINF:6,\n4\n`;
  expect(segmentTexts(text)).toEqual([
    '#EXTINF:6,\n0',
    `${key}\n#EXTINF:6,\n1`,
    `${key}\n#EXTINF:6,\n2`,
    '#EXT-X-KEY:METHOD=NONE\n#EXTINF:6,\n3',
    '#EXTINF:6,\n4',
  ]);
});

test('a playlist of any of its last entries says the same of them', () => {
  fc.assert(
    fc.property(mediaPlaylist, fc.nat(), (playlist, any) => {
      const text = renderMediaPlaylist(playlist);
      const { segments } = parseMediaPlaylist(text);
      const texts = segmentTexts(text);
      expect(texts).toHaveLength(segments.length);
      const first = segments.length === 0 ? 0 : any % segments.length;
      const head = '#EXTM3U\n#EXT-X-TARGETDURATION:60000\n';
      const again = parseMediaPlaylist(`${head}${texts.slice(first).join('\n')}\n`);
      expect(again.segments).toEqual(segments.slice(first));
    }),
  );
});
