import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from '../helpers/processes.js';
import { TransportStreamWriter } from './fixtures/transport-stream-writer.js';
import { inspectSegment, type SegmentFacts } from './segment-facts.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'facts-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Probe {
  streams: { codec_type: string; width?: number; height?: number; level?: number; sample_rate?: string }[];
  packets: { codec_type: string; pts: number; dts: number }[];
}

/** Two seconds by ffmpeg; the SDT that it puts first is taken out, as a segmenter does. */
async function encode(
  size: string,
  rate: string,
  args: string[],
): Promise<{ facts: SegmentFacts; probe: Probe }> {
  const file = join(folder, `${size}-${rate.replace('/', '-')}.ts`);
  const source = [
    '-f',
    'lavfi',
    '-i',
    `testsrc2=size=${size}:rate=${rate}`,
    '-f',
    'lavfi',
    '-i',
    'sine=r=48000',
  ];
  const video = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '500'];
  const ffmpeg = await start('ffmpeg', ['-v', 'error', ...source, '-t', '2', ...video, ...args, '-y', file]);
  expect((await ffmpeg.exited).code).toBe(0);
  const entries = [
    '-show_entries',
    'stream=codec_type,width,height,level,sample_rate:packet=codec_type,pts,dts',
  ];
  const probing = await start('ffprobe', ['-v', 'error', ...entries, '-of', 'json', file]);
  await probing.exited;
  const probe = JSON.parse(probing.lines.map(({ text }) => text).join('\n')) as Probe;
  const bytes = await readFile(file);
  const packets = Array.from({ length: bytes.length / 188 }, (_, i) =>
    bytes.subarray(i * 188, (i + 1) * 188),
  );
  const wanted = packets.filter((packet) => packet.readUInt16BE(1) % 0x2000 !== 17);
  return { facts: inspectSegment(Buffer.concat(wanted)), probe };
}

describe('against ffprobe', () => {
  test.each([
    [
      '1920x1080',
      '30000/1001',
      ['-profile:v', 'high', '-x264-params', 'bframes=2:8x8dct=1', '-level', '4.0'],
      'avc1.640028',
    ],
    ['320x180', '25', ['-profile:v', 'baseline', '-level', '3.0'], 'avc1.42c01e'],
    ['642x362', '50', ['-profile:v', 'main', '-x264-params', 'cabac=1', '-level', '3.1'], 'avc1.4d401f'],
  ])('%s at %s', async (size, rate, args, codec) => {
    const { facts, probe } = await encode(size, rate, [...args, '-c:a', 'aac']);
    expect(facts.problems).toEqual([]);
    const [pictures, sound] = ['video', 'audio'].map((type) =>
      probe.packets.filter((one) => one.codec_type === type),
    );
    const [numerator = 0, denominator = 1] = rate.split('/').map(Number);
    expect(facts.video).toMatchObject({
      codec,
      resolution: size,
      randomAccess: 'idr',
      firstPts: pictures?.[0]?.pts,
      firstDts: pictures?.[0]?.dts,
      lastDts: pictures?.at(-1)?.dts,
      maxPts: Math.max(...(pictures ?? []).map(({ pts }) => pts)),
      pictures: pictures?.length,
    });
    expect(90_000 / (facts.video?.meanTicks ?? 0)).toBeCloseTo(numerator / denominator, 2);
    expect(facts.audio).toHaveLength(1);
    expect(facts.audio[0]).toMatchObject({
      frames: { codec: 'mp4a.40.2', sampleRate: 48_000, channels: 1, samplesPerFrame: 1024 },
      firstPts: sound?.[0]?.pts,
      endPts: (sound?.at(-1)?.pts ?? 0) + 1920,
    });
  });

  test.each([
    ['mp2', 'mp4a.40.33', '25'],
    ['libmp3lame', 'mp4a.40.34', '24'],
  ])('MPEG audio by %s', async (encoder, codec, rate) => {
    const { facts, probe } = await encode('320x180', rate, ['-c:a', encoder]);
    const sound = probe.packets.filter((one) => one.codec_type === 'audio');
    expect(facts.problems).toEqual([]);
    expect(facts.audio[0]?.frames).toMatchObject({ codec, sampleRate: 48_000, samplesPerFrame: 1152 });
    expect(facts.audio[0]?.endPts).toBeCloseTo((sound.at(-1)?.pts ?? 0) + 2160, 0);
  });
});

const plan = { pts: 900_000, duration: 180_000, width: 320, height: 180, pictureBytes: 100 };

describe('faults', () => {
  test.each<[string, number, (bytes: Uint8Array) => Uint8Array]>([
    ['half a packet at the end', 3, (bytes) => bytes.subarray(0, bytes.length - 100)],
    ['nothing at all', 3, () => new Uint8Array()],
    ['no sync', 3, (bytes) => bytes.fill(0x48, 188 * 5, 188 * 5 + 1)],
    ['a packet lost', 24, (bytes) => Buffer.concat([bytes.subarray(0, 188 * 5), bytes.subarray(188 * 6)])],
    [
      'two programmes’ tables swapped',
      22,
      (bytes) => Buffer.concat([bytes.subarray(188, 376), bytes.subarray(0, 188), bytes.subarray(376)]),
    ],
  ])('%s', (_, rule, change) => {
    const facts = inspectSegment(change(Uint8Array.from(new TransportStreamWriter().segment(plan))));
    expect(facts.problems.map((problem) => problem.rule)).toContain(rule);
  });

  test('a packet sent twice is none', () => {
    const bytes = new TransportStreamWriter().segment(plan);
    const twice = Buffer.concat([bytes.subarray(0, 188 * 5), bytes.subarray(188 * 4)]);
    expect(inspectSegment(twice).problems.filter(({ rule }) => rule === 24)).toEqual([]);
  });

  test('no bytes make it throw', () => {
    const good = new TransportStreamWriter().segment({ ...plan, duration: 27_000 });
    const change = fc.record({ at: fc.nat(good.length - 1), value: fc.nat(255) });
    let broken = 0;
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 40 }), (changes) => {
        const bytes = Uint8Array.from(good);
        for (const { at, value } of changes) bytes[at] = value;
        if (inspectSegment(bytes).problems.length > 0) broken += 1;
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => inspectSegment(bytes).problems.length > 0),
    );
    expect(broken).toBeGreaterThan(100);
  });
});
