import { describe, expect, test } from '@jest/globals';
import { Rig } from './testing/rig.js';

const BOTH = ['low', 'mid'];
const starts = (rig: Rig): (string | undefined)[] =>
  BOTH.map((name) => /^#EXT-X-START:(.*)$/m.exec(rig.texts.get(`live/${name}.m3u8`)!)?.[1]);
const published = (rig: Rig) => [...rig.texts].map(([key, text]) => ({ key, text }));

/** The next uploader goes on with what is published, and with this setting. */
function restart(rig: Rig, startOffset: number | undefined, index: number): Rig {
  const next = new Rig(published(rig), startOffset === undefined ? {} : { startOffset });
  next.to(6 * index);
  for (const name of BOTH) next.connect(name);
  next.step(BOTH, index);
  return next;
}

describe('EXT-X-START', () => {
  test('stands in every version from the first on', () => {
    const rig = new Rig([], { startOffset: -24.5 });
    for (const name of BOTH) rig.connect(name, { renditions: BOTH });
    for (let i = 0; i < 12; i++) {
      rig.step(BOTH, i);
      expect(starts(rig)).toEqual(Array(2).fill('TIME-OFFSET=-24.5'));
    }
  });

  test('stands in none without the option', () => {
    expect(starts(Rig.live(BOTH, 3))).toEqual([undefined, undefined]);
  });

  test('stays as it is for the life, whatever the next uploader is told', () => {
    for (const other of [undefined, 0, -30]) {
      expect(starts(restart(Rig.live(BOTH, 6, { startOffset: -18 }), other, 6))).toEqual(
        Array(2).fill('TIME-OFFSET=-18'),
      );
    }
    expect(starts(restart(Rig.live(BOTH, 6), -30, 6))).toEqual([undefined, undefined]);
  });

  test('is the new setting with the next life', () => {
    const rig = restart(Rig.live(BOTH, 6, { startOffset: -18 }), -30, 6);
    rig.happen({ type: 'end-requested' });
    expect(starts(rig)).toEqual(Array(2).fill('TIME-OFFSET=-18'));
    for (const name of BOTH) rig.connect(name, { renditions: BOTH });
    rig.step(BOTH, 7);
    expect(rig.state.life).toBe(2);
    expect(starts(rig)).toEqual(Array(2).fill('TIME-OFFSET=-30'));
  });

  test.each([
    [-18, false],
    [-17, true],
    [0, false],
    [18, false],
    [19, true],
  ])('%p s: the operator is warned that it is too near to the end: %p', (startOffset, warned) => {
    const rig = new Rig([], { startOffset });
    rig.connect('low', { renditions: ['low'] });
    expect(rig.reports.filter((message) => message.includes('--start-offset'))).toEqual([]);
    for (let i = 0; i < 3; i++) rig.step(['low'], i);
    expect(rig.reports.filter((message) => message.includes('--start-offset'))).toHaveLength(warned ? 1 : 0);
  });
});
