import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { produce } from 'immer';
import { Queue } from './queue.js';
import type { Item } from './state.js';

function item(index: number, epoch: number, start: number): Item {
  const session = '0'.repeat(32);
  return {
    id: { session, index },
    announcement: {
      type: 'gap',
      session,
      index,
      startPts: start,
      endPts: start + 10,
      wallClock: '2024-01-01T00:00:00.000Z',
      reason: 'test',
    },
    epoch,
    place: 0,
    start,
    end: start + 10,
    fromStart: true,
    toCut: true,
    state: 'undecided',
    answered: false,
  };
}

const indexes = (queue: Queue): number[] => queue.items.map(({ id }) => id.index);

describe('a queue', () => {
  test('property: keeps the order of the timeline, and that of arrival where it is the same', () => {
    const place = fc.record({ epoch: fc.integer({ min: 1, max: 3 }), start: fc.integer({ min: 0, max: 9 }) });
    fc.assert(
      fc.property(fc.array(place, { maxLength: 30 }), (places) => {
        const items = places.map(({ epoch, start }, index) => item(index, epoch, start));
        const queue = items.reduce((all, one) => all.with(one), Queue.empty);
        const sorted = items.toSorted((a, b) => a.epoch - b.epoch || a.start - b.start);
        expect(indexes(queue)).toEqual(sorted.map(({ id }) => id.index));
        expect([queue.first, queue.last, queue.length]).toEqual([sorted[0], sorted.at(-1), sorted.length]);
      }),
    );
  });

  test('is never changed, but replaced by another', () => {
    const one = Queue.empty.with(item(0, 1, 0)).with(item(1, 1, 10));
    const changed = one.replaced({ ...one.items[1]!, state: 'lost' });
    expect(changed.items.map(({ state }) => state)).toEqual(['undecided', 'lost']);
    expect(indexes(changed.without(one.items[0]!.id))).toEqual([1]);
    expect(changed.map((each) => ({ ...each, epoch: 2 })).items.map(({ epoch }) => epoch)).toEqual([2, 2]);
    expect(one.items.map(({ state, epoch }) => [state, epoch])).toEqual(Array(2).fill(['undecided', 1]));
    expect(() => Object.assign(changed.items[0]!, { state: 'lost' })).toThrow(TypeError);
  });

  test('does nothing when asked to go on without what it has not', () => {
    const one = Queue.empty.with(item(0, 1, 0));
    expect(one.without({ ...one.items[0]!.id, index: 7 })).toBe(one);
    expect(one.find({ ...one.items[0]!.id, session: '1'.repeat(32) })).toBeUndefined();
    expect(() => one.replaced(item(7, 1, 0))).toThrow(RangeError);
  });

  test('is one value to immer: reading it in a draft makes no draft of what is in it', () => {
    const queue = Queue.empty.with(item(0, 1, 0));
    const next = produce({ queue, more: 0 }, (draft) => {
      expect(draft.queue).toBe(queue);
      expect(draft.queue.first).toBe(queue.first);
      draft.more++;
    });
    expect(next.queue).toBe(queue);
  });
});
