/** What the log says about damage adds up to what the counters count: when the input ends, and when it goes away. */
import { expect, test } from '@jest/globals';
import { ManualClock, type LogFields, type Logger } from '@hls-uplink/runtime';
import { lost } from './helpers/clock-surgery.js';
import { cut } from './helpers/cut.js';
import { generateStream, inChunks, VIDEO_PID, type StreamOptions } from './helpers/ts-generator.js';

/** A packet of pictures is missing at each of these places, by the packets on their PID. */
function damaged(options: StreamOptions, ...places: number[]): Iterable<Uint8Array> {
  const whole = generateStream(options);
  return inChunks(
    places.toSorted((a, b) => b - a).reduce((bytes, place) => lost(VIDEO_PID, place)(bytes), whole),
    [20_000],
  );
}

/** Lost packets, line by line about damage. No time passes: no line comes because a minute is over. */
function listener(): { lines: number[]; options: { logger: Logger; clock: ManualClock } } {
  const lines: number[] = [];
  const warn = (message: string, { continuityErrors }: LogFields = {}): void => {
    if (message.startsWith('the input is damaged')) lines.push(Number(continuityErrors));
  };
  const logger = { debug() {}, info() {}, warn, error: warn } as unknown as Logger;
  return { lines, options: { logger, clock: new ManualClock() } };
}

/** Ten segments of 2 s. */
const good: StreamOptions = { pictures: 500, sliceBytes: 500 };

test('the end of the input', async () => {
  const { lines, options } = listener();
  const { counters, refused } = await cut(damaged(good, 10, 500, 700, 900), { targetSeconds: 2, ...options });
  expect(refused).toBeUndefined();
  expect(counters.continuityErrors).toBe(4);
  expect(lines).toEqual([1, 3]);
}, 30_000);

test('the input goes away: at once, and no second time at the end', async () => {
  const { lines, options } = listener();
  let linesThen: number[] = [];
  const steps = [
    ...damaged(good, 10, 500, 700, 900),
    (cutting: { break: (reason: string) => void }): void => {
      cutting.break('the sender closed the connection');
      linesThen = [...lines];
    },
    ...damaged({ ...good, firstPts: 9_000_000 }, 300),
  ];
  const { counters, segments } = await cut(steps, { targetSeconds: 2, ...options });
  expect(segments.filter(({ discontinuity }) => discontinuity === 'start')).toHaveLength(2);
  expect(linesThen).toEqual([1, 3]);
  expect(counters.continuityErrors).toBe(5);
  expect(lines).toEqual([1, 3, 1]);
}, 30_000);

test('where nothing comes of the input the refusal is all that is said', async () => {
  const { lines, options } = listener();
  const { counters, refused } = await cut(damaged({ pictures: 50, key: 'P' }, 10), {
    targetSeconds: 2,
    ...options,
  });
  expect(refused).toBe('no-key-picture');
  expect(counters.continuityErrors).toBe(1);
  expect(lines).toEqual([]);
}, 30_000);
