/** What becomes of streams whose key pictures are too few, too many, or at the wrong places: cuts, marks, and what is said. */
import { describe, expect, test } from '@jest/globals';
import type { Logger } from '@hls-uplink/runtime';
import { checkConservation, checkFiles, cut, of, seconds, starts } from './helpers/cut.js';
import { AUDIO_PID, VIDEO_PID, generateStream, type StreamOptions } from './helpers/ts-generator.js';

interface Row {
  stream: StreamOptions;
  target: number;
  /** The channel's target duration, where it has told. */
  told?: number;
  /** Seconds, and `+` where a player can start. */
  cuts: string;
  ended: 'cut' | 'forced' | 'both';
  /** Beginnings of the warnings. */
  said?: string[];
}

const long =
  'no key picture came in time: the segment was cut before it became longer than the channel allows';
const far = (gop: number): string =>
  `key pictures are ${gop} s apart, further apart than the segments are to be`;

const rows: Record<string, Row> = {
  'a GOP that divides the target': {
    stream: { gop: 75 },
    target: 6,
    cuts: '1.48+ 7.48+ 13.48+ 19.48+ 25.48+',
    ended: 'cut',
  },
  'a GOP that does not divide the target': {
    stream: { gop: 100 },
    target: 6,
    cuts: '1.48+ 9.48+ 13.48+ 21.48+ 25.48+',
    ended: 'cut',
    said: ['key pictures are 4 s apart, no part of the segment duration'],
  },
  'GOPs longer than the target, before the channel has told': {
    stream: { gop: 250 },
    target: 6,
    cuts: '1.48+ 11.48+ 21.48+',
    ended: 'cut',
    said: [far(10)],
  },
  'GOPs longer than the target duration of the channel': {
    stream: { gop: 250 },
    target: 6,
    told: 6,
    // 6.48 s round to 6; one picture more would be 6.52 s.
    cuts: '1.48+ 7.96 11.48+ 17.96 21.48+ 27.96',
    ended: 'both',
    said: [long, far(10)],
  },
  'a key picture at the beginning only': {
    stream: { gop: 10_000 },
    target: 6,
    told: 8,
    // Forced twice: from then on slots of 6 s, as who joined later cuts.
    cuts: '1.48+ 9.96 18.44 24 30',
    ended: 'both',
    said: [long, 'there is no key picture: '],
  },
  'no key picture at all': {
    stream: { key: 'P' },
    target: 2,
    // Waited for as long as a segment may be, 6.5 s; then comes the slot of 8 s.
    cuts: '8 10 12 14 16 18 20 22 24 26 28 30',
    ended: 'cut',
    said: ['there is no key picture: '],
  },
  'no key picture at all, in a channel that has told': {
    stream: { key: 'P' },
    target: 6,
    told: 6,
    cuts: '12 18 24 30',
    ended: 'cut',
    said: ['there is no key picture: '],
  },
  'I pictures that are none to start at': {
    stream: { key: 'I' },
    target: 6,
    told: 6,
    cuts: '12 18 24 30',
    ended: 'cut',
    said: ['there is no key picture: '],
  },
  'key pictures only': {
    stream: { gop: 1 },
    target: 6,
    cuts: '1.48+ 6+ 12+ 18+ 24+ 30+',
    ended: 'cut',
  },
};

describe('key pictures', () => {
  test.each(Object.entries(rows))('%s', async (_, { stream, target, told, cuts, ended, said = [] }) => {
    const options: StreamOptions = { pictures: 25 * 30, ...stream };
    const warnings: string[] = [];
    const warn = (message: string): unknown => warnings.push(message);
    const logger = { debug() {}, info() {}, warn, error: warn } as unknown as Logger;
    const result = await cut(
      [(cutting) => told !== undefined && cutting.setTargetDuration(told), ...of(options)],
      { targetSeconds: target, logger },
    );
    expect(result.refused).toBeUndefined();
    const { segments } = result;
    const found = starts(result).map((start, n) => `${start}${segments[n]!.independent ? '+' : ''}`);
    expect(found.join(' ')).toBe(cuts);
    const ends = new Set(segments.slice(0, -1).map((segment) => segment.ended));
    expect([...ends].sort()).toEqual(ended === 'both' ? ['cut', 'forced'] : [ended]);
    expect(warnings.map((line, n) => line.slice(0, said[n]?.length))).toEqual(said);
    for (const segment of segments) {
      expect(segment.discontinuity).toBe(segment === segments[0] ? 'start' : undefined);
      expect(segment.keyPictures.length > 0 || !segment.independent).toBe(true);
      if (told !== undefined) expect(Math.round(seconds(segment))).toBeLessThanOrEqual(told);
    }
    checkFiles(segments, [VIDEO_PID, AUDIO_PID]);
    checkConservation(generateStream(options), segments, [VIDEO_PID, AUDIO_PID]);
  });
});

test('sound that was cut until pictures came is not spoken of as pictures too far apart', async () => {
  const warnings: string[] = [];
  const warn = (message: string): unknown => warnings.push(message);
  const logger = { debug() {}, info() {}, warn, error: warn } as unknown as Logger;
  // PES of 24 ms, which are no part of a second, and GOPs of one.
  const parts = [
    { pictures: 0, audio: 'mp3' as const },
    { pictures: 300, gop: 25 },
  ];
  const result = await cut(
    parts.flatMap((part) => [...of(part)]),
    { targetSeconds: 1, logger },
  );
  expect(result.segments.filter(({ discontinuity }) => discontinuity === 'tables')).toHaveLength(1);
  expect(warnings.filter((text) => text.includes('key picture'))).toEqual([]);
});
