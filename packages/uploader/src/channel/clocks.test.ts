import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { happenTo, heal } from './testing/happenings.js';
import { Rig, sessionOf } from './testing/rig.js';
import type { SeenPlaylist } from './testing/viewer.js';
import { World } from './testing/world.js';

const BOTH = ['low', 'mid'];
const THREE = ['low', 'mid', 'high'];

/** The discontinuity sequence number of its last entry. */
const lastSequence = ({ discontinuitySequence, entries }: SeenPlaylist): number =>
  discontinuitySequence + entries.filter(({ discontinuity }) => discontinuity).length;

const sequence = (rig: Rig, name: string): number => lastSequence(rig.playlist(name));

/** An encoder that begins at this second, by the ffmpeg whose first picture is at 1.48 s. */
function encoderAt(rig: Rig, name: string, second: number, firstIndex: number): (upTo: number) => void {
  const ends = [1.48];
  for (let end = 7.48; end < 600; end += 6) ends.push(end);
  let next = 0;
  return (upTo) => {
    for (; second + ends[next + 1]! - 1.48 <= upTo; next++) {
      const [from, to] = [ends[next]!, ends[next + 1]!];
      rig.to(second + to - 1.48);
      rig.segment(name, firstIndex + next, from, to, {
        wallOffMs: (second - 1.48) * 1000,
        ...(next === 0 && { discontinuity: firstIndex === 0 ? 'start' : 'timestamps' }),
      });
    }
  };
}

/** Encoders in the order of what they send. */
function play(seconds: number, from: number, ...encoders: ((upTo: number) => void)[]): void {
  for (let at = from; at <= from + seconds; at += 0.5) for (const encoder of encoders) encoder(at);
}

describe('encoders that run on clocks of their own', () => {
  test('one that is started again counts alone: one discontinuity in all, no gap in what goes on', () => {
    const rig = Rig.live(BOTH, 0);
    const [low, mid] = [encoderAt(rig, 'low', 0, 0), encoderAt(rig, 'mid', 0.4, 0)];
    play(33, 0, low, mid);
    const again = encoderAt(rig, 'mid', 34, 5);
    play(60, 33.5, low, again);
    expect(rig.entries('low')).not.toMatch(/G/);
    expect(rig.state.renditions['mid']).toMatchObject({ alone: true, misfit: { why: 'clock' } });
    expect(rig.state.renditions['low']!.alone).toBe(false);
    expect(BOTH.map((name) => sequence(rig, name))).toEqual([1, 1]);
    expect(rig.reports.filter((report) => report.includes('clock of its own'))).toHaveLength(1);
    // It was away for longer than its deadline: gaps stand for most of what its first segment has.
    expect(rig.answers.filter((answer) => !answer.endsWith('published'))).toEqual(['mid/5 late']);
  });

  test('one that was started again before an outage of the uploader is dated by its wall clock, though a sibling comes first', () => {
    const before = Rig.live(BOTH, 10);
    const stored = [...before.texts].map(([key, text]) => ({ key, text }));
    const rig = new Rig(stored, {}, before.at);
    rig.to(162);
    rig.connect('low');
    for (let i = 10; i < 27; i++) rig.segment('low', i, 6 * i, 6 * i + 6);
    rig.connect('mid');
    const again = { wallOffMs: 63_000, discontinuity: 'timestamps' as const };
    for (let i = 10; i < 26; i++)
      rig.segment('mid', i, 6 * (i - 10), 6 * (i - 9), i === 10 ? again : { wallOffMs: 63_000 });
    rig.to(165);
    rig.segment('mid', 26, 96, 102, { wallOffMs: 63_000 });
    const { dateMs, gap } = rig.playlist('mid').entries.at(-1)!;
    expect([dateMs - 1_700_000_000_000, gap]).toEqual([159_000, false]);
    expect(rig.state.renditions['mid']).toMatchObject({ alone: true, misfit: { why: 'clock' } });
    expect(rig.state.renditions['low']!.alone).toBe(false);
  });

  test.each(BOTH)(
    'that drift from the wall clock are known after a restart, when %s is heard first',
    (first) => {
      const before = Rig.live(BOTH, 5);
      for (let i = 5; i < 100; i++) before.step(BOTH, i, { wallOffMs: 100 * (i - 5) });
      before.step(['low'], 100, { wallOffMs: 9500 });
      const stored = [...before.texts].map(([key, text]) => ({ key, text }));
      const rig = new Rig(stored, {}, before.at);
      for (const name of BOTH) rig.connect(name);
      rig.to(612);
      const begin = (name: string): void =>
        rig.segment(name, name === 'low' ? 101 : 100, 606, 612, {
          wallOffMs: 9600,
          ...(name === 'mid' && { discontinuity: 'start' }),
        });
      begin(first);
      begin(first === 'low' ? 'mid' : 'low');
      for (let i = 102; i < 108; i++) {
        rig.to(6 * (i + 1));
        rig.segment('low', i, 6 * i, 6 * i + 6, { wallOffMs: 9600 });
        rig.segment('mid', i - 1, 6 * i, 6 * i + 6, { wallOffMs: 9600 });
      }
      expect(BOTH.map((name) => rig.entries(name))).toEqual(BOTH.map(() => '102 103 104 105 106 107'));
      expect(rig.reports.join()).not.toContain('align');
    },
  );

  test('that are all started again one after the other play on, with the same discontinuity sequence', () => {
    const rig = Rig.live(THREE, 0);
    const encoders = THREE.map((name, i) => encoderAt(rig, name, 0.3 * i, 0));
    play(30, 0, ...encoders);
    let at = 31;
    for (const [i, name] of THREE.entries()) {
      const { index } = rig.state.sources[sessionOf(name)]!.last!;
      encoders[i] = encoderAt(rig, name, at, index + 1);
      play(50, at, ...encoders);
      at += 50.5;
    }
    expect(THREE.map((name) => sequence(rig, name))).toEqual([3, 3, 3]);
    expect(THREE.map((name) => rig.state.renditions[name]!.counts.discontinuities)).toEqual([3, 3, 3]);
    const edges = THREE.map((name) => rig.playlist(name).entries.at(-1)!);
    const ends = edges.map(({ dateMs, seconds }) => dateMs + seconds * 1000);
    expect(Math.max(...ends) - Math.min(...ends)).toBeLessThanOrEqual(6000);
    for (const end of ends) expect(rig.at - end).toBeLessThan(7000);
    expect(rig.answers.filter((answer) => !answer.endsWith('published')).length).toBeLessThanOrEqual(3);
  });

  test('that begin further apart than a target duration are told apart at the start, without a discontinuity', () => {
    const rig = Rig.live(BOTH, 0);
    const encoders = [encoderAt(rig, 'low', 0, 0), encoderAt(rig, 'mid', 9, 0)];
    play(80, 0, ...encoders);
    expect(rig.state.renditions['mid']).toMatchObject({ alone: true, misfit: { why: 'clock' } });
    for (const name of BOTH) expect(rig.entries(name)).not.toMatch(/[DG]/);
    const [low, mid] = BOTH.map((name) => rig.playlist(name).entries.at(-1)!);
    expect(Math.abs(low!.dateMs - mid!.dateMs)).toBeLessThan(6000);
    // By its own pictures, not by the place of its timestamps.
    expect(mid!.dateMs % 6000).toBe((low!.dateMs + 3000) % 6000);
  });

  test('one encoder for all that is started again is one epoch: nobody counts alone', () => {
    const rig = Rig.live(BOTH, 0);
    play(30, 0, ...BOTH.map((name) => encoderAt(rig, name, 0, 0)));
    play(40, 33, ...BOTH.map((name) => encoderAt(rig, name, 33, 5)));
    expect(BOTH.map((name) => rig.state.renditions[name]!.alone)).toEqual([false, false]);
    expect(rig.entries('low')).toBe(rig.entries('mid'));
    expect(BOTH.map((name) => sequence(rig, name))).toEqual([1, 1]);
    expect(rig.entries('low')).not.toMatch(/G/);
  });

  test('one for all whose last segments begin when it begins again is one epoch, though they come one rendition after the other', () => {
    const rig = Rig.live(BOTH, 3);
    rig.to(32);
    for (const name of BOTH) {
      rig.segment(name, 3, 18, 24);
      rig.segment(name, 4, 24, 24.5, { ended: 'leave' });
      rig.segment(name, 5, 1.48, 7.48, { wallOffMs: 22_520, discontinuity: 'start' });
    }
    expect(BOTH.map((name) => rig.state.renditions[name]!.alone)).toEqual([false, false]);
    for (const name of BOTH) expect(rig.entries(name)).toBe('0 1 2 3 4 5D');
  });

  test('one that stays away is followed by gaps, and comes back on its clock or a new one', () => {
    const rig = Rig.live(BOTH, 0);
    const low = encoderAt(rig, 'low', 0, 0);
    play(40, 0, low, encoderAt(rig, 'mid', 9, 0));
    expect(rig.entries('mid')).not.toMatch(/G/);
    play(40, 40.5, low);
    const end = (name: string): number => {
      const { dateMs, seconds } = rig.playlist(name).entries.at(-1)!;
      return dateMs + seconds * 1000;
    };
    expect(rig.entries('mid')).toMatch(/G$/);
    expect(end('low') - end('mid')).toBeLessThanOrEqual(6000);
    const { index } = rig.state.sources[sessionOf('mid')]!.last!;
    play(60, 81, low, encoderAt(rig, 'mid', 82, index + 1));
    expect(
      rig
        .playlist('mid')
        .entries.slice(-4)
        .map(({ gap }) => gap),
    ).toEqual(Array(4).fill(false));
    expect(Math.abs(end('low') - end('mid'))).toBeLessThanOrEqual(6000);
    expect(sequence(rig, 'mid')).toBe(sequence(rig, 'low'));
    expect(rig.entries('low')).not.toMatch(/G/);
  });

  test('an uploader that reads it back goes on with the same discontinuities', () => {
    const rig = Rig.live(BOTH, 0);
    const [low, mid] = [encoderAt(rig, 'low', 0, 0), encoderAt(rig, 'mid', 0.4, 0)];
    play(33, 0, low, mid);
    const again = encoderAt(rig, 'mid', 34, 5);
    play(30, 33.5, low, again);
    const texts = [...rig.texts].map(([key, text]) => ({ key, text }));
    const opened = new Rig(texts);
    opened.at = rig.at;
    for (const name of BOTH) opened.connect(name);
    const { low: one, mid: other } = rig.state.renditions;
    expect(opened.state.discontinuities).toEqual(rig.state.discontinuities);
    expect(opened.state.renditions['mid']!.alone).toBe(true);
    for (let i = 0; i < 8; i++) {
      const [a, b] = [one!.entries.at(-1)!, other!.entries.at(-1)!];
      for (const [name, { end }] of [
        ['low', a],
        ['mid', b],
      ] as const) {
        const { index } = opened.state.sources[sessionOf(name)]!.last!;
        opened.to((opened.at - 1_700_000_000_000) / 1000 + 3);
        opened.segment(name, index + 1, end / 90_000 + 6 * i, end / 90_000 + 6 * (i + 1));
      }
    }
    for (const name of BOTH) expect(opened.entries(name)).not.toMatch(/[DG]/);
    expect(BOTH.map((name) => sequence(opened, name))).toEqual([1, 1]);
  });
});

describe('key pictures that do not align', () => {
  const low = (rig: Rig, i: number): void => {
    rig.to(6 * i + 7.48);
    rig.segment('low', i, 6 * i + 1.48, 6 * i + 7.48);
  };

  test('by the delay of B pictures are told, and share their numbers', () => {
    const rig = Rig.live(BOTH, 0);
    for (let i = 0; i < 8; i++) {
      low(rig, i);
      rig.segment('mid', i, 6 * i + 1.4, 6 * i + 7.4);
    }
    expect(rig.state.renditions['mid']).toMatchObject({ alone: false, misfit: { why: 'offset' } });
    expect(rig.reports.filter((report) => report.includes('the same -bf for all'))).toHaveLength(1);
    expect(rig.entries('mid')).toBe(rig.entries('low'));
    expect(rig.entries('mid')).not.toMatch(/[DG]/);
  });

  test('by other distances are told, and lose nothing', () => {
    const rig = Rig.live(BOTH, 0);
    const segments: { name: string; gop: number; i: number; from: number; to: number }[] = [];
    for (const [name, gop] of [
      ['low', 2],
      ['mid', 1.6],
    ] as const) {
      for (let i = 0, from = 1.48; from < 90; i++) {
        let to = from + gop;
        while (Math.floor(to / 6) === Math.floor((to - gop) / 6)) to += gop;
        segments.push({ name, gop, i, from, to });
        from = to;
      }
    }
    for (const { name, gop, i, from, to } of segments.sort((one, other) => one.to - other.to)) {
      rig.to(to);
      const keys = Array.from({ length: Math.round((to - from) / gop) }, (_, k) => from + gop * k);
      rig.segment(name, i, from, to, {
        keyPictures: keys.map((key) => ({ offset: 376, bytes: 188, pts: Math.round(key * 90_000) })),
      });
    }
    expect(rig.reports.some((report) => report.includes('-g a divisor'))).toBe(true);
    for (const name of BOTH) expect(rig.entries(name)).not.toMatch(/[DG]/);
    expect(rig.answers.filter((answer) => !answer.endsWith('published'))).toEqual([]);
  });
});

describe('a step of the host’s clock', () => {
  test.each([3_600_000, -3_600_000, 20_000, -20_000])('of %i ms changes nothing', (step) => {
    const world = World.live(THREE);
    world.run(40_000);
    for (const name of THREE) world.stepClock(name, step);
    world.run(60_000);
    expect(world.audience.seen).toMatchObject({ gaps: 0, discontinuities: 0 });
    expect(world.audience.faults).toEqual([]);
  });

  test('of one host alone changes nothing when its segmenter is started again', () => {
    const world = World.live(THREE);
    world.run(40_000);
    world.stepClock('mid', 3_600_000);
    world.run(20_000);
    world.killSegmenter('mid');
    world.run(5_000);
    world.startSegmenter('mid');
    world.run(60_000);
    expect(world.audience.seen.discontinuities).toBe(0);
    expect(world.audience.playlist('mid').entries.map(({ number }) => number)).toEqual(
      world.audience.playlist('low').entries.map(({ number }) => number),
    );
  });
});

describe('property: whatever happens to renditions with encoders of their own', () => {
  const happening = fc.record({
    what: fc.constantFrom(
      'encoder-again',
      'kill',
      'leave',
      'start',
      'link-cut',
      'link-mended',
      'uploader-killed',
      'uploader-emptied',
      'store-down',
      'store-up',
    ),
    who: fc.integer({ min: 0, max: 2 }),
    ms: fc.integer({ min: 0, max: 25_000 }),
  });

  const seen = (world: World, name: string) => world.audience.playlist(name);
  const edge = (world: World, name: string): number => {
    const { dateMs, seconds } = seen(world, name).entries.at(-1)!;
    return dateMs + seconds * 1000;
  };

  test('each plays on, dated by its pictures, with the discontinuity sequence of the others, and nothing sticks', () => {
    const occurred: Record<string, number> = {};
    const gop = fc.constantFrom(180_000, 180_000, 144_000);
    const offset = fc.integer({ min: 0, max: 12_000 });
    const runs = Number(process.env.CHANNEL_RUNS ?? 20);
    fc.assert(
      fc.property(
        fc.integer(),
        fc.tuple(gop, gop, gop),
        fc.tuple(offset, offset, offset),
        fc.array(happening, { minLength: 1, maxLength: 10 }),
        (seed, gops, offsets, happenings) => {
          const ownEncoders = Object.fromEntries(THREE.map((name, i) => [name, gops[i]!]));
          const world = World.live(THREE, seed, { ownEncoders, refused: 0.03 });
          const began = world.now;
          const inTurn = offsets.map((ms, i) => ({ ms, name: THREE[i]! })).sort((a, b) => a.ms - b.ms);
          for (const { ms, name } of inTurn) {
            world.run(began + ms - world.now);
            world.restartEncoder(name);
          }
          world.run(30_000);
          for (const { what, who, ms } of happenings) {
            const name = THREE[who]!;
            if (what === 'encoder-again') world.restartEncoder(name);
            else happenTo(world, what, name);
            world.run(ms);
          }
          heal(world);
          world.run(60_000);
          const { gaps, discontinuities } = world.audience.seen;
          const ended = [...world.answers.values()].flat().filter((answer) => answer !== 'published').length;
          world.run(90_000);
          expect(world.audience.faults).toEqual([]);
          expect(world.audience.seen).toMatchObject({ gaps, discontinuities });
          expect([...world.answers.values()].flat().filter((answer) => answer !== 'published')).toHaveLength(
            ended,
          );
          expect(new Set(THREE.map((name) => lastSequence(seen(world, name)))).size).toBe(1);
          // Clocks that can't be told apart are off by a target duration, a segment is up to 8 s, and as much its delay.
          for (const name of THREE) expect(Math.abs(world.now - edge(world, name))).toBeLessThan(16_000);
          world.stopEncoder('end');
          world.run(60_000);
          expect(world.audience.faults).toEqual([]);
          expect(THREE.map((name) => seen(world, name).endList)).toEqual([true, true, true]);
          expect([...world.answers].filter(([, answers]) => answers.length !== 1)).toEqual([]);
          for (const [what, count] of Object.entries({ ...world.happened, ...world.audience.seen }))
            if (count > 0) occurred[what] = (occurred[what] ?? 0) + 1;
        },
      ),
      { numRuns: runs, endOnFailure: true },
    );
    console.log(`in ${runs} runs occurred:`, occurred);
    for (const what of ['gaps', 'discontinuities', 'restarts', 'outages'])
      expect([what, occurred[what]! > runs / 10]).toEqual([what, true]);
  });
});

test('a rendition that counts alone has gaps of whole ticks, whatever the segment duration', () => {
  const target = 2.13333;
  const rig = new Rig();
  for (const name of BOTH) rig.connect(name, { renditions: BOTH, target });
  const end = (i: number): number => Math.round(i * target * 90_000) / 90_000;
  const step = (name: string, i: number): void => rig.segment(name, i, end(i), end(i + 1));
  for (let i = 0; i < 4; i++) {
    rig.to(end(i + 1));
    for (const name of BOTH) step(name, i);
  }
  const { low } = rig.state.renditions;
  rig.state = { ...rig.state, renditions: { ...rig.state.renditions, low: { ...low!, alone: true } } };
  rig.happen({ type: 'disconnected', session: sessionOf('low') });
  for (let i = 4; i < 12; i++) {
    rig.to(end(i + 1));
    step('mid', i);
  }
  expect(rig.playlist('low').entries.filter(({ gap }) => gap).length).toBeGreaterThan(3);
});
