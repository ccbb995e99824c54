import { describe, expect, test } from '@jest/globals';
import type { Track } from '@hls-uplink/protocol';
import { Rig, sessionOf } from './testing/rig.js';

const BOTH = ['low', 'mid'];
const PICTURE: Track = {
  kind: 'video',
  pid: 256,
  codec: 'avc1.64001f',
  width: 640,
  height: 360,
  frameRate: 25,
};
const SOUND: Track = { kind: 'audio', pid: 257, codec: 'mp4a.40.2' };

const tell = (rig: Rig, rendition: string, index: number, ...tracks: Track[]): void =>
  rig.happen({ type: 'tracks', tracks: { type: 'tracks', session: sessionOf(rendition), index, tracks } });
const stated = (rig: Rig): string[] => rig.multivariant.match(/CLOSED-CAPTIONS=[^,\n]*/g) ?? [];
const media = (rig: Rig): string[] =>
  [...rig.multivariant.matchAll(/^#EXT-X-MEDIA:.*INSTREAM-ID="(.*)"$/gm)].map(([, id]) => id!);

describe('CLOSED-CAPTIONS', () => {
  test('is NONE in all variants where none were found', () => {
    const rig = Rig.live(BOTH, 3);
    expect(stated(rig)).toEqual(Array(2).fill('CLOSED-CAPTIONS=NONE'));
    expect(media(rig)).toEqual([]);
  });

  test('names one group in all variants, of what was found in any of them, also late', () => {
    const rig = Rig.live(BOTH, 3);
    tell(rig, 'mid', 3, { ...PICTURE, captions: ['SERVICE10', 'CC3', 'CC1'] }, SOUND);
    rig.step(BOTH, 3);
    expect(stated(rig)).toEqual(Array(2).fill('CLOSED-CAPTIONS="cc"'));
    expect(media(rig)).toEqual(['CC1', 'CC3', 'SERVICE10']);
    expect(rig.multivariant).toContain(
      '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC3",INSTREAM-ID="CC3"\n',
    );
  });

  test('stays as it is while a segmenter, or the uploader, that was started again has not found them yet', () => {
    const rig = Rig.live(BOTH, 3);
    tell(rig, 'low', 3, { ...PICTURE, captions: ['CC1'] }, SOUND);
    rig.step(BOTH, 3);
    const before = rig.multivariant;
    expect(media(rig)).toEqual(['CC1']);
    tell(rig, 'low', 4, PICTURE, SOUND);
    rig.step(BOTH, 4);
    expect(rig.multivariant).toBe(before);

    const published = [...rig.texts, ['live/index.m3u8', before] as const].map(([key, text]) => ({
      key,
      text,
    }));
    const next = new Rig(published);
    next.to(30);
    for (const name of BOTH) next.connect(name);
    next.step(BOTH, 5);
    // What is written is what differs from the one that was read back.
    expect(next.multivariant).toBe('');
    tell(next, 'low', 6, { ...PICTURE, captions: ['CC2'] }, SOUND);
    next.step(BOTH, 6);
    expect(media(next)).toEqual(['CC1', 'CC2']);
  });

  test('is not said of pictures that nobody read', () => {
    const rig = new Rig();
    rig.connect('low', { renditions: ['low'] });
    tell(rig, 'low', 0, { kind: 'video', pid: 256 });
    for (let i = 0; i < 3; i++) rig.step(['low'], i);
    expect(rig.multivariant).toContain('low.m3u8');
    expect(stated(rig)).toEqual([]);
  });
});
