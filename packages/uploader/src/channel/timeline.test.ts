import { describe, expect, test } from '@jest/globals';
import { Rig, sessionOf } from './testing/rig.js';

const BOTH = ['low', 'mid'];
const reopened = (rig: Rig, keys = [...rig.texts.keys()]): Rig =>
  new Rig(keys.map((key) => ({ key, text: rig.texts.get(key)! })));

test('sound alone is cut up to a slot away from the picture, and nothing of it is lost', () => {
  const rig = new Rig();
  const renditions = ['low', 'sound'];
  rig.connect('low', { renditions });
  rig.connect('sound', { renditions }, true);
  for (let i = 0; i < 12; i++) {
    const from = i === 0 ? 1.48 : 6 * i + 0.01;
    rig.to(6 * i + 6.2);
    rig.segment('sound', i, from, 6 * i + 6.01, { sound: true });
    rig.to(6 * i + 7.6);
    rig.segment('low', i, 6 * i + 1.48, 6 * i + 7.48);
  }
  expect(rig.answers.filter((answer) => !answer.endsWith('published'))).toEqual([]);
  expect(rig.entries('sound')).toBe(rig.entries('low'));
  expect(rig.entries('low')).not.toMatch(/[DG]/);
});

test.each(['low', 'sound'])(
  'the last pictures are listed, however far sound goes beside them, %s first',
  (first) => {
    const said = (rig: Rig, who: string, index: number): void => {
      rig.happen({ type: 'accepted', announcement: { type: 'end', session: sessionOf(who), index } });
    };
    for (let over = 26; over < 31.4; over += 0.3) {
      for (const more of [-0.3, 0, 0.3]) {
        const rig = new Rig();
        const renditions = ['low', 'sound'];
        rig.connect('low', { renditions });
        rig.connect('sound', { renditions }, true);
        for (let i = 0; i < 4; i++) {
          rig.to(6 * i + 7.6);
          rig.segment('sound', i, i === 0 ? 1.48 : 6 * i + 0.01, 6 * i + 6.01, { sound: true });
          rig.segment('low', i, 6 * i + 1.48, 6 * i + 7.48);
        }
        rig.to(over);
        const ends = {
          low: () => {
            rig.segment('low', 4, 25.48, over, { ended: 'leave' });
            said(rig, 'low', 5);
          },
          sound: () => {
            const end = over + more;
            rig.segment('sound', 4, 24.01, Math.min(end, 30.01), {
              sound: true,
              ended: end > 30.01 ? 'cut' : 'leave',
            });
            if (end > 30.01) rig.segment('sound', 5, 30.01, end, { sound: true, ended: 'leave' });
            said(rig, 'sound', end > 30.01 ? 6 : 5);
          },
        };
        for (const who of first === 'low' ? (['low', 'sound'] as const) : (['sound', 'low'] as const))
          ends[who]();
        rig.to(over + 30);
        expect([over, more, rig.answers.find((answer) => answer.startsWith('low/4'))]).toEqual([
          over,
          more,
          'low/4 published',
        ]);
        expect(rig.playlist('low').endList).toBe(true);
      }
    }
  },
);

test('BANDWIDTH is the peak of contiguous segments that last half to one and a half target durations', () => {
  const rig = Rig.live(['low'], 0);
  const ends = [6, 12, 18, 19.6, 21.2, 24];
  const bitRates = [1_000_000, 1_000_000, 1_000_000, 4_000_000, 4_000_000, 1_000_000];
  const stated = ends.map((end, i) => {
    const from = ends[i - 1] ?? 0;
    rig.to(end);
    rig.segment('low', i, from, end, { bytes: Math.round((bitRates[i]! * (end - from)) / 8) });
    return Number(/[^-]BANDWIDTH=(\d+)/.exec(rig.multivariant)?.[1]);
  });
  // 1.6 s alone are less than half of 6 s; with the 6 s before them they are 7.6 s; twice 1.6 s are enough.
  expect(stated).toEqual([1_000_000, 1_000_000, 1_000_000, 1_631_579, 4_000_000, 4_000_000]);
});

test('a segment that ends before it begins costs nothing but itself', () => {
  const rig = Rig.live(BOTH, 4);
  rig.to(30);
  rig.segment('low', 4, 24, 23);
  rig.segment('mid', 4, 24, 30);
  for (let i = 5; i < 8; i++) rig.step(BOTH, i);
  expect(rig.entries('low')).toBe('2 3 4G 5 6 7');
  expect(rig.entries('mid')).toBe('2 3 4 5 6 7');
  expect(rig.answers).toContain('low/4 too-long');
  expect(rig.reports).toContain('segment ends before it begins; it is left out');
});

test('a change that comes when its slot has its number costs one segment, and the next says it in all renditions', () => {
  const rig = Rig.live(BOTH, 4);
  for (let i = 4; i < 12; i++) {
    rig.to(6 * i + 6);
    rig.segment('low', i, 6 * i, 6 * i + 6);
    rig.segment('mid', i, 6 * i, 6 * i + 6, i === 5 ? { discontinuity: 'tables' } : {});
  }
  expect(rig.answers.filter((answer) => !answer.endsWith('published'))).toEqual(['mid/5 late']);
  expect(rig.entries('mid')).toBe('6D 7 8 9 10 11');
  expect(rig.entries('low')).toBe(rig.entries('mid'));
});

test('a change that is skipped with the backlog makes nothing late', () => {
  const rig = Rig.live(BOTH, 4);
  rig.store.segment = (rendition) => rendition !== 'mid';
  for (let i = 4; i < 24; i++) {
    rig.to(6 * i + 6);
    rig.segment('low', i, 6 * i, 6 * i + 6);
    rig.segment('mid', i, 6 * i, 6 * i + 6, i === 5 ? { discontinuity: 'tables' } : {});
  }
  rig.store.segment = () => true;
  for (const { id } of rig.uploads.splice(0)) rig.happen({ type: 'segment-stored', id });
  for (let i = 24; i < 30; i++) rig.step(BOTH, i);
  expect(rig.answers.filter((answer) => answer.endsWith('late'))).toEqual([]);
  expect(rig.entries('mid')).toBe(rig.entries('low'));
});

test('a hole that is short, but that a gap cannot bridge together with what follows, is a discontinuity', () => {
  const rig = Rig.live(['low'], 2);
  rig.connect('mid');
  rig.to(17.7);
  rig.segment('low', 2, 12, 17.7, { ended: 'leave' });
  rig.to(24.3);
  rig.segment('mid', 0, 18, 24.3);
  rig.to(60);
  expect([rig.entries('low'), rig.entries('mid')]).toEqual(['0 1 2 3DG', '3D']);
});

test('an index far above the last costs nothing', () => {
  const rig = Rig.live(['low'], 4);
  rig.segment('low', 2 ** 50, 24, 30, { discontinuity: 'loss' });
  expect(rig.state.sources[sessionOf('low')]).toMatchObject({ settled: 2 ** 50, answered: [] });
});

test('a rendition whose first segment takes long to store begins when it is stored', () => {
  const rig = Rig.live(BOTH, 4);
  rig.connect('high');
  rig.store.segment = (rendition) => rendition !== 'high';
  for (let i = 4; i < 60; i++) {
    rig.step(BOTH, i);
    rig.segment('high', i, 6 * i, 6 * i + 6, i === 4 ? { discontinuity: 'start' } : {});
  }
  rig.store.segment = () => true;
  for (const { id } of rig.uploads) rig.happen({ type: 'segment-stored', id });
  expect(rig.playlist('high').entries.at(-1)!.number).toBe(59);
});

test('one slow playlist does not make gaps of what comes after it', () => {
  const rig = Rig.live(BOTH, 4);
  rig.store.tookMs = 45_000;
  rig.step(BOTH, 4);
  rig.store.tookMs = 50;
  for (let i = 5; i < 12; i++) {
    rig.to(6 * i + 6);
    rig.segment('low', i, 6 * i, 6 * i + 6);
    rig.to(6 * i + 7);
    rig.segment('mid', i, 6 * i, 6 * i + 6);
  }
  expect(rig.entries('mid')).not.toMatch(/G/);
});

test('what a store will not delete is asked for once, and forgotten in the end', () => {
  const rig = Rig.live(['low'], 4);
  rig.store.deletes = false;
  for (let i = 4; i < 400; i++) rig.step(['low'], i);
  expect(new Set(rig.deleted).size).toBe(rig.deleted.length);
  expect(rig.state.renditions['low']!.left.length).toBeLessThanOrEqual(300);
});

describe('a channel opened again', () => {
  test('publishes nothing over what it cannot read', () => {
    const rig = Rig.live(['low'], 12);
    rig.texts.set(
      'live/low.m3u8',
      rig.texts.get('live/low.m3u8')!.replace('"starts":[[', '"starts":[[1,1],['),
    );
    const again = reopened(rig);
    again.connect('low');
    for (let i = 12; i < 20; i++) again.step(['low'], i);
    expect(again.state.refusal).toMatch(/state line is damaged/);
    expect(again.texts.size).toBe(0);
  });

  test('goes on without a break whatever stands beside it', () => {
    const rig = Rig.live(BOTH, 12);
    const foreign = '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:5000\n#EXTINF:6,\na.ts\n';
    rig.texts.set('live/aaa.m3u8', foreign);
    const again = reopened(rig, ['live/aaa.m3u8', 'live/low.m3u8', 'live/mid.m3u8']);
    for (const name of BOTH) again.connect(name);
    for (let i = 12; i < 14; i++) again.step(BOTH, i);
    expect(again.entries('low')).toMatch(/11 12 13$/);
    expect(again.entries('mid')).toBe(again.entries('low'));
  });

  test('counts on from another tool’s playlist, with a discontinuity', () => {
    const foreign = '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:5000\n#EXTINF:6,\na.ts\n';
    const rig = new Rig([{ key: 'live/low.m3u8', text: foreign }]);
    rig.connect('low', { renditions: ['low'] });
    for (let i = 0; i < 3; i++) rig.step(['low'], i);
    expect(rig.entries('low')).toBe('5000 5001D 5002 5003');
  });

  test('publishes nothing where what stands there is no playlist, and says what to do', () => {
    const rig = new Rig([{ key: 'live/low.m3u8', text: '<html>not found</html>' }]);
    rig.connect('low', { renditions: ['low'] });
    for (let i = 0; i < 3; i++) rig.step(['low'], i);
    expect(rig.state.refusal).toMatch(/^live\/low\.m3u8 .*move it away or choose another channel name$/);
    expect(rig.texts.size).toBe(0);
  });

  test('after its end, from an empty disk, begins a new life: the next number, a discontinuity', () => {
    const rig = Rig.live(BOTH, 5);
    rig.happen({ type: 'end-requested' });
    expect(BOTH.map((name) => rig.playlist(name).endList)).toEqual([true, true]);
    const again = reopened(rig);
    again.to(100);
    for (const name of BOTH) again.connect(name, { renditions: BOTH });
    for (let i = 5; i < 8; i++)
      for (const name of BOTH) {
        again.to(100 + 6 * (i - 4));
        const start = i === 5 ? { discontinuity: 'start' as const } : {};
        again.segment(name, i, 6 * (i - 5), 6 * (i - 4), { wallOffMs: 100_000, ...start });
      }
    expect(BOTH.map((name) => again.entries(name))).toEqual(['5D 6 7', '5D 6 7']);
    expect(again.playlist('low')).toMatchObject({ endList: false, discontinuitySequence: 0 });
  });

  test('does not give the numbers of a rendition that counts alone to the others', () => {
    const rig = Rig.live(BOTH, 12);
    const alone = rig.texts.get('live/mid.m3u8')!;
    rig.texts.set(
      'live/mid.m3u8',
      alone.replace('"alone":false', '"alone":true').replace(/(MEDIA-SEQUENCE:)\d+/, '$1700'),
    );
    const again = reopened(rig);
    again.connect('low');
    for (let i = 12; i < 14; i++) again.step(['low'], i);
    expect(again.entries('low')).toMatch(/11 12 13$/);
  });
});

describe('a change of tracks', () => {
  test('is tagged in all renditions although a sibling listed its slot untagged', () => {
    const rig = Rig.live(BOTH, 5);
    rig.to(36);
    rig.segment('low', 5, 30, 36);
    rig.to(36.2);
    rig.segment('mid', 5, 30, 36, { discontinuity: 'tables' });
    for (let i = 6; i < 9; i++) rig.step(['mid', 'low'], i);
    expect(rig.entries('mid')).toMatch(/5G 6D 7 8$/);
    expect(rig.entries('low')).toMatch(/5 6D 7 8$/);
  });

  test('is tagged although the segment that said so was lost', () => {
    const rig = Rig.live(['low'], 5);
    rig.store.segment = () => false;
    rig.step(['low'], 5, { discontinuity: 'tables' });
    rig.happen({ type: 'segment-lost', id: rig.uploads[0]!.id });
    rig.store.segment = () => true;
    rig.step(['low'], 6);
    expect(rig.entries('low')).toMatch(/5G 6D$/);
  });
});

test('after an outage of the store nobody is late who is a moment behind', () => {
  const rig = Rig.live(BOTH, 5);
  rig.store.segment = () => false;
  for (let i = 5; i < 9; i++) rig.step(BOTH, i);
  rig.to(60);
  rig.segment('low', 9, 54, 60);
  rig.store.segment = () => true;
  rig.happen({ type: 'store-recovered' });
  const low = rig.uploads.filter(({ rendition }) => rendition === 'low');
  for (const { id } of [...low, ...rig.uploads.filter((upload) => !low.includes(upload))]) {
    rig.happen({ type: 'segment-stored', id });
  }
  rig.to(60.2);
  rig.segment('mid', 9, 54, 60);
  expect(rig.entries('mid')).not.toMatch(/G/);
});

test('after a time without any delivery nobody is late who is a moment behind', () => {
  const rig = Rig.live(BOTH, 5);
  rig.to(70);
  rig.segment('low', 5, 30, 36);
  rig.to(70.3);
  rig.segment('mid', 5, 30, 36);
  expect(rig.entries('mid')).toMatch(/4 5$/);
});

test('a playlist that cannot be written holds up no other', () => {
  const all = ['low', 'mid', 'high'];
  const rig = Rig.live(all, 5);
  rig.happen({ type: 'disconnected', session: sessionOf('mid') });
  rig.store.playlist = (rendition) => (rendition === 'low' ? 'held' : 'stored');
  rig.step(['low', 'high'], 5);
  const { inFlight } = rig.state.renditions['low']!;
  rig.store.playlist = (rendition) => (rendition === 'low' ? 'held' : 'stored');
  rig.happen({ type: 'playlist-failed', view: 'live', rendition: 'low', version: inFlight!.version });
  for (let i = 6; i < 12; i++) rig.step(['low', 'high'], i);
  expect(rig.playlist('mid').entries.at(-1)!.number).toBe(11);
});

test('a refused announcement with senseless times spoils no sibling', () => {
  const rig = Rig.live(BOTH, 5);
  rig.to(36);
  rig.segment('low', 5, 30, 36);
  rig.segment('mid', 5, 30, 336, { refused: true });
  for (let i = 6; i < 10; i++) rig.step(['mid', 'low'], i);
  expect(rig.state.renditions['low']!.alone).toBe(false);
  expect(rig.entries('low')).not.toMatch(/[DG]/);
  expect(rig.entries('mid')).toMatch(/5G 6 7 8 9$/);
});

test('a segmenter that comes back after the wall clock has drifted is on its old clock', () => {
  const rig = Rig.live(BOTH, 5);
  for (let i = 5; i < 100; i++) rig.step(BOTH, i, { wallOffMs: 100 * (i - 5) });
  rig.step(['low'], 100, { wallOffMs: 9500 });
  rig.connect('mid');
  rig.to(612);
  rig.segment('low', 101, 606, 612, { wallOffMs: 9600 });
  rig.segment('mid', 100, 606, 612, { wallOffMs: 9600, discontinuity: 'start' });
  expect(rig.entries('mid')).toMatch(/99 100G 101$/);
  expect(rig.entries('low')).not.toMatch(/D/);
});

test('a life of fewer renditions does not wait for those of the one before', () => {
  const rig = Rig.live(['low', 'mid', 'high'], 5);
  for (const [i, name] of ['low', 'mid', 'high'].entries()) {
    rig.happen({ type: 'accepted', announcement: { type: 'end', session: sessionOf(name), index: 5 } });
    if (i > 0) rig.happen({ type: 'disconnected', session: sessionOf(name) });
  }
  rig.happen({ type: 'disconnected', session: sessionOf('low') });
  expect(rig.playlist('high').endList).toBe(true);
  rig.connect('low', { renditions: ['low'] });
  rig.to(100);
  rig.segment('low', 6, 0, 6, { discontinuity: 'start', wallOffMs: 94_000 });
  expect(rig.entries('low')).toBe('5D');
});

test('the operator ends a stream that is still fed: it stays ended until a segmenter connects anew', () => {
  const rig = Rig.live(['low'], 5);
  rig.happen({ type: 'end-requested' });
  expect(rig.playlist('low').endList).toBe(true);
  rig.step(['low'], 5);
  rig.step(['low'], 6);
  expect(rig.playlist('low').endList).toBe(true);
  expect(rig.reports.filter((line) => line.includes('dropped until it connects anew'))).toHaveLength(1);
  rig.connect('low');
  for (let i = 7; i < 10; i++) rig.step(['low'], i, i === 7 ? { discontinuity: 'start' } : {});
  expect(rig.playlist('low').endList).toBe(false);
  expect(rig.entries('low')).toMatch(/^5D/);
});

test('what was refused holds up no answer of what comes after it', () => {
  const rig = Rig.live(['low'], 3);
  rig.to(24);
  rig.segment('low', 3, 18, 24, { refused: true });
  rig.step(['low'], 4);
  rig.happen({
    type: 'accepted',
    announcement: { type: 'leave', session: sessionOf('low'), index: 5, reason: 'test' },
  });
  expect(rig.answers).toContain('low/5 published');
});

test('a change of tracks that is said too late, behind a discontinuity, costs nothing more', () => {
  const rig = Rig.live(BOTH, 5);
  rig.to(36);
  rig.segment('low', 5, 30, 36, { discontinuity: 'tables' });
  rig.to(47);
  rig.segment('mid', 5, 30, 36, { discontinuity: 'tables' });
  for (let i = 6; i < 9; i++) rig.step(['low', 'mid'], i);
  expect(rig.entries('mid')).toMatch(/4 5DG 6 7 8$/);
  expect(rig.entries('low')).toMatch(/4 5D 6 7 8$/);
});

test('a life that begins with a stump has the target duration of what was stated', () => {
  const rig = Rig.live(['low'], 3);
  rig.happen({ type: 'accepted', announcement: { type: 'end', session: sessionOf('low'), index: 3 } });
  rig.happen({ type: 'disconnected', session: sessionOf('low') });
  rig.connect('low', { renditions: ['low'] });
  rig.to(60);
  rig.segment('low', 4, 600, 600.3, { discontinuity: 'start', ended: 'leave', wallOffMs: -560_000 });
  rig.to(75);
  expect(rig.playlist('low').targetDuration).toBe(6);
});

test('who has just come back is waited for once more: of what it begins with nothing can be there before the second cut', () => {
  const rig = Rig.live(BOTH, 4);
  rig.to(24.1);
  rig.happen({ type: 'disconnected', session: sessionOf('mid') });
  rig.to(25);
  rig.connect('mid');
  rig.to(30);
  rig.segment('low', 4, 24, 30);
  rig.to(36);
  // Its deadline has passed, and the slot it was away in is a gap.
  expect(rig.entries('mid')).toMatch(/ 4G$/);
  rig.segment('low', 5, 30, 36);
  rig.to(36.5);
  rig.segment('mid', 4, 30, 36, { discontinuity: 'start' });
  expect(rig.entries('mid')).toMatch(/ 4G 5$/);
  expect(rig.answers.filter((answer) => !answer.endsWith('published'))).toEqual([]);
  // But who says nothing is not waited for again and again.
  for (let i = 6; i < 14; i++) {
    rig.to(6 * i + 6);
    rig.segment('low', i, 6 * i, 6 * i + 6);
  }
  rig.to(85);
  expect(rig.entries('mid')).toMatch(/ 13G$/);
});

test('a new source is of the next life once viewers have read ENDLIST in one playlist', () => {
  const rig = Rig.live(BOTH, 8);
  rig.store.playlist = (rendition) => (rendition === 'mid' ? 'held' : 'stored');
  for (const index of [8, 9]) rig.step(BOTH, index);
  for (const name of BOTH)
    rig.happen({ type: 'accepted', announcement: { type: 'end', session: sessionOf(name), index: 10 } });
  expect(BOTH.map((name) => rig.playlist(name).endList)).toEqual([true, false]);
  const next = reopened(rig);
  next.connect('mid~b');
  for (let i = 0; i < 6; i++) {
    next.to(66 + 6 * i);
    next.segment('mid~b', i, 60 + 6 * i, 66 + 6 * i);
  }
  expect(next.texts.get('live/low.m3u8')).toBeUndefined();
  expect(next.entries('mid')).toMatch(/^10D 11/);
});
