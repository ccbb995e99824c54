import { describe, expect, test } from '@jest/globals';
import hlsParser from 'hls-parser';
import { Parser } from 'm3u8-parser';
import { renderKey, type Key } from './key.js';
import { parseMediaPlaylist, renderMediaPlaylist } from './media-playlist.js';
import type { MediaPlaylist } from './playlist.js';

const aes = (uri: string, last: string): Key => ({ method: 'AES-128', uri, iv: last.padStart(32, '0') });
const segment = (uri: string, key?: Key) => ({
  uri,
  duration90k: 540_000,
  discontinuity: false,
  ...(key && { key }),
  gap: false,
});

const live: MediaPlaylist = {
  version: 8,
  targetDuration: 6,
  mediaSequence: 7,
  discontinuitySequence: 0,
  independentSegments: true,
  segments: [
    segment('clear.ts'),
    segment('a.ts', aes('0.key', 'A1')),
    segment('b.ts', aes('0.key', 'A2')),
    { ...segment('gap.ts'), gap: true },
    { ...segment('c.ts', aes('https://keys.example/1?a=1,b=2', 'A3')), discontinuity: true },
    segment('d.ts', { method: 'NONE' }),
    segment('e.ts'),
  ],
  endList: false,
  comments: [],
};

const golden = `#EXTM3U
#EXT-X-VERSION:8
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-INDEPENDENT-SEGMENTS
#EXTINF:6.000000,
clear.ts
#EXT-X-KEY:METHOD=AES-128,URI="0.key",IV=0x000000000000000000000000000000A1
#EXTINF:6.000000,
a.ts
#EXT-X-KEY:METHOD=AES-128,URI="0.key",IV=0x000000000000000000000000000000A2
#EXTINF:6.000000,
b.ts
#EXT-X-GAP
#EXTINF:6.000000,
gap.ts
#EXT-X-DISCONTINUITY
#EXT-X-KEY:METHOD=AES-128,URI="https://keys.example/1?a=1,b=2",IV=0x000000000000000000000000000000A3
#EXTINF:6.000000,
c.ts
#EXT-X-KEY:METHOD=NONE
#EXTINF:6.000000,
d.ts
#EXTINF:6.000000,
e.ts
`;

test('EXT-X-KEY is written and read back', () => {
  expect(renderMediaPlaylist(live)).toBe(golden);
  expect(parseMediaPlaylist(golden)).toEqual(live);
});

test('other parsers decrypt each segment with the same', () => {
  const text = (key: unknown): string => JSON.stringify(key ?? null);
  const expected = live.segments.map(({ key }) =>
    key?.method === 'AES-128' ? [key.uri, key.iv] : undefined,
  );
  hlsParser.setOptions({ strictMode: true });
  const { segments } = hlsParser.parse(golden) as hlsParser.types.MediaPlaylist;
  // Its types say ArrayBuffer; it is an array of bytes.
  const hex = (iv: unknown): string =>
    Buffer.from(iv as Uint8Array)
      .toString('hex')
      .toUpperCase();
  segments.forEach(({ key }, at) => {
    const found = key && key.method !== 'NONE' ? [key.uri, hex(key.iv)] : undefined;
    // A gap has nothing to decrypt.
    if (!live.segments[at]!.gap) expect(text(found)).toBe(text(expected[at]));
  });
  const parser = new Parser();
  parser.push(golden);
  parser.end();
  parser.manifest.segments.forEach(({ key }, at) => {
    const words = key && [...key.iv].map((word) => word.toString(16).padStart(8, '0').toUpperCase());
    if (!live.segments[at]!.gap) expect(text(key && [key.uri, words!.join('')])).toBe(text(expected[at]));
  });
});

const head = '#EXTM3U\n#EXT-X-TARGETDURATION:6\n';
const IV = 'IV=0xff';

describe('of another tool', () => {
  test('a tag holds until the next one; it says so of each segment, and of no gap', () => {
    const read = parseMediaPlaylist(
      `${head}#EXT-X-KEY:METHOD=AES-128,URI="k",${IV},KEYFORMAT="identity",KEYFORMATVERSIONS="1",X-NEW=1\n` +
        '#EXTINF:6,\na.ts\n#EXTINF:6,\nb.ts\n#EXT-X-GAP\n#EXTINF:6,\nc.ts\n#EXTINF:6,\nd.ts\n' +
        '#EXT-X-KEY:METHOD=NONE\n#EXTINF:6,\ne.ts\n#EXTINF:6,\nf.ts\n',
    );
    const key = aes('k', 'FF');
    expect(read.segments.map((one) => one.key)).toEqual([
      key,
      key,
      undefined,
      key,
      { method: 'NONE' },
      undefined,
    ]);
  });

  test.each([
    ['METHOD=AES-128,URI="k"', 'unsupported-tag'],
    [`METHOD=SAMPLE-AES,URI="k",${IV}`, 'unsupported-tag'],
    [`METHOD=AES-128,URI="k",${IV},KEYFORMAT="com.apple.streamingkeydelivery"`, 'unsupported-tag'],
    [`URI="k",${IV}`, 'unsupported-tag'],
    ['', 'unsupported-tag'],
    [`METHOD=AES-128,${IV}`, 'bad-value'],
    [`METHOD=AES-128,URI="",${IV}`, 'bad-value'],
    [`METHOD=AES-128,URI=k,${IV}`, 'bad-value'],
    [`METHOD=AES-128,URI="k\u0000",${IV}`, 'bad-value'],
    [`METHOD=AES-128,URI="k",${IV},${IV}`, 'bad-value'],
    ['METHOD=AES-128,URI="k",IV=1', 'bad-value'],
    ['METHOD=AES-128,URI="k",IV=0x', 'bad-value'],
    ['METHOD=AES-128,URI="k",IV=0xfg', 'bad-value'],
    [`METHOD=AES-128,URI="k",IV=0x${'0'.repeat(33)}`, 'bad-value'],
    ['METHOD=AES-128,URI="k,IV=0x1', 'bad-value'],
  ])('%j is refused: %s', (value, code) => {
    const text = `${head}#EXT-X-KEY:${value}\n#EXTINF:6,\na.ts\n`;
    expect(() => parseMediaPlaylist(text)).toThrow(
      expect.objectContaining({ name: 'PlaylistError', code, line: 3 }),
    );
  });
});

test.each([
  { method: 'AES-128' as const, uri: 'a"b', iv: '0'.repeat(32) },
  { method: 'AES-128' as const, uri: 'a\nb', iv: '0'.repeat(32) },
  { method: 'AES-128' as const, uri: '', iv: '0'.repeat(32) },
  { method: 'AES-128' as const, uri: 'a', iv: '0'.repeat(31) },
  { method: 'AES-128' as const, uri: 'a', iv: 'f'.repeat(32) },
])('refuses to write %j', (key) => {
  expect(() => renderKey(key)).toThrow();
});
