import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PACKET_SIZE, sectionPackets, writePat, writePmt } from '@hls-uplink/mpegts';
import { tablesFirst } from './leading-tables.js';

const PMT_PID = 0x1000;
const SDT_PID = 0x11;
const SOUND_PID = 0x101;

const PAT = sectionPackets(
  writePat({ transportStreamId: 1, version: 0, programs: [{ programNumber: 1, pmtPid: PMT_PID }] }),
  0,
  5,
);
/** So many streams that the section takes more than one packet. */
const pmt = (streams: number): Uint8Array =>
  sectionPackets(
    writePmt({
      programNumber: 1,
      version: 0,
      pcrPid: 0x100,
      descriptors: [],
      streams: Array.from({ length: streams }, (_, i) => ({
        streamType: 0x0f,
        pid: 0x100 + i,
        descriptors: [],
      })),
    }),
    PMT_PID,
    7,
  );
const packet = (pid: number, continuity: number): Uint8Array =>
  Uint8Array.from(
    { length: PACKET_SIZE },
    (_, i) => [0x47, pid >> 8, pid & 0xff, 0x10 | continuity][i] ?? pid,
  );
const ordered = (...parts: Uint8Array[]): Buffer => {
  const bytes = Buffer.concat(parts);
  tablesFirst(bytes);
  return bytes;
};

describe('tablesFirst', () => {
  const sdt = packet(SDT_PID, 3);
  const sound = [packet(SOUND_PID, 14), packet(SOUND_PID, 15)];

  test.each<[string, Uint8Array[], Uint8Array[]]>([
    ['an SDT, as libavformat writes it', [sdt, PAT, pmt(2), ...sound], [PAT, pmt(2), sdt, ...sound]],
    ['the end of a PES', [...sound, PAT, pmt(2), sdt], [PAT, pmt(2), ...sound, sdt]],
    ['a PMT of several packets', [sdt, PAT, pmt(60), ...sound], [PAT, pmt(60), sdt, ...sound]],
    ['a PMT that does not follow directly', [sdt, PAT, ...sound, pmt(2)], [PAT, sdt, ...sound, pmt(2)]],
    ['tables that stand first', [PAT, pmt(2), sdt, ...sound], [PAT, pmt(2), sdt, ...sound]],
    ['no PAT', [sdt, pmt(2), ...sound], [sdt, pmt(2), ...sound]],
    ['no sync before it', [sdt.subarray(1), PAT, pmt(2)], [sdt.subarray(1), PAT, pmt(2)]],
  ])('%s', (_, before, after) => {
    expect(ordered(...before).equals(Buffer.concat(after))).toBe(true);
  });

  test('property: no packet is lost, and each PID keeps its order', () => {
    let moved = 0;
    const other = fc.record({ pid: fc.constantFrom(SDT_PID, SOUND_PID, 0x1fff), continuity: fc.nat(15) });
    fc.assert(
      fc.property(fc.array(other), fc.array(other), (before, after) => {
        const packets = (some: typeof before): Uint8Array[] =>
          some.map(({ pid, continuity }) => packet(pid, continuity));
        const bytes = ordered(...packets(before), PAT, pmt(2), ...packets(after));
        const expected = Buffer.concat([PAT, pmt(2), ...packets(before), ...packets(after)]);
        expect(bytes.equals(expected)).toBe(true);
        if (before.length > 0) moved++;
      }),
    );
    expect(moved).toBeGreaterThan(20);
  });

  test('property: whatever the bytes, none is added or lost', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1000 }), (bytes) => {
        const sorted = [...bytes].sort();
        expect([...ordered(bytes)].sort()).toEqual(sorted);
      }),
    );
  });
});
