import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MediaError } from './errors.js';
import { readSpliceInfo, type SpliceInfo } from './scte35.js';
import { sealed, writeSplice, writtenSplice } from './scte35.test.arbitrary.js';

const base64 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

describe('sections as encoders write them', () => {
  const table: [string, Uint8Array, SpliceInfo][] = [
    [
      'SCTE 35 §14.1: time_signal, placement opportunity start',
      base64('/DA0AAAAAAAA///wBQb+cr0AUAAeAhxDVUVJSAAAjn/PAAGlmbAICAAAAAAsoKGKNAIAmsnRfg=='),
      {
        command: 'time_signal',
        pts90k: 0x72bd0050,
        events: [
          { eventId: 0x4800008e, cancel: false, segmentationType: 0x34, out: true, durationTicks: 0x1a599b0 },
        ],
      },
    ],
    [
      'SCTE 35 §14.2: splice_insert with a duration',
      base64('/DAvAAAAAAAA///wFAVIAACPf+/+c2nALv4AUsz1AAAAAAAKAAhDVUVJAAABNWLbowo='),
      {
        command: 'splice_insert',
        pts90k: 0x7369c02e,
        events: [
          { eventId: 0x4800008f, cancel: false, out: true, durationTicks: 0x52ccf5, uniqueProgramId: 0 },
        ],
      },
    ],
    [
      'SCTE 35 §14.3: time_signal, placement opportunity end',
      base64('/DAvAAAAAAAA///wBQb+dGKQoAAZAhdDVUVJSAAAjn+fCAgAAAAALKChijUCAKnMZ1g='),
      {
        command: 'time_signal',
        pts90k: 0x746290a0,
        events: [{ eventId: 0x4800008e, cancel: false, segmentationType: 0x35, out: false }],
      },
    ],
    [
      'three descriptors in one section',
      base64(
        '/DBhAAAAAAAA///wBQb+qM1E7QBLAhdDVUVJSAAArX+fCAgAAAAALLLXnTUCAAIXQ1VFSUgAACZ/nwgIAAAAACyy150RAAACF0NVRUlIAAAnf58ICAAAAAAsstezEAAAihiGnw==',
      ),
      {
        command: 'time_signal',
        pts90k: 0xa8cd44ed,
        events: [
          { eventId: 0x480000ad, cancel: false, segmentationType: 0x35, out: false },
          { eventId: 0x48000026, cancel: false, segmentationType: 0x11 },
          { eventId: 0x48000027, cancel: false, segmentationType: 0x10 },
        ],
      },
    ],
    [
      'the section that AWS shows beside its EXT-X-DATERANGE',
      hex('FC302500000000000000FFF01405000003E77FEFFE0011FB9EFE002932E00001010100004D192A59'),
      {
        command: 'splice_insert',
        pts90k: 0x11fb9e,
        events: [{ eventId: 999, cancel: false, out: true, durationTicks: 2_700_000, uniqueProgramId: 1 }],
      },
    ],
    ['splice_null', sealed(hex('00000000000000fffff000000000')), { command: 'other', events: [] }],
    [
      'encrypted: not a bit of it is interpreted',
      sealed(hex('008200000000ff00fff01405deadbeef0000000000')),
      { command: 'encrypted', events: [] },
    ],
    [
      'of a later version of the protocol',
      sealed(hex('01000000000000fffff00506fe0000000100000000')),
      { command: 'other', events: [] },
    ],
  ];

  test.each(table)('%s', (_name, section, expected) => {
    expect(readSpliceInfo(section)).toEqual(expected);
  });

  test.each(table)('%s: not with a wrong CRC', (_name, section) => {
    const damaged = section.slice();
    damaged[damaged.length - 1]! ^= 1;
    expect(() => readSpliceInfo(damaged)).toThrow(MediaError);
  });
});

test('whatever is written is read again', () => {
  const seen = { cancel: 0, insert: 0, signal: 0, immediate: 0, wrap: 0, components: 0 };
  fc.assert(
    fc.property(writtenSplice, (written) => {
      const { command, adjustment } = written;
      seen[command.type]++;
      const time = command.type === 'cancel' ? undefined : written.time;
      if (time === undefined) seen.immediate++;
      else if (time + adjustment >= 2 ** 33) seen.wrap++;
      if (command.type === 'insert' && command.components > 0) seen.components++;
      const info = readSpliceInfo(writeSplice(written));
      expect(info.pts90k).toBe(time === undefined ? undefined : (time + adjustment) % 2 ** 33);
      expect(info.command).toBe(command.type === 'signal' ? 'time_signal' : 'splice_insert');
      if (command.type === 'signal') {
        expect(info.events.map(({ eventId, cancel }) => ({ eventId, cancel }))).toEqual(
          command.segments.map(({ eventId, cancel }) => ({ eventId, cancel })),
        );
        for (const [n, { cancel, durationTicks, type }] of command.segments.entries()) {
          if (cancel) continue;
          expect(info.events[n]!.durationTicks).toBe(durationTicks);
          expect(info.events[n]!.segmentationType).toBe(type);
        }
      } else {
        const { type, eventId, ...said } = command;
        const [event, ...more] = info.events;
        expect(more).toEqual([]);
        expect(event).toMatchObject({ eventId, cancel: type === 'cancel' });
        if (!('out' in said)) return;
        expect(event!.out).toBe(said.out);
        expect(event!.durationTicks).toBe(said.durationTicks);
        expect(event!.uniqueProgramId).toBe(said.uniqueProgramId);
      }
    }),
  );
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(5);
});

test('no bytes crash it: a MediaError, or what they say', () => {
  const seen = { read: 0, refused: 0 };
  const read = (section: Uint8Array): void => {
    try {
      readSpliceInfo(section);
      seen.read++;
    } catch (error) {
      expect(error).toBeInstanceOf(MediaError);
      seen.refused++;
    }
  };
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      writtenSplice,
      fc.nat(),
      fc.nat(255),
      (bytes, written, where, byte) => {
        read(bytes);
        read(sealed(bytes));
        // Past the check of the CRC, with one byte of a right one changed, and cut off anywhere.
        const body = writeSplice(written).slice(3, -4);
        read(sealed(body.slice(0, where % body.length)));
        body[1 + (where % (body.length - 1))] = byte;
        read(sealed(body));
      },
    ),
  );
  expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(20);
});
