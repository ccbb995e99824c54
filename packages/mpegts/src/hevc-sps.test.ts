import { describe, expect, test } from '@jest/globals';
import { bits, escaped } from './elementary-stream.test.helper.js';
import { readHevcParameters } from './hevc-sps.js';

/** Main profile and those it is compatible with, progressive, frame only. */
const MAIN = '32/1610612736 8/144 40/0';
const profile = (tier: string, level: number, subLayers = ''): string =>
  `2/0 1/${tier === 'H' ? 1 : 0} 5/1 ${MAIN} 8/${level} ${subLayers}`;
const ordering = (layers: number): string => `1/1 ${'ue:4 ue:2 ue:0 '.repeat(layers)}`;

interface SpsOptions {
  subLayers?: number;
  ptl?: string;
  chroma?: string;
  size?: [width: number, height: number];
  window?: string;
  /** Between the picture order count and the reference picture sets. */
  tools?: string;
  sets?: string;
  longTerm?: string;
  vui?: string;
}

/** Bit by bit, as ITU-T H.265 §7.3.2.2 has it. */
function sps({
  subLayers = 0,
  ptl = profile('L', 93),
  chroma = 'ue:1',
  size = [1920, 1088],
  window = '1/1 ue:0 ue:0 ue:0 ue:4',
  tools = 'ue:0 ue:3 ue:0 ue:3 ue:0 ue:0 1/0 2/3 1/0',
  sets = 'ue:0',
  longTerm = '1/0',
  vui = '1/0',
}: SpsOptions = {}): number[] {
  const fields = `4/0 3/${subLayers} 1/1 ${ptl} ue:0 ${chroma} ue:${size[0]} ue:${size[1]} ${window} ue:0 ue:0 ue:4 ${ordering(subLayers + 1)}`;
  return [0x42, 1, ...escaped(bits(`${fields} ${tools} ${sets} ${longTerm} 2/3 ${vui} 1/0`))];
}

/** Aspect ratio, overscan, colours, chroma location; `fields`: field_seq_flag. */
const vui = (unitsInTick: number, timeScale: number, fields = 0): string =>
  `1/1 1/1 8/255 16/4 16/3 1/1 1/0 1/1 4/10 1/1 24/65793 1/1 ue:0 ue:0 1/0 1/${fields} 1/0 1/1 ue:0 ue:0 ue:8 ue:8 1/1 32/${unitsInTick} 32/${timeScale} 1/0 1/0 1/0`;

function vps(timing: string): number[] {
  const fields = `4/0 1/1 1/1 6/0 3/0 1/1 16/65535 ${profile('L', 93)} ${ordering(1)} 6/0 ue:1 1/1 ${timing} 1/0`;
  return [0x40, 1, ...escaped(bits(fields))];
}

const hd = { codec: 'hvc1.1.6.L93.90', width: 1920, height: 1080 };

describe('HEVC parameter sets', () => {
  test.each<[string, SpsOptions, object]>([
    ['without VUI', {}, hd],
    ['25 a second', { vui: vui(1, 25) }, { ...hd, frameRate: 25 }],
    ['29.97 a second', { vui: vui(1001, 30_000) }, { ...hd, frameRate: 29.97 }],
    ['50 fields a second', { vui: vui(1, 50, 1) }, { ...hd, frameRate: 25 }],
    ['a timing of nothing', { vui: vui(0, 0) }, hd],
    ['high tier', { ptl: profile('H', 150) }, { ...hd, codec: 'hvc1.1.6.H150.90' }],
    [
      'a profile space, no constraints',
      { ptl: `2/2 1/0 5/3 32/0 48/0 8/60` },
      { ...hd, codec: 'hvc1.B3.0.L60' },
    ],
    ['4:2:2', { chroma: 'ue:2' }, { ...hd, height: 1084 }],
    ['4:4:4', { chroma: 'ue:3 1/0', window: '1/1 ue:1 ue:2 ue:0 ue:8' }, { ...hd, width: 1917 }],
    ['planes apart', { chroma: 'ue:3 1/1', window: '1/0' }, { ...hd, height: 1088 }],
    ['monochrome', { chroma: 'ue:0', size: [33, 17], window: '1/0' }, { ...hd, width: 33, height: 17 }],
    [
      'temporal layers with profiles and levels of their own',
      {
        subLayers: 2,
        ptl: profile('L', 93, `1/1 1/1 1/0 1/1 12/0 ${`8/1 ${MAIN} 8/60`} 8/90`),
        vui: vui(1, 60),
      },
      { ...hd, frameRate: 60 },
    ],
    [
      'scaling lists, PCM',
      {
        tools: `ue:0 ue:3 ue:0 ue:3 ue:0 ue:0 1/1 1/1 ${'1/0 ue:0 '.repeat(6)}1/1 ${'se:1 '.repeat(64)}${'1/0 ue:0 '.repeat(5)}1/1 se:2 ${'se:-1 '.repeat(64)}${'1/0 ue:0 '.repeat(5)}${'1/0 ue:0 '.repeat(2)}2/3 1/1 4/7 4/7 ue:0 ue:2 1/0`,
        vui: vui(1, 24),
      },
      { ...hd, frameRate: 24 },
    ],
    [
      'reference picture sets, one told by its predecessor, and long-term pictures',
      {
        sets: 'ue:2 ue:2 ue:1 ue:0 1/1 ue:1 1/1 ue:0 1/0 1/1 1/0 ue:0 1/1 1/0 1/1 1/0 1/0 1/1',
        longTerm: '1/1 ue:2 8/3 1/1 8/4 1/0',
        vui: vui(1, 50),
      },
      { ...hd, frameRate: 50 },
    ],
    ['too many reference picture sets: no timing', { sets: 'ue:65' }, hd],
    ['a reference picture set too long: no timing', { sets: 'ue:1 ue:16 ue:16' }, hd],
  ])('%s', (_, options, expected) => {
    expect(readHevcParameters(Uint8Array.from(sps(options)))).toEqual(expected);
  });

  test('the VPS has the timing that the SPS lacks', () => {
    const both = (timing: string, options: SpsOptions): object =>
      readHevcParameters(Uint8Array.from([...vps(timing), 0, 0, 0, 1, ...sps(options)]));
    expect(both('1/1 32/1001 32/60000', {})).toEqual({ ...hd, frameRate: 59.94 });
    expect(both('1/1 32/1001 32/60000', { vui: vui(1, 25) })).toEqual({ ...hd, frameRate: 25 });
    expect(both('1/0', {})).toEqual(hd);
  });

  test.each<[string, number[], string]>([
    ['nothing', [], 'HEVC: no SPS'],
    ['a VPS alone', vps('1/0'), 'HEVC: no SPS'],
    ['eight temporal layers', [0x42, 1, 0x0f, 1], 'HEVC: an SPS of more than 7 temporal layers'],
    ['cropped to nothing', sps({ window: '1/1 ue:0 ue:0 ue:0 ue:544' }), 'HEVC: an SPS of 1920×0 pixels'],
    ['cut off', sps().slice(0, 18), 'a header ends before its last field'],
  ])('refused: %s', (_, bytes, message) => {
    expect(() => readHevcParameters(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: 'bad-parameter-set', message }),
    );
  });
});
