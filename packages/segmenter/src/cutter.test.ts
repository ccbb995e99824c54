import { describe, expect, test } from '@jest/globals';
import { NO_TIMESTAMP, TIMESTAMP_MODULUS, wrapTimestamp } from '@hls-uplink/mpegts';
import fc from 'fast-check';
import { Cutter, type Decision } from './cutter.js';

const FRAME = 3600;
const ticks = (seconds: number): number => Math.round(seconds * 90_000);

interface Picture {
  pts: number;
  key: boolean;
}

/** Pictures of 25 a second from `first` on, a key picture every `gop` seconds, timestamps as they stand in a stream. */
function pictures(first: number, gop: number, seconds: number): Picture[] {
  const perGop = Math.round(gop * 25);
  return Array.from({ length: Math.round(seconds * 25) }, (_, n) => ({
    pts: wrapTimestamp(ticks(first) + n * FRAME),
    key: n % perGop === 0,
  }));
}

function cuts(cutter: Cutter, stream: readonly Picture[]): [seconds: number, Decision][] {
  return stream.flatMap(({ pts, key }) => {
    const decision = cutter.unit(pts, key, false, false, FRAME);
    return decision === 'on' || decision === 'wait' ? [] : [[pts / 90_000, decision] as [number, Decision]];
  });
}

describe('the rule', () => {
  test('GOPs of 2 s from 1.48 on with target 6 are cut at 7.48, 13.48 and 19.48', () => {
    expect(cuts(new Cutter(6), pictures(1.48, 2, 20))).toEqual([
      [1.48, 'start'],
      [7.48, 'cut'],
      [13.48, 'cut'],
      [19.48, 'cut'],
    ]);
  });

  test('the wrap is a cut: keys at 95441.48, 95443.48 and then raw 1.762', () => {
    // 95441.48 lies in slot 15906, 95443.48 in 15907; 95445.48 − 2^33 / 90000 = 1.762 in slot 0, 7.762 in slot 1.
    expect(cuts(new Cutter(6), pictures(95441.48, 2, 14)).map(([at, why]) => [at.toFixed(3), why])).toEqual([
      ['95441.480', 'start'],
      ['95443.480', 'cut'],
      ['1.762', 'cut'],
      ['7.762', 'cut'],
    ]);
  });

  test('who joins after the wrap cuts at the same pictures', () => {
    const stream = pictures(95441.48, 2, 40);
    const late = stream.slice(stream.findIndex(({ pts }) => pts < ticks(1000)) + 70);
    const all = cuts(new Cutter(6), stream).map(([at]) => at);
    const joined = cuts(new Cutter(6), late).map(([at]) => at);
    expect(joined.length).toBeGreaterThan(4);
    expect(all.slice(-(joined.length - 1))).toEqual(joined.slice(1));
  });

  test('wherever two join, they cut alike from the second slot on (property)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: TIMESTAMP_MODULUS - 1 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 2, max: 10 }),
        fc.integer({ min: 1, max: 700 }),
        (first, gop, target, join) => {
          const stream = pictures(first / 90_000, gop, 60);
          const all = new Set(cuts(new Cutter(target), stream).map(([at]) => at));
          const joined = cuts(new Cutter(target), stream.slice(join)).map(([at]) => at);
          for (const at of joined.slice(1)) expect(all).toContain(at);
        },
      ),
    );
  });

  test('a steady GOP makes no segment longer than GOP · ⌈target / GOP⌉ (property)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: TIMESTAMP_MODULUS - 1 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 2, max: 10 }),
        (first, gop, target) => {
          const found = cuts(new Cutter(target), pictures(first / 90_000, gop, 60));
          for (let n = 1; n < found.length; n++) {
            const length = wrapTimestamp(ticks(found[n]![0]) - ticks(found[n - 1]![0]));
            expect(length).toBeLessThanOrEqual(ticks(gop * Math.ceil(target / gop)));
            expect(found[n]![1]).toBe('cut');
          }
        },
      ),
    );
  });
});

describe('the limit', () => {
  test('until the channel tells, it is three times the target', () => {
    const found = cuts(new Cutter(2), pictures(0, 100, 14));
    // 6.48 s round to 6; one picture more would be 6.52.
    expect(found.map(([at]) => at)).toEqual([0, expect.closeTo(6.48, 5), expect.closeTo(12.96, 5)]);
    expect(found[1]![1]).toBe('forced');
  });

  test('told, no segment rounds above it, whatever the GOP (property)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.integer({ min: 1, max: 30 }), (limit, gop) => {
        const cutter = new Cutter(6);
        cutter.setTargetDuration(limit);
        const found = cuts(cutter, pictures(1.48, gop, 60));
        for (let n = 1; n < found.length; n++)
          expect(Math.round(found[n]![0] - found[n - 1]![0])).toBeLessThanOrEqual(limit);
      }),
    );
  });

  test('told in the middle of a segment that is longer already, it cuts at once, without a discontinuity', () => {
    const cutter = new Cutter(6);
    cuts(cutter, pictures(0, 100, 10));
    cutter.setTargetDuration(6);
    expect(cutter.unit(ticks(10), false, false, false, FRAME)).toBe('forced');
    expect(cutter.discontinuity).toBeUndefined();
  });

  test('with B pictures it cuts before the picture that would go too far', () => {
    const cutter = new Cutter(2);
    cutter.setTargetDuration(2);
    // I P B B P B B: the P is decoded first and shown two pictures later.
    const stream = Array.from({ length: 200 }, (_, n) => {
      const place = (n - 1) % 3;
      return { pts: ticks(10) + (n === 0 ? 0 : n + (place === 0 ? 2 : -1)) * FRAME, key: n === 0 };
    });
    const found = cuts(cutter, stream);
    expect(found.length).toBeGreaterThan(2);
    for (let n = 1; n < found.length; n++) expect(found[n]![0] - found[n - 1]![0]).toBeLessThan(2.5);
  });

  test('pictures dropped where the limit lies: the segment is said to end in time', () => {
    const cutter = new Cutter(6);
    cutter.setTargetDuration(6);
    cuts(cutter, pictures(0, 100, 6.2));
    // From 6.16 s to 6.9 s.
    expect(cutter.unit(ticks(6.9), false, false, false, FRAME)).toBe('forced');
    expect(cutter.endPts).toBe(ticks(6.5) - 1);
  });

  test('a hole in an earlier segment plays no part: whoever joined behind it cuts alike', () => {
    const holed = new Cutter(2);
    const late = new Cutter(2);
    for (const cutter of [holed, late]) cutter.setTargetDuration(2);
    cuts(holed, [...pictures(0, 100, 0.4), ...pictures(1.2, 100, 0.8)]);
    const stream = pictures(2, 100, 20);
    expect(cuts(holed, stream).map(([at]) => at)).toEqual(cuts(late, stream).map(([at]) => at));
  });

  test('a silence that makes a segment too long ends it before the silence', () => {
    const cutter = new Cutter(6);
    cutter.setTargetDuration(6);
    cuts(cutter, pictures(0, 2, 4));
    expect(cutter.unit(ticks(12), true, false, false, FRAME)).toBe('break-start');
    expect(cutter.discontinuity).toBe('timestamps');
  });
});

describe('without key pictures', () => {
  const keyless = (first: number, seconds: number): Picture[] =>
    pictures(first, 2, seconds).map(({ pts }) => ({ pts, key: false }));

  test('after as long as a segment may be, every picture counts: it is cut at the slots', () => {
    // Waited for 6.5 s; the first slot that begins after that is at 8 s.
    expect(cuts(new Cutter(2), keyless(0.48, 16))).toEqual([
      [8, 'start'],
      [10, 'cut'],
      [12, 'cut'],
      [14, 'cut'],
      [16, 'cut'],
    ]);
  });

  test('whoever joined when cuts at the same pictures, across the wrap as well', () => {
    const stream = keyless(95_430, 60);
    const all = cuts(new Cutter(2), stream).map(([at]) => at);
    const late = cuts(new Cutter(2), stream.slice(333)).map(([at]) => at);
    expect(late.length).toBeGreaterThan(15);
    expect(all.slice(-late.length)).toEqual(late);
  });

  test('with B pictures that go back over the border of a slot it is cut there once', () => {
    const stream = keyless(0, 40).map(({ pts }, n) => ({
      pts: pts + [2, -1, -1][n % 3]! * FRAME,
      key: false,
    }));
    const found = cuts(new Cutter(2), stream);
    expect(found.length).toBeGreaterThan(14);
    for (let n = 1; n < found.length; n++) {
      expect(found[n]![1]).toBe('cut');
      expect(found[n]![0] - found[n - 1]![0]).toBeCloseTo(2, 0);
    }
  });

  test('who saw the only key picture cuts like those who joined later, once it is clear that it was the only one', () => {
    const stream = pictures(1.48, 1000, 90);
    const [all, late] = [stream, stream.slice(500)].map((some) => {
      const cutter = new Cutter(6);
      cutter.setTargetDuration(6);
      return cuts(cutter, some);
    });
    // Forced after 6.48 s, and once more; from then on slots of 6 s: 12, 18 …
    expect(all!.slice(0, 5).map(([at, why]) => [at.toFixed(2), why])).toEqual([
      ['1.48', 'start'],
      ['7.96', 'forced'],
      ['14.44', 'forced'],
      ['18.00', 'cut'],
      ['24.00', 'cut'],
    ]);
    expect(late!.length).toBeGreaterThan(8);
    expect(all!.slice(-late!.length).map(([at]) => at)).toEqual(late!.map(([at]) => at));
  });

  test.each([1, 100, 400, 700, 1000])(
    'GOPs of more than two segments: each key picture begins one, for who joined at picture %d, too',
    (join) => {
      const stream = pictures(1.48, 20, 90);
      const [all, late] = [stream, stream.slice(join)].map((some) => {
        const cutter = new Cutter(6);
        cutter.setTargetDuration(6);
        return cuts(cutter, some).map(([at]) => at);
      });
      for (const at of [21.48, 41.48, 61.48, 81.48]) expect(all).toContain(at);
      const from = late!.find((at) => [21.48, 41.48, 61.48].includes(at))!;
      expect(late!.filter((at) => at >= from)).toEqual(all!.filter((at) => at >= from));
    },
  );

  test('the first one cuts, and then only they count', () => {
    const cutter = new Cutter(2);
    cuts(cutter, keyless(0, 9));
    expect(cuts(cutter, pictures(9, 3, 9))).toEqual([
      [9, 'cut'],
      [12, 'cut'],
      [15, 'cut'],
    ]);
  });

  test('a break in such a stream is gone on from at once', () => {
    const cutter = new Cutter(2);
    cuts(cutter, keyless(0, 9));
    expect(cutter.unit(ticks(700), false, true, false, FRAME)).toBe('break-start');
    expect(cutter.discontinuity).toBe('timestamps');
    cutter.change();
    expect(cutter.unit(ticks(700) + FRAME, false, false, false, FRAME)).toBe('change');
  });

  test('where they are only further apart than a segment may be, it is waited for them', () => {
    expect(cuts(new Cutter(6), pictures(0.5, 17, 40).slice(1))[0]).toEqual([17.5, 'start']);
  });

  test('all of them key pictures: cut at the slot', () => {
    expect(cuts(new Cutter(2), pictures(0.96, 0.04, 6)).map(([at]) => at)).toEqual([0.96, 2, 4, 6]);
  });
});

describe('breaks', () => {
  test('nothing starts without a key picture, nor by one without a PTS', () => {
    const cutter = new Cutter(6);
    expect(cutter.unit(0, false, false, false, FRAME)).toBe('wait');
    expect(cutter.unit(NO_TIMESTAMP, true, false, false, FRAME)).toBe('wait');
    expect(cutter.unit(FRAME, true, false, false, FRAME)).toBe('start');
    expect(cutter.discontinuity).toBe('start');
    expect(cutter.unit(NO_TIMESTAMP, true, false, false, FRAME)).toBe('on');
  });

  test.each([
    ['timestamps', true, false],
    ['tables', false, true],
  ] as const)(
    '%s: at a key picture the next starts there, else it is waited for',
    (reason, jumped, changed) => {
      const cutter = new Cutter(6);
      cutter.unit(0, true, false, false, FRAME);
      expect(cutter.unit(ticks(500), true, jumped, changed, FRAME)).toBe('break-start');
      expect(cutter.discontinuity).toBe(reason);
      expect(cutter.unit(ticks(900), false, jumped, changed, FRAME)).toBe('break');
      expect(cutter.unit(ticks(901), false, false, false, FRAME)).toBe('wait');
      expect(cutter.unit(ticks(902), true, false, false, FRAME)).toBe('start');
      expect(cutter.discontinuity).toBe(reason);
    },
  );

  test('tracks that change end the segment at the next key picture, cut or not', () => {
    const cutter = new Cutter(6);
    cutter.unit(0, true, false, false, FRAME);
    cutter.change();
    expect(cutter.unit(FRAME, false, false, false, FRAME)).toBe('on');
    expect(cutter.unit(2 * FRAME, true, false, false, FRAME)).toBe('change');
    expect(cutter.discontinuity).toBe('tables');
    expect(cutter.unit(3 * FRAME, true, false, false, FRAME)).toBe('on');
  });

  test('tracks that change, and no key picture comes: the segment that must end is followed by a discontinuity', () => {
    const cutter = new Cutter(6);
    cutter.setTargetDuration(6);
    cutter.unit(0, true, false, false, FRAME);
    cutter.change();
    const later = Array.from({ length: 170 }, (_, n) => ({ pts: (n + 1) * FRAME, key: false }));
    // 6.48 s round to 6; one picture more would be 6.52 s.
    expect(cuts(cutter, later)).toEqual([[6.48, 'change']]);
    expect(cutter.discontinuity).toBe('tables');
  });

  test('an input that was away starts anew, and that outweighs a jump', () => {
    const cutter = new Cutter(6);
    cutter.unit(0, true, false, false, FRAME);
    cutter.break('start');
    cutter.break('timestamps');
    expect(cutter.unit(ticks(70), true, false, false, FRAME)).toBe('start');
    expect(cutter.discontinuity).toBe('start');
  });
});
