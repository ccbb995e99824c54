import { describe, expect, test } from '@jest/globals';
import { World } from './testing/world.js';

const THREE = ['low', 'mid', 'high'];

const numbers = (world: World, rendition: string): number[] =>
  world.audience.playlist(rendition).entries.map((entry) => entry.number);

const listed = (world: World, rendition: string) => [
  ...new Map(
    world.audience.versions
      .get(`live/${rendition}.m3u8`)!
      .flatMap(({ entries }) => entries)
      .map((one) => [one.number, one]),
  ).values(),
];

describe('one rendition', () => {
  test('is published with exact durations, a sliding window and consecutive numbers', () => {
    const world = World.live(['main']);
    world.run(120_000);
    const { entries, targetDuration, mediaSequence } = world.audience.playlist('main');
    expect(targetDuration).toBe(6);
    expect(entries.every((entry) => entry.seconds === 6 && !entry.gap && !entry.discontinuity)).toBe(true);
    expect(entries.length).toBeGreaterThanOrEqual(6);
    expect(mediaSequence).toBeGreaterThan(8);
    expect(world.audience.faults).toEqual([]);
  });

  test('ends with ENDLIST when its source says so, and begins a new life with the next number', () => {
    const world = World.live(['main']);
    world.run(40_000);
    world.stopEncoder('end');
    world.run(10_000);
    const over = world.audience.playlist('main');
    expect(over.endList).toBe(true);
    world.startSegmenter('main');
    world.startEncoder();
    world.run(60_000);
    const again = world.audience.playlist('main');
    expect(again.endList).toBe(false);
    const first = listed(world, 'main').find((entry) => entry.discontinuity);
    expect(first!.number).toBe(over.entries.at(-1)!.number + 1);
    expect(world.audience.seen.newLives).toBe(1);
    expect(world.audience.faults).toEqual([]);
  });

  test('a killed segmenter alone: no gap, a discontinuity, no number twice', () => {
    const world = World.live(['main']);
    world.run(40_000);
    world.killSegmenter('main');
    world.run(8_000);
    world.startSegmenter('main');
    world.run(60_000);
    expect(world.audience.seen.gaps).toBe(0);
    expect(listed(world, 'main').filter((entry) => entry.discontinuity)).toHaveLength(1);
    expect(world.audience.faults).toEqual([]);
  });
});

describe('three renditions', () => {
  test('share every number, date and duration', () => {
    const world = World.live(THREE);
    world.run(90_000);
    expect(numbers(world, 'low')).toEqual(numbers(world, 'high'));
    expect(world.audience.playlist('low').entries.map((one) => one.dateMs)).toEqual(
      world.audience.playlist('mid').entries.map((one) => one.dateMs),
    );
    expect(world.audience.faults).toEqual([]);
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
    expect(world.audience.faults).toEqual([]);
  });

  test('one killed and back after 8 s on the same clock: its lost slots are gaps, no discontinuity', () => {
    const world = World.live(THREE);
    world.run(40_000);
    world.killSegmenter('mid');
    world.run(8_000);
    world.startSegmenter('mid');
    world.run(60_000);
    expect(listed(world, 'mid').filter((entry) => entry.gap).length).toBeGreaterThan(0);
    expect(listed(world, 'mid').filter((entry) => entry.gap).length).toBeLessThanOrEqual(3);
    expect(THREE.flatMap((name) => listed(world, name)).some((entry) => entry.discontinuity)).toBe(false);
    expect(numbers(world, 'mid')).toEqual(numbers(world, 'low'));
    expect(world.audience.faults).toEqual([]);
  });

  test('one that stays away is followed by gaps within one target duration of the live edge', () => {
    const world = World.live(THREE);
    world.run(40_000);
    world.killSegmenter('high');
    world.run(60_000);
    expect(numbers(world, 'low').at(-1)! - numbers(world, 'high').at(-1)!).toBeLessThanOrEqual(1);
    expect(world.audience.faults).toEqual([]);
  });

  test('an encoder that is started again: discontinuity in all renditions at the same number, no gap', () => {
    const world = World.live(THREE);
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
    expect(world.audience.seen.gaps).toBe(0);
    expect(THREE.map((name) => world.audience.playlist(name).endList)).toEqual([false, false, false]);
    expect(world.audience.faults).toEqual([]);
  });

  test.each(['kept', 'empty'] as const)(
    'the uploader killed and started with its journal %s goes on',
    (journal) => {
      const world = World.live(THREE);
      world.run(50_000);
      world.killUploader();
      world.run(9_000);
      world.startUploader(journal);
      world.run(60_000);
      expect(world.audience.seen).toMatchObject({ gaps: 0, discontinuities: 0, newLives: 0 });
      expect(numbers(world, 'low')).toEqual(numbers(world, 'high'));
      expect(world.audience.faults).toEqual([]);
    },
  );

  test('the 33-bit wrap is one short segment and nothing else', () => {
    const world = World.live(THREE, 5, { firstPts: 2 ** 33 - 45 * 90_000 });
    world.run(120_000);
    expect(world.happened.wraps).toBe(1);
    expect(world.audience.seen).toMatchObject({ gaps: 0, discontinuities: 0 });
    expect(listed(world, 'low').filter((one) => one.seconds < 6).length).toBeLessThanOrEqual(3);
    expect(world.audience.faults).toEqual([]);
  });

  test('a store that refuses for 40 s loses nothing', () => {
    const world = World.live(THREE);
    world.run(50_000);
    world.setStore(false);
    world.run(40_000);
    world.setStore(true);
    world.run(40_000);
    expect(world.audience.seen.gaps).toBe(0);
    expect(numbers(world, 'low')).toEqual(numbers(world, 'high'));
    expect(world.audience.faults).toEqual([]);
  });

  test('ENDLIST comes in all together', () => {
    const world = World.live(THREE);
    world.run(50_000);
    world.stopSegmenter('low', 'end');
    world.run(2_000);
    expect(world.audience.playlist('low').endList).toBe(false);
    world.stopSegmenter('mid', 'end');
    world.stopSegmenter('high', 'end');
    world.run(30_000);
    expect(THREE.map((name) => world.audience.playlist(name).endList)).toEqual([true, true, true]);
    expect([...world.answers.values()].every((answers) => answers.length === 1)).toBe(true);
    expect(world.audience.faults).toEqual([]);
  });
});
