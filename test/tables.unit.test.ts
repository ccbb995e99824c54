/**
 * PAT and PMT as they come: the cuts, why there are discontinuities, what the tables of each segment say, what it holds,
 * what was counted and said.
 */
import { describe, test } from '@jest/globals';
import { PICTURES, type Program, type Track } from './helpers/film.js';
import {
  audio,
  both,
  check,
  chosen,
  firstPackets,
  mark,
  marked,
  one,
  scenes,
  second,
  twinTracks,
  video,
  whole,
  withCrc,
  type Row,
} from './helpers/tables.js';
import { pmtSection } from './helpers/ts-generator.js';

/** Tracks that change, with a discontinuity at the key picture of 7.48 s. */
const changedTo = (what: string): string[] => [
  whole[0]!,
  '5.48–7.48 1@1000: 100 101',
  `7.48–9.48 tables ${what}`,
  `9.48–13.48 ${what}`,
];

const rows: Record<string, Row> = {
  'one program': {
    mux: scenes([PICTURES, one]),
    segments: whole,
    said: [chosen],
  },
  'tables once, at the beginning': {
    mux: (mux) => {
      mux.tablesEvery = 0;
      mux.programs([one]);
      mux.play(0, PICTURES, both);
    },
    segments: whole,
  },
  'tables after thousands of packets': {
    mux: (mux) => {
      for (let n = 0; n < 5000; n++) mux.out.raw(0x33, Array<number>(184).fill(n & 0xff), false);
      mark(mux);
      mux.play(0, 110, both);
      mark(mux);
      mux.programs([one]);
      mux.play(110, PICTURES, both);
    },
    segments: ['7.48–9.48 start 1@1000: 100 101', '9.48–13.48 1@1000: 100 101'],
    foreign: (mux) => 5000 + firstPackets(mux, 110),
    dropped: (mux) => firstPackets(mux, 150) - firstPackets(mux, 110),
  },
  'only the version changes': {
    mux: scenes([75, one], [PICTURES, { ...one, version: 1 }]),
    segments: whole,
    said: [chosen],
  },
  'only descriptors change, a language among them': {
    mux: (mux) => {
      mux.programs([one]);
      mux.play(0, 75, both);
      const swedish = { ...audio, descriptors: [0x0a, 4, 0x73, 0x77, 0x65, 0] };
      mux.programs([{ ...one, tracks: [video, swedish], version: 1 }]);
      mux.play(75, PICTURES, both);
    },
    segments: whole,
  },
  'the tracks change places': {
    mux: scenes([75, one], [PICTURES, { ...one, tracks: [audio, video], version: 1, pcrPid: video.pid }]),
    segments: whole,
  },
  'a PMT of the future': {
    mux: (mux) => {
      mux.programs([one]);
      mux.play(0, 75, both);
      const next = pmtSection(1, 0x300, [{ type: 0x24, pid: 0x300 }], 1);
      next[5]! &= 0xfe;
      mux.out.section(one.pmtPid, withCrc(next));
      mux.play(75, PICTURES, both);
    },
    segments: whole,
    said: [chosen],
  },
  'a PMT with a wrong CRC': {
    mux: (mux) => {
      mux.programs([one]);
      mux.play(0, 75, both);
      const bad = pmtSection(1, 0x300, [{ type: 0x24, pid: 0x300 }], 1);
      bad[14]! ^= 1;
      mux.out.section(one.pmtPid, bad);
      mux.play(75, PICTURES, both);
    },
    segments: whole,
    counts: { crcErrors: 1 },
    said: [chosen, 'the input is damaged; what is good of it goes on'],
  },
  'a PMT that contradicts its own lengths': {
    mux: (mux) => {
      mux.programs([one]);
      mux.play(0, 75, both);
      const bad = pmtSection(1, 0x300, [{ type: 0x24, pid: 0x300 }], 1);
      bad[16] = 0x20;
      mux.out.section(one.pmtPid, withCrc(bad));
      mux.play(75, PICTURES, both);
    },
    segments: whole,
    counts: { badSections: 1 },
    said: [chosen, 'the input is damaged; what is good of it goes on'],
  },
  'new PIDs, same codecs, at a key picture': {
    mux: scenes([150, one], [PICTURES, { ...one, tracks: twinTracks, version: 1 }]),
    segments: changedTo('1@1000: 200 201'),
    said: [chosen, 'the tables of the program have changed'],
  },
  'new PIDs, announced two seconds before': {
    mux: (mux) => {
      mux.programs([one]);
      mux.play(0, 100, both);
      mux.programs([{ ...one, tracks: twinTracks, version: 1 }]);
      mux.play(100, 150, both);
      mux.play(150, PICTURES, twinTracks);
    },
    segments: changedTo('1@1000: 200 201'),
  },
  'new PIDs in the middle of a group of pictures': {
    mux: (mux) => {
      mux.programs([one]);
      mux.play(0, 110, both);
      mux.programs([{ ...one, tracks: twinTracks, version: 1 }]);
      mark(mux, 0x200, 0x201);
      mux.play(110, 150, twinTracks);
      mark(mux, 0x200, 0x201);
      mux.play(150, PICTURES, twinTracks);
    },
    segments: [
      whole[0]!,
      '5.48–5.88 1@1000: 100 101',
      '7.48–9.48 tables 1@1000: 200 201',
      '9.48–13.48 1@1000: 200 201',
    ],
    dropped: marked,
  },
  'new PIDs on which nothing ever begins': {
    mux: (mux) => {
      mux.tablesEvery = 1;
      mux.programs([one]);
      mux.play(0, 100, both);
      mux.programs([{ ...one, tracks: twinTracks, version: 1 }]);
      mux.play(100, PICTURES, both);
    },
    // Fifty more PATs are waited for; the next one stands before picture 151.
    segments: [whole[0]!, '5.48–7.52 1@1000: 100 101'],
    foreign: (mux) => mux.count(0x100, 0x101) - firstPackets(mux, 151),
  },
  'new PIDs, changed back before anything came of them': {
    mux: (mux) => {
      mux.programs([one]);
      mux.play(0, 110, both);
      mux.programs([{ ...one, tracks: twinTracks, version: 1 }]);
      mux.play(110, 130, both);
      mux.programs([{ ...one, version: 2 }]);
      mux.play(130, PICTURES, both);
    },
    segments: whole,
    said: [chosen],
  },
  'another codec on the same PID': {
    mux: scenes([150, one], [PICTURES, { ...one, tracks: [{ of: 'mpeg2', pid: 0x100 }, audio], version: 1 }]),
    segments: changedTo('1@1000: 100:2 101'),
  },
  'another codec on a new PID, the sound goes on': {
    mux: scenes([150, one], [PICTURES, { ...one, tracks: [{ of: 'mpeg2', pid: 0x200 }, audio], version: 1 }]),
    segments: changedTo('1@1000: 101 200:2'),
  },
  'a track added': {
    mux: (mux) => {
      const tracks = [...both, second];
      mux.programs([one]);
      mux.play(0, 110, both);
      mux.programs([{ ...one, tracks, version: 1 }]);
      mark(mux, 0x102);
      mux.play(110, 150, tracks);
      mark(mux, 0x102);
      mux.play(150, PICTURES, tracks);
    },
    segments: changedTo('1@1000: 100 101 102:4'),
    // Of its sound the PES of 7.472 s stands behind the picture of 7.48 s, but lies before it.
    dropped: marked,
  },
  'a track added, version_number as before': {
    mux: scenes([150, one], [PICTURES, { ...one, tracks: [...both, second] }]),
    segments: changedTo('1@1000: 100 101 102:4'),
  },
  'a track gone': {
    mux: scenes([110, { ...one, tracks: [...both, second] }], [PICTURES, { ...one, version: 1 }]),
    segments: [
      '1.48–5.48 start 1@1000: 100 101 102:4',
      '5.48–7.48 1@1000: 100 101 102:4',
      '7.48–9.48 tables 1@1000: 100 101',
      '9.48–13.48 1@1000: 100 101',
    ],
  },
  'the sound in another codec on the same PID': {
    mux: (mux) => {
      const tracks: Track[] = [video, { of: 'mp2', pid: 0x101 }];
      mux.programs([one]);
      mux.play(0, 140, both);
      mux.programs([{ ...one, tracks, version: 1 }]);
      mark(mux, 0x101);
      mux.play(140, 150, tracks);
      mark(mux, 0x101);
      mux.play(150, PICTURES, tracks);
    },
    segments: changedTo('1@1000: 100 101:4'),
    dropped: marked,
  },
  'the pictures go: the sound goes on alone': {
    mux: (mux) => {
      mux.programs([one]);
      mux.play(0, 150, both);
      mux.programs([{ ...one, tracks: [audio], version: 1 }]);
      mux.play(150, PICTURES, [audio]);
    },
    // Frames of sound last 1920 ticks, from 131,280 on: the first of 7.48 s on, then those of the slots of 8 and 12 s.
    segments: [
      whole[0]!,
      // Without a hole: its last frame of sound ends there.
      '5.48–7.496 1@1000: 100 101',
      '7.496–8.008 tables 1@1000: 101',
      '8.008–12.019 1@1000: 101',
      '12.019–13.491 1@1000: 101',
    ],
  },
  'pictures come to sound that was alone': {
    mux: (mux) => {
      mux.programs([{ ...one, tracks: [audio] }]);
      mux.play(0, 150, [audio]);
      mux.programs([{ ...one, version: 1 }]);
      mux.play(150, PICTURES, both);
    },
    segments: [
      '1.459–4.019 start 1@1000: 101',
      '4.019–7.496 1@1000: 101',
      '7.48–9.48 tables 1@1000: 100 101',
      '9.48–13.48 1@1000: 100 101',
    ],
  },
  'the PCR on the PID of the sound': {
    mux: scenes([75, one], [PICTURES, { ...one, pcrPid: 0x101, version: 1 }]),
    segments: whole,
    said: [chosen],
  },
  'the PCR on a PID of its own': {
    mux: (mux) => {
      const pcr = (from: number, to: number): void => {
        for (let n = from; n < to; n++) {
          // Without payload the counter stays.
          mux.out.packets.push([
            0x47,
            0x1f,
            0xfe,
            0x20,
            183,
            0x10,
            0,
            n,
            0,
            0,
            0x7e,
            0,
            ...Array<number>(176).fill(0xff),
          ]);
          mux.picture(n, both);
        }
      };
      mux.programs([one]);
      mux.play(0, 75, both);
      mux.tables = () => undefined;
      mux.programs([{ ...one, pcrPid: 0x1ffe, version: 1 }]);
      pcr(75, PICTURES);
    },
    // The tables of the segment in which it comes don't name it: there it is left out.
    segments: [whole[0]!, '5.48–9.48 1@1000: 100 101 +1ffe', '9.48–13.48 1@1000: 100 101 +1ffe'],
    counts: { droppedPackets: 25 + 1 },
  },
  'the PMT on another PID': {
    mux: scenes([75, one], [PICTURES, { ...one, pmtPid: 0x1ffe }]),
    segments: [whole[0]!, '5.48–9.48 1@1ffe: 100 101', '9.48–13.48 1@1ffe: 100 101'],
    said: [chosen],
  },
  'the program under another number': {
    mux: scenes([75, one], [PICTURES, { ...one, number: 7 }]),
    segments: [whole[0]!, '5.48–9.48 7@1000: 100 101', '9.48–13.48 7@1000: 100 101'],
    said: [chosen, 'program 7 is segmented'],
  },
  'a PAT that lists nothing for a while': {
    mux: (mux) => {
      mux.programs([one]);
      mux.play(0, 75, both);
      mux.programs([], 1);
      mux.play(75, 160, both);
      mux.programs([one], 2);
      mux.play(160, PICTURES, both);
    },
    segments: whole,
    said: [chosen],
  },
  'the PMT on a stuck counter, in which a track is added': {
    mux: (mux) => {
      const tracks = [...both, second];
      mux.programs([one]);
      mux.play(0, 150, both);
      mux.programs([{ ...one, tracks, version: 1 }]);
      mux.play(150, PICTURES, tracks);
      mux.rewrite(0, (packet) => {
        const pid = ((packet[1]! & 0x1f) << 8) | packet[2]!;
        if (pid === 0 || pid === one.pmtPid) packet[3]! &= 0xf0;
      });
    },
    segments: changedTo('1@1000: 100 101 102:4'),
    counts: { continuityErrors: 0, crcErrors: 0 },
  },
  'a PMT divided between packets': {
    mux: (mux) => {
      mux.tablesEvery = 10;
      mux.tables = () => {
        mux.pat([one]);
        const section = pmtSection(1, 0x100, [
          { type: 0x1b, pid: 0x100 },
          { type: 0x0f, pid: 0x101 },
        ]);
        // pointer_field: what comes before is the rest of a section that nobody knows.
        const filler = Array<number>(170).fill(0x55);
        mux.out.raw(one.pmtPid, [170, ...filler, ...section.slice(0, 13)], true);
        mux.out.raw(
          one.pmtPid,
          [...section.slice(13), ...Array<number>(184 - section.length + 13).fill(0xff)],
          false,
        );
      };
      mux.tables();
      mux.play(0, PICTURES, both);
    },
    segments: whole,
  },
  'a PAT in two sections': {
    mux: (mux) => {
      const others = Array.from({ length: 40 }, (_, n): Program => ({
        number: 100 + n,
        pmtPid: 0x800 + n,
        tracks: [],
      }));
      mux.tables = () => {
        for (const [number, programs] of [others, [one]].entries()) {
          const before = mux.out.packets.length;
          mux.pat(programs);
          mux.rewrite(before, (packet) => {
            packet[5 + 6] = number;
            packet[5 + 7] = 1;
            const length = 3 + 9 + 4 * programs.length;
            packet.splice(5, length, ...withCrc(packet.slice(5, 5 + length)));
          });
        }
        mux.pmt(one);
      };
      mux.tables();
      mux.play(0, PICTURES, both);
    },
    program: 1,
    segments: whole,
  },
  'the highest PIDs': {
    mux: (mux) => {
      const tracks: Track[] = [
        { of: 'h264', pid: 0x1ffe },
        { of: 'aac', pid: 0x1ffd },
      ];
      mux.programs([{ ...one, pmtPid: 0x1ffc, tracks }]);
      mux.play(0, PICTURES, tracks);
    },
    segments: whole.map((line) => line.replace('1000: 100 101', '1ffc: 1ffd 1ffe')),
  },
};

describe('tables', () => {
  test.each(Object.entries(rows))('%s', async (_, row) => void (await check(row)), 30_000);
});
