import { describe, expect, test } from '@jest/globals';
import { Rig, sessionOf } from './testing/rig.js';

const ENCODES: Record<string, number> = { 'low~b': 1, 'low~c': 1, 'low~d': 2 };

/** The next segment of each of these, in this order. */
function all(rig: Rig, i: number, who: readonly string[]): void {
  for (const one of who) rig.step([one], i, { encode: ENCODES[one] ?? 0 });
}

describe('a switch to another encode', () => {
  test('a sibling that is ahead has no discontinuity there, so what the switch comes too late for is one gap', () => {
    for (const who of [
      ['low', 'low~b', 'mid'],
      ['low', 'low~b'],
    ]) {
      const names = who.filter((one) => one !== 'low~b');
      const rig = Rig.live(names, 1);
      rig.connect('low~b');
      for (let i = 1; i < 5; i++) all(rig, i, who);
      rig.lose('low');
      for (let i = 5; i < 9; i++) all(rig, i, who.slice(1));
      expect(rig.entries('low')).toBe(names.length > 1 ? '3 4 5G 6D 7 8' : '3 4 5D 6 7 8');
    }
  });

  test.each([
    ['the same: nothing more is lost', 'low~c', /4 5G 6D 7 8 9$/],
    ['another: one more gap', 'low~d', /5G 6D 7G 8D 9$/],
  ])(
    'two that stood by beside each other are known to be %s, when the one goes that took over',
    (_, third, entries) => {
      const rig = Rig.live(['low', 'mid'], 1);
      for (const who of ['low~b', third]) rig.connect(who);
      for (let i = 1; i < 5; i++) all(rig, i, ['low', 'mid', 'low~b', third]);
      rig.lose('low');
      all(rig, 5, ['mid', 'low~b', third]);
      all(rig, 6, ['low~b', 'mid']);
      // Since then the two have nothing in common.
      rig.gap(third, 6);
      rig.lose('low~b');
      for (let i = 7; i < 10; i++) all(rig, i, ['mid', third]);
      expect(rig.entries('low')).toMatch(entries);
      expect(rig.state.renditions['low']!.counts.switches).toBe(2);
    },
  );

  test('a spare that is new here, and whose encode is not known, is no successor of the active one', () => {
    const rig = Rig.live(['low', 'mid'], 5);
    rig.connect('low~b');
    all(rig, 5, ['low', 'mid', 'low~b']);
    rig.lose('low');
    expect(rig.state.renditions['low']!.active).toBe(sessionOf('low'));
    for (let i = 6; i < 8; i++) all(rig, i, ['mid', 'low~b']);
    rig.to(60);
    expect(rig.entries('low')).toMatch(/ 6G? 7D$/);
  });
});
