import { describe, expect, test } from '@jest/globals';
import { parseMediaPlaylist } from '@hls-uplink/hls';
import { isBehind } from './catch-up.js';
import type { ChannelSettings } from './state.js';
import {
  accepted,
  announceAgain,
  answers,
  BOTH,
  liveIsBack,
  marks,
  outage,
  range,
  settled,
  storeNext,
  successor,
  upTo,
} from './testing/recorded.js';
import { Rig, sessionOf } from './testing/rig.js';
import { see } from './testing/viewer.js';

const EVENT = { eventSeconds: 3600 };

describe('dvr and event playlists after an outage of the store', () => {
  test('the live one is back at the edge, they catch up in order behind it, and then the answers go out', () => {
    const rig = outage(BOTH, 39);
    expect(rig.uploads.filter(({ isBehind }) => isBehind).map(({ id }) => id.index)).toEqual(range(10, 30));
    liveIsBack(rig);
    expect(rig.entries('low')).toBe('34 35 36 37 38 39');
    expect(answers(rig, 'published')).toEqual([...range(0, 9), ...range(34, 39)]);
    for (const view of ['dvr', 'event']) expect(marks(rig, view)).toBe(upTo(9));
    for (let stored = 10; stored < 34; stored++) {
      expect(answers(rig, 'backlog')).toEqual(range(10, stored - 1));
      storeNext(rig);
      for (const view of ['dvr', 'event']) expect(marks(rig, view)).toBe(upTo(stored < 33 ? stored : 39));
      if (stored % 5 === 0) rig.store.segment = (_, index) => index >= 40;
    }
    expect(answers(rig, 'backlog')).toEqual(range(10, 33));
    rig.step(['low'], 40);
    expect(rig.entries('low')).toBe('35 36 37 38 39 40');
    for (const view of ['dvr', 'event']) expect(marks(rig, view)).toBe(upTo(40));
    const segments = parseMediaPlaylist(rig.recorded.get('live/low-event.m3u8')!).segments;
    expect(segments.map(({ programDateTimeMs }) => programDateTimeMs)).toEqual(
      range(0, 40).map((i) => segments[0]!.programDateTimeMs! + 6000 * i),
    );
    expect(rig.state.renditions['low']).toMatchObject({
      counts: { caughtUp: 24, gaps: 0, dropped: { backlog: 24 } },
      arrears: { all: [] },
    });
    expect(rig.reports.join()).toContain('have what the live one skipped');
    expect(rig.texts.get('live/low.m3u8')).not.toContain('arrears');
    expect(rig.deleted).toEqual([]);
  });

  test('live segments go on as ever while they are far behind, and what has left the live window is kept for them', () => {
    const rig = outage(BOTH, 39);
    liveIsBack(rig);
    rig.store.segment = (_, index) => index >= 40;
    for (let i = 40; i < 80; i++) {
      rig.step(['low'], i);
      expect(rig.playlist('low').entries.at(-1)!.number).toBe(i);
    }
    expect(marks(rig, 'event')).toBe(upTo(9));
    storeNext(rig, 24);
    for (const view of ['dvr', 'event']) expect(marks(rig, view)).toBe(upTo(79));
    expect(rig.deleted).toEqual([]);
  });

  test('a channel without them asks for nothing of it, and its answers go out at once', () => {
    const rig = outage({}, 39);
    expect(rig.uploads.some(({ isBehind }) => isBehind)).toBe(false);
    expect(answers(rig, 'backlog')).toEqual(range(10, 30));
  });

  test('what is built and was not stored in a playlist in time is not put again', () => {
    const rig = Rig.live(['low'], 10, BOTH);
    rig.store.playlist = () => 'held';
    for (let i = 10; i < 15; i++) rig.step(['low'], i);
    rig.store.segment = () => false;
    for (let i = 15; i < 40; i++) rig.step(['low'], i);
    const { version } = rig.state.renditions['low']!.inFlight!;
    rig.store.playlist = () => 'stored';
    rig.store.segment = () => true;
    rig.happen({ type: 'playlist-stored', view: 'live', rendition: 'low', version, tookMs: 50 });
    for (const { id } of rig.uploads.splice(0)) rig.happen({ type: 'segment-stored', id });
    rig.step(['low'], 40);
    expect(marks(rig, 'dvr')).toBe(upTo(40));
    expect(rig.answers).toHaveLength(41);
    expect(rig.puts.filter((put) => put === 'low/12')).toHaveLength(1);
  });

  test('a segment that is lost while they catch up is a gap in its place', () => {
    const rig = outage(BOTH, 39);
    liveIsBack(rig);
    rig.happen({ type: 'segment-lost', id: { session: sessionOf('low'), index: 12 } });
    storeNext(rig, 24);
    for (const view of ['dvr', 'event']) expect(marks(rig, view)).toBe(upTo(39).replace(' 12 ', ' 12G '));
    expect(answers(rig, 'spool')).toEqual([12]);
    expect(answers(rig, 'backlog')).toEqual(range(10, 33).filter((index) => index !== 12));
  });

  test('each entry has the key that it was encrypted by', () => {
    const rig = outage(BOTH, 39);
    const key = (index: number) => ({
      method: 'AES-128' as const,
      uri: `${index}.key`,
      iv: String(index).padStart(32, '0'),
    });
    rig.happen({ type: 'store-recovered' });
    for (const { id } of rig.uploads.splice(0))
      rig.happen({ type: 'segment-stored', id, encryption: key(id.index) });
    const { segments } = parseMediaPlaylist(rig.recorded.get('live/low-dvr.m3u8')!);
    expect(segments.slice(10).map((segment) => segment.key)).toEqual(range(10, 39).map(key));
  });

  test('what has left the dvr window before it came is not waited for, and the window has no gaps', () => {
    const rig = outage({ dvr: { segments: 20, seconds: 0 } }, 59);
    liveIsBack(rig);
    expect(answers(rig, 'backlog')).toEqual(range(10, 39));
    expect(rig.reports.join()).toContain('go on without segments');
    storeNext(rig, 100);
    expect(marks(rig, 'dvr')).toBe(range(40, 59).join(' '));
    expect(rig.answers).toHaveLength(60);
  });

  test('an event playlist that is full wants no more', () => {
    const rig = outage({ eventSeconds: 120 }, 59);
    liveIsBack(rig);
    storeNext(rig, 10);
    expect(marks(rig, 'event')).toBe(upTo(19));
    expect(rig.recorded.get('live/low-event.m3u8')).toMatch(/\n#EXT-X-ENDLIST\n$/);
    expect(rig.uploads).toEqual([]);
    expect(answers(rig, 'backlog')).toEqual(range(10, 53));
  });

  test('more than the state line can say is given up, the oldest first, counted and told', () => {
    const rig = Rig.live(['low'], 10, EVENT);
    rig.store.segment = () => false;
    // No two of the same length: each stands for itself in the state line.
    let from = 60;
    for (let i = 10; i < 330; i++) {
      const to = 6 * (i + 1) + (i % 2) / 10 + (i % 7) / 100;
      rig.to(to);
      rig.segment('low', i, from, to);
      from = to;
    }
    liveIsBack(rig);
    const { length } = /^#hls-uplink.*$/m.exec(rig.texts.get('live/low.m3u8')!)![0];
    expect(length).toBeLessThan(48_000);
    const first = rig.state.renditions['low']!.arrears.first!.number;
    expect(first).toBeGreaterThan(10);
    expect(answers(rig, 'backlog')).toEqual(range(10, first - 1));
    expect(rig.reports.join()).toContain('go on without segments');
    storeNext(rig, 1000);
    expect(marks(rig, 'event')).toBe(
      [upTo(9), ...range(10, first - 1).map((number) => `${number}G`), ...range(first, 329)].join(' '),
    );
    expect(rig.answers).toHaveLength(330);
  });
});

describe('what viewers are told of what the live playlist skipped', () => {
  test('a date range of it stands in dvr and event, and is no draft of the turn that skipped it, nor lost with a restart', () => {
    const rig = Rig.live(['low'], 10, BOTH);
    const pts = 90 * 90_000;
    const cue = { kind: 'out' as const, eventId: 7, pts, section: 'FC30', immediate: false };
    rig.store.segment = () => false;
    for (let i = 10; i < 40; i++) rig.step(['low'], i, i === 15 ? { markers: [cue] } : {});
    liveIsBack(rig);
    const next = successor(rig, BOTH);
    announceAgain(next, range(10, 33));
    storeNext(rig, 24);
    for (const one of [rig, next]) one.step(['low'], 40);
    for (const one of [rig, next])
      for (const view of ['dvr', 'event'])
        expect(one.recorded.get(`live/low-${view}.m3u8`)).toContain('#EXT-X-DATERANGE:ID="scte35-');
  });
});

describe('dvr and event playlists after an outage of the uploader', () => {
  /** It was away for 14 segments; its segmenters come back, one a second behind the other. */
  function back(come: (rig: Rig, who: string) => void): Rig {
    const who = ['low', 'high'];
    const before = Rig.live(who, 10, BOTH);
    before.to(144);
    const rig = successor(before, BOTH, { who: [] });
    for (const name of who) {
      rig.connect(name, { renditions: who });
      come(rig, name);
      rig.at += 1000;
    }
    return rig;
  }
  const announceAll = (rig: Rig, name: string): void => {
    for (let i = 10; i < 24; i++) rig.segment(name, i, 6 * i, 6 * i + 6);
  };

  test('have no gaps for what the second announces a second later', () => {
    const rig = back(announceAll);
    rig.step(['low', 'high'], 24);
    for (const name of ['low', 'high'])
      for (const view of ['dvr', 'event'])
        expect(see(rig.recorded.get(`live/${name}-${view}.m3u8`)!).entries.map(({ gap }) => gap)).toEqual(
          range(0, 24).map(() => false),
        );
    expect(rig.entries('high').split(' ').at(-1)).toBe('24');
  });

  test('wait no longer than its deadlines for what does not come', () => {
    const rig = back((one, name) => {
      if (name === 'low') announceAll(one, name);
    });
    rig.to(144 + 20);
    expect(rig.entries('low').split(' ').at(-1)).toBe('23');
    expect(rig.entries('high')).toMatch(/23G$/);
  });
});

describe('dvr and event playlists of a stream that begins in an outage', () => {
  /** Nothing can be stored from the first segment on. */
  function begun(renditions: string[], settings: Partial<ChannelSettings>, last: number): Rig {
    const rig = Rig.live(renditions, 0, settings);
    rig.store.segment = () => false;
    for (let i = 0; i <= last; i++) rig.step(renditions, i);
    return rig;
  }

  test('begin with the first segment, the live one at the edge', () => {
    const rig = begun(['low'], BOTH, 39);
    liveIsBack(rig);
    expect(rig.entries('low')).toBe('34 35 36 37 38 39');
    expect([...rig.recorded.keys()]).toEqual([]);
    storeNext(rig, 100);
    for (const view of ['dvr', 'event']) expect(marks(rig, view)).toBe(upTo(39));
    expect(answers(rig, 'published')).toEqual(range(34, 39));
    expect(answers(rig, 'backlog')).toEqual(range(0, 33));
    expect(rig.deleted).toEqual([]);
  });

  test('hold back nothing when what they begin with is lost', () => {
    const rig = begun(['low'], BOTH, 39);
    liveIsBack(rig);
    rig.happen({ type: 'segment-lost', id: { session: sessionOf('low'), index: 0 } });
    storeNext(rig, 100);
    for (const view of ['dvr', 'event']) expect(marks(rig, view)).toBe(upTo(39).replace('0 ', '0G '));
  });

  test('have the same entries under the same numbers in renditions that began apart', () => {
    const rig = Rig.live(['low', 'high'], 0, BOTH);
    rig.store.segment = () => false;
    for (let i = 0; i < 40; i++) rig.step(i < 3 ? ['low'] : ['low', 'high'], i);
    liveIsBack(rig);
    storeNext(rig, 200);
    for (const view of ['dvr', 'event']) {
      expect(marks(rig, view)).toBe(upTo(39));
      expect(see(rig.recorded.get(`live/high-${view}.m3u8`)!).entries.map(({ number }) => number)).toEqual(
        range(3, 39),
      );
    }
  });

  test('do not begin with a partial segment of which a sibling has more', () => {
    const rig = Rig.live(['low', 'high'], 0, BOTH);
    rig.store.segment = () => false;
    rig.to(6);
    rig.segment('high', 0, 4, 6, { ended: 'cut' });
    rig.segment('low', 0, 0, 6);
    for (let i = 1; i < 40; i++) rig.step(['low', 'high'], i);
    liveIsBack(rig);
    storeNext(rig, 200);
    expect(see(rig.recorded.get('live/high-event.m3u8')!).entries.map(({ number }) => number)).toEqual(
      range(1, 39),
    );
    expect(rig.answers).toContain('high/0 partial');
  });

  test('wait for bytes that are elsewhere', () => {
    const rig = Rig.live(['low'], 0, BOTH);
    rig.to(240);
    rig.told('low', 0, 39);
    // Until the stream begins the bytes are asked for in order.
    announceAgain(rig, [0]);
    expect(isBehind(rig.state, { session: sessionOf('low'), index: 1 })).toBe(true);
    announceAgain(rig, range(34, 39));
    expect(rig.entries('low')).toBe('34 35 36 37 38 39');
    expect([...rig.recorded.keys()]).not.toEqual([]);
    expect(settled(rig)).toBe(0);
    announceAgain(rig, range(1, 33));
    for (const view of ['dvr', 'event']) expect(marks(rig, view)).toBe(upTo(39));
    expect(settled(rig)).toBe(39);
  });

  test('are begun by another uploader as they would have been', () => {
    const rig = begun(['low'], BOTH, 39);
    liveIsBack(rig);
    const next = successor(rig, BOTH);
    next.step(['low'], 40);
    announceAgain(next, range(0, 33));
    for (const view of ['dvr', 'event']) expect(marks(next, view)).toBe(upTo(40));
  });
});

describe('another uploader, its journal empty', () => {
  test('waits for what dvr and event still wait for, and its announcers say it again', () => {
    const rig = outage(BOTH, 39);
    liveIsBack(rig);
    storeNext(rig, 5);
    rig.store.segment = (_, index) => index >= 40;
    rig.step(['low'], 40);
    for (const view of ['dvr', 'event']) expect(marks(rig, view)).toBe(upTo(14));
    const next = successor(rig, BOTH);
    expect(settled(next)).toBe(14);
    expect(accepted(next)).toEqual([]);
    // Answered by the uploader before, which the segmenter has not heard.
    announceAgain(next, [13, 36]);
    expect(next.answers).toEqual(['low/13 published', 'low/36 published']);
    announceAgain(next, range(15, 33));
    next.step(['low'], 41);
    expect(next.entries('low')).toBe('36 37 38 39 40 41');
    for (const view of ['dvr', 'event']) expect(marks(next, view)).toBe(upTo(41));
    expect(answers(next, 'backlog')).toEqual(range(15, 33));
    expect(settled(next)).toBe(41);
  });

  test('with the journal that was accepted out of order, too', () => {
    const rig = Rig.live(['low'], 10, BOTH);
    const next = successor(rig, BOTH);
    const session = sessionOf('low');
    next.to(246);
    const wallClock = new Date(next.at).toISOString();
    const gap = {
      type: 'gap' as const,
      session,
      index: 34,
      startPts: 204 * 90_000,
      endPts: 210 * 90_000,
      wallClock,
      reason: 'test',
    };
    next.happen({ type: 'accepted', announcement: gap, behind: [[10, 33]] });
    expect(settled(next)).toBe(9);
  });

  test('reads back the line of as much as may wait, and a window that left behind it', () => {
    const rig = Rig.live(['low'], 10, { eventSeconds: 1e9 });
    rig.to(6 * 3110);
    rig.connect('low');
    rig.told('low', 10, 3109);
    const first = rig.state.renditions['low']!.queue.first!.id.index;
    for (let i = first; i < 3120; i++) {
      rig.to(6 * (i + 1));
      rig.segment('low', i, 6 * i, 6 * (i + 1));
    }
    expect(successor(rig, { eventSeconds: 1e9 }).state.refusal).toBeUndefined();
  });

  test('drops what comes behind newer ones that were accepted before it, and nothing knows of', () => {
    const rig = Rig.live(['low'], 10, BOTH);
    const next = successor(rig, BOTH);
    for (const index of [34, 35, 36]) {
      next.to(6 * (index + 1));
      next.segment('low', index, 6 * index, 6 * (index + 1), { behind: [[10, 33]] });
    }
    next.segment('low', 12, 72, 78);
    expect(answers(next, 'backlog')).toEqual([12]);
    expect(next.entries('low').split(' ').slice(-3)).toEqual(['10D', '11', '12']);
  });

  test('takes from the one what the other is still to have', () => {
    const rig = outage(BOTH, 39);
    liveIsBack(rig);
    rig.store.recording = (view) => (view === 'event' ? 'held' : 'stored');
    storeNext(rig, 10);
    expect([marks(rig, 'dvr'), marks(rig, 'event')]).toEqual([upTo(19), upTo(9)]);
    rig.store.segment = (_, index) => index >= 40;
    rig.step(['low'], 40);
    const next = successor(rig, BOTH);
    expect(marks(next, 'event')).toBe(upTo(19));
    announceAgain(next, range(10, 33));
    expect(next.puts).toEqual(range(20, 33).map((index) => `low/${index}`));
    for (const view of ['dvr', 'event']) expect(marks(next, view)).toBe(upTo(40));
  });

  test('knows what has left the live window while they were behind', () => {
    const rig = outage(BOTH, 39);
    liveIsBack(rig);
    rig.store.segment = (_, index) => index >= 40;
    for (let i = 40; i < 60; i++) rig.step(['low'], i);
    const next = successor(rig, BOTH);
    announceAgain(next, range(10, 33));
    for (const view of ['dvr', 'event']) expect(marks(next, view)).toBe(upTo(59));
  });
});
