import { describe, expect, test } from '@jest/globals';
import { Rig } from './testing/rig.js';

/** So many segments of 6 s, one after the other. */
function run(
  settings: Parameters<typeof Rig.live>[2],
  segments: number,
  rig = Rig.live(['low'], 0, settings),
): Rig {
  for (let i = 0; i < segments; i++) rig.step(['low'], i);
  return rig;
}

const deleted = (rig: Rig): number[] => rig.deleted.map((key) => Number(/(\d+)\.ts$/.exec(key)![1]));
const stateLine = (rig: Rig): { left: unknown[] } =>
  JSON.parse(/^#hls-uplink:(.*)$/m.exec(rig.texts.get('live/low.m3u8')!)![1]!) as { left: unknown[] };

describe('the window', () => {
  test('of a time holds as many segments as last so long', () => {
    const rig = run({ window: 3, windowSeconds: 90 }, 40);
    expect(rig.playlist('low').entries).toHaveLength(15);
    expect(rig.playlist('low').mediaSequence).toBe(25);
  });

  test('of a short time is still as long as HLS demands', () => {
    const rig = run({ window: 3, windowSeconds: 5 }, 40);
    expect(rig.playlist('low').entries).toHaveLength(5);
  });
});

describe('what left the window', () => {
  test('goes by default when no player may fetch it: after its duration and the longest playlist', () => {
    // 6 s and 36 s after its removal, with the next version.
    const rig = run({}, 20);
    expect(deleted(rig)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('stays for the retention where that is longer', () => {
    const rig = run({ retention: 300_000 }, 80);
    // The last one removed 300 s ago.
    expect(deleted(rig).at(-1)).toBe(79 - 6 - 50);
    const short = run({ retention: 10_000 }, 20);
    expect(deleted(short)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('is left to the sweep when it is more than the state line can hold', () => {
    const rig = run({ retention: 3_600_000 }, 400);
    expect(deleted(rig)).toEqual([]);
    expect(stateLine(rig).left).toHaveLength(300);
  });

  test('stays for ever with keep, and no state line counts it', () => {
    const rig = run({ retention: 'keep' }, 100);
    expect(rig.entries('low')).toBe('94 95 96 97 98 99');
    expect(rig.deleted).toEqual([]);
    expect(stateLine(rig).left).toEqual([]);
    expect(rig.state.renditions['low']!.left).toEqual([]);
  });

  test('also what an uploader without keep meant to delete, and what leaves with a new life', () => {
    const before = run({}, 20);
    const texts = [...before.texts].map(([key, text]) => ({ key, text }));
    expect(stateLine(before).left.length).toBeGreaterThan(0);
    const rig = new Rig(texts, { retention: 'keep' });
    rig.to(120);
    rig.connect('low');
    for (let i = 20; i < 60; i++) rig.step(['low'], i);
    rig.happen({ type: 'end-requested' });
    rig.connect('low');
    for (let i = 60; i < 100; i++) rig.step(['low'], i);
    expect(rig.state.life).toBe(2);
    expect(rig.deleted).toEqual([]);
    expect(stateLine(rig).left).toEqual([]);
  });
});
