import { expect, test } from '@jest/globals';
import { AssociationTable } from './association.js';
import { writeSection } from './section-writer.js';

/** A section that lists programs of these numbers on PIDs of the same numbers; its CRC is of no account here. */
function section(version: number, number: number, last: number, ...programs: number[]): Uint8Array {
  const bytes = writeSection(
    0,
    1,
    version,
    programs.flatMap((n) => [n >> 8, n & 0xff, 0xe0 | (n >> 8), n & 0xff]),
  );
  bytes[6] = number;
  bytes[7] = last;
  return bytes;
}

/** What each section in turn has made of the table: the numbers of its programs, or nothing new. */
function taken(...sections: Uint8Array[]): (string | undefined)[] {
  const table = new AssociationTable();
  return sections.map((one) =>
    table
      .take(one)
      ?.programs.map(({ programNumber }) => programNumber)
      .join(' '),
  );
}

test.each<[what: string, sections: Uint8Array[], tables: (string | undefined)[]]>([
  ['one section; repeated', [section(0, 0, 0, 5), section(0, 0, 0, 5)], ['5', undefined]],
  ['a new version', [section(0, 0, 0, 5), section(1, 0, 0, 6)], ['5', '6']],
  ['other bytes, the same version', [section(0, 0, 0, 5), section(0, 0, 0, 6)], ['5', '6']],
  ['the network PID is no program', [section(0, 0, 0, 0, 5)], ['5']],
  ['nothing listed', [section(0, 0, 0)], ['']],
  [
    'two sections, in any order; repeated',
    [section(0, 1, 1, 7), section(0, 0, 1, 5, 6), section(0, 0, 1, 5, 6), section(0, 1, 1, 7)],
    [undefined, '5 6 7', undefined, undefined],
  ],
  [
    'a new version of two sections: not by halves',
    [section(0, 0, 1, 5), section(0, 1, 1, 6), section(1, 0, 1, 5), section(1, 1, 1, 7)],
    [undefined, '5 6', undefined, '5 7'],
  ],
  [
    'from two sections to one',
    [section(0, 0, 1, 5), section(0, 1, 1, 6), section(1, 0, 0, 5)],
    [undefined, '5 6', '5'],
  ],
])('%s', (_, sections, tables) => {
  expect(taken(...sections)).toEqual(tables);
});

test('a section beyond the last', () => {
  expect(() => taken(section(0, 2, 1, 5))).toThrow(expect.objectContaining({ code: 'bad-section' }));
});
