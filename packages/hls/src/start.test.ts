import { describe, expect, test } from '@jest/globals';
import hlsParser from 'hls-parser';
import { parseMediaPlaylist, renderMediaPlaylist } from './media-playlist.js';
import type { MediaPlaylist } from './playlist.js';
import { startsNearEnd } from './start.js';

const live: MediaPlaylist = {
  version: 8,
  targetDuration: 6,
  mediaSequence: 41,
  discontinuitySequence: 2,
  independentSegments: true,
  segments: [{ uri: 'a.ts', duration90k: 540_000, discontinuity: false, gap: false }],
  endList: false,
  comments: ['state'],
};
const golden = renderMediaPlaylist(live);

describe('EXT-X-START', () => {
  test.each([
    [-18, '-18'],
    [-18.25, '-18.25'],
    [0, '0'],
    [100, '100'],
    [7.5, '7.5'],
    [-0.001, '-0.001'],
  ])('%p s', (startOffset, text) => {
    const rendered = renderMediaPlaylist({ ...live, startOffset });
    expect(rendered.split('\n')[6]).toBe(`#EXT-X-START:TIME-OFFSET=${text}`);
    expect(parseMediaPlaylist(rendered).startOffset).toBe(startOffset);
    expect(hlsParser.parse(rendered).start).toMatchObject({ offset: startOffset });
  });

  test('of another tool, with PRECISE', () => {
    const text = golden.replace('#state', '#EXT-X-START:TIME-OFFSET=-12.0,PRECISE=YES\n# state');
    expect(parseMediaPlaylist(text).startOffset).toBe(-12);
  });

  test.each(['', 'PRECISE=NO', 'TIME-OFFSET=soon', 'TIME-OFFSET=1e3'])('%j is refused', (value) => {
    const text = golden.replace('#state', `#EXT-X-START:${value}\n#state`);
    expect(() => parseMediaPlaylist(text)).toThrow('TIME-OFFSET is');
  });

  test.each([
    [-18, true],
    [-17.9, false],
    [0, true],
    [18, true],
    [18.1, false],
  ])('%p s in 36 s of a target duration of 6 is far enough from the end: %p', (startOffset, far) => {
    expect(startsNearEnd(startOffset, 36, 6)).toBe(!far);
  });
});
