import { describe, expect, test } from '@jest/globals';
import type { Marker } from '@hls-uplink/protocol';
import fc from 'fast-check';
import { dateRangeRefusal, isDue, MOST_DATE_RANGES } from './date-range.js';
import { Rig } from './testing/rig.js';

const THREE = ['low', 'mid', 'high'];
const BEGIN_MS = 1_700_000_000_000;
const TICKS = 90_000;

type Tag = Record<string, string>;

/** The tags as a viewer reads them: with a parser of its own. */
function tagsOf(rig: Rig, rendition: string): Tag[] {
  const lines = rig.texts.get(`live/${rendition}.m3u8`)?.match(/^#EXT-X-DATERANGE:.*$/gm) ?? [];
  return lines.map((line) =>
    Object.fromEntries(
      [...line.slice(17).matchAll(/([A-Z0-9-]+)=("[^"]*"|[^,]*)(?:,|$)/g)].map(([, name, value]) => [
        name!,
        value!.replaceAll('"', ''),
      ]),
    ),
  );
}

const date = (seconds: number): string => new Date(BEGIN_MS + seconds * 1000).toISOString();

const marker = (kind: Marker['kind'], seconds: number, more: Partial<Marker> = {}): Marker => ({
  kind,
  pts: Math.round(seconds * TICKS) % 2 ** 33,
  immediate: false,
  eventId: 7,
  section: kind === 'in' ? 'FC0BAC' : 'FC00F1',
  ...more,
});

const markers = (...list: Marker[]): { markers: Marker[] } => ({ markers: list });

const reopened = (rig: Rig): Rig =>
  Object.assign(new Rig([...rig.texts].map(([key, text]) => ({ key, text }))), {
    texts: new Map(rig.texts),
    at: rig.at,
  });

/** Goes on with a new uploader and an empty disk. */
function restarted(rig: Rig): Rig {
  const next = reopened(rig);
  for (const rendition of THREE) next.connect(rendition, { renditions: THREE });
  return next;
}

describe('an out point', () => {
  test('is listed in all renditions alike as soon as it is known, at its instant, once', () => {
    const rig = Rig.live(THREE, 2);
    const out = marker('out', 26.5, { duration90k: 30 * TICKS });
    rig.step(THREE, 2, markers(out));
    const [tag, ...more] = tagsOf(rig, 'low');
    expect(more).toEqual([]);
    expect(tag).toEqual({
      ID: 'scte35-insert-7-20231114T221346.500Z',
      'START-DATE': date(26.5),
      'PLANNED-DURATION': '30.000',
      'SCTE35-OUT': '0xFC00F1',
    });
    rig.step(THREE, 3, markers(out, { ...out, section: 'FC00F2' }));
    rig.step(THREE, 4, markers(out));
    for (const rendition of THREE) expect(tagsOf(rig, rendition)).toEqual([tag]);
  });

  test('known to one rendition alone is listed in the others, too', () => {
    const rig = Rig.live(THREE, 2);
    rig.to(18);
    rig.segment('mid', 2, 12, 18, markers(marker('out', 20)));
    rig.segment('low', 2, 12, 18);
    rig.segment('high', 2, 12, 18);
    rig.step(THREE, 3);
    for (const rendition of THREE) expect(tagsOf(rig, rendition)).toHaveLength(1);
  });

  test('stays for as long as planned, and leaves with the last segment that it maps to', () => {
    const rig = Rig.live(THREE, 2);
    rig.step(THREE, 2, markers(marker('out', 20, { duration90k: 30 * TICKS })));
    for (let i = 3; i < 25; i++) {
      rig.step(THREE, i);
      const isOver = rig.playlist('low').entries[0]!.dateMs >= BEGIN_MS + 50_000;
      for (const rendition of THREE) expect(tagsOf(rig, rendition)).toHaveLength(isOver ? 0 : 1);
    }
    expect(rig.state.dateRanges).toEqual([]);
  });

  test('of unknown length stays until its in point has left', () => {
    const rig = Rig.live(THREE, 2);
    rig.step(THREE, 2, markers(marker('out', 20)));
    for (let i = 3; i < 25; i++) rig.step(THREE, i);
    expect(tagsOf(rig, 'low')).toHaveLength(1);
    rig.step(THREE, 25, markers(marker('in', 155)));
    const [out, back] = tagsOf(rig, 'low');
    expect(back).toEqual({
      ID: out!['ID'],
      'START-DATE': date(20),
      'END-DATE': date(155),
      DURATION: '135.000',
      'SCTE35-IN': '0xFC0BAC',
    });
    expect(out).not.toHaveProperty('END-DATE');
    for (const rendition of THREE) expect(tagsOf(rig, rendition)).toEqual([out, back]);
    for (let i = 26; i < 36; i++) rig.step(THREE, i);
    for (const rendition of THREE) expect(tagsOf(rig, rendition)).toEqual([]);
  });

  test('that names no time is one, however often and wherever it is repeated', () => {
    const rig = Rig.live(THREE, 2);
    rig.to(18);
    THREE.forEach((rendition, n) => {
      const repeats = [13 + n / 10, 14, 15].map((at) => marker('out', at, { immediate: true }));
      rig.segment(rendition, 2, 12, 18, markers(...repeats));
    });
    rig.step(THREE, 3, markers(marker('out', 23, { immediate: true })));
    rig.step(THREE, 4, markers(marker('out', 29, { immediate: true })));
    for (const rendition of THREE) {
      expect(tagsOf(rig, rendition)).toMatchObject([{ 'START-DATE': date(13) }]);
    }
  });

  test('of an event whose number is used again is another', () => {
    const rig = Rig.live(THREE, 2);
    rig.step(THREE, 2, markers(marker('out', 20), marker('in', 30)));
    rig.step(THREE, 3, markers(marker('out', 40), marker('in', 50)));
    const ids = tagsOf(rig, 'low').map(({ ID }) => ID);
    expect(ids).toHaveLength(4);
    expect(new Set(ids).size).toBe(2);
  });

  test('that is cancelled before it was listed is not', () => {
    const rig = Rig.live(THREE, 2);
    rig.step(THREE, 2, markers(marker('out', 40), marker('cancel', 17)));
    expect(tagsOf(rig, 'low')).toEqual([]);
  });
});

test('an in point whose out point nobody knows stands for itself', () => {
  const rig = Rig.live(THREE, 2);
  rig.step(THREE, 2, markers(marker('in', 20)));
  expect(tagsOf(rig, 'low')).toEqual([
    {
      ID: 'scte35-insert-7-20231114T221340.000Z',
      'START-DATE': date(20),
      'END-DATE': date(20),
      'SCTE35-IN': '0xFC0BAC',
    },
  ]);
});

test('what is neither out nor in has SCTE35-CMD; types of one section are told apart', () => {
  const rig = Rig.live(THREE, 2);
  const section = 'FCAA';
  rig.step(
    THREE,
    2,
    markers(
      marker('command', 20, { segmentationType: 0x10, section }),
      marker('out', 20, { segmentationType: 0x34, section }),
      marker('in', 20, { segmentationType: 0x31, section }),
    ),
  );
  expect(tagsOf(rig, 'low').map(({ ID, ...rest }) => [ID!.slice(0, 12), Object.keys(rest).at(-1)])).toEqual([
    ['scte35-10-7-', 'SCTE35-CMD'],
    ['scte35-34-7-', 'SCTE35-OUT'],
    ['scte35-30-7-', 'SCTE35-IN'],
  ]);
});

test('a cue behind the wrap of the 33 bits is where it belongs', () => {
  const rig = new Rig();
  const firstPts = 2 ** 33 - 15 * TICKS;
  for (const rendition of THREE) rig.connect(rendition, { renditions: THREE });
  const cue = marker('out', 0, { pts: 5 * TICKS });
  for (let i = 0; i < 3; i++) {
    rig.to(6 * (i + 1));
    const startPts = (firstPts + i * 6 * TICKS) % 2 ** 33;
    const times = { startPts, endPts: (startPts + 6 * TICKS) % 2 ** 33, keyPictures: [] };
    for (const rendition of THREE)
      rig.segment(rendition, i, 6 * i, 6 * (i + 1), { ...times, ...markers(cue) });
  }
  for (const rendition of THREE) {
    expect(tagsOf(rig, rendition)).toMatchObject([{ 'START-DATE': date(20) }]);
  }
});

test('an uploader with an empty disk goes on: nothing twice, and the in point finds its out point', () => {
  const rig = Rig.live(THREE, 2);
  rig.step(THREE, 2, markers(marker('out', 20)));
  rig.to(24);
  // One rendition has not listed it when the uploader dies.
  rig.store.playlist = (rendition) => (rendition === 'high' ? 'held' : 'stored');
  for (const rendition of THREE)
    rig.segment(rendition, 3, 18, 24, markers(marker('out', 45, { eventId: 8 })));
  expect(THREE.map((rendition) => tagsOf(rig, rendition).length)).toEqual([2, 2, 1]);
  const next = restarted(rig);
  next.segment('high', 3, 18, 24, markers(marker('out', 45, { eventId: 8 })));
  next.step(THREE, 4, markers(marker('out', 20), marker('in', 32)));
  const tags = tagsOf(next, 'low');
  expect(tags.map(({ ID }) => ID!.slice(0, 16))).toEqual([
    'scte35-insert-7-',
    'scte35-insert-8-',
    'scte35-insert-7-',
  ]);
  expect(tags[2]).toMatchObject({ ID: tags[0]!['ID'], 'END-DATE': date(32), DURATION: '12.000' });
  expect(tagsOf(next, 'mid')).toEqual(tags);
  expect(new Set(tagsOf(next, 'high').map((tag) => JSON.stringify(tag)))).toEqual(
    new Set(tags.map((tag) => JSON.stringify(tag))),
  );
});

describe('an operator', () => {
  const range = { id: 'promo-1', startDateMs: BEGIN_MS + 20_000, endDateMs: BEGIN_MS + 30_000 };

  test('adds a range: it comes with the next segment to all, once, and goes with what it maps to', () => {
    let rig = Rig.live(THREE, 3);
    rig.happen({ type: 'date-range-given', range });
    rig.happen({ type: 'date-range-given', range });
    expect(tagsOf(rig, 'low')).toEqual([]);
    rig.step(THREE, 3);
    const tag = { ID: 'promo-1', 'START-DATE': date(20), 'END-DATE': date(30) };
    for (const rendition of THREE) expect(tagsOf(rig, rendition)).toEqual([tag]);
    rig = restarted(rig);
    rig.happen({ type: 'date-range-given', range });
    rig.step(THREE, 4);
    for (const rendition of THREE) expect(tagsOf(rig, rendition)).toEqual([tag]);
    for (let i = 5; i < 16; i++) rig.step(THREE, i);
    for (const rendition of THREE) expect(tagsOf(rig, rendition)).toEqual([]);
    rig.happen({ type: 'date-range-given', range });
    rig.step(THREE, 16);
    expect(tagsOf(rig, 'low')).toEqual([]);
  });

  test('has it listed by who goes on before any playlist of its life was stored', () => {
    const rig = new Rig();
    rig.connect('low', { renditions: ['low'] });
    rig.happen({ type: 'date-range-given', range });
    expect(isDue(rig.state, range)).toBe(false);
    rig.happen({ type: 'date-range-given', range, replayed: true });
    expect(isDue(rig.state, range)).toBe(true);
    rig.store.playlist = () => 'held';
    rig.step(['low'], 0);
    expect(isDue(rig.state, range)).toBe(true);
    rig.store.playlist = () => 'stored';
    rig.happen({ type: 'playlist-failed', view: 'live', rendition: 'low', version: 1 });
    rig.step(['low'], 1);
    expect(tagsOf(rig, 'low')).toMatchObject([{ ID: 'promo-1' }]);
    expect(isDue(rig.state, range)).toBe(false);
  });

  test('is told that nothing is listed after a skip that left nothing', () => {
    const rig = Rig.live(['low'], 4);
    rig.lose('low');
    rig.to(604);
    rig.connect('low');
    rig.told('low', 4, 99);
    expect(dateRangeRefusal(rig.state, { ...range, startDateMs: rig.at })).toMatch(/nothing is listed/);
  });

  test('is told why not', () => {
    const rig = Rig.live(THREE, 3);
    expect(dateRangeRefusal(rig.state, range)).toBeUndefined();
    rig.happen({ type: 'date-range-given', range });
    expect(dateRangeRefusal(rig.state, range)).toBeUndefined();
    expect(dateRangeRefusal(rig.state, { ...range, class: 'x' })).toMatch(/another date range/);
    const early = { ...range, id: 'promo-2', startDateMs: BEGIN_MS - 1 };
    expect(dateRangeRefusal(rig.state, early)).toMatch(/before all that the live playlists list/);
    expect(dateRangeRefusal(new Rig().state, range)).toMatch(/nothing is listed/);
    rig.step(THREE, 3, markers(...Array.from({ length: 200 }, (_, n) => marker('out', 30, { eventId: n }))));
    expect(dateRangeRefusal(rig.state, { ...range, id: 'promo-3' })).toMatch(/200 date ranges/);
  });
});

test('there are not more than 200', () => {
  const rig = Rig.live(THREE, 2);
  const many = Array.from({ length: MOST_DATE_RANGES + 5 }, (_, n) => marker('out', 30, { eventId: n }));
  rig.step(THREE, 2, markers(...many));
  expect(tagsOf(rig, 'low')).toHaveLength(MOST_DATE_RANGES);
});

test('property: whatever cues come, all renditions list the same; none changes, goes early, or comes back', () => {
  const seen = { tags: 0, pairs: 0, left: 0, restarts: 0, some: 0 };
  const cue = fc.record({
    kind: fc.constantFrom('out' as const, 'in' as const, 'command' as const),
    eventId: fc.integer({ min: 1, max: 3 }),
    ahead: fc.integer({ min: -20, max: 300 }),
    immediate: fc.boolean(),
    duration90k: fc.option(fc.integer({ min: 0, max: 60 * TICKS }), { nil: undefined }),
    to: fc.constantFrom(THREE, THREE, ['low'], ['mid', 'high']),
  });
  const step = fc.record({
    cues: fc.oneof(
      { weight: 2, arbitrary: fc.array(cue, { maxLength: 0 }) },
      { weight: 1, arbitrary: fc.array(cue, { maxLength: 3 }) },
    ),
    order: fc.shuffledSubarray(THREE, { minLength: 3 }),
    restart: fc.nat(9).map((n) => n === 0),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 12, maxLength: 30 }), (steps) => {
      let rig = Rig.live(THREE, 2);
      const before = new Map<string, Map<string, Tag>>(THREE.map((one) => [one, new Map()]));
      const ever = new Map<string, Set<string>>(THREE.map((one) => [one, new Set()]));
      steps.forEach(({ cues, order, restart }, n) => {
        if (restart) {
          rig = restarted(rig);
          seen.restarts++;
        }
        const index = n + 2;
        rig.to(6 * (index + 1));
        for (const rendition of order) {
          const list = cues
            .filter(({ to }) => to.includes(rendition))
            .map(({ kind, ahead, eventId, immediate, duration90k }) =>
              marker(kind, 6 * index + (immediate ? 3 : ahead / 10), {
                eventId,
                immediate,
                ...(duration90k !== undefined && { duration90k }),
              }),
            );
          if (list.length > 0 && cues.some(({ to }) => to.length < 3)) seen.some++;
          rig.segment(rendition, index, 6 * index, 6 * (index + 1), markers(...list));
        }
        for (const rendition of THREE) {
          const tags = tagsOf(rig, rendition);
          const key = (tag: Tag): string => `${tag['ID']}${tag['SCTE35-IN'] === undefined ? '' : ' in'}`;
          const now = new Map(tags.map((tag) => [key(tag), tag]));
          expect(now.size).toBe(tags.length);
          for (const a of tags) {
            for (const b of tags) {
              if (a['ID'] !== b['ID']) continue;
              for (const name of Object.keys(a)) if (name in b) expect(b[name]).toBe(a[name]);
              if (a !== b) seen.pairs++;
            }
          }
          const first = rig.playlist(rendition).entries[0]!.dateMs;
          for (const [id, tag] of before.get(rendition)!) {
            const end = Date.parse(tag['END-DATE'] ?? tag['START-DATE']!);
            if (now.has(id)) expect(now.get(id)).toEqual(tag);
            else {
              seen.left++;
              // At least its beginning has left, and its end where that is known.
              expect(end).toBeLessThanOrEqual(first);
            }
          }
          for (const id of now.keys()) {
            if (!before.get(rendition)!.has(id)) expect(ever.get(rendition)!.has(id)).toBe(false);
            ever.get(rendition)!.add(id);
          }
          seen.tags += tags.length;
          before.set(rendition, now);
        }
      });
      // What the last to come brought is in the others with their next segment.
      rig.step(THREE, steps.length + 2);
      const lists = THREE.map((one) =>
        tagsOf(rig, one)
          .map((tag) => JSON.stringify(tag))
          .sort(),
      );
      expect(lists[1]).toEqual(lists[0]);
      expect(lists[2]).toEqual(lists[0]);
    }),
    { numRuns: 30 },
  );
  console.log(`date ranges: ${JSON.stringify(seen)}`);
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(20);
}, 60_000);
