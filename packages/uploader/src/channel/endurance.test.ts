import { expect, test } from '@jest/globals';
import { World } from './testing/world.js';

const HOUR_MS = 3_600_000;
const HOURS = 30;
const RENDITIONS = ['low', 'high'];

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

test('30 hours: the wrap, a drift of 100 ppm and a restart each hour; memory and cost stay as they are, no rule is broken', () => {
  const world = World.live(RENDITIONS, 1, {
    firstPts: 2 ** 33 - (HOUR_MS / 2) * 90,
    driftPpm: 100,
    recordings: { dvr: { segments: 20, seconds: 0 } },
  });
  const restarts = [
    (): void => {
      world.killUploader();
      world.run(2000);
      world.startUploader();
    },
    (): void => {
      world.killSegmenter('low');
      world.run(5000);
      world.startSegmenter('low');
    },
    (): void => {
      world.killUploader();
      world.run(2000);
      world.startUploader('empty');
    },
    (): void => {
      world.stopEncoder();
      world.run(3000);
      for (const name of RENDITIONS) world.startSegmenter(name);
      world.startEncoder();
    },
  ];
  const sizes: number[] = [];
  const costs: number[] = [];
  for (let hour = 0; hour < HOURS; hour++) {
    const { events } = world.happened;
    const from = process.cpuUsage();
    world.run(HOUR_MS);
    const { user } = process.cpuUsage(from);
    costs.push(user / (world.happened.events - events));
    sizes.push(JSON.stringify(world.uploader.state).length);
    // What viewers remember of old versions is not the channel's.
    for (const versions of world.audience.versions.values()) versions.splice(0, versions.length - 2);
    restarts[hour % restarts.length]!();
  }
  world.run(60_000);
  expect(world.audience.faults).toEqual([]);
  const listed = world.audience.playlist('high').entries.at(-1)!.number;
  const cost = [median(costs.slice(2, 8)), median(costs.slice(-6))];
  console.log({
    ...world.happened,
    listed,
    gaps: world.audience.seen.gaps,
    sizes,
    microsecondsAnEvent: costs,
  });
  expect(listed).toBeGreaterThan((HOURS * HOUR_MS) / 6000 - 50);
  expect(world.happened.wraps).toBeGreaterThanOrEqual(HOURS / restarts.length - 1);
  expect(median(sizes.slice(-8))).toBeLessThan(1.1 * median(sizes.slice(2, 10)));
  expect(cost[1]! / cost[0]!).toBeLessThan(2);
}, 300_000);
