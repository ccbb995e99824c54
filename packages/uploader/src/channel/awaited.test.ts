import { describe, expect, test } from '@jest/globals';
import { range } from './testing/recorded.js';
import { Rig, sessionOf } from './testing/rig.js';
import { sessionProgress } from './reduce.js';

const BOTH = ['low', 'mid'];

const answersOf = (rig: Rig, rendition: string, code: string): number[] =>
  rig.answers.flatMap((answer) => {
    const [, name, index, said] = /^(.*)\/(\d+) (.*)$/.exec(answer)!;
    return name === rendition && said === code ? [Number(index)] : [];
  });

/** Its bytes have come. */
const arrives = (rig: Rig, rendition: string, index: number): void =>
  rig.segment(rendition, index, 6 * index, 6 * (index + 1));

const lose = (rig: Rig, rendition: string): void =>
  rig.happen({ type: 'disconnected', session: sessionOf(rendition) });

describe('what is announced while its bytes are elsewhere', () => {
  test('is published when they come, and counts for nothing before', () => {
    const rig = new Rig();
    rig.connect('low', { renditions: ['low'] });
    rig.told('low', 0, 2);
    rig.to(30);
    expect(rig.state.phase).toBe('starting');
    expect(rig.uploads).toEqual([]);
    expect(sessionProgress(rig.state, sessionOf('low'))).toEqual({ accepted: [] });
    for (const index of [0, 1, 2]) arrives(rig, 'low', index);
    expect(rig.entries('low')).toBe('0 1 2');
    expect(answersOf(rig, 'low', 'published')).toEqual([0, 1, 2]);
  });

  test('is lost by deadline in a rendition that counts alone, too', () => {
    const rig = Rig.live(BOTH, 4);
    rig.state = {
      ...rig.state,
      renditions: { ...rig.state.renditions, low: { ...rig.state.renditions['low']!, alone: true } },
    };
    rig.told('low', 4);
    for (let i = 4; i < 9; i++) rig.step(['mid'], i);
    expect(answersOf(rig, 'low', 'late')).toEqual([4]);
    expect(rig.playlist('low').entries.at(-1)!.number).toBeGreaterThanOrEqual(7);
    expect(
      rig
        .playlist('low')
        .entries.filter(({ number }) => number > 3)
        .every(({ gap }) => gap),
    ).toBe(true);
  });

  test('and told again changes nothing', () => {
    const rig = Rig.live(['low'], 4);
    rig.to(60);
    rig.told('low', 4, 8);
    const { state } = rig;
    rig.told('low', 4, 8);
    expect(rig.state).toEqual(state);
  });

  test('of more than two windows only the last is waited for, the rest is dropped before its bytes come', () => {
    const rig = Rig.live(BOTH, 4);
    for (const name of BOTH) lose(rig, name);
    rig.to(604);
    for (const name of BOTH) {
      rig.connect(name);
      rig.told(name, 4, 99);
      expect(answersOf(rig, name, 'backlog')).toEqual(range(4, 93));
    }
    expect(rig.reports.filter((report) => report.includes('two windows'))).toHaveLength(2);
    for (let index = 94; index < 100; index++) {
      rig.to(604 + 3 * (index - 93));
      for (const name of BOTH) arrives(rig, name, index);
    }
    for (const name of BOTH) {
      expect(rig.entries(name)).toBe('94 95 96 97 98 99');
      expect(answersOf(rig, name, 'published')).toEqual([...range(0, 3), ...range(94, 99)]);
      expect(rig.state.renditions[name]!.counts.dropped).toEqual({ backlog: 90 });
    }
  });

  test('after a skip is not lost because a sibling was faster', () => {
    const rig = Rig.live(BOTH, 4);
    for (const name of BOTH) lose(rig, name);
    rig.to(604);
    for (const name of BOTH) {
      rig.connect(name);
      rig.told(name, 4, 99);
    }
    for (let index = 94; index < 100; index++) arrives(rig, 'low', index);
    rig.to(640);
    for (let index = 94; index < 100; index++) arrives(rig, 'mid', index);
    expect(rig.entries('mid')).toBe('94 95 96 97 98 99');
  });

  test('is lost by deadline when a sibling has published its slot, as if nothing had been said', () => {
    const rig = Rig.live(BOTH, 6);
    rig.told('mid', 6);
    rig.step(['low'], 6);
    rig.step(['low'], 7);
    rig.to(50);
    expect(rig.entries('mid')).toBe('1 2 3 4 5 6G');
    expect(answersOf(rig, 'mid', 'late')).toEqual([6]);
  });

  test('and has no place any more is dropped as late at once', () => {
    const rig = Rig.live(BOTH, 6);
    lose(rig, 'mid');
    for (let i = 6; i < 12; i++) rig.step(['low'], i);
    rig.to(80);
    rig.connect('mid');
    rig.told('mid', 6, 12);
    expect(answersOf(rig, 'mid', 'late')).toEqual(range(6, 11));
    arrives(rig, 'mid', 12);
    expect(rig.entries('mid')).toBe('7G 8G 9G 10G 11G 12');
  });

  test('is forgotten with its connection, and nothing of it is settled', () => {
    const rig = Rig.live(['low'], 4);
    rig.told('low', 4, 8);
    arrives(rig, 'low', 4);
    const { slots } = rig.state;
    lose(rig, 'low');
    expect(rig.state.renditions['low']!.queue.length).toBe(0);
    expect(rig.state.slots.map(({ start }) => start)).toEqual(slots.slice(0, -4).map(({ start }) => start));
    rig.to(60);
    rig.connect('low');
    expect(sessionProgress(rig.state, sessionOf('low'))).toEqual({ settled: 4, accepted: [] });
    rig.told('low', 5, 8);
    for (let index = 5; index < 9; index++) arrives(rig, 'low', index);
    expect(answersOf(rig, 'low', 'published')).toEqual(range(0, 8));
    expect(rig.playlist('low').entries.some(({ discontinuity, gap }) => discontinuity || gap)).toBe(false);
  });

  test('is a gap when its bytes are refused', () => {
    const rig = Rig.live(BOTH, 6);
    rig.told('mid', 6, 7);
    rig.segment('mid', 6, 36, 42, { refused: true });
    arrives(rig, 'mid', 7);
    rig.to(48);
    for (const index of [6, 7]) arrives(rig, 'low', index);
    expect(rig.entries('mid')).toBe('2 3 4 5 6G 7');
    expect(rig.answers.filter((answer) => answer.startsWith('mid/6'))).toEqual([]);
  });

  test('is dropped when the operator ends the stream', () => {
    const rig = Rig.live(['low'], 6);
    rig.told('low', 6, 8);
    rig.happen({ type: 'end-requested' });
    expect(answersOf(rig, 'low', 'late')).toEqual([6, 7, 8]);
    expect(rig.playlist('low').endList).toBe(true);
  });
});

describe('of two live sources of one rendition', () => {
  const PAIR = ['low', 'low~b'];
  const outage = (encode: number): Rig => {
    const rig = Rig.live(['low'], 1);
    rig.connect('low~b');
    for (let i = 1; i < 4; i++) {
      rig.to(6 * i + 6);
      for (const who of PAIR) rig.segment(who, i, 6 * i, 6 * i + 6, who === 'low' ? {} : { encode });
    }
    for (const who of PAIR) lose(rig, who);
    rig.to(604);
    return rig;
  };
  const unanswered = (rig: Rig, who: string): number[] => {
    const answered = new Set(
      ['backlog', 'duplicate', 'published'].flatMap((code) => answersOf(rig, who, code)),
    );
    return range(4, 99).filter((index) => !answered.has(index));
  };

  test.each([0, 1])(
    'that come back after an outage no more is asked for than may be needed (encode %s)',
    (encode) => {
      for (const first of PAIR) {
        const rig = outage(encode);
        for (const who of first === 'low' ? PAIR : PAIR.toReversed()) {
          rig.connect(who);
          rig.told(who, 4, 99);
        }
        // The window of the active one; of the other, as many as may wait to be needed.
        expect(unanswered(rig, 'low')).toEqual(range(94, 99));
        expect(unanswered(rig, 'low~b')).toEqual(range(80, 99));
        for (let n = 0; n < 20; n++) {
          rig.to(604 + 0.4 * n);
          if (n < 6) arrives(rig, 'low', 94 + n);
          const index = 80 + n;
          if (unanswered(rig, 'low~b').includes(index))
            rig.segment('low~b', index, 6 * index, 6 * index + 6, { encode });
        }
        expect(rig.entries('low')).toBe('94 95 96 97 98 99');
        expect(rig.state.renditions['low']!.counts.switches).toBe(0);
        for (const who of PAIR) {
          rig.to(640);
          rig.segment(who, 100, 600, 606, who === 'low' ? {} : { encode });
        }
        expect(unanswered(rig, 'low~b')).toEqual([]);
      }
    },
  );

  test.each([
    [0, /^94 95 96 97 98 99$/],
    [1, /^94D 95 96 97 98 99$/],
  ])('the other one goes on when the bytes of the active one do not come (encode %s)', (encode, entries) => {
    const rig = outage(encode);
    for (const who of PAIR) {
      rig.connect(who);
      rig.told(who, 4, 99);
    }
    for (let index = 80; index < 100; index++) {
      rig.to(604 + 2 * (index - 79));
      if (unanswered(rig, 'low~b').includes(index))
        rig.segment('low~b', index, 6 * index, 6 * index + 6, { encode });
    }
    rig.to(660);
    expect(rig.entries('low')).toMatch(entries);
    expect(rig.entries('low')).not.toMatch(/G/);
    expect(rig.state.renditions['low']!.counts.switches).toBe(1);
  });
});
