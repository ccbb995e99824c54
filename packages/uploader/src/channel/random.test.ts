import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { happenTo, heal, suffer } from './testing/happenings.js';
import { World } from './testing/world.js';

const THREE = ['low', 'mid', 'high'];

/** A window that slides, and one with an event playlist; an event playlist that never fills, and one that does. */
const RECORDINGS = [
  { dvr: { segments: 3, seconds: 90 } },
  { dvr: { segments: 20, seconds: 0 }, eventSeconds: 3600 },
  { eventSeconds: 3600 },
  { dvr: { segments: 3, seconds: 60 }, eventSeconds: 100 },
];

/** What is not as it must be when all is over. */
function notRecorded(world: World, name: string): string[] {
  const { dvr, eventSeconds } = world.options.recordings ?? {};
  const live = world.audience.playlist(name).entries.at(-1)!.number;
  const [dvrEnd, eventEnd] = ['dvr', 'event'].map((view) =>
    world.audience.versions.get(`live/${name}-${view}.m3u8`)?.at(-1),
  );
  const faults: string[] = [];
  if (dvr && (!dvrEnd?.endList || dvrEnd.entries.at(-1)!.number !== live))
    faults.push(`${name}: dvr is not at the end`);
  if (eventSeconds === 3600 && eventEnd?.entries.at(-1)!.number !== live)
    faults.push(`${name}: event is not at the end`);
  if (eventSeconds !== undefined && !eventEnd?.endList) faults.push(`${name}: event is not closed`);
  return faults;
}

const numbers = (world: World, rendition: string): number[] =>
  world.audience.playlist(rendition).entries.map((entry) => entry.number);

/** How many segments one rendition is ahead of another. */
function apart(world: World): number {
  const edges = THREE.map((name) => numbers(world, name).at(-1)!);
  return Math.max(...edges) - Math.min(...edges);
}

/** The rendition with two sources is more often meant. */
const WHO = [...THREE, 'low~b', 'low'];

/** What may happen, and how long after it nothing else does. */
const happening = fc.record({
  what: fc.constantFrom(
    'kill',
    'all-killed',
    'spool-lost',
    'disk-full',
    'start',
    'leave',
    'link-cut',
    'link-mended',
    'uploader-killed',
    'uploader-started',
    'uploader-emptied',
    'encryption-switched',
    'store-down',
    'store-up',
    'encoder-again',
    'end',
  ),
  name: fc.constantFrom(...WHO),
  ms: fc.integer({ min: 0, max: 25_000 }),
});

test('property: whatever happens, no rule is broken and every announcement gets one final answer', () => {
  const occurred: Record<string, number> = {};
  const runs = Number(process.env.CHANNEL_RUNS ?? 150);
  fc.assert(
    fc.property(
      fc.integer(),
      fc.constantFrom(133_200, 2 ** 33 - 60 * 90_000),
      // With a GOP of 2 s: segments of 6 s, or of 4 and 6 s in turn.
      fc.constantFrom(6, 5),
      fc.boolean(),
      // In half of them the segmenters are on other machines, behind a link twice as fast as the stream or faster.
      fc.constantFrom(undefined, undefined, 400, 2500),
      fc.constantFrom(undefined, 'same' as const, 'other' as const),
      fc.constantFrom({}, ...RECORDINGS),
      // In a quarter of them nothing can be stored when the stream begins, for more than two windows.
      fc.constantFrom(0, 0, 0, 110_000),
      // With cues in half of them, and with states that never change in some, as in the daemon.
      fc.constantFrom({}, {}, {}, { cues: true }, { cues: true }, { cues: true, immutable: true }),
      fc.array(happening, { minLength: 1, maxLength: 16 }),
      (seed, firstPts, targetSeconds, encrypted, bodyMs, encode, recordings, outageMs, ways, happenings) => {
        const more = {
          ...ways,
          recordings,
          // A spare that is far behind at the end makes the others wait longer for their answers than they stay.
          ...(bodyMs !== undefined && { bodyMs: encode ? 400 : bodyMs }),
          ...(encode && { spare: { of: 'low', encode } }),
        };
        const world = World.live(THREE, seed, { firstPts, targetSeconds, encrypted, refused: 0.03, ...more });
        world.setStore(outageMs === 0);
        world.run(outageMs);
        world.setStore(true);
        world.run(20_000);
        suffer(world, happenings);
        expect(world.audience.faults).toEqual([]);
        // On a link twice as fast as the stream what waits is there after as long again.
        if (apart(world) > 1) world.run(90_000);
        expect(apart(world)).toBeLessThanOrEqual(1);
        expect(world.audience.faults).toEqual([]);
        world.stopEncoder('end');
        world.run(60_000);
        expect(world.audience.faults).toEqual([]);
        expect(THREE.map((name) => world.audience.playlist(name).endList)).toEqual([true, true, true]);
        // On a slow link what waits behind the live edge comes last; for what never comes recordings wait so long.
        const isOpen = [...world.answers.values()].some(({ length }) => length === 0);
        if (isOpen || THREE.some((name) => notRecorded(world, name).length > 0)) world.run(330_000);
        expect([...world.answers].filter(([, answers]) => answers.length !== 1)).toEqual([]);
        for (const name of THREE) expect(notRecorded(world, name)).toEqual([]);
        const { reasons } = world.audience.multivariants;
        for (const [what, count] of Object.entries({ ...world.happened, ...world.audience.seen, ...reasons }))
          if (count > 0) occurred[what] = (occurred[what] ?? 0) + 1;
      },
    ),
    { numRuns: runs, endOnFailure: true },
  );
  console.log(`in ${runs} runs occurred:`, occurred);
  const wanted = [
    'gaps',
    'discontinuities',
    'wraps',
    'restarts',
    'outages',
    'newLives',
    'sessions',
    'unwritten',
    'withdrawn',
    'skips',
    'encrypted',
    'encryptionSwitches',
    'clearAgain',
    'bodies',
    'unasked',
    'switches',
    'recorded',
    'vods',
    'owner',
    'BANDWIDTH',
    'AVERAGE-BANDWIDTH',
    'INDEPENDENT-SEGMENTS',
    'EXT-X-I-FRAME-STREAM-INF',
  ];
  for (const what of wanted) expect([what, occurred[what]! > runs / 20]).toEqual([what, true]);
});

test('property: of two sources of one encode one is well at any time, and viewers see nothing of the other', () => {
  let switches = 0;
  const trouble = fc.record({
    what: fc.constantFrom('kill', 'leave', 'link-cut', 'spool-lost', 'disk-full', 'none'),
    name: fc.constantFrom('low~b', 'low'),
    ms: fc.integer({ min: 0, max: 30_000 }),
    uploader: fc.constantFrom('stays', 'killed', 'emptied'),
  });
  const runs = Number(process.env.CHANNEL_RUNS ?? 150) / 5;
  fc.assert(
    fc.property(fc.integer(), fc.array(trouble, { minLength: 1, maxLength: 5 }), (seed, troubles) => {
      const world = World.live(THREE, seed, { refused: 0.03, spare: { of: 'low', encode: 'same' } });
      world.run(20_000);
      for (const { what, name, ms, uploader } of troubles) {
        if (what !== 'none') happenTo(world, what, name);
        world.run(ms);
        if (uploader !== 'stays') happenTo(world, `uploader-${uploader}`, name);
        heal(world);
        // Until a whole segment has shown that it is the same encode.
        world.run(15_000);
      }
      expect(world.audience.faults).toEqual([]);
      expect(world.audience.seen).toMatchObject({ gaps: 0, discontinuities: 0, skips: 0 });
      if (world.audience.seen.switches > 0) switches++;
    }),
    { numRuns: runs, endOnFailure: true },
  );
  console.log(`in ${runs} runs with two sources the source was switched in`, switches);
  expect(switches).toBeGreaterThan(runs / 4);
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
      expect(world.audience.startedAt! - began).toBeGreaterThanOrEqual(startMs);
      expect(world.audience.startedAt! - began).toBeLessThan(startMs + 1000);
      const expected = THREE.filter((_, i) => firstMs[i]! < overMs).map((name) => `${name}.m3u8`);
      expect(world.audience.variants[0]).toEqual(expect.arrayContaining(expected));
      expect(world.audience.faults).toEqual([]);
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
      const world = World.live(THREE, seed);
      world.run(30_000);
      const began = world.now;
      for (const { ms, name } of inTurn(delays)) {
        world.run(began + ms - world.now);
        expect(THREE.map((one) => world.audience.playlist(one).endList)).toEqual([false, false, false]);
        world.stopSegmenter(name, 'end');
      }
      world.run(20_000);
      expect(THREE.map((one) => world.audience.playlist(one).endList)).toEqual([true, true, true]);
      expect(world.audience.faults).toEqual([]);
    }),
    { numRuns: 40, endOnFailure: true },
  );
});

test('property: a source that comes back with an empty spool is another session, and its keys are new', () => {
  const loss = fc.record({ who: fc.integer({ min: 0, max: 2 }), ms: fc.integer({ min: 500, max: 15_000 }) });
  fc.assert(
    fc.property(fc.integer(), fc.array(loss, { minLength: 1, maxLength: 6 }), (seed, losses) => {
      const world = World.live(THREE, seed);
      world.run(20_000);
      for (const { who, ms } of losses) {
        world.loseSpool(THREE[who]!);
        world.run(ms);
        world.startSegmenter(THREE[who]!);
        world.run(15_000);
      }
      world.run(30_000);
      expect(world.audience.faults).toEqual([]);
      expect(THREE.map((name) => world.audience.playlist(name).endList)).toEqual([false, false, false]);
    }),
    { numRuns: 40, endOnFailure: true },
  );
});
