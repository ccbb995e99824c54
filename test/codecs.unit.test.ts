/** Every codec that is cut, as real encoders make it: item by item what they stated, what ffprobe saw, and what came out. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Logger } from '@hls-uplink/runtime';
import { checkConservation, checkFiles, cut, newSpool, root, seconds, type Result } from './helpers/cut.js';
import { hevcPictures } from './helpers/nal-surgery.js';
import { AUDIO_PID, inChunks, VIDEO_PID } from './helpers/ts-generator.js';
import { decodeEach, expectDecoded } from './player/decode.js';
import { inspectSegment } from './watcher/index.js';

const TARGET = 2;
const SLOT = TARGET * 90_000;

function encode(parameters: string): Uint8Array {
  const args = `-v error -nostdin ${parameters} -pes_payload_size 0 -f mpegts pipe:1`;
  return execFileSync('ffmpeg', args.split(' '), { maxBuffer: 64 << 20 });
}

const probe = (args: string): string => execFileSync('ffprobe', args.split(' ')).toString().trim();

/** PTS of packets in order, as ffprobe sees them: of all, and of those that it takes for ones to start at. */
function packetTimes(file: string, stream: 'v' | 'a'): { all: number[]; startable: number[] } {
  const args = `-v error -select_streams ${stream} -show_entries packet=pts,flags -of csv=p=0 ${file}`;
  const lines = probe(args).split('\n');
  const times = (pattern: RegExp): number[] =>
    lines.filter((line) => pattern.test(line)).map((line) => parseInt(line, 10));
  return { all: times(/^\d+,/), startable: times(/^\d+,K/) };
}
const startable = (file: string, stream: 'v' | 'a'): number[] => packetTimes(file, stream).startable;

/** The rule of the cuts, worked out anew: the first, and each in another slot than the one before it. */
const ruled = (keys: readonly number[]): number[] =>
  keys.filter((pts, n) => n === 0 || Math.floor(pts / SLOT) !== Math.floor(keys[n - 1]! / SLOT));

interface Line {
  message: string;
  fields: object;
}

async function segment(
  stream: string,
  made?: (encoded: Uint8Array) => Uint8Array,
): Promise<{ input: Uint8Array; file: string; result: Result; said: Line[] }> {
  const encoded = encode(stream);
  const input = made?.(encoded) ?? encoded;
  expect(Buffer.compare(input, encoded) !== 0).toBe(made !== undefined);
  const file = join(root, 'input.ts');
  writeFileSync(file, input);
  const said: Line[] = [];
  const line = (message: string, fields = {}): unknown => said.push({ message, fields });
  const logger = { debug() {}, info() {}, warn: line, error: line } as unknown as Logger;
  const options = { targetSeconds: TARGET, spool: newSpool(), logger };
  const result = await cut(inChunks(input, [30_000]), options, true);
  expect(result.refused).toBeUndefined();
  return { input, file, result, said };
}

/** ffmpeg's only word about pictures that are shown before the first one, and need what stands before it. */
const LEADING = /^\[h264 @ \w+\] mmco: unref short failure$/;

/** What any decoder and any viewer may ask of a segment. */
async function checkSegments(
  input: Uint8Array,
  { segments }: Result,
  pids: number[],
  alone: boolean,
): Promise<void> {
  checkFiles(segments, pids);
  checkConservation(input, segments, pids);
  const paths = segments.map(({ partPath }) => partPath);
  for (const path of paths) expect(inspectSegment(readFileSync(path)).problems).toEqual([]);
  if (alone) {
    const decoded = await decodeEach(paths);
    expectDecoded(
      decoded.map((one) => ({ ...one, errors: one.errors.filter((line) => !LEADING.test(line)) })),
    );
  }
  for (const path of paths) rmSync(path);
  segments.slice(1).forEach(({ startPts, discontinuity }, n) => {
    expect(startPts).toBe(segments[n]!.endPts);
    expect(discontinuity).toBeUndefined();
  });
}

/** What hinders players from playing it, by the words of the log. */
const hindered = (said: readonly Line[]): string[] =>
  said.flatMap(({ message, fields }) =>
    message.includes('not every player') ? Object.keys(fields).slice(1) : [],
  );

const x264 = '-c:v libx264 -preset ultrafast -x264-params scenecut=0:keyint=50:min-keyint=50';
const x265 = '-c:v libx265 -preset ultrafast -x265-params log-level=error:scenecut=0:keyint=50:min-keyint=50';
/** nal_unit_type; a CRA is made a BLA by its name alone (ITU-T H.265 §7.3.6.1). */
const CRA = 21;
const BLA_W_LP = 16;
const BLA_W_RADL = 17;
const BLA_N_LP = 18;
const mpeg2 = '-c:v mpeg2video -sc_threshold 1000000000 -g 48';

interface Pictures {
  encoder: string;
  /** What no encoder here writes is made of what it wrote. */
  made?: (encoded: Uint8Array) => Uint8Array;
  rate?: string;
  codec: string | RegExp;
  frameRate: number;
  /** By ffprobe: `tt`, the upper field comes and is shown first. */
  fieldOrder?: 'tt';
  /** Else not independent. */
  alone?: false;
  hinders?: string[];
}

const hevc = { codec: /^hvc1\.1\.6\.L\d+\./, frameRate: 25, hinders: ['Apple', 'hls.js'] };

const pictures: Record<string, Pictures> = {
  'H.264': { encoder: `${x264}:bframes=2`, codec: 'avc1.4d400c', frameRate: 25 },
  'H.264 without AUD, of several slices': {
    encoder: `${x264}:aud=0:slices=4`,
    codec: /^avc1\./,
    frameRate: 25,
  },
  'H.264 at 23.976': {
    encoder: `${x264}:bframes=2`,
    rate: '24000/1001',
    codec: /^avc1\./,
    frameRate: 23.976,
  },
  'H.264 at 59.94': { encoder: `${x264}:bframes=1`, rate: '60000/1001', codec: /^avc1\./, frameRate: 59.94 },
  'H.264 in open GOPs': { encoder: `${x264}:bframes=3:open-gop=1`, codec: /^avc1\./, frameRate: 25 },
  'H.264 in MBAFF': { encoder: `${x264}:tff=1:bframes=2`, codec: /^avc1\./, frameRate: 25, fieldOrder: 'tt' },
  'H.264 marked as fields': { encoder: `${x264}:fake-interlaced=1`, codec: /^avc1\./, frameRate: 25 },
  'H.264 of I pictures alone': {
    encoder: '-c:v libx264 -preset ultrafast -g 1',
    codec: /^avc1\./,
    frameRate: 25,
  },
  'H.264 with intra refresh': {
    encoder: `${x264}:intra-refresh=1:bframes=0`,
    codec: /^avc1\./,
    frameRate: 25,
    alone: false,
    hinders: ['Apple', 'hls.js'],
  },
  HEVC: { encoder: `${x265}:open-gop=0:bframes=2`, ...hevc },
  'HEVC in open GOPs (CRA with RASL)': {
    encoder: `${x265}:open-gop=1:bframes=3`,
    ...hevc,
    rate: '50',
    frameRate: 50,
  },
  'HEVC spliced at each key picture (BLA with RASL, which no decoder shows then)': {
    encoder: `${x265}:open-gop=1:bframes=3`,
    made: hevcPictures(VIDEO_PID, CRA, BLA_W_LP),
    ...hevc,
  },
  'HEVC, BLA that may have RADL': {
    encoder: `${x265}:open-gop=1:bframes=0`,
    made: hevcPictures(VIDEO_PID, CRA, BLA_W_RADL),
    ...hevc,
  },
  'HEVC, BLA without leading pictures': {
    encoder: `${x265}:open-gop=1:bframes=0`,
    made: hevcPictures(VIDEO_PID, CRA, BLA_N_LP),
    ...hevc,
  },
  'MPEG-2 in open GOPs': {
    encoder: `${mpeg2} -bf 2`,
    codec: 'mp4v.61',
    frameRate: 25,
    hinders: ['Apple', 'hls.js'],
  },
  'MPEG-2 in closed GOPs': {
    encoder: `${mpeg2} -bf 2 -flags +cgop`,
    rate: '30000/1001',
    codec: 'mp4v.61',
    frameRate: 29.97,
    hinders: ['Apple', 'hls.js'],
  },
  'MPEG-2 in fields': {
    encoder: `${mpeg2} -flags +ildct+ilme`,
    codec: 'mp4v.61',
    frameRate: 25,
    hinders: ['Apple', 'hls.js'],
  },
};

describe('pictures', () => {
  test.each(Object.entries(pictures))(
    '%s',
    async (_, { encoder, made, rate = '25', codec, frameRate, fieldOrder, alone = true, hinders = [] }) => {
      const source = `-f lavfi -i testsrc2=s=320x180:r=${rate} -f lavfi -i sine=r=48000 -t 7 -pix_fmt yuv420p`;
      const { input, file, result, said } = await segment(`${source} ${encoder} -c:a aac -ac 2`, made);
      const { all, startable: keys } = packetTimes(file, 'v');
      if (fieldOrder !== undefined)
        expect(probe(`-v error -show_entries stream=field_order -of csv=p=0 ${file}`)).toMatch(fieldOrder);
      expect(result.segments.map(({ startPts }) => startPts)).toEqual(ruled(keys));
      expect(result.segments.length).toBeGreaterThanOrEqual(4);
      const end = Math.max(...all) + 90_000 / frameRate;
      expect(Math.abs(result.segments.at(-1)!.endPts - end)).toBeLessThanOrEqual(1);
      expect(result.segments.map(({ independent }) => independent)).toEqual(
        result.segments.map((_, n) => alone || (n === 0 && result.segments[0]!.independent)),
      );
      if (alone) expect(result.segments.flatMap((s) => s.keyPictures.map(({ pts }) => pts))).toEqual(keys);
      const stated = typeof codec === 'string' ? codec : expect.stringMatching(codec);
      expect(result.tracks.at(-1)!.tracks).toEqual([
        { kind: 'video', pid: VIDEO_PID, codec: stated, width: 320, height: 180, frameRate },
        { kind: 'audio', pid: AUDIO_PID, codec: 'mp4a.40.2', channels: 2, sampleRate: 48_000 },
      ]);
      expect(hindered(said)).toEqual(hinders);
      await checkSegments(input, result, [VIDEO_PID, AUDIO_PID], alone);
    },
    30_000,
  );
});

interface Sound {
  encoder: string;
  codec: string;
  channels?: number;
  sampleRate?: number;
  hinders?: string[];
}

const sounds: Record<string, Sound> = {
  'AAC in ADTS': { encoder: 'aac -ac 2', codec: 'mp4a.40.2', channels: 2, sampleRate: 48_000 },
  'AAC in ADTS, 5.1': { encoder: 'aac -ac 6', codec: 'mp4a.40.2', channels: 6, sampleRate: 48_000 },
  'AAC in LATM': {
    encoder: 'aac -ac 1 -ar 44100 -mpegts_flags latm',
    codec: 'mp4a.40.2',
    channels: 1,
    sampleRate: 44_100,
    hinders: ['Apple', 'hls.js'],
  },
  'MPEG-1 layer II': {
    encoder: 'mp2 -ac 2 -ar 44100',
    codec: 'mp4a.40.33',
    channels: 2,
    sampleRate: 44_100,
    hinders: ['hls.js'],
  },
  'MPEG-2 layer III': {
    encoder: 'libmp3lame -ac 1 -ar 22050',
    codec: 'mp4a.40.34',
    channels: 1,
    sampleRate: 22_050,
  },
  'AC-3': { encoder: 'ac3 -ac 6', codec: 'ac-3', channels: 6, sampleRate: 48_000, hinders: ['hls.js'] },
  'E-AC-3': { encoder: 'eac3 -ac 6', codec: 'ec-3', channels: 6, sampleRate: 48_000, hinders: ['hls.js'] },
  'DTS, passed on': { encoder: 'dca -strict -2 -ac 2', codec: 'dtsc', hinders: ['Apple', 'hls.js'] },
  'Opus, passed on': { encoder: 'libopus -ac 2', codec: 'Opus', hinders: ['Apple', 'hls.js'] },
};

describe('sound', () => {
  const tone = '-f lavfi -i sine=r=48000';
  test.each(Object.entries(sounds))(
    '%s, with pictures',
    async (_, { encoder, codec, channels, sampleRate, hinders = [] }) => {
      const source = `-f lavfi -i testsrc2=s=320x180:r=25 ${tone} -t 7 -pix_fmt yuv420p ${x264}`;
      const { input, file, result, said } = await segment(
        `${source} -c:a ${encoder} -metadata:s:a language=swe`,
      );
      expect(result.segments.map(({ startPts }) => startPts)).toEqual(ruled(startable(file, 'v')));
      expect(result.tracks.at(-1)!.tracks[1]).toEqual({
        kind: 'audio',
        pid: AUDIO_PID,
        codec,
        language: 'swe',
        ...(channels !== undefined && { channels, sampleRate }),
      });
      expect(hindered(said)).toEqual(hinders);
      await checkSegments(input, result, [VIDEO_PID, AUDIO_PID], true);
    },
    30_000,
  );

  test.each(Object.entries(sounds))(
    '%s, alone: cut at the slot, on a frame',
    async (_, { encoder, codec }) => {
      const { input, file, result } = await segment(`${tone} -t 7 -c:a ${encoder} -streamid 0:${AUDIO_PID}`);
      expect(result.segments.map(({ startPts }) => startPts)).toEqual(ruled(startable(file, 'a')));
      expect(result.segments.length).toBeGreaterThanOrEqual(5);
      expect(result.tracks.at(-1)!.tracks).toMatchObject([{ kind: 'audio', codec }]);
      expect(result.segments.map(seconds).reduce((sum, s) => sum + s)).toBeCloseTo(7, 0);
      await checkSegments(input, result, [AUDIO_PID], true);
    },
    30_000,
  );
});
