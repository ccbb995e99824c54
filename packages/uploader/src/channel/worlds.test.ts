import { expect, test } from '@jest/globals';
import { suffer, type Mishap } from './testing/happenings.js';
import type { WorldOptions } from './testing/scene.js';
import { World } from './testing/world.js';

const THREE = ['low', 'mid', 'high'];
const BOTH = { dvr: { segments: 3, seconds: 60 }, eventSeconds: 100 };

type Options = Partial<WorldOptions> & { outageMs?: number };

const mishaps = (...all: [what: string, name: string, ms: number][]): Mishap[] =>
  all.map(([what, name, ms]) => ({ what, name, ms }));

/** What once broke a rule: random worlds, cut down to what it takes. */
const WORLDS: [what: string, options: Options, mishaps: Mishap[]][] = [
  [
    'a spare has the end of a clock before, and the next two have begun',
    { spare: { of: 'low', encode: 'same' } },
    mishaps(['store-down', 'mid', 0], ['end', 'mid', 0], ['encoder-again', 'mid', 0]),
  ],
  [
    'a spare begins on a new clock as the active source did on the one before',
    { spare: { of: 'low', encode: 'same' }, outageMs: 110_000 },
    mishaps(
      ['encoder-again', 'low', 0],
      ['all-killed', 'low', 0],
      ['link-cut', 'low', 5000],
      ['end', 'low', 5000],
    ),
  ],
  [
    'a spare is alone with its link cut, and its encoder is started again',
    { spare: { of: 'low', encode: 'same' } },
    mishaps(['link-cut', 'low', 14_000], ['link-cut', 'low~b', 10_000], ['encoder-again', 'low', 5000]),
  ],
  [
    'a source of another encode comes back with what is older than the tag of the other',
    { spare: { of: 'low', encode: 'other' } },
    mishaps(['link-cut', 'low', 15_000], ['leave', 'low~b', 11_000]),
  ],
  [
    'the multivariant playlist offers an I-frame playlist that no state line knows of yet',
    { encrypted: true },
    mishaps(['encryption-switched', 'low', 5000], ['uploader-emptied', 'low', 0]),
  ],
  [
    'the multivariant playlist of event is stored, and the live one is not',
    { recordings: { eventSeconds: 3600 }, spare: { of: 'low', encode: 'other' } },
    mishaps(
      ['all-killed', 'high', 0],
      ['encoder-again', 'low', 11_000],
      ['end', 'low', 9000],
      ['link-cut', 'high', 0],
      ['end', 'mid', 2784],
      ['encryption-switched', 'mid', 2729],
      ['encryption-switched', 'low', 0],
    ),
  ],
  [
    'an event is full before a rendition has begun it, for the stream began in an outage',
    { recordings: BOTH, outageMs: 110_000 },
    mishaps(['encryption-switched', 'mid', 8759]),
  ],
  [
    'segmenters announce after an outage of the uploader, one after the other, with a leave amid',
    { recordings: { dvr: { segments: 20, seconds: 0 }, eventSeconds: 3600 }, seed: 2147483644 },
    mishaps(
      ['uploader-killed', 'high', 0],
      ['link-mended', 'low', 14_000],
      ['encoder-again', 'high', 24_000],
      ['encoder-again', 'high', 17_000],
    ),
  ],
  [
    'another session of a source is new when the uploader starts again',
    {},
    mishaps(
      ['store-down', 'low', 0],
      ['spool-lost', 'mid', 0],
      ['uploader-started', 'mid', 18_000],
      ['uploader-killed', 'high', 0],
    ),
  ],
  [
    'a link is cut before the store is away, and what waits there comes when both are back',
    { recordings: { eventSeconds: 3600 } },
    mishaps(
      ['link-cut', 'low', 5000],
      ['store-down', 'high', 18_000],
      ['link-cut', 'low', 23_000],
      ['start', 'low~b', 16_000],
      ['leave', 'low', 23_000],
    ),
  ],
];

test.each(WORLDS)('%s', (_, { outageMs = 0, seed = 1, ...options }, all) => {
  const world = World.live(THREE, seed, { refused: 0.03, ...options });
  if (outageMs > 0) world.setStore(false);
  world.run(outageMs);
  world.setStore(true);
  world.run(20_000);
  suffer(world, all);
  world.stopEncoder('end');
  world.run(60_000);
  expect(world.audience.faults).toEqual([]);
  for (const name of THREE) {
    expect(world.audience.playlist(name).endList).toBe(true);
    if (options.recordings)
      expect(world.audience.versions.get(`live/${name}-event.m3u8`)?.at(-1)?.endList).toBe(true);
  }
});
