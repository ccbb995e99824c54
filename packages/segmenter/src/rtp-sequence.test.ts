import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { REORDER_WINDOW, RtpSequence, type RtpCounters } from './rtp-sequence.js';

const START_SSRC = 1;

interface Run {
  out: number[];
  counters: RtpCounters;
}

/** Pushes packets by their unlimited number; what comes out is those numbers. */
class Bench {
  readonly out: number[] = [];
  readonly sequence = new RtpSequence((datagram) =>
    this.out.push(new DataView(datagram.buffer).getFloat64(0)),
  );

  push(...numbers: number[]): this {
    for (const number of numbers) this.pushFrom(START_SSRC, number);
    return this;
  }

  pushFrom(ssrc: number, number: number): this {
    const datagram = new Uint8Array(8);
    new DataView(datagram.buffer).setFloat64(0, number);
    this.sequence.push(ssrc, number & 0xffff, datagram, 0, 8);
    return this;
  }

  end(): Run {
    this.sequence.flush();
    return { out: this.out, counters: this.sequence.counters };
  }
}

const counts = (more: Partial<RtpCounters>): RtpCounters => ({
  received: 0,
  lost: 0,
  late: 0,
  duplicates: 0,
  reordered: 0,
  restarts: 0,
  ...more,
});

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n);

describe('by hand', () => {
  test.each<[string, number[], number[], Partial<RtpCounters>]>([
    ['in order', [5, 6, 7], [5, 6, 7], {}],
    ['over the wrap', [65534, 65535, 65536, 65537], [65534, 65535, 65536, 65537], {}],
    ['two swapped', [1, 3, 2, 4], [1, 2, 3, 4], { reordered: 1 }],
    ['two swapped at the wrap', [65534, 65536, 65535, 65537], [65534, 65535, 65536, 65537], { reordered: 1 }],
    ['one behind others', [1, 3, 4, 5, 2], [1, 2, 3, 4, 5], { reordered: 1 }],
    ['backwards', [1, 5, 4, 3, 2], [1, 2, 3, 4, 5], { reordered: 3 }],
    ['one lost', [1, 2, 4, 5], [1, 2, 4, 5], { lost: 1 }],
    ['several lost', [1, 5, 9], [1, 5, 9], { lost: 6 }],
    ['one twice', [1, 2, 2, 3], [1, 2, 3], { duplicates: 1 }],
    ['one twice while another is waited for', [1, 3, 3, 2], [1, 2, 3], { duplicates: 1, reordered: 1 }],
    ['all twice', [1, 1, 2, 2, 3, 3], [1, 2, 3], { duplicates: 3 }],
    ['from before the first', [5, 4, 6], [5, 6], {}],
    ['more lost than the window holds', [1, 501, 502], [1, 501, 502], { lost: 499 }],
  ])('%s', (_what, pushed, out, more) => {
    expect(new Bench().push(...pushed).end()).toEqual({
      out,
      counters: counts({ received: pushed.length, ...more }),
    });
  });

  test('one that comes after it was given up is late, and stays lost', () => {
    const bench = new Bench().push(1, ...range(3, 3 + REORDER_WINDOW));
    expect(bench.sequence.held).toBe(0);
    expect(bench.push(2, 2).end()).toEqual({
      out: [1, ...range(3, 3 + REORDER_WINDOW)],
      counters: counts({ received: REORDER_WINDOW + 3, lost: 1, late: 1, duplicates: 1 }),
    });
  });

  test('a skip gives up the first that is missing, and no other', () => {
    const bench = new Bench().push(1, 3, 4, 6);
    expect(bench.sequence.expected).toBe(2);
    bench.sequence.skip();
    expect(bench.out).toEqual([1, 3, 4]);
    expect(bench.sequence.expected).toBe(5);
    expect(bench.push(5).end()).toEqual({
      out: [1, 3, 4, 5, 6],
      counters: counts({ received: 5, lost: 1, reordered: 1 }),
    });
    bench.sequence.skip();
    expect(bench.sequence.counters.lost).toBe(1);
  });

  test('a flush gives up what is missing, once', () => {
    const bench = new Bench().push(1, 3, 5);
    expect(bench.sequence.held).toBe(2);
    bench.sequence.flush();
    expect(bench.out).toEqual([1, 3, 5]);
    expect(bench.push(2, 6).end().counters).toEqual(counts({ received: 5, lost: 2, late: 1 }));
  });
});

describe('a new start', () => {
  test('of another SSRC, from its first packet on', () => {
    const bench = new Bench().push(100, 101);
    bench.pushFrom(2, 7000).pushFrom(2, 7001).pushFrom(2, 7002);
    expect(bench.end()).toEqual({
      out: [100, 101, 7000, 7001, 7002],
      counters: counts({ received: 5, restarts: 1 }),
    });
  });

  test('of the same SSRC with far numbers', () => {
    expect(new Bench().push(10, 11, 40000, 40001).end()).toEqual({
      out: [10, 11, 40000, 40001],
      counters: counts({ received: 4, restarts: 1 }),
    });
  });

  test('hands on what was held before', () => {
    expect(new Bench().push(10, 12, 40000, 40001).end()).toEqual({
      out: [10, 12, 40000, 40001],
      counters: counts({ received: 4, lost: 1, restarts: 1 }),
    });
  });

  test('is not believed of one stray packet, nor of a second sender while the first goes on', () => {
    const bench = new Bench().push(10, 40000, 11);
    for (let n = 0; n < 50; n++) bench.pushFrom(2, 7000 + n).push(12 + n);
    expect(bench.end()).toMatchObject({ out: range(10, 62), counters: { lost: 0, restarts: 0 } });
  });
});

describe('any order within the window', () => {
  /** The first stays first: what comes before it is nobody's. */
  const shuffled = fc
    .tuple(
      fc.oneof(fc.nat(0xffff), fc.integer({ min: 0xff80, max: 0xffff })),
      fc.array(fc.nat(REORDER_WINDOW - 1), { minLength: 1, maxLength: 400, size: 'max' }),
    )
    .map(([start, delays]) => ({
      start,
      order: delays
        .map((delay, n) => ({ number: start + 1 + n, place: n + delay }))
        .sort((a, b) => a.place - b.place)
        .map(({ number }) => number),
    }));

  test('gives the original one', () => {
    let wraps = 0;
    let moved = 0;
    fc.assert(
      fc.property(shuffled, ({ start, order }) => {
        const original = range(start, start + order.length + 1);
        const { out, counters } = new Bench().push(start, ...order).end();
        expect(out).toEqual(original);
        const reordered = order.filter((number, n) => order.slice(0, n).some((one) => one > number)).length;
        expect(counters).toEqual(counts({ received: original.length, reordered }));
        if (original.some((number) => (number & 0xffff) === 0)) wraps++;
        if (reordered > 0) moved++;
      }),
      { numRuns: 500 },
    );
    expect(moved).toBeGreaterThan(400);
    expect(wraps).toBeGreaterThan(100);
  });

  test('with losses and repetitions: each counted, nothing else missing, nothing twice', () => {
    const seen = { lost: 0, duplicates: 0, wraps: 0 };
    const stream = fc.tuple(
      shuffled,
      fc.array(fc.constantFrom('keep', 'keep', 'lose', 'repeat'), { size: 'max', maxLength: 50 }),
    );
    fc.assert(
      fc.property(stream, ({ 0: { start, order }, 1: fates }) => {
        const last = start + order.length + 1;
        const fateOf = (number: number): string =>
          fates[(number - start) % Math.max(1, fates.length)] ?? 'keep';
        const sent = order.flatMap((number) => {
          const fate = fateOf(number);
          return fate === 'lose' ? [] : fate === 'repeat' ? [number, number] : [number];
        });
        // The last one shows that those before it were lost.
        const { out, counters } = new Bench().push(start, ...sent, last).end();
        const expected = range(start, last + 1).filter(
          (n) => n === start || n === last || fateOf(n) !== 'lose',
        );
        expect(out).toEqual(expected);
        expect(counters).toMatchObject({
          lost: order.length - new Set(sent).size,
          duplicates: sent.length - new Set(sent).size,
          late: 0,
          restarts: 0,
        });
        seen.lost += counters.lost;
        seen.duplicates += counters.duplicates;
        if (start <= 0xffff && last > 0xffff) seen.wraps++;
      }),
      { numRuns: 500 },
    );
    expect(seen.lost).toBeGreaterThan(1000);
    expect(seen.duplicates).toBeGreaterThan(1000);
    expect(seen.wraps).toBeGreaterThan(100);
  });

  test('anything at all: bounded, in order, none twice', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { maxLength: 500 }), (numbers) => {
        const bench = new Bench();
        for (const number of numbers) {
          bench.push(number);
          expect(bench.sequence.held).toBeLessThan(REORDER_WINDOW);
        }
        const { out, counters } = bench.end();
        expect(out).toEqual([...new Set(out)].sort((a, b) => a - b));
        expect(out.length).toBeLessThanOrEqual(counters.received - counters.duplicates - counters.late);
      }),
    );
  });
});
