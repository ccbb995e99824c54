import { describe, expect, test } from '@jest/globals';
import { range } from './testing/recorded.js';
import { Rig } from './testing/rig.js';

const BOTH = ['low', 'mid'];

/** What waited is stored now, in the order it was asked for. */
function storeAll(rig: Rig): void {
  rig.store.segment = () => true;
  rig.store.playlist = () => 'stored';
  rig.happen({ type: 'store-recovered' });
  for (const { id } of rig.uploads.splice(0)) rig.happen({ type: 'segment-stored', id });
}

/** Both renditions have 4 segments published; then nothing can be stored while they bring up to this one. */
function outage(last: number): Rig {
  const rig = Rig.live(BOTH, 4);
  rig.store.segment = () => false;
  for (let i = 4; i <= last; i++) rig.step(BOTH, i);
  return rig;
}

const answersOf = (rig: Rig, rendition: string, code: string): number[] =>
  rig.answers.flatMap((answer) => {
    const [, name, index, said] = /^(.*)\/(\d+) (.*)$/.exec(answer)!;
    return name === rendition && said === code ? [Number(index)] : [];
  });

describe('after an outage', () => {
  test('two windows of segments catch up in order, and nothing is dropped', () => {
    const rig = outage(15);
    storeAll(rig);
    rig.step(BOTH, 16);
    for (const name of BOTH) expect(answersOf(rig, name, 'published')).toEqual(range(0, 16));
    expect(rig.entries('low')).toBe('11 12 13 14 15 16');
  });

  test('of more the last window is published, in one version, and each of the others is dropped once', () => {
    const rig = outage(16);
    expect(rig.entries('low')).toBe('0 1 2 3');
    // Asked for in any order: what is dropped need not be put any more.
    expect(rig.uploads.map(({ id }) => id.index).sort((a, b) => a - b)).toEqual(
      range(11, 16).flatMap((index) => [index, index]),
    );
    const versions: string[] = [];
    rig.store.segment = () => true;
    for (const { id } of rig.uploads.splice(0)) {
      rig.happen({ type: 'segment-stored', id });
      versions.push(rig.entries('low'));
    }
    expect([...new Set(versions)]).toEqual([
      '0 1 2 3',
      '11 12 13',
      '11 12 13 14',
      '11 12 13 14 15',
      '11 12 13 14 15 16',
    ]);
    for (const name of BOTH) {
      expect(answersOf(rig, name, 'backlog')).toEqual(range(4, 10));
      expect(answersOf(rig, name, 'published')).toEqual([...range(0, 3), ...range(11, 16)]);
      expect(rig.state.renditions[name]!.counts.dropped).toEqual({ backlog: 7 });
    }
    expect(rig.playlist('low').entries.map(({ dateMs }) => dateMs)).toEqual(
      rig.playlist('mid').entries.map(({ dateMs }) => dateMs),
    );
  });

  test('a skip that nobody has seen goes on to the live edge when the store takes writes again', () => {
    const rig = outage(22);
    for (const name of BOTH) expect(answersOf(rig, name, 'backlog')).toEqual(range(4, 10));
    rig.happen({ type: 'store-recovered' });
    for (const name of BOTH) expect(answersOf(rig, name, 'backlog')).toEqual(range(4, 16));
    storeAll(rig);
    for (let i = 23; i <= 25; i++) rig.step(BOTH, i);
    for (const name of BOTH) {
      expect(answersOf(rig, name, 'published')).toEqual([...range(0, 3), ...range(17, 25)]);
      expect(rig.entries(name)).toBe('20 21 22 23 24 25');
    }
  });

  test.each(['on its way', 'stored'])('no more once the first version after it is %s', (what) => {
    const rig = outage(22);
    rig.store.segment = (_, index) => index < 14;
    if (what === 'on its way') rig.store.playlist = () => 'held';
    for (const { id } of rig.uploads.filter(({ id: { index } }) => index < 14))
      rig.happen({ type: 'segment-stored', id });
    expect(rig.state.renditions['low']!.entries.map(({ number }) => number)).toEqual(range(11, 13));
    rig.happen({ type: 'store-recovered' });
    // What waits behind it is less than two windows.
    for (const name of BOTH) expect(answersOf(rig, name, 'backlog')).toEqual(range(4, 10));
    for (let i = 23; i <= 25; i++) rig.step(BOTH, i);
    for (const name of BOTH) expect(answersOf(rig, name, 'backlog')).toEqual(range(4, 10));
  });

  test('of a window in seconds, twice so many seconds catch up in order', () => {
    const outageOf = (last: number): Rig => {
      const rig = Rig.live(['low'], 4, { window: 3, windowSeconds: 90 });
      rig.store.segment = () => false;
      for (let i = 4; i <= last; i++) rig.step(['low'], i);
      storeAll(rig);
      return rig;
    };
    expect(answersOf(outageOf(33), 'low', 'backlog')).toEqual([]);
    const rig = outageOf(34);
    expect(answersOf(rig, 'low', 'backlog')).toEqual(range(4, 19));
    expect(rig.entries('low')).toBe(range(20, 34).join(' '));
  });

  test('what was stored and never listed goes with what leaves the window', () => {
    const rig = Rig.live(['low'], 4);
    rig.store.playlist = () => 'held';
    for (let i = 4; i <= 16; i++) rig.step(['low'], i);
    rig.store.playlist = () => 'stored';
    const { version } = rig.state.renditions['low']!.inFlight!;
    rig.happen({ type: 'playlist-failed', view: 'live', rendition: 'low', version });
    expect(rig.entries('low')).toBe('11 12 13 14 15 16');
    expect(answersOf(rig, 'low', 'backlog')).toEqual(range(4, 10));
    for (let i = 17; i <= 40; i++) rig.step(['low'], i);
    const names = rig.deleted.map((key) => Number(/(\d+)\.ts$/.exec(key)![1]));
    expect(names).toEqual(expect.arrayContaining(range(0, 26)));
    expect(new Set(names).size).toBe(names.length);
  });

  test('a version that was on its way when the tail skipped may still be stored', () => {
    const rig = Rig.live(['low'], 4);
    rig.store.playlist = () => 'held';
    for (let i = 4; i <= 17; i++) rig.step(['low'], i);
    rig.store.playlist = () => 'stored';
    const { version, tail } = rig.state.renditions['low']!.inFlight!;
    expect(tail).toBe(4);
    rig.happen({ type: 'playlist-stored', view: 'live', rendition: 'low', version, tookMs: 60_000 });
    expect(rig.entries('low')).toBe('12 13 14 15 16 17');
    expect(rig.answers.filter((answer) => answer.startsWith('low/4 '))).toHaveLength(1);
  });

  test('a discontinuity among what is dropped is counted, and stands where the playlist goes on', () => {
    const rig = outage(7);
    rig.segment('low', 8, 1008, 1014, { discontinuity: 'timestamps', wallOffMs: -960_000 });
    rig.segment('mid', 8, 1008, 1014, { discontinuity: 'timestamps', wallOffMs: -960_000 });
    for (let i = 9; i <= 17; i++)
      for (const name of BOTH) {
        rig.to(6 * (i + 1));
        rig.segment(name, i, 960 + 6 * i, 966 + 6 * i, { wallOffMs: -960_000 });
      }
    storeAll(rig);
    rig.to(120);
    const edges = BOTH.map((name) => rig.playlist(name).discontinuitySequence);
    expect(BOTH.map((name) => rig.entries(name))).toEqual(Array(2).fill('12D 13 14 15 16 17'));
    expect(edges).toEqual([1, 1]);
  });

  test('a rendition that counts alone counts what it drops', () => {
    const rig = Rig.live(['low'], 4);
    rig.connect('other');
    const other = (i: number): void =>
      rig.segment('other', i, 24 + 4 * i, 28 + 4 * i, i === 0 ? { discontinuity: 'start' } : {});
    for (let i = 4; i < 8; i++) rig.step(['low'], i);
    for (let i = 0; i < 4; i++) other(i);
    expect(rig.state.renditions['other']!.alone).toBe(true);
    const { storedTail } = rig.state.renditions['other']!;
    rig.store.segment = (rendition) => rendition !== 'other';
    for (let i = 4; i < 24; i++) other(i);
    storeAll(rig);
    const { discontinuitySequence, entries } = rig.playlist('other');
    expect(answersOf(rig, 'other', 'backlog').length).toBeGreaterThan(6);
    expect(entries.at(-1)!.number).toBe(storedTail + 20);
    // It is on the clock that it was on, so its siblings need no discontinuity either.
    expect(discontinuitySequence + entries.filter(({ discontinuity }) => discontinuity).length).toBe(0);
  });
});
