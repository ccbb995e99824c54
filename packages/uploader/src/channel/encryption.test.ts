import { describe, expect, test } from '@jest/globals';
import type { Key } from '@hls-uplink/hls';
import type { Segment } from '@hls-uplink/protocol';
import { encryptedBytes } from './encryption.js';
import { openChannel, reduce } from './reduce.js';
import type { ReadBack } from './reopen.js';
import type { ChannelSettings } from './state.js';
import { Rig, sessionOf } from './testing/rig.js';

const keyOf = (rendition: string, index: number): Key => ({
  method: 'AES-128',
  uri: `${rendition}-${Math.floor(index / 2)}.key`,
  iv: (index + 1).toString(16).toUpperCase().padStart(32, '0'),
});

/** The newest version: number, `D`, `G`, and what EXT-X-KEY says right before it: file and last digits of the vector. */
function keyed(rig: Rig, rendition = 'low'): string[] {
  const text = rig.texts.get(`live/${rendition}.m3u8`)!;
  let number = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)$/m.exec(text)![1]);
  return [
    ...text.matchAll(/((?:^#EXT(?!M3U|-X-(?:VERSION|TARGET|MEDIA|DISCONTINUITY-S|INDEP)).*\n)+)^[^#\n]+$/gm),
  ].map(([, tags = '']) => {
    const [, method, uri, iv] =
      /^#EXT-X-KEY:METHOD=([A-Z0-9-]+)(?:,URI="(.*)",IV=0x0*(.*))?$/m.exec(tags) ?? [];
    const marks = (/^#EXT-X-DISCONTINUITY$/m.test(tags) ? 'D' : '') + (/^#EXT-X-GAP$/m.test(tags) ? 'G' : '');
    const key = method === 'NONE' ? ' NONE' : method === undefined ? '' : ` ${uri} ${iv}`;
    return `${number++}${marks}${key}`;
  });
}

/** As a daemon that was started again with these settings. */
function restarted(from: Rig, encrypted: boolean, settings: Partial<ChannelSettings> = {}): Rig {
  const next = new Rig(
    [...from.texts].map(([key, text]) => ({ key, text })),
    { iFrames: !encrypted, ...settings },
  );
  next.multivariant = from.multivariant;
  if (encrypted) next.store.encryption = keyOf;
  next.at = from.at;
  next.connect('low');
  return next;
}

/** Of an I-frame playlist, by number: the segment, and where in it the picture is. */
function pictures(rig: Rig): Map<number, string> {
  const text = rig.iFrames.get('live/low-iframes.m3u8')!;
  const first = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)$/m.exec(text)![1]);
  const entries = [...text.matchAll(/((?:^#.*\n)+)(^[^#\n]+$)/gm)];
  return new Map(
    entries.map(([, tags = '', uri], i) => [
      first + i,
      `${uri} ${/BYTERANGE:(.*)/.exec(tags)?.[1] ?? 'gap'}`,
    ]),
  );
}

/** Three pictures, 2 s apart, of the segment of this index. */
const three = (index: number): Pick<Segment, 'keyPictures'> => ({
  keyPictures: [0, 1, 2].map((i) => ({
    offset: 376 + 20_000 * i,
    bytes: 188,
    pts: (6 * index + 2 * i) * 90_000,
  })),
});

/** With what viewers find by way of the multivariant playlist. */
const withMultivariant = (rig: Rig): ReadBack[] => [
  { key: 'live/index.m3u8', text: rig.multivariant },
  ...[...rig.texts].map(([key, text]) => ({ key, text })),
];

function live(segments: number): Rig {
  const rig = new Rig([], { iFrames: false });
  rig.store.encryption = keyOf;
  rig.connect('low', { renditions: ['low'] });
  for (let i = 0; i < segments; i++) rig.step(['low'], i);
  return rig;
}

describe('EXT-X-KEY', () => {
  test('stands before each entry, also before the first of a window that has slid', () => {
    expect(keyed(live(9))).toEqual([
      '3 low-1.key 4',
      '4 low-2.key 5',
      '5 low-2.key 6',
      '6 low-3.key 7',
      '7 low-3.key 8',
      '8 low-4.key 9',
    ]);
  });

  test('stands after a discontinuity; a gap has none, and what follows it its own', () => {
    const rig = live(2);
    rig.to(18);
    rig.segment('low', 2, 12, 18, { refused: true });
    rig.step(['low'], 3);
    rig.step(['low'], 4, { discontinuity: 'tables' });
    expect(keyed(rig)).toEqual(['0 low-0.key 1', '1 low-0.key 2', '2G', '3 low-1.key 4', '4D low-2.key 5']);
  });

  test('is what it was after a restart', () => {
    const rig = live(7);
    const again = restarted(rig, true);
    again.step(['low'], 7);
    expect(keyed(again)).toEqual([...keyed(rig).slice(1), '7 low-3.key 8']);
  });

  test('comes when encryption is switched on, and NONE when it is switched off, each once', () => {
    const clear = Rig.live(['low'], 4);
    const on = restarted(clear, true);
    for (let i = 4; i < 6; i++) on.step(['low'], i);
    expect(keyed(on)).toEqual(['0', '1', '2', '3', '4 low-2.key 5', '5 low-2.key 6']);
    const off = restarted(on, false);
    for (let i = 6; i < 9; i++) off.step(['low'], i);
    expect(keyed(off)).toEqual(['3', '4 low-2.key 5', '5 low-2.key 6', '6 NONE', '7', '8']);
    const again = restarted(off, false);
    for (let i = 9; i < 12; i++) again.step(['low'], i);
    expect(keyed(again)).toEqual(['6 NONE', '7', '8', '9', '10', '11']);
    const on2 = restarted(again, true);
    on2.step(['low'], 12);
    expect(keyed(on2)).toEqual(['7', '8', '9', '10', '11', '12 low-6.key D']);
  });

  test('says NONE after a gap between what was encrypted and what is clear', () => {
    const off = restarted(live(2), false);
    off.to(18);
    off.segment('low', 2, 12, 18, { refused: true });
    off.step(['low'], 3);
    expect(keyed(off)).toEqual(['0 low-0.key 1', '1 low-0.key 2', '2G', '3 NONE']);
  });

  test('is of each session its own where the source is another one', () => {
    const rig = live(2);
    rig.happen({ type: 'disconnected', session: sessionOf('low') });
    const session = 'f'.repeat(32);
    rig.store.encryption = (_rendition, index) => keyOf('other', index);
    rig.connect('low', { session });
    rig.to(18);
    rig.segment('low', 0, 12, 18, { session, discontinuity: 'start' });
    expect(keyed(rig).at(-1)).toMatch(/^2D? other-0\.key 1$/);
  });

  test('begins a new life', () => {
    const rig = live(3);
    rig.happen({ type: 'accepted', announcement: { type: 'end', session: sessionOf('low'), index: 3 } });
    for (let i = 4; i < 7; i++) rig.step(['low'], i, i === 4 ? { discontinuity: 'start' } : {});
    expect(keyed(rig)[0]).toBe('3D low-2.key 5');
  });
});

describe('an encrypted channel', () => {
  test('has no I-frame playlist; one from before is not offered any more', () => {
    const clear = Rig.live(['low'], 4);
    expect(clear.multivariant).toContain('I-FRAME');
    const on = restarted(clear, true);
    on.step(['low'], 4);
    expect(on.iFrames.size).toBe(0);
    expect(on.multivariant).not.toContain('I-FRAME');
  });

  test('deletes the I-frame playlist from before when viewers are not told of it any more', () => {
    const clear = Rig.live(['low'], 4);
    const before = withMultivariant(clear);
    const { at } = clear;
    const settings = { ...clear.state.settings, iFrames: false };
    const opened = reduce(openChannel(settings), { type: 'opened', at, playlists: before });
    expect(opened.effects.map(({ type }) => type)).toEqual(['put-multivariant']);
    const stored = { type: 'multivariant-stored', at, view: 'live', version: 1 } as const;
    const { effects } = reduce(opened.state, stored);
    expect(effects).toEqual([{ type: 'delete', keys: ['live/low-iframes.m3u8'] }]);

    const on = new Rig(before, { iFrames: false });
    on.connect('low');
    on.step(['low'], 4);
    expect(on.deleted).toEqual(['live/low-iframes.m3u8']);
    const again = restarted(on, true);
    again.step(['low'], 5);
    expect(again.deleted).toEqual([]);

    const owner = new Rig(before, { iFrames: false, fenced: true });
    owner.connect('low');
    expect(owner.deleted).toEqual([]);
    owner.step(['low'], 4);
    expect(owner.multivariant).not.toContain('I-FRAME');
    expect(owner.deleted).toEqual(['live/low-iframes.m3u8']);

    const kept = new Rig(before, { iFrames: false, retention: 'keep' });
    kept.connect('low');
    kept.step(['low'], 4);
    expect(kept.deleted).toEqual([]);
  });

  test.each([2, 9])(
    'uses no number of I-frames again, encrypted after %i segments for a while',
    (segments) => {
      const clear = Rig.live(['low'], 0);
      for (let i = 0; i < segments; i++) clear.step(['low'], i, three(i));
      let on = restarted(clear, true);
      on.step(['low'], segments);
      on = restarted(on, true);
      on.step(['low'], segments + 1);
      const off = restarted(on, false);
      off.step(['low'], segments + 2, three(segments + 2));
      const before = pictures(clear);
      const after = pictures(off);
      const both = [...after].filter(([number]) => before.has(number));
      expect(both.length).toBeGreaterThanOrEqual(6);
      for (const [number, picture] of both) expect(picture).toBe(before.get(number));
      const news = [...after].filter(([number]) => !before.has(number));
      expect(news.map(([, picture]) => picture.endsWith('gap'))).toEqual([true, true, false, false, false]);
      expect(Math.min(...news.map(([number]) => number))).toBe(Math.max(...before.keys()) + 1);
    },
  );

  test('has no picture that could be fetched alone, also when encryption is switched off again', () => {
    const off = restarted(live(4), false);
    off.step(['low'], 4);
    const text = off.iFrames.get('live/low-iframes.m3u8')!;
    const ranged = [...text.matchAll(/^#EXT-X-BYTERANGE:.*\n(.*)$/gm)].map(([, uri]) => uri);
    expect(new Set(ranged)).toEqual(new Set([expect.stringMatching(/-000004\.ts$/)]));
    expect(text.match(/^#EXT-X-GAP$/gm)).toHaveLength(4);
  });

  test('counts what is in the store: with the padding', () => {
    const rig = live(3);
    const padded = 188_000 - (188_000 % 16) + 16;
    expect(rig.state.renditions['low']!.totalBytes).toBe(3 * padded);
    expect(rig.multivariant).toContain(`BANDWIDTH=${Math.ceil((padded * 8) / 6)},`);
    expect([0, 1, 15, 16, 17, 188].map(encryptedBytes)).toEqual([16, 16, 16, 32, 32, 192]);
  });

  test('is not gone on from when a tag was damaged', () => {
    const rig = live(3);
    const text = rig.texts.get('live/low.m3u8')!.replace(/,IV=0x\d+/, '');
    const again = new Rig([{ key: 'live/low.m3u8', text }]);
    expect(again.state.refusal).toContain('only AES-128 with an IV');
  });
});
