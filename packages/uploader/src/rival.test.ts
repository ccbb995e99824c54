import { describe, expect, test } from '@jest/globals';
import { Rival } from './rival.js';

const media = (writer: string, term: number, more = '') => ({
  key: 'live/main.m3u8',
  text: `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#hls-uplink:${JSON.stringify({ writer, term })}\n#EXTINF:4,\na.ts\n${more}`,
});

describe('another uploader', () => {
  test('is at work until it has not written for three target durations', () => {
    const rival = new Rival('me');
    expect(rival.look([media('other', 2)], 1000)).toEqual({ writer: 'other', term: 2 });
    expect(rival.look([media('other', 2)], 12_999)).toEqual({ writer: 'other', term: 2 });
    expect(rival.look([media('other', 2, '#EXTINF:4,\nb.ts\n')], 12_999)).toEqual({
      writer: 'other',
      term: 2,
    });
    expect(rival.look([media('other', 2, '#EXTINF:4,\nb.ts\n')], 24_998)).toEqual({
      writer: 'other',
      term: 2,
    });
    expect(rival.look([media('other', 2, '#EXTINF:4,\nb.ts\n')], 24_999)).toBeUndefined();
  });

  test.each([
    ['nothing is published', []],
    ['another tool has', [{ key: 'live/main.m3u8', text: '#EXTM3U\n#EXTINF:4,\na.ts\n' }]],
    ['the newest term is ours', [media('other', 2), media('me', 3)]],
    ['the stream has ended', [media('other', 2, '#EXT-X-ENDLIST\n')]],
  ])('is not there when %s', (_, playlists) => {
    expect(new Rival('me').look(playlists, 0)).toBeUndefined();
  });
});
