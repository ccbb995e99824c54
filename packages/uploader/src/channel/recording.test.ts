import { describe, expect, test } from '@jest/globals';
import { parseMediaPlaylist } from '@hls-uplink/hls';
import type { ChannelSettings } from './state.js';
import { marks, range, successor } from './testing/recorded.js';
import { Rig, sessionOf } from './testing/rig.js';
import { see, type SeenPlaylist } from './testing/viewer.js';

/** 120 s: 20 segments. */
const DVR = { dvr: { segments: 3, seconds: 120 } };
const EVENT = { eventSeconds: 3600 };

function run(
  settings: Partial<ChannelSettings>,
  to: number,
  rig = Rig.live(['low'], 0, settings),
  from = 0,
): Rig {
  for (let i = from; i < to; i++) rig.step(['low'], i);
  return rig;
}

/** Without what says which segments recordings are still to have, as where more of them wait than it can say. */
const forgetful = (text: string): string => text.replace(/"arrears":\[.*\],(?="tracks")/, '');

const text = (rig: Rig, view: string): string => rig.recorded.get(`live/low-${view}.m3u8`)!;
const shown = (rig: Rig, view: string): SeenPlaylist => see(text(rig, view));
const numbers = (rig: Rig, view: string): number[] => shown(rig, view).entries.map(({ number }) => number);
const deleted = (rig: Rig): number[] => rig.deleted.map((key) => Number(/(\d+)\.ts$/.exec(key)![1]));
const end = (rig: Rig, index: number): void =>
  rig.happen({ type: 'accepted', announcement: { type: 'end', session: sessionOf('low'), index } });

describe('the dvr playlist', () => {
  test('lists what the live one has listed, as long as its window', () => {
    const rig = run(DVR, 50);
    expect(numbers(rig, 'dvr')).toEqual(range(30, 49));
    expect(rig.entries('low')).toBe('44 45 46 47 48 49');
    expect(shown(rig, 'dvr').entries.slice(-6)).toEqual(rig.playlist('low').entries);
    expect(text(rig, 'dvr')).not.toContain('PLAYLIST-TYPE');
    expect(text(rig, 'dvr')).not.toContain('ENDLIST');
  });

  test('has a multivariant playlist of its own, without pictures that only the live one has', () => {
    const rig = run(DVR, 3);
    expect(rig.multivariant).toContain('low-iframes.m3u8');
    expect(rig.recorded.get('live/index-dvr.m3u8')).toBe(
      rig.multivariant.replace(/^#EXT-X-I-FRAME.*\n/m, '').replace('\nlow.m3u8', '\nlow-dvr.m3u8'),
    );
  });

  test('is not made where it is not wanted', () => {
    expect(run({}, 10).recorded.size).toBe(0);
  });

  test('of a number of segments is no shorter than the live one', () => {
    expect(numbers(run({ dvr: { segments: 3, seconds: 0 } }, 20), 'dvr')).toEqual(range(14, 19));
    expect(numbers(run({ dvr: { segments: 9, seconds: 0 } }, 20), 'dvr')).toEqual(range(11, 19));
  });

  test('keeps the segments: they go when no player may fetch them any more', () => {
    // 120 s and their own duration after the next live version is stored, with the version after that.
    const rig = run(DVR, 50);
    expect(deleted(rig)).toEqual(range(0, 7));
    const kept = run({ ...DVR, retention: 300_000 }, 80);
    expect(deleted(kept)).toEqual(range(0, 79 - 20 - 51));
    expect(deleted(run({ ...DVR, retention: 'keep' }, 80))).toEqual([]);
  });

  test('goes on after a restart with an empty journal, and so does what is to be deleted', () => {
    const rig = run(DVR, 45);
    expect(deleted(rig)).toEqual(range(0, 2));
    const before = shown(rig, 'dvr');
    const next = successor(rig, DVR);
    run(DVR, 65, next, 45);
    // Counted anew from the start, since the clock may have been set.
    expect(deleted(next)).toEqual([]);
    run(DVR, 90, next, 65);
    expect(numbers(next, 'dvr')).toEqual(range(70, 89));
    // What was about to be deleted is deleted once more.
    expect(deleted(next)).toEqual(range(2, 89 - 20 - 22));
    const again = successor(rig, DVR);
    again.step(['low'], 45);
    expect(shown(again, 'dvr').entries.slice(0, -1)).toEqual(before.entries.slice(1));
  });

  test('gets after a crash what the stored live one lists beyond it', () => {
    const rig = run(DVR, 30);
    rig.store.recording = () => 'held';
    for (let i = 30; i < 34; i++) rig.step(['low'], i);
    expect(numbers(rig, 'dvr').at(-1)).toBe(29);
    const next = successor(rig, DVR);
    expect(numbers(next, 'dvr')).toEqual(range(14, 33));
    next.step(['low'], 34);
    expect(marks(next, 'dvr')).toBe(range(15, 34).join(' '));
  });

  test('gets after a crash what has left the live one before it was stored, too', () => {
    const rig = run(DVR, 30);
    rig.store.recording = () => 'held';
    for (let i = 30; i < 60; i++) rig.step(['low'], i);
    expect(rig.entries('low')).toBe('54 55 56 57 58 59');
    const next = successor(rig, DVR);
    expect(marks(next, 'dvr')).toBe(range(40, 59).join(' '));
    run(DVR, 100, next, 60);
    expect(numbers(next, 'dvr')).toEqual(range(80, 99));
    // What left the window in memory alone is for the sweep.
    expect(deleted(next)).toEqual(expect.arrayContaining([...range(10, 29), ...range(40, 50)]));
  });

  test('has gaps of the right length for what nobody knows of any more', () => {
    const rig = run(DVR, 30);
    rig.store.recording = () => 'held';
    for (let i = 30; i < 40; i++) rig.step(['low'], i);
    expect(rig.entries('low')).toBe('34 35 36 37 38 39');
    const next = successor(rig, DVR, { read: forgetful });
    expect(marks(next, 'dvr')).toBe(`${range(20, 29).join(' ')} 30G 31G 32G 33G 34 35 36 37 38 39`);
    expect(shown(next, 'dvr').entries.map(({ seconds }) => seconds)).toEqual(range(20, 39).map(() => 6));
    const [first] = shown(next, 'dvr').entries;
    expect(shown(next, 'dvr').entries.map(({ dateMs }) => dateMs)).toEqual(
      range(0, 19).map((i) => first!.dateMs + 6000 * i),
    );
  });

  test('begins anew where nothing but gaps would be in the window', () => {
    const rig = run(DVR, 30);
    rig.store.recording = () => 'held';
    for (let i = 30; i < 60; i++) rig.step(['low'], i);
    const next = successor(rig, DVR, { read: forgetful });
    expect(marks(next, 'dvr')).toBe(range(54, 59).join(' '));
    run(DVR, 100, next, 60);
    expect(numbers(next, 'dvr')).toEqual(range(80, 99));
    expect(deleted(next)).toEqual(expect.arrayContaining(range(10, 29)));
  });

  test('counts the discontinuities of what it does not know any more', () => {
    const rig = run(DVR, 30);
    rig.store.recording = () => 'held';
    for (let i = 30; i < 45; i++) {
      rig.to(6 * (i + 1) + (i >= 33 ? 3000 : 0));
      const later = i >= 33 ? 3000 : 0;
      rig.segment(
        'low',
        i,
        6 * i + later,
        6 * i + 6 + later,
        i === 33 ? { discontinuity: 'timestamps' } : {},
      );
    }
    expect(rig.entries('low')).toBe('39 40 41 42 43 44');
    const next = successor(rig, DVR, { read: forgetful });
    expect(marks(next, 'dvr')).toMatch(/ 29 30DG 31G .* 38G 39 /);
    const { entries, discontinuitySequence } = shown(next, 'dvr');
    const tags = entries.filter(({ discontinuity }) => discontinuity).length;
    expect(discontinuitySequence + tags).toBe(rig.playlist('low').discontinuitySequence);
  });

  test('waits for its own store, while the live one and the answers go on; nothing that it lists is deleted', () => {
    const rig = run(DVR, 30);
    rig.store.recording = () => 'held';
    for (let i = 30; i < 100; i++) rig.step(['low'], i);
    expect(rig.answers).toHaveLength(100);
    expect(deleted(rig).filter((number) => numbers(rig, 'dvr').includes(number))).toEqual([]);
    rig.store.recording = () => 'stored';
    const { version } = rig.state.renditions['low']!.recordings.dvr!.inFlight!;
    rig.happen({ type: 'playlist-failed', view: 'dvr', rendition: 'low', version });
    // What no stored version has listed stays.
    expect(marks(rig, 'dvr')).toBe(range(30, 99).join(' '));
    rig.step(['low'], 100);
    expect(numbers(rig, 'dvr')).toEqual(range(81, 100));
  });

  test('keeps date ranges as long as they map to what it lists, each once', () => {
    const rig = run(DVR, 20);
    const startDateMs = rig.at + 1000;
    rig.happen({ type: 'date-range-given', range: { id: 'promo', startDateMs, durationSeconds: 10 } });
    const next = run(DVR, 30, rig, 20);
    const count = (one: Rig): number =>
      [...text(one, 'dvr').matchAll(/^#EXT-X-DATERANGE:ID="promo"/gm)].length;
    expect(next.texts.get('live/low.m3u8')).not.toContain('DATERANGE');
    expect(count(next)).toBe(1);
    const after = successor(next, DVR);
    run(DVR, 41, after, 30);
    expect(count(after)).toBe(1);
    run(DVR, 46, after, 41);
    expect(count(after)).toBe(0);
  });

  test('ends with the live one; the next life begins with an empty window', () => {
    const rig = run(DVR, 30);
    end(rig, 30);
    expect(text(rig, 'dvr')).toMatch(/\n#EXT-X-ENDLIST\n$/);
    rig.step(['low'], 31, { discontinuity: 'start' });
    run(DVR, 80, rig, 32);
    expect(marks(rig, 'dvr')).not.toContain('D');
    expect(numbers(rig, 'dvr')[0]).toBeGreaterThan(30);
    expect(deleted(rig)).toEqual(expect.arrayContaining(range(0, 29)));
  });

  test('is taken away, and its segments left to the sweep, when it is not wanted any more', () => {
    const next = successor(run(DVR, 30), {});
    expect(next.deleted.slice(0, 2)).toEqual(['live/low-dvr.m3u8', 'live/index-dvr.m3u8']);
    expect(next.state.renditions['low']!.recordings).toEqual({});
  });

  test.each([
    ['damaged', (all: string) => all.replace(/#EXTINF.*\n/, '')],
    ["another tool's", (all: string) => all.replace(/^#hls-uplink.*\n/m, '')],
    ['ahead of the live one', (all: string) => all.replace(/(MEDIA-SEQUENCE:)\d+/, '$1900')],
    ['without bounds', (all: string) => all.replace(/"left":\[/, '"left":[["low-",0,900000000,1],')],
  ])('that is %s is begun anew, which the operator is told', (_, damage) => {
    const rig = run(DVR, 30);
    rig.recorded.set('live/low-dvr.m3u8', damage(text(rig, 'dvr')));
    const next = successor(rig, DVR);
    expect(next.reports.join()).toContain('cannot be gone on with');
    next.step(['low'], 30);
    expect(numbers(next, 'dvr')).toEqual(range(24, 30));
    expect(next.state.refusal).toBeUndefined();
  });
});

describe('the event playlist', () => {
  test('grows, and loses nothing', () => {
    const rig = run(EVENT, 40);
    expect(numbers(rig, 'event')).toEqual(range(0, 39));
    expect(parseMediaPlaylist(text(rig, 'event'))).toMatchObject({ playlistType: 'EVENT', endList: false });
    expect(rig.recorded.get('live/index-event.m3u8')).toContain('\nlow-event.m3u8\n');
    expect(rig.deleted).toEqual([]);
    const next = successor(rig, EVENT);
    run(EVENT, 60, next, 40);
    expect(numbers(next, 'event')).toEqual(range(0, 59));
    expect(next.deleted).toEqual([]);
  });

  /** Names of the VOD playlists. */
  const vods = (rig: Rig): string[] =>
    [...rig.recorded.keys()].filter((key) => key.endsWith('-vod.m3u8')).sort();
  const VOD = /^live\/low-\d{8}T\d{6}Z-vod\.m3u8$/;

  test('becomes VOD at the end of the stream, and only then has ENDLIST', () => {
    const rig = run(EVENT, 20);
    expect(vods(rig)).toEqual([]);
    rig.store.recording = (view) => (view === 'vod' ? 'held' : 'stored');
    end(rig, 20);
    expect(text(rig, 'event')).not.toContain('ENDLIST');
    rig.store.recording = () => 'stored';
    rig.happen({ type: 'playlist-failed', view: 'vod', rendition: 'low', version: 0 });
    const [index, media] = vods(rig);
    expect(media).toMatch(VOD);
    expect(rig.recorded.get(index!)).toContain(`\n${media!.slice('live/'.length)}\n`);
    const vod = parseMediaPlaylist(rig.recorded.get(media!)!);
    expect(vod).toMatchObject({ playlistType: 'VOD', endList: true, comments: [] });
    expect(vod.segments).toEqual(parseMediaPlaylist(text(rig, 'event')).segments);
    expect(text(rig, 'event')).toMatch(/\n#EXT-X-ENDLIST\n$/);
  });

  test('of the next life is another, and the VOD of the one before stays as it was, with its segments', () => {
    const rig = run({ ...EVENT, ...DVR }, 20);
    end(rig, 20);
    const [, media] = vods(rig);
    const before = rig.recorded.get(media!);
    rig.step(['low'], 21, { discontinuity: 'start' });
    run(EVENT, 80, rig, 22);
    expect(numbers(rig, 'event')[0]).toBe(20);
    end(rig, 80);
    expect(vods(rig)).toHaveLength(4);
    expect(rig.recorded.get(media!)).toBe(before);
    expect(rig.deleted).toEqual([]);
  });

  test('is closed when it is as long as it may be, and live and dvr go on', () => {
    const rig = run({ ...DVR, eventSeconds: 180 }, 100);
    expect(numbers(rig, 'event')).toEqual(range(0, 29));
    expect(text(rig, 'event')).toMatch(/\n#EXT-X-ENDLIST\n$/);
    expect(vods(rig)).toHaveLength(2);
    expect(numbers(rig, 'dvr')).toEqual(range(80, 99));
    expect(rig.reports.join()).toContain('as long as they may be');
    // What it has stays; what came after goes as ever.
    expect(deleted(rig)).toEqual(range(30, 57));
    const next = successor(rig, { ...DVR, eventSeconds: 180 });
    run(DVR, 130, next, 100);
    expect(next.recorded.has('live/low-event.m3u8')).toBe(false);
    expect(Math.min(...deleted(next))).toBe(57);
  });

  test('is closed in all renditions when it is in one, though it may be longer after a restart', () => {
    const rig = Rig.live(['low', 'high'], 0, { eventSeconds: 60 });
    rig.store.recording = (view, rendition) =>
      view === 'event' && rendition === 'high' && rig.state.renditions['low']!.recordings.event?.closed
        ? 'held'
        : 'stored';
    for (let i = 0; i < 12; i++) rig.step(['low', 'high'], i);
    const all = [...rig.texts, ...rig.recorded].map(([key, text]) => ({ key, text }));
    const next = new Rig(all, { eventSeconds: 3600 }, rig.at);
    for (const name of ['low', 'high']) next.connect(name);
    for (let i = 12; i < 20; i++) next.step(['low', 'high'], i);
    for (const name of ['low', 'high'])
      expect(next.recorded.get(`live/${name}-event.m3u8`)).toMatch(/\n#EXT-X-ENDLIST\n$/);
    expect([...next.recorded.keys()].filter((key) => /vod/.test(key))).toHaveLength(3);
  });

  /** ENDLIST does not reach the event playlists any more once there is a VOD. */
  function holdEnd(rig: Rig): void {
    rig.store.recording = (view) => (view === 'event' && vods(rig).length > 0 ? 'held' : 'stored');
  }

  test('makes the same VOD after a crash, though the live ones have gone on and not all were full', () => {
    const BOTH = ['low', 'mid'];
    const settings = { eventSeconds: 180 };
    const rig = Rig.live(BOTH, 0, settings);
    // The other one begins late.
    for (let i = 0; i < 5; i++) rig.step(['low'], i);
    holdEnd(rig);
    for (let i = 5; i < 32; i++) rig.step(BOTH, i);
    const names = vods(rig);
    expect(names).toHaveLength(3);
    const next = successor(rig, settings);
    next.step(['low'], 32);
    expect(vods(next)).toEqual(names);
    for (const key of names) expect(next.recorded.get(key)).toBe(rig.recorded.get(key));
    for (const name of BOTH)
      expect(next.recorded.get(`live/${name}-event.m3u8`)).toMatch(/\n#EXT-X-ENDLIST\n$/);
  });

  test('is VOD only once it says in the store that it is closed', () => {
    const rig = run(EVENT, 20);
    rig.store.recording = (view) => (view === 'event' ? 'held' : 'stored');
    end(rig, 20);
    expect(vods(rig)).toEqual([]);
    const next = successor(rig, EVENT);
    expect(vods(next)).toHaveLength(2);
    expect(text(next, 'event')).toMatch(/\n#EXT-X-ENDLIST\n$/);
  });

  test('that a crash kept from being closed is closed by the successor, under the same names', () => {
    const rig = run(EVENT, 20);
    holdEnd(rig);
    end(rig, 20);
    expect(text(rig, 'event')).not.toContain('ENDLIST');
    const names = vods(rig);
    expect(names).toHaveLength(2);
    const next = successor(rig, EVENT);
    expect(vods(next)).toEqual(names);
    for (const key of names) expect(next.recorded.get(key)).toBe(rig.recorded.get(key));
    expect(text(next, 'event')).toMatch(/\n#EXT-X-ENDLIST\n$/);
    // What is closed in the store has its VOD, which may have been taken away since.
    expect(vods(successor(next, EVENT))).toEqual([]);
  });

  test('is closed at the next start when it is not wanted any more', () => {
    const next = successor(run(EVENT, 20), {});
    expect(text(next, 'event')).toMatch(/\n#EXT-X-ENDLIST\n$/);
    expect(vods(next)).toHaveLength(2);
    run({}, 60, next, 20);
    expect(deleted(next).filter((number) => number < 20)).toEqual([]);
  });
});

test('a dvr playlist that is not wanted any more is deleted once the channel is this uploader’s, not before', () => {
  const first = Rig.live(['low'], 4, { dvr: { segments: 20, seconds: 0 }, fenced: true });
  const playlists = [
    { key: 'live/index.m3u8', text: first.multivariant },
    ...[...first.texts, ...first.recorded].map(([key, text]) => ({ key, text })),
  ];
  const rig = new Rig(playlists, { fenced: true, writer: 'second' }, first.at);
  rig.connect('low');
  expect(rig.deleted).toEqual([]);
  rig.segment('low', 4, 24, 30);
  expect(rig.deleted).toEqual(['live/low-dvr.m3u8', 'live/index-dvr.m3u8']);
});
