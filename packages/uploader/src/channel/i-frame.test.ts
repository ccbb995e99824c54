import { describe, expect, test } from '@jest/globals';
import type { Segment } from '@hls-uplink/protocol';
import { keyPlaces } from './i-frame.js';
import type { ChannelSettings } from './state.js';
import { Rig, sessionOf } from './testing/rig.js';

/** The pictures of an I-frame playlist: number, offset, seconds; `G` for a gap, `D` for a discontinuity. */
function pictures(rig: Rig, rendition: string): string[] {
  const text = rig.iFrames.get(`live/${rendition}-iframes.m3u8`)!;
  let number = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)$/m.exec(text)![1]);
  return [...text.matchAll(/((?:^#.*\n)+)^[^#\n]+$/gm)].map(([, tags = '']) => {
    const seconds = Number(/#EXTINF:([\d.]+)/.exec(tags)![1]);
    const at = /BYTERANGE:\d+@(\d+)\n/.exec(tags)?.[1] ?? 'G';
    return `${number++}${tags.includes('#EXT-X-DISCONTINUITY\n') ? 'D' : ''} ${at} ${seconds}`;
  });
}

const keys = (...places: [offset: number, seconds: number][]): Segment['keyPictures'] =>
  places.map(([offset, seconds]) => ({ offset, bytes: 188, pts: Math.round(seconds * 90_000) }));

/** Three pictures, 2 s apart, of the segment that begins there. */
const three = (from: number): Partial<Segment> => ({
  keyPictures: keys([376, from], [20_000, from + 2], [40_000, from + 4]),
});

describe('the I-frame playlist', () => {
  function live(segments: number): Rig {
    const rig = Rig.live(['low'], 0);
    for (let i = 0; i < segments; i++) rig.step(['low'], i, three(6 * i));
    return rig;
  }

  test('shows each key picture of what is listed until the next, with the tables of its segment', () => {
    const rig = live(2);
    expect(pictures(rig, 'low')).toEqual([
      '0 376 2',
      '1 20000 2',
      '2 40000 2',
      '3 376 2',
      '4 20000 2',
      '5 40000 2',
    ]);
    const text = rig.iFrames.get('live/low-iframes.m3u8')!;
    expect(text.match(/^#EXT-X-MAP:URI="(.*)",BYTERANGE="376@0"$/gm)).toHaveLength(2);
    expect(text).not.toContain('EXT-X-PLAYLIST-TYPE');
    expect(rig.multivariant).toContain(
      '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=752,CODECS="avc1.64001f",RESOLUTION=640x360,URI="low-iframes.m3u8"',
    );
  });

  test('counts what has left by pictures, also over a restart', () => {
    const rig = live(8);
    expect(pictures(rig, 'low')[0]).toBe('6 376 2');
    const again = new Rig([...rig.texts].map(([key, text]) => ({ key, text })));
    again.at = rig.at;
    again.connect('low');
    again.step(['low'], 8, three(48));
    expect(pictures(again, 'low')).toEqual([
      ...pictures(rig, 'low').slice(3),
      '24 376 2',
      '25 20000 2',
      '26 40000 2',
    ]);
  });

  test('has gaps where there is no picture, and where a segment is a gap', () => {
    const rig = live(2);
    rig.step(['low'], 2, { keyPictures: keys([20_000, 14], [40_000, 16]), independent: false });
    rig.step(['low'], 3, { keyPictures: [] });
    rig.to(30);
    rig.segment('low', 4, 24, 30, { refused: true });
    rig.step(['low'], 5, three(30));
    expect(pictures(rig, 'low').slice(6)).toEqual([
      '6 G 2',
      '7 20000 2',
      '8 40000 2',
      '9 G 6',
      '10 G 6',
      '11 376 2',
      '12 20000 2',
      '13 40000 2',
    ]);
  });

  test('ends with the media playlist, and goes on with the next life', () => {
    const rig = live(3);
    const session = sessionOf('low');
    rig.happen({ type: 'accepted', announcement: { type: 'end', session, index: 3 } });
    expect(rig.iFrames.get('live/low-iframes.m3u8')).toMatch(/\n#EXT-X-ENDLIST\n$/);
    for (let i = 4; i < 7; i++)
      rig.step(['low'], i, { ...three(6 * i), ...(i === 4 && { discontinuity: 'start' }) });
    expect(rig.iFrames.get('live/low-iframes.m3u8')).not.toContain('ENDLIST');
    expect(pictures(rig, 'low').slice(0, 2)).toEqual(['9D 376 2', '10 20000 2']);
  });

  test('holds up neither the live playlist nor its answers, but what it lists is not deleted', () => {
    const rig = live(8);
    rig.store.iFrames = () => 'held';
    for (let i = 8; i < 40; i++) rig.step(['low'], i, three(6 * i));
    expect(rig.answers).toHaveLength(40);
    const listed = rig.iFrames.get('live/low-iframes.m3u8')!;
    expect(rig.deleted.filter((key) => listed.includes(key.slice('live/'.length)))).toEqual([]);
    rig.store.iFrames = () => 'stored';
    const version = rig.state.renditions['low']!.iFrames.inFlight!;
    rig.happen({ type: 'playlist-failed', view: 'i-frames', rendition: 'low', version });
    expect(pictures(rig, 'low').at(-1)).toBe('119 40000 2');
    for (let i = 40; i < 60; i++) rig.step(['low'], i, three(6 * i));
    expect(rig.deleted.length).toBeGreaterThan(40);
  });

  test('is never ahead of the stored media playlist, from which a successor goes on', () => {
    const rig = live(8);
    rig.store.playlist = () => 'held';
    const before = pictures(rig, 'low');
    for (let i = 8; i < 12; i++) rig.step(['low'], i, three(6 * i));
    expect(pictures(rig, 'low')).toEqual(before);
    const again = new Rig([...rig.texts].map(([key, text]) => ({ key, text })));
    expect(pictures(again, 'low')).toEqual(before);
  });

  test('is put again at a start: what is there may lack the end', () => {
    const rig = live(3);
    rig.store.iFrames = () => 'held';
    const session = sessionOf('low');
    rig.happen({ type: 'accepted', announcement: { type: 'end', session, index: 3 } });
    expect(rig.texts.get('live/low.m3u8')).toContain('#EXT-X-ENDLIST');
    expect(rig.iFrames.get('live/low-iframes.m3u8')).not.toContain('#EXT-X-ENDLIST');
    const again = new Rig([...rig.texts].map(([key, text]) => ({ key, text })));
    expect(again.iFrames.get('live/low-iframes.m3u8')).toMatch(/\n#EXT-X-ENDLIST\n$/);
  });

  test('counts on over a time in which it was not wanted', () => {
    const rig = live(8);
    const restarted = (from: Rig, settings: Partial<ChannelSettings>): Rig => {
      const next = new Rig(
        [...from.texts].map(([key, text]) => ({ key, text })),
        settings,
      );
      next.at = from.at;
      next.connect('low');
      return next;
    };
    const without = restarted(rig, { iFrames: false });
    for (let i = 8; i < 12; i++) without.step(['low'], i, three(6 * i));
    expect(without.iFrames.size).toBe(0);
    expect(without.multivariant).not.toContain('I-FRAME');
    const again = restarted(without, {});
    again.step(['low'], 12, three(72));
    expect(pictures(again, 'low')[0]).toBe('21 376 2');
  });

  test('has the peak of sets of segments as its BANDWIDTH: a single picture at the end is none', () => {
    const rig = live(3);
    rig.to(18.04);
    rig.segment('low', 3, 18, 18.04, { keyPictures: keys([376, 18]), ended: 'break' });
    rig.to(30);
    // With the 6 s before it: 4 pictures of 188 bytes.
    expect(rig.multivariant).toContain('#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=997,');
  });

  test('is not made for sound alone', () => {
    const rig = new Rig();
    rig.connect('sound', { renditions: ['sound'] }, true);
    for (let i = 0; i < 3; i++) {
      rig.to(6 * i + 6);
      rig.segment('sound', i, 6 * i, 6 * i + 6, { sound: true });
    }
    expect(rig.entries('sound')).toBe('0 1 2');
    expect(rig.iFrames.size).toBe(0);
    expect(rig.multivariant).not.toContain('I-FRAME');
  });

  test('is not made where the operator does not want it', () => {
    const rig = new Rig([], { iFrames: false });
    rig.connect('low', { renditions: ['low'] });
    for (let i = 0; i < 3; i++) rig.step(['low'], i, three(6 * i));
    expect(rig.entries('low')).toBe('0 1 2');
    expect(rig.iFrames.size).toBe(0);
  });
});

test('of an all-intra stream one picture a second is enough', () => {
  const keyPictures = Array.from({ length: 150 }, (_, i) => ({
    offset: 376 + i * 188,
    bytes: 188,
    pts: i * 3600,
  }));
  const segment = { startPts: 0, endPts: 540_000, bytes: 30_000, keyPictures } as Segment;
  expect(keyPlaces(segment).map(([, , ticks]) => ticks / 90_000)).toEqual([0, 1, 2, 3, 4, 5]);
});

test('what cannot be true of a key picture is left out', () => {
  const segment = {
    startPts: 2 ** 33 - 90_000,
    endPts: 450_000,
    bytes: 100_000,
    keyPictures: [
      { offset: 376, bytes: 1000, pts: 2 ** 33 - 90_000 },
      { offset: 1000, bytes: 1000, pts: 0 },
      { offset: 20_000, bytes: 1000, pts: 90_000 },
      { offset: 30_000, bytes: 1000, pts: 45_000 },
      { offset: 40_000, bytes: 60_001, pts: 180_000 },
      { offset: 50_000, bytes: 1000, pts: 450_000 },
      { offset: 60_000, bytes: 40_000, pts: 270_000 },
    ],
  } as Segment;
  expect(keyPlaces(segment)).toEqual([
    [376, 1000, 0],
    [20_000, 1000, 180_000],
    [60_000, 40_000, 360_000],
  ]);
});

test('I-frame playlists are offered in the order of the variants, whoever came first', () => {
  const rig = Rig.live(['mid', 'low'], 4);
  const uris = [...rig.multivariant.matchAll(/URI="(.*)"/g)].map(([, uri]) => uri);
  expect(uris).toEqual(['low-iframes.m3u8', 'mid-iframes.m3u8']);
});
