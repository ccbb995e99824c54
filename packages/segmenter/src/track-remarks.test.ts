import { describe, expect, test } from '@jest/globals';
import { ElementaryTrack } from '@hls-uplink/mpegts';
import { systemClock, type Clock, type Logger } from '@hls-uplink/runtime';
import { TrackRemarks } from './track-remarks.js';

function remarks(targetSeconds = 6): {
  remarks: TrackRemarks;
  said: { message: string; fields: Record<string, unknown> }[];
  pass: (ms: number) => void;
} {
  let now = 0;
  const clock: Clock = { ...systemClock, monotonic: () => now };
  const said: { message: string; fields: Record<string, unknown> }[] = [];
  const logger = {
    warn: (message: string, fields: Record<string, unknown> = {}) => said.push({ message, fields }),
  } as unknown as Logger;
  return {
    remarks: new TrackRemarks(logger, clock, targetSeconds),
    said,
    pass: (ms) => (now += ms),
  };
}

describe('GOPs', () => {
  test.each<
    [what: string, gop: number, target: number, rate: number | undefined, remedy: string | undefined]
  >([
    ['fits once', 6, 6, 25, undefined],
    ['fits three times', 2, 6, 25, undefined],
    ['fits as well as 59.94 pictures a second can', 2.002, 6, 59.94, undefined],
    ['divides only most of it', 4, 6, 25, 'ffmpeg -g 75 -keyint_min 75 -sc_threshold 0'],
    // 37.5 pictures, four times, would be no part of 150; 50 are three times.
    ['divides nothing', 1.92, 6, 25, 'ffmpeg -g 50 -keyint_min 50 -sc_threshold 0'],
    // 179.82 pictures: six times 30 are 180.
    ['divides nothing, of 29.97', 1.1, 6, 29.97, 'ffmpeg -g 36 -keyint_min 36 -sc_threshold 0'],
    // 37.5 pictures: no number of them is as long.
    [
      'cannot divide it',
      1,
      1.5,
      25,
      'ffmpeg -g 38 -keyint_min 38 -sc_threshold 0, and --segment-duration 1.52',
    ],
    ['is longer', 10, 6, 50, 'ffmpeg -g 300 -keyint_min 300 -sc_threshold 0'],
    ['is longer, by a multiple', 12, 6, 25, 'ffmpeg -g 150 -keyint_min 150 -sc_threshold 0'],
    [
      'of a rate that is unknown',
      5,
      2,
      undefined,
      'a keyframe interval of 2 s, without others at scene changes',
    ],
  ])('%s: %d s for segments of %d s at %d pictures a second', (_, gop, target, rate, remedy) => {
    const { remarks: to, said } = remarks(target);
    for (let times = 0; times < 3; times++) to.gop(gop * 90_000, rate);
    expect(said.map(({ fields }) => fields.remedy)).toEqual(remedy === undefined ? [] : [remedy]);
    if (remedy) expect(said[0]!.fields.longestSegment).toBeCloseTo(Math.ceil(target / gop) * gop, 3);
    // Who does as told is told nothing more.
    const pictures = /-g (\d+)/.exec(remedy ?? '')?.[1];
    const duration = Number(/duration ([\d.]+)/.exec(remedy ?? '')?.[1] ?? target);
    if (pictures === undefined || rate === undefined) return;
    const mended = remarks(duration);
    mended.remarks.gop(Math.round((Number(pictures) / rate) * 90_000), rate);
    expect(mended.said).toEqual([]);
  });

  test('one that grows beyond the target is said anew', () => {
    const { remarks: to, said } = remarks();
    for (const seconds of [4, 5, 7, 8]) to.gop(seconds * 90_000, 25);
    expect(said.map(({ message }) => message)).toEqual([
      'key pictures are 4 s apart, no part of the segment duration',
      'key pictures are 7 s apart, further apart than the segments are to be long',
    ]);
  });
});

describe('what is said how often', () => {
  test('jumps: once a minute, by how much, and with how many were left out', () => {
    const { remarks: to, said, pass } = remarks();
    for (const [ticks, isWaiting] of [
      [324_000_000, true],
      [-90_000, true],
      [45_000, false],
    ] as const) {
      to.jumped(ticks, isWaiting);
      pass(30_000);
    }
    expect(said).toEqual([
      {
        message:
          'the timestamps of the pictures jump: a discontinuity follows, and pictures are left out until the next key picture',
        fields: { seconds: 3600 },
      },
      {
        message: 'the timestamps of the pictures jump: a discontinuity follows',
        fields: { seconds: 0.5, repeats: 1 },
      },
    ]);
  });

  test('forced cuts: once a minute, with how many were left out', () => {
    const { remarks: to, said, pass } = remarks();
    for (let n = 0; n < 10; n++) {
      to.start('forced', false, 0x100, 25);
      pass(9000);
    }
    expect(said.map(({ fields }) => fields.repeats)).toEqual([undefined, 6]);
    expect(said[0]!.fields.remedy).toBe('ffmpeg -g 150 -keyint_min 150 -sc_threshold 0');
  });

  test('intra refresh and the want of key pictures: once', () => {
    const { remarks: to, said } = remarks();
    for (let n = 0; n < 3; n++) {
      to.start('cut', true, 0x100, 25);
      to.start('cut', false, 0x100, 25);
      to.start('on', false, 0x100, 25);
    }
    expect(said).toHaveLength(2);
    expect(said[0]!.fields).toMatchObject({ pid: 0x100, Apple: expect.stringContaining('7.4') });
  });

  test('long PES of sound alone: once, with the flag that mends it', () => {
    const { remarks: to, said } = remarks();
    for (const seconds of [0.024, 0.2, 0.312, 0.5]) to.soundPes(seconds * 90_000);
    expect(said).toEqual([
      {
        message: expect.stringMatching(/^the PES of the sound are 0\.312 s long, /),
        fields: { segmentDuration: 6, remedy: 'ffmpeg -pes_payload_size 0' },
      },
    ]);
  });

  test('a track that not every player plays: once, and again for another', () => {
    const { remarks: to, said } = remarks();
    const [dts, hevc] = [new ElementaryTrack(7, 'audio', 'dts'), new ElementaryTrack(8, 'video', 'hevc')];
    to.tracks([dts]);
    to.tracks([dts, hevc]);
    to.tracks([dts, hevc, new ElementaryTrack(9, 'video', 'h264')]);
    expect(said.map(({ fields }) => fields.pid)).toEqual([7, 8]);
    expect(said[1]!.fields).toEqual({
      pid: 8,
      Apple: expect.stringMatching(/^does not play it: .*fragmented MP4/),
      'hls.js': expect.stringMatching(/^plays it in some browsers: /),
    });
  });

  test('sound whose headers tell more is not spoken of before they have come', () => {
    const { remarks: to, said } = remarks();
    to.tracks([new ElementaryTrack(7, 'audio', 'mpeg-audio'), new ElementaryTrack(8, 'audio', 'e-ac-3')]);
    expect(said).toEqual([]);
  });
});
