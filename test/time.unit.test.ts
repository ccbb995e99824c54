/** What clocks do in the wild: cuts, durations, discontinuities and counts, worked by hand, on what ffmpeg made. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { checkRow, expanded, found, type ClockRow } from './helpers/clock-row.js';
import {
  FIRST,
  PICTURE,
  among,
  announced,
  clockBase,
  firstPacket,
  heard,
  inHeaders,
  isSound,
  isVideo,
  jump,
  lost,
  moved,
  pmtWithPcrOn,
  ticks,
  wild,
  wildSound,
  without,
} from './helpers/clock-surgery.js';
import { checkConservation, checkFiles, cut } from './helpers/cut.js';
import { AUDIO_PID, generateStream, PMT_PID, VIDEO_PID } from './helpers/ts-generator.js';
import {
  dropPcr,
  dropTimes,
  fieldOnly,
  MODULUS,
  operate,
  pcrOf,
  recount,
  retime,
  setPcr,
  setTimes,
} from './helpers/ts-surgery.js';

let base: Uint8Array;
beforeAll(() => {
  base = clockBase();
});

const WRAP = MODULUS / 90_000;

const CLEAN = '1.48+1 2.48+2*11 24.48+1';
const clean = { cuts: CLEAN };
const oneWild = { ...clean, counters: { wildTimestamps: 1 } };
/** The key picture of 8.48 s does not cut. */
const LATER = '1.48+1 2.48+2*2 6.48+3 9.48+1 10.48+2*7 24.48+1';

const rows: Record<string, ClockRow> = {
  'nothing wrong': { input: [], ...clean },

  // 2^33 ticks end 154,592 ticks behind the beginning of a slot of 2 s: −1.7177 s is the last border before the wrap.
  'the wrap on a key picture': { input: [moved(WRAP - 9.48)], cuts: '-8+1 -7+2*3 -1+1 0+2*8' },
  'the wrap between two pictures of a GOP': {
    input: [moved(WRAP - 9.98)],
    cuts: '-8.5+1 -7.5+2*4 0.5+2*7 14.5+1',
  },
  'the wrap between DTS and PTS of a key picture': {
    input: [moved(WRAP - 9.44)],
    cuts: '-7.96+1 -6.96+2*3 -0.96+1 0.04+2*8',
  },
  'the wrap in the sound alone': {
    input: [without(among(575)), moved(WRAP - 24.6)],
    cuts: '-23.12+2*11 -1.12+1',
  },
  'the wrap at the last picture': { input: [moved(WRAP - 25.44)], cuts: '-23.96+1 -22.96+2*11 -0.96+1' },

  'a jump forward on a key picture': {
    input: [jump(100, 3600)],
    cuts: '1.48+1 2.48+2 4.48+1 !3605.48+1 3606.48+2*9 3624.48+1',
  },
  'a jump back by 3 s on a key picture': {
    input: [jump(250, -3)],
    cuts: '1.48+1 2.48+2*4 10.48+1 !8.48+2*7',
  },
  'a jump forward amid a GOP': {
    input: [jump(110, 3600)],
    cuts: '1.48+1 2.48+2 4.48+1.4 !3606.48+2*9 3624.48+1',
    parted: true,
  },
  'a jump back amid a GOP': {
    input: [jump(260, -5)],
    cuts: '1.48+1 2.48+2*4 10.48+1.4 !7.48+1 8.48+2*6',
    parted: true,
  },
  'a jump back by half a second on a key picture': {
    input: [jump(250, -0.52)],
    cuts: '1.48+1 2.48+2*4 10.48+1 !10.96+2*7',
  },
  'a jump back by six pictures on a key picture': {
    input: [jump(250, -0.24)],
    cuts: '1.48+1 2.48+2*4 10.48+1 !11.24+1 12.24+2*6 24.24+1',
  },
  'one DTS 0.3 s ahead: no jump': { input: [wild(112, 0, 0.3)], ...clean, marked: { 2: 1 } },
  'a jump amid a GOP, PTS alone': {
    // The watcher takes a PTS alone for the DTS.
    marked: 'all',
    input: [jump(260, -5), inHeaders(isVideo, (piece) => dropTimes(piece, 'DTS'))],
    cuts: '1.48+1 2.48+2*4 10.48+1.4 !7.48+1 8.48+2*6',
    parted: true,
  },
  'two jumps within four pictures': {
    input: [jump(110, 3600), jump(114, 3600)],
    cuts: '1.48+1 2.48+2 4.48+1.4 !7206.48+2*9 7224.48+1',
    parted: true,
  },
  'a jump by exactly the slot: a silence': {
    input: [jump(100, 2)],
    cuts: '1.48+1 2.48+2 4.48+3 7.48+1 8.48+2*9 26.48+1',
  },
  'a jump by exactly the slot that makes a segment too long': {
    input: [jump(100, 2)],
    told: 2,
    cuts: '1.48+1 2.48+2 4.48+1 !7.48+1 8.48+2*9 26.48+1',
  },
  'a jump to right before the wrap': {
    input: [jump(100, WRAP - 6.48)],
    cuts: '1.48+1 2.48+2 4.48+1 !-1+1 0+2*9 18+1',
  },
  'a jump in the place of the wrap': {
    input: [jump(200, 100), moved(WRAP - 9.48)],
    cuts: '-8+1 -7+2*3 -1+1 !100+2*8',
  },

  'wild by an hour on the key picture of a cut': { input: [wild(175, 3600)], ...oneWild, marked: { 4: 1 } },
  'wild by an hour back on the key picture of a cut': { input: [wild(175, -3600)], ...oneWild },
  'wild by 3 s on the key picture of a cut': { input: [wild(175, 3)], ...oneWild, marked: { 4: 1 } },
  'wild by 3 s back on the key picture of a cut': { input: [wild(175, -3)], ...oneWild },
  'wild by 3 s on a key picture that does not cut': { input: [wild(150, 3)], ...oneWild, marked: { 3: 1 } },
  'wild by 3 s on a B picture': { input: [wild(111, 3)], ...oneWild, marked: { 2: 1 } },
  'wild by 3 s back on a P picture': { input: [wild(112, -3)], ...oneWild, marked: { 2: 1 } },
  'wild by 2^32 ticks': { input: [wild(112, 47_721)], ...oneWild, marked: { 2: 1 } },
  'wild in its PTS alone, key': { input: [wild(175, 3, 0)], ...oneWild },
  'wild in its PTS alone, an hour back': { input: [wild(175, -3600, 0)], ...oneWild },
  'wild in its PTS alone, P': { input: [wild(175 + 10, 7, 0)], ...oneWild },
  'wild in its DTS alone, key': { input: [wild(175, 0, -3)], ...oneWild },
  'wild in its DTS alone, by more than any silence': {
    input: [wild(175, 0, 3600)],
    ...oneWild,
    marked: { 4: 1 },
  },
  'wild in both, each with its own opinion': { input: [wild(175, 3600, -500)], ...oneWild },
  'wild at the very first picture': { input: [wild(0, -3)], ...oneWild },
  'wild at the second picture': { input: [wild(1, 3600)], ...oneWild, marked: { 0: 1 } },
  'wild at the last picture': { input: [wild(599, 3600)], ...oneWild },
  'two wild ones in a row, of different opinions': {
    input: [wild(175, 3), wild(176, 500)],
    ...clean,
    counters: { wildTimestamps: 2 },
    marked: { 4: 1 },
  },
  'wild around the wrap': {
    input: [wild(200, 3), moved(WRAP - 9.48)],
    cuts: '-8+1 -7+2*3 -1+1 0+2*8',
    counters: { wildTimestamps: 1 },
    marked: { 5: 1 },
  },
  'wild sound at the cut, by an hour': { input: [wildSound(175, 3600)], ...oneWild, marked: { 4: 1 } },
  'wild sound before the cut, by 3 s': { input: [wildSound(173, 3)], ...oneWild, marked: { 3: 2 } },
  'wild sound behind the cut, by 3 s back': { input: [wildSound(176, -3)], ...oneWild, marked: { 4: 2 } },

  'no picture for 10 s, with sound': {
    input: [without(among(100, 350)), recount],
    cuts: '1.48+1 2.48+2 4.48+1 !15.48+1 16.48+2*4 24.48+1',
    parted: true,
  },
  'no picture for 9 s, with sound, in a channel that has told': {
    input: [without(among(100, 325)), recount],
    told: 2,
    cuts: '1.48+1 2.48+2 4.48+1 !14.48+2*5 24.48+1',
    parted: true,
  },
  'no picture for 3 s, before the channel has told: the sound goes on': {
    input: [without(among(100, 175)), recount],
    cuts: '1.48+1 2.48+2 4.48+4 8.48+2*8 24.48+1',
  },
  'no sound for 10 s': {
    input: [without(heard(100, 350)), recount],
    ...clean,
  },
  'no picture and no sound for 10 s': {
    input: [without(among(100, 350), heard(100, 350)), recount],
    cuts: '1.48+1 2.48+2 4.48+1 !15.48+1 16.48+2*4 24.48+1',
  },
  'sound 3 s before the picture': { input: [without(among(0, 75)), recount], cuts: '4.48+2*10 24.48+1' },
  'the picture 3 s before the sound': {
    input: [without((piece) => isSound(piece) && piece.pts! < FIRST + 75 * PICTURE), recount],
    ...clean,
  },

  'B pictures without PTS': {
    input: [
      inHeaders(
        (piece) => isVideo(piece) && (piece.pes % 25) % 3 !== 1 && piece.pes % 25 > 0,
        (p) => dropTimes(p, 'both'),
      ),
    ],
    ...clean,
  },
  'a key picture without PTS: it does not cut': {
    input: [inHeaders(among(175, 176), (piece) => dropTimes(piece, 'both'))],
    cuts: LATER,
  },
  'every other PES of sound without PTS': {
    input: [
      inHeaders(
        (piece) => isSound(piece) && piece.pes % 2 === 1,
        (piece) => dropTimes(piece, 'both'),
      ),
    ],
    ...clean,
    marked: 'all',
  },
  'PTS alone, pictures reordered': {
    // The watcher takes a PTS alone for the DTS.
    marked: 'all',
    input: [inHeaders(isVideo, (piece) => dropTimes(piece, 'DTS'))],
    ...clean,
  },

  'PCR jumps, PTS do not': {
    input: [
      (bytes) => {
        let far = 0;
        return operate(bytes, (piece) => {
          if (isVideo(piece) && piece.pes === 110) far = ticks(1000);
          const pcr = pcrOf(piece.packet);
          if (pcr !== undefined) setPcr(piece.packet, pcr + far);
          return piece.packet;
        });
      },
    ],
    ...clean,
  },
  'no PCR': {
    input: [
      (bytes) =>
        operate(bytes, ({ packet }) => {
          dropPcr(packet);
          return packet;
        }),
    ],
    ...clean,
  },
  'PCR on a PID of its own': {
    input: [
      (bytes) =>
        operate(bytes, ({ packet, pid }) => {
          if (pid === PMT_PID) return pmtWithPcrOn(0x1ff0, packet);
          const pcr = pcrOf(packet);
          if (pcr === undefined) return packet;
          dropPcr(packet);
          const own = fieldOnly(0x1ff0, 0, [0x10, 0, 0, 0, 0, 0x7e, 0]);
          setPcr(own, pcr);
          return [own, packet];
        }),
    ],
    ...clean,
  },

  'a packet of sound lost': {
    input: [lost(AUDIO_PID, 200)],
    ...clean,
    counters: { continuityErrors: 1 },
    damaged: [1],
    marked: { 1: 2 },
  },
  'the first packet of a key picture lost': {
    input: [(bytes) => lost(VIDEO_PID, firstPacket(bytes, 175))(bytes)],
    cuts: LATER,
    counters: { continuityErrors: 1 },
    marked: { 3: 1 },
    damaged: [3],
  },
  'the first packet of a P picture lost': {
    input: [(bytes) => lost(VIDEO_PID, firstPacket(bytes, 110))(bytes)],
    ...clean,
    counters: { continuityErrors: 1 },
    marked: { 2: 1 },
    damaged: [2],
  },
  'a PAT lost': { input: [lost(0, 7)], ...clean },
  'sixteen packets lost, which no counter tells': {
    input: [(bytes) => lost(VIDEO_PID, firstPacket(bytes, 101), 16)(bytes)],
    ...clean,
    damaged: [2],
  },

  'another clock announced, but the same': { input: [announced(100)], ...clean },
  'another clock announced, by an hour': {
    input: [announced(100), jump(100, 3600)],
    cuts: '1.48+1 2.48+2 4.48+1 !3605.48+1 3606.48+2*9 3624.48+1',
  },
  'another clock announced, by exactly the slot: no silence': {
    input: [announced(100), jump(100, 2)],
    cuts: '1.48+1 2.48+2 4.48+1 !7.48+1 8.48+2*9 26.48+1',
  },
  'another clock announced, 0.3 s further': {
    input: [announced(100), jump(100, 0.3)],
    cuts: '1.48+1 2.48+2 4.48+1 !5.78+1 6.78+2*9 24.78+1',
  },
  'another clock announced, 0.2 s back': {
    input: [announced(100), jump(100, -0.2)],
    cuts: '1.48+1 2.48+2 4.48+1 !5.28+1 6.28+2*9 24.28+1',
  },
  'a loss announced': {
    input: [
      lost(VIDEO_PID, 300, 3),
      (bytes) => {
        let n = 0;
        return operate(bytes, ({ packet, pid }) =>
          pid === VIDEO_PID && n++ === 300 ? [fieldOnly(pid, (packet[3]! - 1) & 15, [0x80]), packet] : packet,
        );
      },
    ],
    ...clean,
    counters: { continuityErrors: 1 },
    damaged: 'all',
  },

  'pictures dropped: fewer in some GOPs': {
    input: [
      without((piece) => isVideo(piece) && piece.pes >= 250 && piece.pes < 300 && (piece.pes % 25) % 3 === 2),
      recount,
    ],
    ...clean,
  },
  'a frame rate that becomes two thirds': {
    input: [
      without(isSound),
      (bytes) =>
        retime(bytes, ({ dts = 0, starts }) => (starts && dts > ticks(13.4) ? (dts - ticks(13.4)) / 2 : 0)),
    ],
    cuts: '1.48+1 2.48+2*5 12.48+2.5 14.98+1.5 16.48+3 19.48+1.5 20.98+1.5 22.48+3 25.48+1.5 26.98+1.5 28.48+2.96',
  },
};

describe('time', () => {
  test.each(Object.entries(rows))('%s', (_, row) => checkRow(base, row), 30_000);
});

/** 416 PES of 24 ms from 1.48 s on; the 106th is that of 4 s. */
describe('the time of sound alone', () => {
  const of = (shift: (n: number) => number): Uint8Array =>
    operate(generateStream({ pictures: 0, audio: 'mp3' }), (piece) => {
      if (piece.starts) setTimes(piece, piece.pts! + ticks(shift(piece.pes)), 0);
      return piece.packet;
    });
  const CUT = '1.48+0.528 2.008+1.992 4+2.016 6.016+1.992 8.008+1.992 10+1.464';
  test.each<[string, (n: number) => number, string, number]>([
    ['nothing wrong', () => 0, CUT, 0],
    ['wild by 3 s where it is cut', (n) => (n === 105 ? 3 : 0), CUT, 1],
    ['wild by an hour back where it is not', (n) => (n === 140 ? -3600 : 0), CUT, 1],
    ['wild at its end', (n) => (n === 415 ? 3600 : 0), CUT, 1],
    [
      'a jump',
      (n) => (n >= 105 ? 3600 : 0),
      '1.48+0.528 2.008+1.992 !3604+2.016 3606.016+1.992 3608.008+1.992 3610+1.464',
      0,
    ],
    [
      'across the wrap at its cut',
      () => WRAP - 4,
      // The last border of a slot before the wrap is at −1.718 s, after 34 PES: −1.704 s.
      '-2.52+0.816 -1.704+1.704 0+2.016 2.016+1.992 4.008+1.992 6+1.464',
      0,
    ],
  ])('%s', async (_, shift, cuts, wildTimestamps) => {
    const bytes = of(shift);
    const result = await cut([bytes], { targetSeconds: 2 });
    expect(found(result).join(' ')).toBe(expanded(cuts).join(' '));
    expect(result.counters).toMatchObject({ wildTimestamps, continuityErrors: 0, droppedPackets: 0 });
    checkFiles(result.segments, [AUDIO_PID]);
    checkConservation(bytes, result.segments, [AUDIO_PID]);
  });
});
