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
  [
    'the first to come back after an outage of the uploader lacks a clock that the others have gone by',
    {},
    mishaps(
      ['uploader-killed', 'mid', 0],
      ['encoder-again', 'mid', 0],
      ['encoder-again', 'mid', 0],
      ['spool-lost', 'low', 0],
      ['start', 'low', 15_000],
      ['uploader-killed', 'mid', 56_000],
    ),
  ],
  [
    'a spare becomes the active source right after a skip, and has put aside what that went over',
    { bodyMs: 400, spare: { of: 'low', encode: 'same' } },
    mishaps(
      ['store-down', 'low~b', 5000],
      ['uploader-killed', 'low~b', 0],
      ['link-cut', 'low', 10_000],
      ['leave', 'low', 15_000],
      ['kill', 'high', 21_000],
      ['link-cut', 'mid', 24_000],
      ['uploader-started', 'high', 1000],
    ),
  ],
  [
    'the uploader is killed after the first segment that overtook what recordings wait for',
    { bodyMs: 2500, recordings: { dvr: { segments: 20, seconds: 0 }, eventSeconds: 3600 } },
    mishaps(
      ['uploader-killed', 'low', 1000],
      ['end', 'low~b', 20_622],
      ['link-cut', 'low', 19_000],
      ['store-down', 'low', 19_915],
      ['uploader-started', 'high', 5000],
      ['encryption-switched', 'low', 0],
    ),
  ],
  [
    'a source says good-bye again and goes on, and the uploader has just started',
    { spare: { of: 'low', encode: 'same' } },
    mishaps(
      ['link-cut', 'mid', 0],
      ['leave', 'low~b', 1000],
      ['end', 'high', 5000],
      ['encryption-switched', 'mid', 1000],
      ['uploader-killed', 'low~b', 0],
    ),
  ],
  [
    'a source of another encode is active, nothing of it is listed, and it begins anew without its spool',
    { spare: { of: 'low', encode: 'other' } },
    mishaps(
      ['leave', 'low', 5000],
      ['end', 'high', 10_000],
      ['disk-full', 'high', 10_000],
      ['leave', 'low~b', 5000],
      ['spool-lost', 'low', 0],
    ),
  ],
  [
    'the live playlist skips while a version is on its way, and dvr is full',
    {
      encrypted: true,
      bodyMs: 400,
      recordings: { dvr: { segments: 3, seconds: 90 } },
      spare: { of: 'low', encode: 'other' },
    },
    mishaps(
      ['link-cut', 'low', 1000],
      ['store-down', 'low', 20_453],
      ['uploader-killed', 'low~b', 14_553],
      ['disk-full', 'low', 22_000],
      ['encoder-again', 'mid', 15_000],
      ['store-down', 'mid', 10_000],
      ['uploader-started', 'low', 19_000],
      ['encryption-switched', 'low~b', 10_000],
      ['spool-lost', 'low~b', 20_000],
      ['uploader-killed', 'high', 10_000],
    ),
  ],
  [
    'a rendition lacks what is of a clock that its spare has gone by',
    {
      recordings: BOTH,
      spare: { of: 'low', encode: 'same' },
    },
    mishaps(
      ['kill', 'low', 0],
      ['uploader-killed', 'low~b', 10_000],
      ['end', 'low', 20_000],
      ['kill', 'low', 48_000],
      ['store-up', 'high', 5000],
      ['end', 'high', 0],
    ),
  ],
  [
    'a spare becomes the active source on a clock that nobody else has told of yet',
    {
      targetSeconds: 5,
      firstPts: 8584534592,
      bodyMs: 400,
      recordings: { dvr: { segments: 3, seconds: 90 } },
      spare: { of: 'low', encode: 'same' },
      seed: -1503919417,
    },
    mishaps(
      ['store-down', 'low', 13_000],
      ['encoder-again', 'low', 1000],
      ['uploader-emptied', 'mid', 5000],
      ['encryption-switched', 'mid', 0],
    ),
  ],
  [
    'a spare on another machine is all that is left, and another encode',
    { bodyMs: 400, spare: { of: 'low', encode: 'other' } },
    mishaps(['leave', 'low', 3000], ['spool-lost', 'low~b', 10_000]),
  ],
  [
    'another encode takes over, gives back and takes over again before any of it is listed',
    { bodyMs: 400, spare: { of: 'low', encode: 'other' } },
    mishaps(
      ['store-down', 'low', 0],
      ['kill', 'low', 10_000],
      ['encoder-again', 'high', 0],
      ['link-cut', 'low', 10_000],
    ),
  ],
  [
    'a cue lasts until where one rendition is to go on, and the others are beyond',
    { cues: true, targetSeconds: 5, firstPts: 8584534592 },
    mishaps(
      ['store-up', 'low', 18_714],
      ['uploader-killed', 'low', 22_000],
      ['link-cut', 'low', 8692],
      ['encryption-switched', 'low', 3563],
      ['uploader-emptied', 'low', 3579],
    ),
  ],
  [
    'a rendition is away, and its deadline has passed with more than two windows missing',
    { bodyMs: 2500, recordings: { eventSeconds: 3600 }, outageMs: 110_000, seed: 2147483645 },
    mishaps(
      ['link-cut', 'high', 1408],
      ['end', 'low~b', 14_529],
      ['uploader-killed', 'low', 27_526],
      ['end', 'low', 3000],
      ['link-cut', 'low', 8000],
      ['encoder-again', 'low', 12_000],
      ['uploader-started', 'low', 22_000],
    ),
  ],
  [
    'a segmenter begins anew at the timestamp where it left another clock',
    { targetSeconds: 5, firstPts: 8584534592, bodyMs: 400 },
    mishaps(
      ['link-cut', 'high', 0],
      ['encoder-again', 'high', 5000],
      ['uploader-started', 'mid', 17_000],
      ['disk-full', 'high', 5000],
      ['end', 'high', 3000],
      ['leave', 'high', 20_000],
    ),
  ],
  [
    'a journal has a good-bye that waits for recordings, and what came after it',
    {
      targetSeconds: 5,
      firstPts: 8584534592,
      bodyMs: 2500,
      recordings: BOTH,
    },
    mishaps(
      ['uploader-killed', 'low', 15_000],
      ['end', 'low', 10_847],
      ['encoder-again', 'mid', 10_000],
      ['uploader-emptied', 'mid', 12_000],
      ['uploader-started', 'mid', 15_894],
      ['encryption-switched', 'low', 0],
    ),
  ],
  [
    'what a rendition lacks has left the others, whose playlists still say which numbers it had',
    { recordings: BOTH },
    mishaps(
      ['uploader-killed', 'mid', 38_000],
      ['kill', 'low', 0],
      ['uploader-emptied', 'low', 3000],
      ['encryption-switched', 'mid', 0],
    ),
  ],
  [
    'a spare of the same encode brings what is of the life before, near in its timestamps to what is listed',
    { bodyMs: 400, spare: { of: 'low', encode: 'same' } },
    mishaps(
      ['link-cut', 'low', 15_000],
      ['end', 'low', 0],
      ['all-killed', 'mid', 0],
      ['kill', 'high', 5000],
      ['link-mended', 'high', 10_000],
    ),
  ],
  [
    'segments of two encodes wait in turn',
    { spare: { of: 'low', encode: 'other' } },
    mishaps(
      ['link-cut', 'low', 0],
      ['store-down', 'mid', 0],
      ['end', 'low', 0],
      ['encoder-again', 'low~b', 0],
      ['encoder-again', 'high', 0],
      ['kill', 'low~b', 10_000],
    ),
  ],
  [
    'a rendition is away for its deadline while a new uploader cannot take the channel over, for the store is down',
    {},
    mishaps(['link-cut', 'high', 5000], ['store-down', 'low', 0], ['uploader-emptied', 'low', 15_000]),
  ],
  [
    'the end of what a segmenter had when it left lies in a slot that a sibling has to its cut, and more of it comes late',
    { bodyMs: 400, spare: { of: 'low', encode: 'same' } },
    mishaps(
      ['end', 'mid', 3000],
      ['uploader-started', 'high', 3000],
      ['uploader-killed', 'low~b', 4478],
      ['leave', 'low', 9000],
      ['leave', 'high', 17_073],
      ['leave', 'mid', 14_306],
    ),
  ],
  [
    'what recordings wait for is dropped as soon as it is announced, and the uploader is killed before anything says so',
    {
      bodyMs: 400,
      spare: { of: 'low', encode: 'same' },
      recordings: { dvr: { segments: 20, seconds: 0 }, eventSeconds: 3600 },
    },
    mishaps(
      ['uploader-killed', 'high', 21_000],
      ['link-mended', 'high', 15_000],
      ['encoder-again', 'high', 22_000],
      ['leave', 'high', 3000],
      ['store-down', 'mid', 4000],
      ['encryption-switched', 'high', 0],
      ['leave', 'low', 5000],
      ['encryption-switched', 'low', 0],
      ['encryption-switched', 'low~b', 0],
    ),
  ],
  [
    'numbers from before a discontinuity have left every live window before an uploader starts, and a sibling’s event has them',
    { recordings: { eventSeconds: 3600 } },
    mishaps(
      ['link-cut', 'low', 0],
      ['uploader-killed', 'low', 22_000],
      ['disk-full', 'mid', 13_000],
      ['end', 'mid', 10_000],
      ['kill', 'high', 19_000],
      ['uploader-emptied', 'high', 7000],
      ['encryption-switched', 'low', 1000],
      ['uploader-killed', 'mid', 0],
    ),
  ],
  [
    'and from before the 33-bit wrap',
    { firstPts: 2 ** 33 - 60 * 90_000, recordings: { eventSeconds: 3600 } },
    mishaps(
      ['store-down', 'low', 24_000],
      ['link-cut', 'low', 15_000],
      ['store-down', 'low', 23_000],
      ['leave', 'high', 12_681],
      ['store-up', 'high', 1668],
      ['uploader-killed', 'low', 0],
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
  if ([...world.answers.values()].some(({ length }) => length === 0)) world.run(120_000);
  expect(world.audience.faults).toEqual([]);
  expect([...world.answers].filter(([, answers]) => answers.length !== 1)).toEqual([]);
  for (const name of THREE) {
    expect(world.audience.playlist(name).endList).toBe(true);
    if (options.recordings?.eventSeconds !== undefined)
      expect(world.audience.versions.get(`live/${name}-event.m3u8`)?.at(-1)?.endList).toBe(true);
  }
});
