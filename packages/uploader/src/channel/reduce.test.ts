import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { World } from './testing/world.js';

const THREE = ['low', 'mid', 'high'];

function live(
  renditions: string[],
  seed = 1,
  options: Partial<ConstructorParameters<typeof World>[0]> = {},
): World {
  const world = new World({ seed, renditions, declared: true, ...options });
  world.startUploader();
  for (const rendition of renditions) world.startSegmenter(rendition);
  world.startEncoder(options.firstPts);
  return world;
}

const numbers = (world: World, rendition: string): number[] =>
  world.playlist(rendition).entries.map((entry) => entry.number);

const listed = (world: World, rendition: string) => [
  ...new Map(
    world.versions
      .get(`live/${rendition}.m3u8`)!
      .flatMap(({ entries }) => entries)
      .map((one) => [one.number, one]),
  ).values(),
];

describe('one rendition', () => {
  test('is published with exact durations, a sliding window and consecutive numbers', () => {
    const world = live(['main']);
    world.run(120_000);
    const { entries, targetDuration, mediaSequence } = world.playlist('main');
    expect(targetDuration).toBe(6);
    expect(entries.every((entry) => entry.seconds === 6 && !entry.gap && !entry.discontinuity)).toBe(true);
    expect(entries.length).toBeGreaterThanOrEqual(6);
    expect(mediaSequence).toBeGreaterThan(8);
    expect(world.faults).toEqual([]);
  });

  test('ends with ENDLIST when its source says so, and begins a new life with the next number', () => {
    const world = live(['main']);
    world.run(40_000);
    world.stopEncoder('end');
    world.run(10_000);
    const over = world.playlist('main');
    expect(over.endList).toBe(true);
    world.startSegmenter('main');
    world.startEncoder();
    world.run(60_000);
    const again = world.playlist('main');
    expect(again.endList).toBe(false);
    const first = listed(world, 'main').find((entry) => entry.discontinuity);
    expect(first!.number).toBe(over.entries.at(-1)!.number + 1);
    expect(world.seen.lives).toBe(2);
    expect(world.faults).toEqual([]);
  });

  test('a killed segmenter alone: no gap, a discontinuity, no number twice', () => {
    const world = live(['main']);
    world.run(40_000);
    world.killSegmenter('main');
    world.run(8_000);
    world.startSegmenter('main');
    world.run(60_000);
    expect(world.seen.gaps).toBe(0);
    expect(listed(world, 'main').filter((entry) => entry.discontinuity)).toHaveLength(1);
    expect(world.faults).toEqual([]);
  });
});

describe('three renditions', () => {
  test('share every number, date and duration', () => {
    const world = live(THREE);
    world.run(90_000);
    expect(numbers(world, 'low')).toEqual(numbers(world, 'high'));
    expect(world.playlist('low').entries.map((one) => one.dateMs)).toEqual(
      world.playlist('mid').entries.map((one) => one.dateMs),
    );
    expect(world.faults).toEqual([]);
  });

  test('that join at 1.48, 3.48 and 5.48 share every number from the second slot on', () => {
    const world = new World({ seed: 3, renditions: THREE, declared: true });
    world.startUploader();
    world.startSegmenter('low');
    world.startEncoder();
    world.run(1_000);
    world.startSegmenter('mid');
    world.run(2_000);
    world.startSegmenter('high');
    world.run(40_000);
    const starts = THREE.map((name) =>
      listed(world, name)
        .slice(0, 4)
        .map((one) => [one.number, one.seconds]),
    );
    expect(starts).toEqual([
      [
        [0, 6],
        [1, 6],
        [2, 6],
        [3, 6],
      ],
      [
        [0, 4],
        [1, 6],
        [2, 6],
        [3, 6],
      ],
      [
        [0, 2],
        [1, 6],
        [2, 6],
        [3, 6],
      ],
    ]);
    for (const number of [1, 2, 3]) {
      expect(new Set(THREE.map((name) => listed(world, name)[number]!.dateMs)).size).toBe(1);
    }
    expect(world.faults).toEqual([]);
  });

  test('one killed and back after 8 s on the same clock: its lost slots are gaps, no discontinuity', () => {
    const world = live(THREE);
    world.run(40_000);
    world.killSegmenter('mid');
    world.run(8_000);
    world.startSegmenter('mid');
    world.run(60_000);
    expect(listed(world, 'mid').filter((entry) => entry.gap).length).toBeGreaterThan(0);
    expect(listed(world, 'mid').filter((entry) => entry.gap).length).toBeLessThanOrEqual(3);
    expect(THREE.flatMap((name) => listed(world, name)).some((entry) => entry.discontinuity)).toBe(false);
    expect(numbers(world, 'mid')).toEqual(numbers(world, 'low'));
    expect(world.faults).toEqual([]);
  });

  test('one that stays away is followed by gaps within one target duration of the live edge', () => {
    const world = live(THREE);
    world.run(40_000);
    world.killSegmenter('high');
    world.run(60_000);
    expect(numbers(world, 'low').at(-1)! - numbers(world, 'high').at(-1)!).toBeLessThanOrEqual(1);
    expect(world.faults).toEqual([]);
  });

  test('an encoder that is started again: discontinuity in all renditions at the same number, no gap', () => {
    const world = live(THREE);
    world.run(41_300);
    world.stopEncoder();
    world.run(3_000);
    for (const name of THREE) world.startSegmenter(name);
    world.startEncoder();
    world.run(60_000);
    const at = THREE.map((name) =>
      listed(world, name)
        .filter((one) => one.discontinuity)
        .map((one) => one.number),
    );
    expect(at[0]).toHaveLength(1);
    expect(at[1]).toEqual(at[0]);
    expect(at[2]).toEqual(at[0]);
    expect(world.seen.gaps).toBe(0);
    expect(THREE.map((name) => world.playlist(name).endList)).toEqual([false, false, false]);
    expect(world.faults).toEqual([]);
  });

  test.each(['kept', 'empty'] as const)(
    'the uploader killed and started with its journal %s goes on',
    (journal) => {
      const world = live(THREE);
      world.run(50_000);
      world.killUploader();
      world.run(9_000);
      world.startUploader(journal);
      world.run(60_000);
      expect(world.seen).toMatchObject({ gaps: 0, discontinuities: 0, lives: 1 });
      expect(numbers(world, 'low')).toEqual(numbers(world, 'high'));
      expect(world.faults).toEqual([]);
    },
  );

  test('the 33-bit wrap is one short segment and nothing else', () => {
    const world = live(THREE, 5, { firstPts: 2 ** 33 - 45 * 90_000 });
    world.run(120_000);
    expect(world.seen.wraps).toBe(1);
    expect(world.seen).toMatchObject({ gaps: 0, discontinuities: 0 });
    expect(listed(world, 'low').filter((one) => one.seconds < 6).length).toBeLessThanOrEqual(3);
    expect(world.faults).toEqual([]);
  });

  test('a store that refuses for 40 s loses nothing', () => {
    const world = live(THREE);
    world.run(50_000);
    world.setStore(false);
    world.run(40_000);
    world.setStore(true);
    world.run(40_000);
    expect(world.seen.gaps).toBe(0);
    expect(numbers(world, 'low')).toEqual(numbers(world, 'high'));
    expect(world.faults).toEqual([]);
  });

  test('ENDLIST comes in all together', () => {
    const world = live(THREE);
    world.run(50_000);
    world.stopSegmenter('low', 'end');
    world.run(2_000);
    expect(world.playlist('low').endList).toBe(false);
    world.stopSegmenter('mid', 'end');
    world.stopSegmenter('high', 'end');
    world.run(30_000);
    expect(THREE.map((name) => world.playlist(name).endList)).toEqual([true, true, true]);
    expect([...world.answers.values()].every((answers) => answers.length === 1)).toBe(true);
    expect(world.faults).toEqual([]);
  });
});

/** What may happen, and how long after it nothing else does. */
const happening = fc.record({
  what: fc.constantFrom(
    'kill',
    'all-killed',
    'start',
    'leave',
    'link-cut',
    'link-mended',
    'uploader-killed',
    'uploader-started',
    'uploader-emptied',
    'store-down',
    'store-up',
    'encoder-again',
    'end',
  ),
  who: fc.integer({ min: 0, max: 2 }),
  ms: fc.integer({ min: 0, max: 25_000 }),
});

function happen(world: World, { what, who }: { what: string; who: number }): void {
  const name = THREE[who]!;
  switch (what) {
    case 'kill':
      return world.killSegmenter(name);
    case 'all-killed':
      for (const one of THREE) world.killSegmenter(one);
      return;
    case 'start':
      return world.startSegmenter(name);
    case 'leave':
      return world.stopSegmenter(name);
    case 'link-cut':
      return world.cutLink(name);
    case 'link-mended':
      return world.mendLink(name);
    case 'uploader-killed':
      return world.killUploader();
    case 'uploader-started':
      return world.startUploader();
    case 'uploader-emptied':
      world.killUploader();
      return world.startUploader('empty');
    case 'store-down':
      return world.setStore(false);
    case 'store-up':
      return world.setStore(true);
    case 'encoder-again':
      world.stopEncoder();
      for (const one of THREE) world.startSegmenter(one);
      return world.startEncoder();
    case 'end':
      world.stopEncoder('end');
      for (const one of THREE) world.startSegmenter(one);
      return world.startEncoder();
  }
}

function heal(world: World): void {
  world.setStore(true);
  world.startUploader();
  for (const name of THREE) {
    world.mendLink(name);
    world.startSegmenter(name);
  }
}

test('property: whatever happens, no rule is broken and every announcement gets one final answer', () => {
  const occurred: Record<string, number> = {};
  const runs = Number(process.env.CHANNEL_RUNS ?? 200);
  fc.assert(
    fc.property(
      fc.integer(),
      fc.constantFrom(133_200, 2 ** 33 - 60 * 90_000),
      // With a GOP of 2 s: segments of 6 s, or of 4 and 6 s in turn.
      fc.constantFrom(6, 5),
      fc.array(happening, { minLength: 1, maxLength: 16 }),
      (seed, firstPts, targetSeconds, happenings) => {
        const world = live(THREE, seed, { firstPts, targetSeconds, refused: 0.03 });
        world.run(20_000);
        for (const one of happenings) {
          happen(world, one);
          // Clocks begun within one target duration of each other can't be told apart (DESIGN.md, "Clocks and epochs").
          world.run(['encoder-again', 'end'].includes(one.what) ? one.ms + 7_000 : one.ms);
        }
        heal(world);
        world.run(90_000);
        expect(world.faults).toEqual([]);
        const edges = THREE.map((name) => numbers(world, name).at(-1)!);
        expect(Math.max(...edges) - Math.min(...edges)).toBeLessThanOrEqual(1);
        world.stopEncoder('end');
        world.run(60_000);
        expect(world.faults).toEqual([]);
        expect(THREE.map((name) => world.playlist(name).endList)).toEqual([true, true, true]);
        expect([...world.answers].filter(([, answers]) => answers.length !== 1)).toEqual([]);
        for (const [what, count] of Object.entries(world.seen))
          if (count > 0) occurred[what] = (occurred[what] ?? 0) + 1;
      },
    ),
    { numRuns: runs, endOnFailure: true },
  );
  console.log(`in ${runs} runs occurred:`, occurred);
  for (const what of ['gaps', 'discontinuities', 'wraps', 'restarts', 'outages', 'lives']) {
    expect(occurred[what]).toBeGreaterThan(runs / 20);
  }
});

/** The renditions by when something happens to them. */
const inTurn = (delays: number[]) =>
  delays.map((ms, i) => ({ ms, name: THREE[i]! })).sort((a, b) => a.ms - b.ms);

test('property: nothing is published before all declared renditions have a segment, or the time for that is over', () => {
  const seen = { complete: 0, incomplete: 0 };
  const delay = fc.integer({ min: 0, max: 18_000 });
  fc.assert(
    fc.property(fc.integer(), fc.tuple(delay, delay, delay), (seed, delays) => {
      const world = new World({ seed, renditions: THREE, declared: true });
      const began = world.now;
      world.startUploader();
      world.startEncoder();
      for (const { ms, name } of inTurn(delays)) {
        world.run(began + ms - world.now);
        world.startSegmenter(name);
      }
      world.run(60_000);
      // Key pictures come every 2 s, every third is a cut; the longest segment is 6 s.
      const firstMs = delays.map((ms) => Math.floor((Math.ceil(ms / 2000) * 2000) / 6000) * 6000 + 6000);
      const overMs = Math.min(...firstMs) + 12_000;
      const startMs = Math.min(overMs, Math.max(...firstMs));
      expect(world.startedAt! - began).toBeGreaterThanOrEqual(startMs);
      expect(world.startedAt! - began).toBeLessThan(startMs + 1000);
      const expected = THREE.filter((_, i) => firstMs[i]! < overMs).map((name) => `${name}.m3u8`);
      expect(world.variants.at(-1)).toEqual(expect.arrayContaining(expected));
      expect(world.faults).toEqual([]);
      seen[expected.length === 3 ? 'complete' : 'incomplete']++;
    }),
    { numRuns: 60, endOnFailure: true },
  );
  console.log('starts:', seen);
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(2);
});

test('property: ENDLIST comes in all playlists once the last source has ended', () => {
  const delay = fc.integer({ min: 0, max: 40_000 });
  fc.assert(
    fc.property(fc.integer(), fc.tuple(delay, delay, delay), (seed, delays) => {
      const world = live(THREE, seed);
      world.run(30_000);
      const began = world.now;
      for (const { ms, name } of inTurn(delays)) {
        world.run(began + ms - world.now);
        expect(THREE.map((one) => world.playlist(one).endList)).toEqual([false, false, false]);
        world.stopSegmenter(name, 'end');
      }
      world.run(20_000);
      expect(THREE.map((one) => world.playlist(one).endList)).toEqual([true, true, true]);
      expect(world.faults).toEqual([]);
    }),
    { numRuns: 40, endOnFailure: true },
  );
});

test('property: a source that comes back with an empty spool is another session, and its keys are new', () => {
  const loss = fc.record({ who: fc.integer({ min: 0, max: 2 }), ms: fc.integer({ min: 500, max: 15_000 }) });
  fc.assert(
    fc.property(fc.integer(), fc.array(loss, { minLength: 1, maxLength: 6 }), (seed, losses) => {
      const world = live(THREE, seed);
      world.run(20_000);
      for (const { who, ms } of losses) {
        world.loseSpool(THREE[who]!);
        world.run(ms);
        world.startSegmenter(THREE[who]!);
        world.run(15_000);
      }
      world.run(30_000);
      expect(world.faults).toEqual([]);
      expect(THREE.map((name) => world.playlist(name).endList)).toEqual([false, false, false]);
    }),
    { numRuns: 40, endOnFailure: true },
  );
});
