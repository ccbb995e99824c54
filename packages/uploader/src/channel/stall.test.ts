import { describe, expect, test } from '@jest/globals';
import { BEGIN_MS, Rig, sessionOf } from './testing/rig.js';
import { see } from './testing/viewer.js';

const BOTH = ['low', 'mid'];
const AWAY = { awayTimeoutMs: 60_000 };

const ended = (rig: Rig): boolean[] => BOTH.map((name) => rig.playlist(name).endList);
const published = (rig: Rig) => [...rig.texts].map(([key, text]) => ({ key, text }));

describe('a channel that nobody delivers to', () => {
  test('is stalled after 1.5 target durations, since its last delivery, until somebody delivers', () => {
    const rig = Rig.live(BOTH, 4);
    const last = rig.at;
    rig.to(24 + 8.9);
    expect(rig.state.stalledSinceMs).toBeUndefined();
    rig.to(24 + 9);
    expect(rig.state.stalledSinceMs).toBe(last);
    rig.segment('mid', 4, 24, 30);
    expect(rig.state.stalledSinceMs).toBeUndefined();
  });

  test('is not stalled for what the uploader could not take in, nor ended', () => {
    const rig = Rig.live(BOTH, 4, AWAY);
    for (let second = 30; second <= 200; second += 5) {
      rig.to(second);
      rig.happen({ type: 'held-up' });
    }
    rig.to(200 + 8.9);
    expect([rig.state.phase, rig.state.stalledSinceMs]).toEqual(['live', undefined]);
    rig.to(200 + 9);
    expect(rig.state.stalledSinceMs).toBe(BEGIN_MS + 200_000);
    rig.to(260);
    expect([rig.state.phase, rig.state.stalledSinceMs]).toEqual(['ended', undefined]);
  });

  test('is not stalled while one of its renditions delivers', () => {
    const rig = Rig.live(BOTH, 4);
    for (let i = 4; i < 10; i++) {
      rig.step(['low'], i);
      expect(rig.state.stalledSinceMs).toBeUndefined();
    }
  });

  test('is not stalled before it is live, nor after its end', () => {
    const rig = new Rig();
    rig.connect('low', { renditions: BOTH });
    rig.to(100);
    expect(rig.state.stalledSinceMs).toBeUndefined();
    const over = Rig.live(BOTH, 4);
    over.happen({ type: 'end-requested' });
    over.to(100);
    expect(over.state.stalledSinceMs).toBeUndefined();
  });

  test.each(['end-requested', '--away-timeout'])(
    'ends by %s though it has skipped to what never comes, and the next stream begins',
    (how) => {
      const rig = Rig.live(['low'], 4, AWAY);
      rig.to(80);
      rig.told('low', 4, 99);
      expect(rig.state.renditions['low']!.entries).toEqual([]);
      if (how === 'end-requested') rig.happen({ type: 'end-requested' });
      else rig.lose('low');
      rig.to(200);
      expect(rig.state.phase).toBe('ended');
      expect(rig.playlist('low').endList).toBe(true);
      rig.connect('low~b');
      rig.to(712);
      rig.segment('low~b', 0, 700, 706);
      rig.segment('low~b', 1, 706, 712);
      expect(rig.state).toMatchObject({ life: 2, phase: 'live' });
      expect(rig.playlist('low').entries.map(({ gap }) => gap)).toEqual([false, false]);
    },
  );

  test('ends behind what it has skipped, and recordings have there what the live playlist has', () => {
    const rig = Rig.live(['low'], 4, { eventSeconds: 3600 });
    rig.store.segment = () => false;
    for (let i = 4; i < 30; i++) rig.step(['low'], i);
    rig.told('low', 30, 35);
    expect(rig.playlist('low').entries.at(-1)!.number).toBe(3);
    rig.happen({ type: 'end-requested' });
    const uploads = rig.uploads;
    rig.store.segment = () => true;
    for (const { id } of uploads) rig.happen({ type: 'segment-stored', id });
    rig.to(1000);
    const live = rig.playlist('low');
    const event = see(rig.recorded.get('live/low-event.m3u8')!);
    expect([live.endList, event.endList]).toEqual([true, true]);
    expect(live.entries).toEqual([expect.objectContaining({ gap: true })]);
    expect(event.entries.at(-1)).toEqual(live.entries[0]);
    expect(event.entries.filter(({ gap }) => gap)).toHaveLength(1);
  });

  test('asked to end before anything of it could be had, is asked nothing of the next stream', () => {
    const rig = new Rig();
    rig.connect('low');
    rig.store.segment = () => false;
    rig.segment('low', 0, 0, 6);
    rig.happen({ type: 'end-requested' });
    rig.happen({ type: 'segment-lost', id: { session: sessionOf('low'), index: 0 } });
    expect(rig.state).toMatchObject({ phase: 'starting', endRequested: false });
    rig.store.segment = () => true;
    rig.connect('low');
    for (let i = 1; i < 4; i++) rig.step(['low'], i);
    expect(rig.playlist('low').endList).toBe(false);
  });

  test.each([
    { name: 'connected', part: (): void => undefined },
    {
      name: 'lost',
      part: (rig: Rig): void =>
        BOTH.forEach((name) => rig.happen({ type: 'disconnected', session: sessionOf(name) })),
    },
    {
      name: 'gone by leave',
      part: (rig: Rig): void =>
        BOTH.forEach((name) =>
          rig.happen({
            type: 'accepted',
            announcement: { type: 'leave', session: sessionOf(name), index: 4, reason: 'stopped' },
          }),
        ),
    },
  ])('waits for ever by default, and ends after the away timeout: sources $name', ({ part }) => {
    const waiting = Rig.live(BOTH, 4);
    part(waiting);
    waiting.to(30 * 24 * 3600);
    expect(ended(waiting)).toEqual([false, false]);

    const rig = Rig.live(BOTH, 4, AWAY);
    part(rig);
    rig.to(24 + 59.9);
    expect(ended(rig)).toEqual([false, false]);
    rig.to(24 + 60);
    expect(ended(rig)).toEqual([true, true]);
    expect(rig.entries('low')).toBe('0 1 2 3');
  });

  test('never ends sooner than 3 target durations after its last delivery', () => {
    const rig = Rig.live(BOTH, 4, { awayTimeoutMs: 1 });
    rig.to(24 + 17.9);
    expect(ended(rig)).toEqual([false, false]);
    rig.to(24 + 18);
    expect(ended(rig)).toEqual([true, true]);
  });

  test('any delivery counts the timeout anew; one after the end begins a new life without a new connection', () => {
    const rig = Rig.live(BOTH, 4, AWAY);
    rig.to(80);
    for (const name of BOTH) rig.segment(name, 4, 74, 80);
    rig.to(139.9);
    expect(ended(rig)).toEqual([false, false]);
    rig.to(140);
    expect(ended(rig)).toEqual([true, true]);
    const last = rig.state.renditions['low']!.tail;
    rig.to(150);
    for (const name of BOTH) rig.segment(name, 5, 144, 150);
    expect(rig.state.life).toBe(2);
    expect(rig.entries('low')).toBe(`${last + 1}D`);
    expect(ended(rig)).toEqual([false, false]);
  });

  test('one that is short of a sibling has its gaps before the end', () => {
    const rig = Rig.live(BOTH, 4, AWAY);
    rig.step(['low'], 4);
    rig.to(30 + 60);
    expect(rig.entries('mid')).toBe('0 1 2 3 4G');
    expect(ended(rig)).toEqual([true, true]);
  });

  test('ends only when the store has what was delivered', () => {
    const rig = Rig.live(BOTH, 4, AWAY);
    rig.store.segment = () => false;
    rig.step(BOTH, 4);
    rig.to(200);
    expect(ended(rig)).toEqual([false, false]);
    for (const { id } of rig.uploads.splice(0)) rig.happen({ type: 'segment-stored', id });
    expect(rig.entries('low')).toBe('0 1 2 3 4');
    expect(ended(rig)).toEqual([true, true]);
  });

  test('what is only announced does not keep it from ending, and begins a new life should its bytes come', () => {
    const rig = Rig.live(BOTH, 4, AWAY);
    for (const name of BOTH) rig.told(name, 4, 5);
    rig.to(24 + 59.9);
    expect(ended(rig)).toEqual([false, false]);
    rig.to(24 + 60);
    expect(ended(rig)).toEqual([true, true]);
    expect(rig.entries('low')).toBe('0 1 2 3');
    for (const name of BOTH) rig.segment(name, 4, 24, 30);
    expect(rig.entries('low')).toBe('4D');
    expect(rig.answers).toContain('low/4 published');
  });

  test('what is announced while the end waits for the store is waited for', () => {
    const rig = Rig.live(BOTH, 4, AWAY);
    rig.store.segment = () => false;
    rig.step(BOTH, 4);
    rig.to(200);
    rig.told('low', 5);
    rig.told('mid', 5);
    for (const name of BOTH) rig.segment(name, 5, 30, 36);
    rig.store.segment = () => true;
    for (const { id } of rig.uploads.splice(0)) rig.happen({ type: 'segment-stored', id });
    expect(rig.entries('low')).toBe('0 1 2 3 4 5');
    expect(ended(rig)).toEqual([false, false]);
  });

  test('an uploader that was started again counts anew, and ends it though no source ever comes', () => {
    const before = Rig.live(BOTH, 4, AWAY);
    const rig = new Rig(published(before), AWAY);
    for (const [key, text] of before.texts) rig.texts.set(key, text);
    expect(rig.state.phase).toBe('live');
    rig.to(9);
    expect(rig.state.stalledSinceMs).toBe(rig.state.openedMs);
    rig.to(59.9);
    expect(ended(rig)).toEqual([false, false]);
    rig.to(60);
    expect(ended(rig)).toEqual([true, true]);
  });
});
