/** Streams of several programs, and of programs that come and go: which is taken, which is waited for, what is said. */
import { describe, test } from '@jest/globals';
import { PICTURES, type Program } from './helpers/film.js';
import {
  audio,
  both,
  check,
  chosen,
  firstPackets,
  one,
  twin,
  twinTracks,
  video,
  whole,
  type Row,
} from './helpers/tables.js';
import { pmtSection } from './helpers/ts-generator.js';

const radio: Program = { number: 1, pmtPid: 0x1000, tracks: [audio] };
const other: Program = { number: 3, pmtPid: 0x1002, tracks: [{ of: 'h264', pid: 0x300 }] };
const all = [radio, twin, other].flatMap(({ tracks }) => [...tracks]);
const ofTwin = whole.map((line) => line.replace('1@1000: 100 101', '2@1001: 200 201'));
/** What the tables of program 1 name: a picture that is not read, and one that is. */
const vvc = [
  { type: 0x33, pid: 0x100 },
  { type: 0x0f, pid: 0x101 },
];
const h264 = [
  { type: 0x1b, pid: 0x100 },
  { type: 0x0f, pid: 0x101 },
];
const nothing = Array<number>(184).fill(0);

const rows: Record<string, Row> = {
  'the first with video, wherever its PMT stands': {
    mux: (mux) => {
      mux.tables = () => {
        mux.pat([radio, twin, other]);
        for (const program of [other, radio, twin]) mux.pmt(program);
      };
      mux.tables();
      mux.play(0, PICTURES, all);
    },
    segments: ofTwin,
    foreign: (mux) => mux.count(0x101, 0x300),
    said: [
      'program 2 is segmented {"tracks":"H.264 0x0200, AAC 0x0201","others":"1 (AAC 0x0101); 3 (H.264 0x0300)",' +
        '"remedy":"--program NUMBER takes another"}',
    ],
  },
  'the one asked for': {
    mux: (mux) => {
      mux.programs([radio, twin, other]);
      mux.play(0, PICTURES, all);
    },
    program: 3,
    segments: whole.map((line) => line.replace('1@1000: 100 101', '3@1002: 300')),
    foreign: (mux) => mux.count(0x101, 0x200, 0x201),
    said: ['program 3 is segmented'],
  },
  'the first with sound, where none has video': {
    mux: (mux) => {
      const empty: Program = { number: 9, pmtPid: 0x900, tracks: [] };
      const second: Program = { ...twin, tracks: twin.tracks.slice(1) };
      mux.programs([empty, radio, second]);
      mux.play(0, PICTURES, [audio, ...second.tracks]);
    },
    segments: [
      '1.459–4.019 start 1@1000: 101',
      '4.019–8.008 1@1000: 101',
      '8.008–12.019 1@1000: 101',
      '12.019–13.491 1@1000: 101',
    ],
    foreign: (mux) => mux.count(0x201),
    said: [
      'program 1 is segmented {"tracks":"AAC 0x0101","others":"9 (no tracks); 2 (AAC 0x0201)",' +
        '"remedy":"--program NUMBER takes another"}',
    ],
  },
  'the PMT of another never comes: waited for ten rounds': {
    mux: (mux) => {
      mux.tablesEvery = 2;
      mux.tables = () => {
        mux.pat([radio, twin]);
        mux.pmt(twin);
      };
      mux.tables();
      mux.play(0, PICTURES, twinTracks);
    },
    // Ten rounds of three packets, of which two come: the 31st stands before picture 30, and the next key picture is 50.
    segments: ['3.48–5.48 start 2@1001: 200 201', ...ofTwin.slice(1)],
    foreign: (mux) => firstPackets(mux, 30),
    dropped: (mux) => firstPackets(mux, 50) - firstPackets(mux, 30),
    said: [
      'program 2 is segmented {"tracks":"H.264 0x0200, AAC 0x0201","others":"1 (its PMT has not come)",' +
        '"remedy":"--program NUMBER takes another"}',
    ],
  },
  'the PMT of another never comes, and tables once only': {
    mux: (mux) => {
      mux.tablesEvery = 0;
      mux.pat([radio, twin]);
      mux.pmt(twin);
      for (let n = 0; n < 20_001; n++) mux.out.raw(0x33, nothing, false);
      mux.play(0, PICTURES, twinTracks);
    },
    segments: ofTwin,
    foreign: () => 20_001,
  },
  'the one asked for comes later': {
    mux: (mux) => {
      mux.programs([radio]);
      mux.play(0, 75, [audio, ...twinTracks]);
      mux.programs([radio, twin], 1);
      mux.play(75, PICTURES, [audio, ...twinTracks]);
    },
    program: 2,
    segments: ofTwin.slice(1).map((line, n) => (n === 0 ? line.replace('9.48', '9.48 start') : line)),
    foreign: (mux) => mux.count(0x101) + firstPackets(mux, 75),
    dropped: (mux) => firstPackets(mux, 100) - firstPackets(mux, 75),
    said: ['program 2 is not in the PAT; waiting for it {"programs":"1","remedy"', 'program 2 is segmented'],
  },
  'the one asked for never comes': {
    mux: (mux) => {
      mux.programs([radio, other]);
      mux.play(0, 60, all);
    },
    program: 2,
    segments: [],
    foreign: (mux) => mux.count(0x101, 0x200, 0x201, 0x300),
    said: ['program 2 is not in the PAT; waiting for it'],
    refused: 'no-program: the input has no program 2, its PAT lists 1, 3',
  },
  'the PMT of the one asked for never comes': {
    mux: (mux) => {
      mux.tables = () => {
        mux.pat([radio, twin]);
        mux.pmt(radio);
      };
      mux.tables();
      mux.play(0, 60, [audio]);
    },
    program: 2,
    segments: [],
    foreign: (mux) => mux.count(0x101),
    refused: 'no-program: program 2 is in the PAT, but its PMT never came',
  },
  'the one asked for is not in the PAT for a while': {
    mux: (mux) => {
      mux.programs([one, twin]);
      mux.play(0, 75, both);
      mux.programs([twin], 1);
      mux.play(75, 160, both);
      mux.programs([one, twin], 2);
      mux.play(160, PICTURES, both);
    },
    program: 1,
    segments: whole,
    said: [chosen, 'program 1 is not in the PAT; waiting for it'],
  },
  'the one chosen leaves the PAT: the other is taken, and stays': {
    mux: (mux) => {
      mux.programs([one, twin]);
      mux.play(0, 140, [...both, ...twinTracks]);
      mux.programs([twin], 1);
      // The tables end it, and pictures of the other go on in the middle of a group.
      mux.play(140, 200, twinTracks);
      mux.programs([one, twin], 2);
      mux.play(200, PICTURES, [...both, ...twinTracks]);
    },
    segments: [
      whole[0]!,
      '5.48–7.08 1@1000: 100 101',
      '7.48–9.48 tables 2@1001: 200 201',
      '9.48–13.48 2@1001: 200 201',
    ],
    // Of the other before, of the one that left after it has come back.
    foreign: (mux) => mux.count(0x100, 0x101),
    dropped: (mux) => firstPackets(mux, 150) - firstPackets(mux, 140),
    said: [chosen, 'program 2 is segmented', 'the tables of the program have changed'],
  },
  'a PMT that names nothing yet': {
    mux: (mux) => {
      mux.programs([{ ...one, tracks: [] }]);
      mux.play(0, 75, both);
      mux.programs([{ ...one, version: 1 }]);
      mux.play(75, PICTURES, both);
    },
    segments: ['5.48–9.48 start 1@1000: 100 101', whole[2]!],
    foreign: (mux) => firstPackets(mux, 75),
    dropped: (mux) => firstPackets(mux, 100) - firstPackets(mux, 75),
    said: ['no program to take names video or audio; waiting for one that does', chosen],
  },
  'a PMT that names nothing for a while': {
    mux: (mux) => {
      mux.programs([one]);
      mux.play(0, 75, both);
      mux.programs([{ ...one, tracks: [], version: 1 }]);
      mux.play(75, 160, both);
      mux.programs([{ ...one, version: 2 }]);
      mux.play(160, PICTURES, both);
    },
    segments: whole,
    said: [chosen, 'no program to take names video or audio; waiting for one that does'],
  },
  'video that is not supported: another program is taken': {
    mux: (mux) => {
      mux.tables = () => {
        mux.pat([one, twin]);
        mux.out.section(0x1000, pmtSection(1, 0x100, vvc));
        mux.pmt(twin);
      };
      mux.tables();
      mux.play(0, PICTURES, [...both, ...twinTracks]);
    },
    segments: ofTwin,
    foreign: (mux) => mux.count(0x100, 0x101),
    said: [
      'program 2 is segmented {"tracks":"H.264 0x0200, AAC 0x0201","others":"1 (VVC 0x0100, AAC 0x0101)"',
    ],
  },
  'even one with sound alone': {
    mux: (mux) => {
      mux.tables = () => {
        mux.pat([one, { ...radio, number: 2, pmtPid: 0x1001 }]);
        mux.out.section(0x1000, pmtSection(1, 0x100, vvc));
        mux.out.section(0x1001, pmtSection(2, 0x201, [{ type: 0x0f, pid: 0x201 }]));
      };
      mux.tables();
      mux.play(0, PICTURES, [video, twinTracks[1]!]);
    },
    segments: [
      '1.459–4.019 start 2@1001: 201',
      '4.019–8.008 2@1001: 201',
      '8.008–12.019 2@1001: 201',
      '12.019–13.491 2@1001: 201',
    ],
    foreign: (mux) => mux.count(0x100),
  },
  'video that is not supported before video that is': {
    mux: (mux) => {
      const third = { ...twinTracks[0]!, pid: 0x300 };
      mux.tables = () => {
        mux.pat([one]);
        mux.out.section(0x1000, pmtSection(1, 0x100, [{ type: 0xdb, pid: 0x300 }, ...h264]));
      };
      mux.tables();
      mux.play(0, PICTURES, [video, audio, third]);
    },
    segments: whole.map((line) => line.replace('100 101', '100 101 300:219')),
    said: ['program 1 is segmented {"tracks":"encrypted H.264 0x0300, H.264 0x0100, AAC 0x0101"}'],
  },
  'video that is not supported, for a while': {
    mux: (mux) => {
      mux.programs([one]);
      mux.play(0, 75, both);
      mux.tables = () => {
        mux.pat([one]);
        mux.out.section(0x1000, pmtSection(1, 0x100, vvc, 1));
      };
      mux.tables();
      mux.play(75, 160, both);
      mux.programs([{ ...one, version: 2 }]);
      mux.play(160, PICTURES, both);
    },
    // Up to picture 75, and from the next key picture after 160 on.
    segments: ['1.48–4.48 start 1@1000: 100 101', '9.48–13.48 tables 1@1000: 100 101'],
    dropped: (mux) => firstPackets(mux, 200) - firstPackets(mux, 75),
    said: [
      chosen,
      'the video of program 1 is now of a kind that is not supported; waiting for it to change ' +
        '{"programs":"1 (VVC 0x0100, AAC 0x0101)"',
    ],
  },
  'a PMT that names nothing, to the end': {
    mux: (mux) => {
      mux.programs([{ ...one, tracks: [] }]);
      mux.play(0, 60, both);
    },
    segments: [],
    foreign: (mux) => mux.count(0x100, 0x101),
    said: ['no program to take names video or audio; waiting for one that does'],
    refused: 'no-media: program 1: its PMT names no video and no audio',
  },
};

describe('programs', () => {
  test.each(Object.entries(rows))('%s', async (_, row) => void (await check(row)), 30_000);
});
