import { describe, expect, test } from '@jest/globals';
import type { AudioParameters } from './audio-frame.js';
import { bits, walk, type Walk } from './elementary-stream.test.helper.js';
import { Loas } from './loas.js';

describe('LATM', () => {
  /** AudioSyncStream of a StreamMuxConfig, and payload of `size` bytes. */
  const loas = (config: string | undefined, size = 20): number[] => {
    const element = [
      ...(config === undefined ? [0x80] : bits(`1/0 ${config}`)),
      ...Array<number>(size).fill(0x55),
    ];
    return [0x56, 0xe0 | (element.length >> 8), element.length & 0xff, ...element];
  };
  const mux = (config: string, frames = 1): string => `1/0 1/1 6/${frames - 1} 4/0 3/0 ${config}`;
  const read = (...frames: number[][]): Walk => walk(new Loas(), Uint8Array.from(frames.flat()));

  test.each<[string, string, number, AudioParameters]>([
    ['LC', mux('5/2 4/3 4/2 3/0'), 1024 / 48, { codec: 'mp4a.40.2', channels: 2, sampleRate: 48_000 }],
    [
      'LC, two frames',
      mux('5/2 4/4 4/6 3/0', 2),
      2048 / 44.1,
      { codec: 'mp4a.40.2', channels: 6, sampleRate: 44_100 },
    ],
    [
      'LC of 960 samples',
      mux('5/2 4/3 4/2 3/4'),
      960 / 48,
      { codec: 'mp4a.40.2', channels: 2, sampleRate: 48_000 },
    ],
    [
      'LC, explicit frequency',
      mux('5/2 4/15 24/50000 4/1 3/0'),
      1024 / 50,
      { codec: 'mp4a.40.2', channels: 1, sampleRate: 50_000 },
    ],
    ['LC, 7.1', mux('5/2 4/3 4/12 3/0'), 1024 / 48, { codec: 'mp4a.40.2', channels: 8, sampleRate: 48_000 }],
    [
      'LC, channels in the data',
      mux('5/2 4/3 4/0 3/0'),
      1024 / 48,
      { codec: 'mp4a.40.2', sampleRate: 48_000 },
    ],
    [
      'HE-AAC',
      mux('5/5 4/6 4/2 4/3 5/2 3/0'),
      1024 / 24,
      { codec: 'mp4a.40.5', channels: 2, sampleRate: 48_000 },
    ],
    [
      'HE-AAC v2',
      mux('5/29 4/6 4/1 4/3 5/2 3/0'),
      1024 / 24,
      { codec: 'mp4a.40.29', channels: 2, sampleRate: 48_000 },
    ],
    [
      'low delay',
      mux('5/23 4/3 4/2 3/0'),
      512 / 48,
      { codec: 'mp4a.40.23', channels: 2, sampleRate: 48_000 },
    ],
    [
      'enhanced low delay',
      mux('5/31 6/7 4/3 4/2 1/1'),
      480 / 48,
      { codec: 'mp4a.40.39', channels: 2, sampleRate: 48_000 },
    ],
    [
      'audioMuxVersion 1',
      `1/1 1/0 2/1 16/500 1/1 6/0 4/0 3/0 2/0 8/16 5/2 4/3 4/2 3/0`,
      1024 / 48,
      { codec: 'mp4a.40.2', channels: 2, sampleRate: 48_000 },
    ],
  ])('%s', (_, config, milliseconds, parameters) => {
    const one = read(loas(config));
    expect(one.ticks / 90).toBeCloseTo(milliseconds, 9);
    expect(one.parameters).toEqual([parameters]);
    // The configuration holds until there is another.
    expect(read(loas(config), loas(undefined), loas(undefined, 1)).ticks / 90).toBeCloseTo(
      3 * milliseconds,
      9,
    );
  });

  test('frames before the first configuration take no time and say nothing', () => {
    expect(read(loas(undefined), loas(undefined))).toEqual({
      ticks: 0,
      frames: 2,
      skipped: 0,
      parameters: [],
    });
  });

  test('another configuration is believed when it comes twice; none where it is broken', () => {
    const lc = loas(mux('5/2 4/3 4/2 3/0'));
    const mono = loas(mux('5/2 4/3 4/1 3/0'));
    const broken = loas(mux('5/0 4/3 4/1 3/0'));
    expect(read(lc, lc, mono, lc, broken, lc).parameters).toHaveLength(1);
    expect(read(lc, lc, mono, mono, lc).parameters.map(({ channels }) => channels)).toEqual([2, 1]);
  });

  test('a first configuration behind which no frame begins was chance', () => {
    const chance = loas(mux('5/2 4/12 4/1 3/0', 64));
    const lc = loas(mux('5/2 4/3 4/2 3/0'));
    const { ticks, parameters } = read(
      chance,
      [1],
      loas(undefined),
      lc,
      loas(undefined),
      [1],
      loas(undefined),
    );
    expect((ticks - read(chance).ticks) / 90).toBeCloseTo((3 * 1024) / 48, 9);
    expect(parameters.slice(1)).toEqual([{ codec: 'mp4a.40.2', channels: 2, sampleRate: 48_000 }]);
  });
});
