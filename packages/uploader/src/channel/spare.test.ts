import { describe, expect, test } from '@jest/globals';
import { Rig, sessionOf } from './testing/rig.js';

const ALL = ['low', 'low~b', 'mid'];
const bySpare = (rig: Rig): string[] => rig.puts.filter((put) => put.startsWith('low~b'));
const leave = (rig: Rig, who: string, index: number): void =>
  rig.happen({
    type: 'accepted',
    announcement: { type: 'leave', session: sessionOf(who), index, reason: 'test' },
  });
const reopened = ({ texts, at }: Rig): Rig =>
  new Rig(
    [...texts].map(([key, text]) => ({ key, text })),
    {},
    at,
  );
/** Segments of an encoder that begins again at this second, with these timestamps. */
function newClock(
  rig: Rig,
  sources: string[],
  { second, index, count, from = 0 }: { second: number; index: number; count: number; from?: number },
): void {
  for (let i = 0; i < count; i++) {
    rig.to(second + 6 * (i + 1));
    const more = { wallOffMs: 1000 * (second - from), ...(i === 0 && { discontinuity: 'start' as const }) };
    for (const who of sources) rig.segment(who, index + i, from + 6 * i, from + 6 * (i + 1), more);
  }
}
const whole = (rig: Rig): void => {
  for (const name of ['low', 'mid']) expect(rig.entries(name)).not.toMatch(/[DG]/);
  expect(rig.entries('low')).toBe(rig.entries('mid'));
};

describe('two sources of the same encode', () => {
  test('one is published, and nothing of the other is put', () => {
    const rig = Rig.live(ALL, 8);
    expect(bySpare(rig)).toEqual([]);
    expect(rig.answers.filter((answer) => answer.startsWith('low~b'))).toEqual(
      Array.from({ length: 8 }, (_, i) => `low~b/${i} duplicate`),
    );
    whole(rig);
  });

  test('what waited when the next one came, after the time to take over and before its tick, is taken in whole', () => {
    const rig = Rig.live(ALL, 5);
    rig.at += 6000;
    rig.segment('low~b', 5, 30, 36);
    rig.segment('mid', 5, 30, 36);
    rig.at += 6000;
    rig.segment('low~b', 6, 36, 42);
    rig.segment('mid', 6, 36, 42);
    rig.to(45);
    whole(rig);
    expect(rig.entries('low')).toMatch(/5 6$/);
  });

  test('what the spare has is kept until viewers have it from the other', () => {
    const rig = Rig.live(ALL, 5);
    rig.store.playlist = (rendition) => (rendition === 'low' ? 'held' : 'stored');
    rig.step(ALL, 5);
    expect(rig.answers).not.toContain('low~b/5 duplicate');
    const { version } = rig.state.renditions['low']!.inFlight!;
    rig.store.playlist = () => 'stored';
    rig.happen({ type: 'playlist-stored', view: 'live', rendition: 'low', version, tookMs: 50 });
    expect(rig.answers).toContain('low~b/5 duplicate');
  });

  test('the active one’s connection is lost: the other goes on at once, and back again', () => {
    const rig = Rig.live(ALL, 5);
    rig.lose('low');
    rig.to(36);
    rig.segment('mid', 5, 30, 36);
    rig.segment('low~b', 5, 30, 36);
    expect(rig.entries('low')).toMatch(/ 5$/);
    for (let i = 6; i < 9; i++) rig.step(['mid', 'low~b'], i);
    rig.connect('low');
    rig.step(['mid', 'low~b'], 9);
    // It joined in mid-slot.
    rig.segment('low', 5, 56, 60, { discontinuity: 'start' });
    for (let i = 10; i < 13; i++)
      rig.step(
        ['low', 'low~b', 'mid'].map((who) => who),
        i,
      );
    rig.lose('low~b');
    for (let i = 13; i < 18; i++) rig.step(['mid', 'low'], i);
    whole(rig);
    expect(rig.state.renditions['low']!.counts.switches).toBe(2);
    expect(bySpare(rig)).toHaveLength(8);
    expect(rig.reports).toEqual(Array.from({ length: 2 }, () => 'the rendition goes on with another source'));
  });

  test('the active one is connected and silent: the other goes on before the playlist is late', () => {
    const rig = Rig.live(ALL, 5);
    rig.to(36);
    rig.segment('mid', 5, 30, 36);
    rig.segment('low~b', 5, 30, 36);
    rig.to(37.4);
    expect(rig.entries('low')).toMatch(/ 4$/);
    rig.to(37.6);
    expect(rig.entries('low')).toMatch(/ 5$/);
    for (let i = 6; i < 9; i++) rig.step(['low~b', 'mid'], i);
    whole(rig);
  });

  test.each<[string, (rig: Rig) => void]>([
    ['says that it lost one', (rig) => rig.gap('low', 5)],
    ['has one refused', (rig) => rig.segment('low', 5, 30, 36, { refused: true })],
    ['has only a part of one', (rig) => rig.segment('low', 5, 33, 36, { discontinuity: 'loss' })],
  ])('the active one %s: the other fills it, whoever comes first', (_, miss) => {
    for (const order of ['before', 'behind', 'late']) {
      const rig = Rig.live(ALL, 5);
      rig.to(36);
      rig.segment('mid', 5, 30, 36);
      if (order === 'before') rig.segment('low~b', 5, 30, 36);
      miss(rig);
      if (order === 'behind') rig.segment('low~b', 5, 30, 36);
      rig.to(37);
      if (order === 'late') rig.segment('low~b', 5, 30, 36);
      for (let i = 6; i < 9; i++) rig.step(ALL, i);
      whole(rig);
      expect([order, bySpare(rig)]).toEqual([order, ['low~b/5']]);
      expect(rig.state.renditions['low']!.counts.switches).toBe(0);
    }
  });

  test('the bytes of the active one’s segment are gone: the other fills it', () => {
    const rig = Rig.live(ALL, 5);
    rig.store.segment = (rendition) => rendition !== 'low';
    rig.step(ALL, 5);
    rig.store.segment = () => true;
    rig.happen({ type: 'segment-lost', id: rig.uploads[0]!.id });
    rig.step(ALL, 6);
    whole(rig);
    expect(bySpare(rig)).toEqual(['low~b/5']);
  });

  test('the active one passes one by: the other fills it, though it lags behind', () => {
    const rig = Rig.live(ALL, 4);
    rig.step(['low', 'mid'], 4);
    // Short ones, as forced cuts leave them.
    const cuts = [30, 33, 36, 41];
    const short = (who: string, i: number): void =>
      rig.segment(who, i, cuts[i - 5]!, cuts[i - 4]!, i === 5 ? { ended: 'forced' } : {});
    const at = (seconds: number, ...happen: (() => void)[]): void => {
      rig.to(seconds);
      for (const one of happen) one();
    };
    at(
      33,
      () => short('low', 5),
      () => short('mid', 5),
    );
    at(36, () => short('mid', 6));
    at(37, () => rig.segment('low~b', 4, 24, 30));
    at(40, () => short('low~b', 5));
    at(
      41,
      () => short('mid', 7),
      () => short('low', 7),
    );
    expect(rig.entries('low')).toMatch(/ 5$/);
    at(41.5, () => short('low~b', 6));
    whole(rig);
    expect(bySpare(rig)).toEqual(['low~b/6']);
  });

  test('the active one leaves in mid-segment: viewers get the whole one of the other', () => {
    const rig = Rig.live(ALL, 5);
    rig.to(33);
    rig.segment('low', 5, 30, 33, { ended: 'leave' });
    leave(rig, 'low', 6);
    for (let i = 5; i < 8; i++) rig.step(['mid', 'low~b'], i);
    whole(rig);
    expect(rig.answers).toEqual(expect.arrayContaining(['low/5 partial', 'low/6 published']));
  });

  test('the wall clock of the other’s machine does not matter', () => {
    const rig = Rig.live(['low', 'mid'], 3);
    rig.connect('low~b');
    const off = { wallOffMs: 600_000 };
    for (let i = 3; i < 6; i++) {
      rig.step(['low', 'mid'], i);
      rig.segment('low~b', i, 6 * i, 6 * i + 6, {
        ...off,
        ...(i === 3 && { discontinuity: 'start' as const }),
      });
    }
    rig.lose('low');
    for (let i = 6; i < 10; i++) {
      rig.step(['mid'], i);
      rig.segment('low~b', i, 6 * i, 6 * i + 6, off);
    }
    whole(rig);
  });

  test('new tables, which both tell of, are one discontinuity', () => {
    for (const dies of [false, true]) {
      const rig = Rig.live(ALL, 5);
      rig.to(36);
      if (dies) rig.gap('low', 5);
      for (const who of dies ? ['low~b', 'mid'] : ALL)
        rig.segment(who, 5, 30, 36, { discontinuity: 'tables' });
      if (dies) rig.lose('low');
      for (let i = 6; i < 10; i++) rig.step(dies ? ['low~b', 'mid'] : ALL, i);
      expect(rig.entries('low')).toBe('4 5D 6 7 8 9');
      expect(rig.entries('mid')).toBe(rig.entries('low'));
    }
  });

  test('sound alone is compared by its segments', () => {
    for (const same of [true, false]) {
      const rig = new Rig();
      for (const who of ['sound', 'sound~b']) rig.connect(who, { renditions: ['sound'] }, true);
      for (let i = 0; i < 8; i++) {
        rig.to(6 * i + 6);
        if (i === 5) rig.lose('sound');
        if (i < 5) rig.segment('sound', i, 6 * i, 6 * i + 6, { sound: true });
        rig.segment('sound~b', i, 6 * i, 6 * i + 6, { sound: true, ...(!same && { crc32: 2 }) });
        rig.to(6 * i + 11);
      }
      expect(rig.entries('sound')).toMatch(same ? /4 5 6 7$/ : /4 5D 6 7$/);
    }
  });

  test('an uploader with an empty disk goes on with the one that was active, and knows the other', () => {
    const rig = Rig.live(ALL, 8);
    const again = reopened(rig);
    again.connect('low~b');
    again.connect('mid');
    again.to(54);
    again.segment('mid', 8, 48, 54);
    again.segment('low~b', 8, 48, 54);
    expect(again.puts).not.toContain('low~b/8');
    again.connect('low');
    again.segment('low', 8, 48, 54);
    expect(again.puts).toContain('low/8');
    again.lose('low');
    for (let i = 9; i < 12; i++) again.step(['mid', 'low~b'], i);
    whole(again);
  });

  test('an uploader with an empty disk, and the active one is gone with it', () => {
    const again = reopened(Rig.live(ALL, 8));
    again.connect('low~b');
    again.connect('mid');
    for (let i = 8; i < 12; i++) again.step(['mid', 'low~b'], i);
    whole(again);
  });

  test('what comes of the clock before, later by its timestamps than the new clock is, does not wait for that', () => {
    const before = Rig.live(ALL, 6);
    for (let i = 6; i < 10; i++) before.step(['low', 'mid'], i);
    const rig = reopened(before);
    for (const who of ALL) rig.connect(who, { renditions: ['low', 'mid'] });
    newClock(rig, ['low', 'mid'], { second: 100, index: 10, count: 2, from: 42 });
    for (let i = 6; i < 10; i++) rig.segment('low~b', i, 6 * i, 6 * (i + 1));
    expect(rig.state.sources[sessionOf('low~b')]).toMatchObject({ same: true });
    expect(rig.answers.filter((answer) => /^low~b/.test(answer))).toEqual(
      [6, 7, 8, 9].map((i) => `low~b/${i} duplicate`),
    );
  });

  test('a skip leaves nothing waiting of what it goes over, to be taken for what is of a new clock', () => {
    const rig = Rig.live(ALL, 6);
    rig.store.segment = () => false;
    for (let i = 6; i < 8; i++) rig.step(ALL, i);
    leave(rig, 'low', 8);
    for (let i = 8; i < 12; i++) rig.step(['low~b', 'mid'], i);
    newClock(rig, ['low~b', 'mid'], { second: 72, index: 12, count: 8 });
    expect(rig.reports.join()).toContain('all but the last is dropped');
    expect(rig.answers.filter((answer) => /^low~b\/[67]/.test(answer))).toEqual([
      'low~b/6 backlog',
      'low~b/7 backlog',
    ]);
    const [low, mid] = ['low', 'mid'].map((name) =>
      rig.state.renditions[name]!.queue.items.map(({ slot }) => slot),
    );
    expect(low).toEqual(mid);
  });

  test('repeated announcements change nothing', () => {
    const rig = Rig.live(ALL, 5);
    rig.to(36);
    for (let i = 0; i < 3; i++) rig.segment('low~b', 5, 30, 36);
    rig.segment('low', 5, 30, 36);
    rig.segment('low~b', 5, 30, 36);
    expect(rig.answers.filter((answer) => answer.startsWith('low~b/5'))).toEqual([
      'low~b/5 duplicate',
      'low~b/5 published',
    ]);
  });

  test('what waits is bounded while nothing can be published', () => {
    const rig = Rig.live(ALL, 5);
    rig.store.segment = () => false;
    for (let i = 5; i < 100; i++) rig.step(ALL, i);
    expect(rig.state.renditions['low']!.spares.length).toBeLessThanOrEqual(20);
    const answered = new Set(rig.answers.filter((answer) => answer.startsWith('low~b/')));
    expect(answered.size).toBe(100 - rig.state.renditions['low']!.spares.length);
  });
});

describe('two sources of different encodes', () => {
  const start = (): Rig => {
    const rig = Rig.live(['low', 'mid'], 1);
    rig.connect('low~b');
    for (let i = 1; i < 5; i++) both(rig, i);
    return rig;
  };
  const both = (rig: Rig, i: number, who = ['low', 'mid', 'low~b']): void => {
    rig.to(6 * i + 6);
    for (const one of who) rig.segment(one, i, 6 * i, 6 * i + 6, one === 'low~b' ? { encode: 1 } : {});
  };

  test('the active one that comes back and brings nothing has its time once, not again and again', () => {
    const rig = start();
    const only = (i: number): void => both(rig, i, ['mid', 'low~b']);
    rig.lose('low');
    only(5);
    rig.connect('low');
    rig.lose('low');
    for (let i = 6; i < 9; i++) {
      only(i);
      rig.connect('low');
    }
    expect(rig.answers.filter((answer) => /^low~b\/[6-8] duplicate/.test(answer))).toEqual([]);
    expect(rig.entries('low')).toMatch(/4 5G 6G 7D 8$/);
    expect(rig.state.renditions['low']!.counts.switches).toBe(1);
  });

  test('one is published, nothing is mixed', () => {
    const rig = start();
    rig.to(36);
    rig.segment('mid', 5, 30, 36);
    rig.segment('low~b', 5, 30, 36, { encode: 1 });
    rig.gap('low', 5);
    for (let i = 6; i < 8; i++) both(rig, i);
    expect(rig.entries('low')).toBe('2 3 4 5G 6 7');
    expect(bySpare(rig)).toEqual([]);
  });

  test('a switch comes after 1.5 target durations, is a discontinuity in all, and stays', () => {
    const rig = start();
    rig.lose('low');
    for (let i = 5; i < 9; i++) both(rig, i, ['mid', 'low~b']);
    expect(rig.entries('low')).toBe('3 4 5G 6D 7 8');
    expect(rig.entries('mid')).toBe('3 4 5 6D 7 8');
    rig.connect('low');
    for (let i = 9; i < 15; i++) both(rig, i);
    expect(rig.entries('low')).toBe('9 10 11 12 13 14');
    expect(rig.state.renditions['low']!.counts.switches).toBe(1);
    leave(rig, 'low~b', 15);
    for (let i = 15; i < 18; i++) both(rig, i, ['mid', 'low']);
    expect(rig.entries('low')).toBe('12 13 14 15D 16 17');
    expect(rig.entries('mid')).toBe(rig.entries('low'));
  });

  test('a short absence of the active one is no switch', () => {
    const rig = start();
    rig.lose('low');
    both(rig, 5, ['mid', 'low~b']);
    rig.connect('low');
    rig.segment('low', 5, 30, 36);
    for (let i = 6; i < 9; i++) both(rig, i);
    whole(rig);
    expect(bySpare(rig)).toEqual([]);
  });

  test('on a clock of its own, two renditions at once: one discontinuity, where both have it', () => {
    const rig = Rig.live(['low', 'mid'], 1);
    const other = { encode: 1 };
    const spares = ['low~b', 'mid~b'];
    for (const who of spares) rig.connect(who);
    const spare = (who: string, i: number): void =>
      rig.segment(who, i, 1000 + 6 * i, 1006 + 6 * i, { ...other, wallOffMs: -1_000_000 + 500 });
    for (let i = 1; i < 5; i++) {
      rig.step(['low', 'mid'], i);
      rig.to(6 * i + 6.5);
      for (const who of spares) spare(who, i);
    }
    rig.to(36);
    // Low got one segment further.
    rig.segment('low', 5, 30, 36);
    for (const who of ['low', 'mid']) rig.lose(who);
    for (let i = 5; i < 10; i++) {
      rig.to(6 * i + 6.5);
      for (const who of spares) spare(who, i);
    }
    expect(rig.entries('mid')).toMatch(/^\d+G? .*D \d+ \d+/);
    expect(rig.entries('mid').replaceAll('G', '')).toBe(rig.entries('low').replaceAll('G', ''));
    expect(rig.entries('low').match(/D/g)).toHaveLength(1);
    expect(rig.state.renditions['mid']!.counts.switches).toBe(1);
  });
});
