/** Packets sent twice (ISO/IEC 13818-1 §2.4.3.3): one of them goes out, and what comes of it plays. */
import { beforeAll, describe, test } from '@jest/globals';
import { checkRow, type ClockRow } from './helpers/clock-row.js';
import { clockBase, repeated, wild } from './helpers/clock-surgery.js';
import './helpers/cut.js';
import { operate, pcrOf, setPcr } from './helpers/ts-surgery.js';

let base: Uint8Array;
beforeAll(() => {
  base = clockBase();
});

const clean = { cuts: '1.48+1 2.48+2*11 24.48+1' };
const oneWild = { ...clean, counters: { wildTimestamps: 1 } };

const rows: Record<string, ClockRow> = {
  'every packet twice': {
    input: [(bytes) => operate(bytes, ({ packet }) => [packet, packet])],
    ...clean,
  },
  'every packet twice, each with its PCR': {
    input: [
      (bytes) =>
        operate(bytes, ({ packet }) => {
          const copy = packet.slice();
          const pcr = pcrOf(copy);
          if (pcr !== undefined) setPcr(copy, pcr + 100);
          return [packet, copy];
        }),
    ],
    ...clean,
  },
  'every tenth packet twice': {
    input: [
      (bytes) => {
        let n = 0;
        return operate(bytes, ({ packet }) => (n++ % 10 === 0 ? [packet, packet] : packet));
      },
    ],
    ...clean,
  },
  'the first packet of a key picture twice': { input: [repeated(175, 2)], ...clean },
  'the first packet of a key picture twice, each with its PCR': {
    input: [repeated(175, 2, (copy) => setPcr(copy, pcrOf(copy)! + 100))],
    ...clean,
  },
  'the first packet of a wild picture twice': {
    input: [wild(175, 3), repeated(175, 2)],
    ...oneWild,
    marked: { 4: 1 },
  },
  'the first packet of a key picture three times': {
    input: [repeated(175, 3)],
    ...clean,
    counters: { continuityErrors: 1 },
  },
};

describe('duplicate packets', () => {
  test.each(Object.entries(rows))('%s', (_, row) => checkRow(base, row), 30_000);
});
