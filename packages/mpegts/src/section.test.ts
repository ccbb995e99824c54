import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MediaError } from './errors.js';
import { PACKET_SIZE } from './packet.js';
import { readPat, writePat } from './pat.js';
import { readPmt, writePmt, type Pmt } from './pmt.js';
import { missingSectionBytes, SectionAssembler } from './section.js';
import { sectionPackets, writeSection } from './section-writer.js';

/** PAT of ffmpeg's muxer: program 1 on PID 0x1000. */
const pat = Uint8Array.from([0x00, 0xb0, 0x0d, 0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0, 0x2a, 0xb1, 0x04, 0xb2]);
/** Its PMT: H.264 on 0x100 (also PCR), AAC on 0x101 with language `und`. */
const pmt = Uint8Array.from([
  0x02, 0xb0, 0x1d, 0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 0, 0x1b, 0xe1, 0, 0xf0, 0, 0x0f, 0xe1, 1, 0xf0, 6, 0x0a,
  4, 0x75, 0x6e, 0x64, 0, 0x08, 0x7d, 0xe8, 0x77,
]);

function assemble(packets: Uint8Array): { sections: Uint8Array[]; assembler: SectionAssembler } {
  const sections: Uint8Array[] = [];
  const assembler = new SectionAssembler((section) => sections.push(section.slice()));
  for (let at = 0; at < packets.length; at += PACKET_SIZE) assembler.packet(packets, at);
  return { sections, assembler };
}

describe('PAT and PMT', () => {
  test('as ffmpeg writes them', () => {
    expect(readPat(pat)).toEqual({
      transportStreamId: 1,
      version: 0,
      programs: [{ programNumber: 1, pmtPid: 0x1000 }],
    });
    expect(readPmt(pmt)).toEqual({
      programNumber: 1,
      version: 0,
      pcrPid: 0x100,
      descriptors: [],
      streams: [
        { streamType: 0x1b, pid: 0x100, descriptors: [] },
        {
          streamType: 0x0f,
          pid: 0x101,
          descriptors: [{ tag: 0x0a, data: Uint8Array.from([0x75, 0x6e, 0x64, 0]) }],
        },
      ],
    });
    expect(assemble(sectionPackets(pat, 0, 0)).sections).toEqual([pat]);
    expect(assemble(sectionPackets(pmt, 0x1000, 0)).sections).toEqual([pmt]);
  });

  test('written as they were read', () => {
    expect(writePat(readPat(pat)!)).toEqual(pat);
    expect(writePmt(readPmt(pmt)!)).toEqual(pmt);
  });

  test('any PMT survives writing, packing and reading (property)', () => {
    const descriptors = fc.array(
      fc.record({ tag: fc.integer({ min: 0, max: 255 }), data: fc.uint8Array({ maxLength: 40 }) }),
      { maxLength: 3 },
    );
    const pid = fc.integer({ min: 0, max: 0x1fff });
    const any = fc.record<Pmt>({
      programNumber: fc.integer({ min: 1, max: 0xffff }),
      version: fc.integer({ min: 0, max: 31 }),
      pcrPid: pid,
      descriptors,
      streams: fc.array(fc.record({ streamType: fc.integer({ min: 0, max: 255 }), pid, descriptors }), {
        maxLength: 6,
      }),
    });
    fc.assert(
      fc.property(any, fc.integer({ min: 0, max: 15 }), (table, continuity) => {
        const { sections } = assemble(sectionPackets(writePmt(table), 0x20, continuity));
        expect(sections.map(readPmt)).toEqual([table]);
      }),
    );
  });

  test('not yet in force: left out', () => {
    const next = writeSection(0, 1, 3, [0, 1, 0xe0, 0x20]);
    next[5]! &= 0xfe;
    expect(readPat(next)).toBeUndefined();
  });

  test.each([
    ['a stream entry is cut off', [0xe1, 0, 0xf0, 0, 0x1b, 0xe1, 0]],
    ['descriptors reach beyond the section', [0xe1, 0, 0xf0, 9]],
    ['a descriptor reaches beyond its loop', [0xe1, 0, 0xf0, 3, 0x0a, 4, 1]],
  ])('%s', (what, body) => {
    expect(() => readPmt(writeSection(2, 1, 0, body))).toThrow(
      expect.objectContaining({ code: 'bad-section', message: `PMT: ${what}` }),
    );
  });

  test('any body is read, or refused with a MediaError (property)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
        for (const read of [readPmt, readPat]) {
          try {
            read(writeSection(read === readPmt ? 2 : 0, 1, 0, body));
          } catch (error) {
            expect(error).toBeInstanceOf(MediaError);
          }
        }
      }),
    );
  });
});

describe('section assembly', () => {
  const long = writeSection(2, 1, 0, new Uint8Array(700).fill(7));

  test('over several packets; a lost one costs the section', () => {
    const packets = sectionPackets(long, 0x20, 14);
    expect(packets.length).toBe(4 * PACKET_SIZE);
    expect(assemble(packets).sections).toEqual([long]);
    const holed = Buffer.concat([
      packets.subarray(0, PACKET_SIZE),
      packets.subarray(2 * PACKET_SIZE),
      packets,
    ]);
    expect(assemble(holed).sections).toHaveLength(1);
  });

  test('a duplicate packet changes nothing', () => {
    const packets = sectionPackets(long, 0x20, 0);
    const second = packets.subarray(PACKET_SIZE, 2 * PACKET_SIZE);
    const doubled = Buffer.concat([
      packets.subarray(0, 2 * PACKET_SIZE),
      second,
      packets.subarray(2 * PACKET_SIZE),
    ]);
    expect(assemble(doubled).sections).toEqual([long]);
  });

  test('several in a packet, the last one going on behind a pointer_field', () => {
    const payload = Buffer.concat([pat, pmt, long]);
    const first = new Uint8Array(PACKET_SIZE);
    first.set([0x47, 0x40, 0x20, 0x10, 0]);
    first.set(payload.subarray(0, 183), 5);
    const rest = payload.subarray(183);
    const packets = [first];
    let at = 0;
    for (let n = 1; at < rest.length; n++) {
      const next = new Uint8Array(PACKET_SIZE).fill(0xff);
      // The packet in which it ends starts another one: pointer_field says where.
      const last = rest.length - at <= 183 - pat.length;
      next.set([0x47, last ? 0x40 : 0, 0x20, 0x10 | n]);
      const part = rest.subarray(at, at + (last ? rest.length - at : 184));
      if (last) next[4] = part.length;
      next.set(part, last ? 5 : 4);
      if (last) next.set(pat, 5 + part.length);
      at += part.length;
      packets.push(next);
    }
    expect(assemble(Buffer.concat(packets)).sections).toEqual([pat, pmt, long, pat]);
  });

  test('a counter that never counts: single-packet sections all the same', () => {
    const packets = sectionPackets(pat, 0, 5);
    expect(assemble(Buffer.concat([packets, packets, packets])).sections).toHaveLength(3);
  });

  test('a counter that never counts: sections over several packets, duplicates among them', () => {
    const uneven = writeSection(
      2,
      1,
      0,
      Uint8Array.from({ length: 700 }, (_, n) => n >> 3),
    );
    const packets = sectionPackets(uneven, 0x20, 0);
    for (let at = 0; at < packets.length; at += PACKET_SIZE) packets[at + 3]! &= 0xf0;
    expect(assemble(packets).sections).toEqual([uneven]);
    const second = packets.subarray(PACKET_SIZE, 2 * PACKET_SIZE);
    const doubled = [packets.subarray(0, 2 * PACKET_SIZE), second, packets.subarray(2 * PACKET_SIZE)];
    expect(assemble(Buffer.concat(doubled)).sections).toEqual([uneven]);
  });

  test('a wrong CRC is counted and the section left out', () => {
    const bad = pat.slice();
    bad[9] = 2;
    const { sections, assembler } = assemble(
      Buffer.concat([sectionPackets(bad, 0, 0), sectionPackets(pat, 0, 1)]),
    );
    expect(sections).toEqual([pat]);
    expect(assembler.crcErrors).toBe(1);
  });

  test('whatever the packets hold, nothing but sections with a right CRC comes out (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: PACKET_SIZE, maxLength: PACKET_SIZE }), { maxLength: 12 }),
        (list) => {
          const { sections } = assemble(Buffer.concat(list));
          expect(sections).toEqual([]);
        },
      ),
    );
  });
});

describe('what a section lacks at the end of a packet', () => {
  const cue = [0xfc, 0x30, 0x11, ...Array<number>(17).fill(0)];
  const stuffing = Array<number>(20).fill(0xff);
  test.each<[string, number[], number]>([
    ['nothing, behind it stuffing', [0, ...cue, ...stuffing], 0],
    ['nothing, at the very end', [0, ...cue], 0],
    ['its last byte', [0, ...cue.slice(0, -1)], 1],
    ['all behind its length', [0, ...cue.slice(0, 3)], 17],
    ['the second of two', [0, ...cue, ...cue.slice(0, 10)], 10],
    ['behind the end of another', [2, 0xaa, 0xbb, ...cue.slice(0, 15)], 5],
    ['no section begins', [0, ...stuffing], 0],
    ['its pointer reaches beyond the packet', [200, ...cue], 180],
  ])('%s', (_, payload, missing) => {
    const bytes = Uint8Array.from([0x47, 0x1f, ...payload]);
    expect(missingSectionBytes(bytes, 2, bytes.length)).toBe(missing);
  });
});
