import { describe, expect, test } from '@jest/globals';
import { inOrder, type JournalRecord } from './journal-record.js';

const [one, other] = ['a'.repeat(32), 'b'.repeat(32)];

type Runs = [number, number][];

/** `leave` is enough of an announcement here. */
const accepted = (index: number, behind?: Runs, session = one): JournalRecord => ({
  type: 'accepted',
  sequence: 0,
  announcement: { type: 'leave', session, index, reason: 'test' },
  ...(behind && { behind }),
});

/** Which, and what it says is still to come. */
const told = (records: readonly JournalRecord[]): string[] =>
  records.map((record) => {
    if (record.type !== 'accepted') return record.type;
    const { announcement, behind = [] } = record;
    return [`${announcement.session[0]}${announcement.index}`, ...behind.map((run) => run.join('-'))].join(
      ' ',
    );
  });

describe('what was accepted out of order', () => {
  test('is replayed in the order of the stream, of each session in its own places', () => {
    const records = [
      accepted(1),
      accepted(0, undefined, other),
      accepted(9),
      { type: 'live' as const, sequence: 0 },
      accepted(2),
      accepted(10),
    ];
    expect(told(inOrder(records))).toEqual(['a1', 'b0', 'a2', 'live', 'a9', 'a10']);
  });

  test('is replayed with what is still to come as it was known last: the rest has its final answer', () => {
    const [first, last]: Runs[] = [
      [[2, 8]],
      [
        [6, 7],
        [10, 11],
      ],
    ];
    const records = [accepted(9, first), accepted(2), accepted(3), accepted(12, last)];
    expect(told(inOrder(records))).toEqual(['a2', 'a3', 'a9 6-7', 'a12 6-7 10-11']);
  });

  test('says of what comes after it what those before it said', () => {
    const records = [accepted(9, [[2, 8]]), accepted(3, [[2, 2]])];
    expect(told(inOrder(records))).toEqual(['a3 2-2', 'a9 2-2 4-8']);
  });
});
