/** Which flags of ffmpeg align renditions and which do not: docs/operations.md, cut by the real segmenter. */
import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { cut, PACKET, pidOf } from './helpers/cut.js';
import { inChunks, VIDEO_PID } from './helpers/ts-generator.js';

jest.setTimeout(60_000);

const TARGET_SECONDS = 2;
const SOURCE_SECONDS = 14;

const ffmpeg = (args: string, input?: Uint8Array): Buffer =>
  execFileSync('ffmpeg', `-v fatal -nostdin -threads 1 ${args} -f mpegts pipe:1`.split(' '), {
    maxBuffer: 64 << 20,
    ...(input && { input }),
  });

/** A contribution as encoders get it: key pictures every second, another scene from 5.2 s on. */
let source: Buffer;
/** What an encoder makes of it that has run from its beginning, with the flags that all should have. */
let measure: number[];
beforeAll(async () => {
  source = ffmpeg(
    '-f lavfi -i testsrc2=s=96x54:r=25:d=5.2 -f lavfi -i smptebars=s=96x54:r=25 ' +
      `-filter_complex [0:v][1:v]concat=n=2:v=1,trim=duration=${SOURCE_SECONDS} ` +
      '-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -keyint_min 25 -bf 0',
  );
  measure = await starts(SAME);
});

const X264 = '-c:v libx264 -preset ultrafast -pix_fmt yuv420p';
const SAME = `${X264} -g 50 -keyint_min 50 -sc_threshold 0 -bf 2`;

/** The source from one of its key pictures on, its tables before it. */
function fromKey(n: number): Buffer {
  const tables = source.subarray(0, 3 * PACKET);
  const keys: number[] = [];
  for (let at = 0; at < source.length; at += PACKET) {
    const hasField = (source[at + 3]! & 0x20) !== 0 && source[at + 4]! > 0;
    if (pidOf(source, at) === VIDEO_PID && hasField && (source[at + 5]! & 0x40) !== 0) keys.push(at);
  }
  return Buffer.concat([tables, source.subarray(keys[n])]);
}

/** Where segments begin, ticks, of an encoder that is there from the source's nth key picture on. */
async function starts(flags: string, before = '', firstKey = 0): Promise<number[]> {
  const bytes = ffmpeg(`-f mpegts ${before} -i pipe:0 ${flags}`.replaceAll('  ', ' '), fromKey(firstKey));
  const { segments } = await cut(inChunks(bytes, [65_536]), { targetSeconds: TARGET_SECONDS });
  return segments.map(({ startPts }) => startPts);
}

/** After what it begins with, so much later, each cut of the second is one of the first: the same pictures have the same timestamps. */
function align(one: number[], other: number[], laterSeconds = 0): boolean {
  const [begin, ...cuts] = other;
  expect(cuts.length).toBeGreaterThanOrEqual(2);
  const isSameClock = Math.abs(begin! - one[0]! - laterSeconds * 90_000) < 45_000;
  return isSameClock && cuts.every((start) => one.includes(start));
}

describe('encoders that begin together', () => {
  test.each([
    ['equal flags at another size and bit rate', `${SAME} -s 64x36 -b:v 50k`, true],
    ['another -bf', `${SAME} -bf 0`, false],
    ['another -g', `${SAME} -g 48 -keyint_min 48`, false],
    ['scene cuts', `-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 50 -sc_threshold 40 -bf 2`, false],
    ['another -r', `${SAME} -r 30`, false],
  ])('%s', async (_, flags, isAligned) => {
    expect(align(measure, await starts(flags))).toBe(isAligned);
  });

  test('another -bf with -avoid_negative_ts disabled for all', async () => {
    const disabled = '-avoid_negative_ts disabled';
    expect(align(await starts(`${SAME} ${disabled}`), await starts(`${SAME} -bf 0 ${disabled}`))).toBe(true);
  });
});

describe('an encoder that is started again alone', () => {
  const SOURCE_KEYS = `${SAME} -force_key_frames source`;
  test.each([
    ['with nothing besides', '', SAME, false],
    ['with -copyts', '-copyts', SAME, false],
    [
      'with -copyts and -force_key_frames expr:',
      '-copyts',
      `${SAME} -force_key_frames expr:gte(t,n_forced*2)`,
      false,
    ],
    ['with -force_key_frames source', '', SOURCE_KEYS, false],
    ['with -copyts and -force_key_frames source', '-copyts', SOURCE_KEYS, true],
  ])('%s', async (_, before, flags, isAligned) => {
    expect(align(await starts(flags, before), await starts(flags, before, 3), 3)).toBe(isAligned);
  });
});
