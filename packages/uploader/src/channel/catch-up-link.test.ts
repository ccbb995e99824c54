import { describe, expect, test } from '@jest/globals';
import type { ChannelSettings } from './state.js';
import {
  accepted,
  announceAgain,
  answers,
  BOTH,
  marks,
  range,
  settled,
  storeNext,
  upTo,
} from './testing/recorded.js';
import { Rig, sessionOf } from './testing/rig.js';
import { see } from './testing/viewer.js';

describe('dvr and event playlists after a link outage', () => {
  /** All that waited is announced at once, and its bytes are elsewhere. */
  function linkIsBack(settings: Partial<ChannelSettings>): Rig {
    const rig = Rig.live(['low'], 10, settings);
    rig.to(246);
    rig.told('low', 10, 39);
    return rig;
  }

  test('wait for the bytes, which come behind those of the live one', () => {
    const rig = linkIsBack(BOTH);
    expect(answers(rig, 'backlog')).toEqual([]);
    announceAgain(rig, range(34, 39));
    expect(rig.entries('low')).toBe('34 35 36 37 38 39');
    expect(settled(rig)).toBe(9);
    expect(accepted(rig)).toEqual([]);
    for (const view of ['dvr', 'event']) expect(marks(rig, view)).toBe(upTo(9));
    rig.store.segment = () => false;
    announceAgain(rig, [10, 11]);
    expect(accepted(rig)).toEqual([10, 11]);
    storeNext(rig, 2);
    rig.store.segment = () => true;
    rig.step(['low'], 40);
    announceAgain(rig, range(12, 33));
    for (const view of ['dvr', 'event']) expect(marks(rig, view)).toBe(upTo(40));
    expect(settled(rig)).toBe(40);
    expect(answers(rig, 'published')).toEqual([...range(0, 9), ...range(34, 40)]);
    expect(answers(rig, 'backlog')).toEqual(range(10, 33));
  });

  test('a refused one is a gap in its place', () => {
    const rig = linkIsBack(BOTH);
    announceAgain(rig, range(34, 39));
    rig.segment('low', 20, 120, 126, { refused: true });
    announceAgain(rig, [...range(10, 19), ...range(21, 33)]);
    for (const view of ['dvr', 'event']) expect(marks(rig, view)).toBe(upTo(39).replace(' 20 ', ' 20G '));
    expect(settled(rig)).toBe(39);
  });

  test('what does not come for five minutes is given up', () => {
    const rig = linkIsBack({ eventSeconds: 3600 });
    announceAgain(rig, range(34, 39));
    announceAgain(rig, [10]);
    rig.to(246 + 299);
    expect(marks(rig, 'event')).toBe(upTo(10));
    rig.to(246 + 301);
    expect(marks(rig, 'event')).toBe(
      [upTo(10), ...range(11, 33).map((i) => `${i}G`), ...range(34, 39)].join(' '),
    );
    expect(settled(rig)).toBe(39);
    announceAgain(rig, [11]);
    expect(rig.answers.at(-1)).toBe('low/11 published');
  });

  test('ENDLIST and VOD come when they have caught up', () => {
    const rig = linkIsBack(BOTH);
    announceAgain(rig, range(34, 39));
    rig.happen({ type: 'accepted', announcement: { type: 'end', session: sessionOf('low'), index: 40 } });
    expect(rig.texts.get('live/low.m3u8')).toMatch(/\n#EXT-X-ENDLIST\n$/);
    expect([...rig.recorded].filter(([key, text]) => /vod/.test(key) || /ENDLIST/.test(text))).toEqual([]);
    announceAgain(rig, range(10, 33));
    const vod = [...rig.recorded].find(([key]) => /low-.*vod/.test(key))![1];
    for (const text of [
      rig.recorded.get('live/low-dvr.m3u8')!,
      rig.recorded.get('live/low-event.m3u8')!,
      vod,
    ]) {
      expect(text).toMatch(/\n#EXT-X-ENDLIST\n$/);
      expect(see(text).entries.map(({ number, gap }) => (gap ? NaN : number))).toEqual(range(0, 39));
    }
    expect(rig.answers.at(-1)).toBe('low/40 published');
  });

  test('the next stream waits for nothing: what has not come by then is a gap, and the VOD is made', () => {
    const rig = linkIsBack(BOTH);
    announceAgain(rig, [...range(34, 39), ...range(10, 19)]);
    rig.happen({ type: 'accepted', announcement: { type: 'end', session: sessionOf('low'), index: 40 } });
    rig.step(['low'], 41, { discontinuity: 'start' });
    const vod = [...rig.recorded].find(([key]) => /low-.*vod/.test(key))![1];
    expect(see(vod).entries.map(({ number, gap }) => `${number}${gap ? 'G' : ''}`)).toEqual([
      ...range(0, 19).map(String),
      ...range(20, 33).map((number) => `${number}G`),
      ...range(34, 39).map(String),
    ]);
    expect(answers(rig, 'backlog')).toEqual(range(10, 33));
  });
});
