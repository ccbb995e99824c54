/** The watcher on media by real encoders: what ffmpeg cuts, published by the rules, breaks none. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ffmpegHlsArguments } from '../helpers/ffmpeg-hls.js';
import { start } from '../helpers/processes.js';
import { base, recordedTransfer, VirtualClock, type State } from './fixtures/recording.js';
import { ended, expectNoViolations, watch } from './index.js';
import { rules } from './fixtures/viewing.js';

const target = 2;
const window = 6;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'real-media-'));
  const args = ffmpegHlsArguments({
    rate: '30000/1001',
    sampleRate: 44_100,
    seconds: 24,
    video: '-preset veryfast -bf 2 -g 60',
    output: '-pes_payload_size 0 -hls_list_size 0',
  });
  const ffmpeg = await start('ffmpeg', args, { cwd: folder });
  expect((await ffmpeg.exited).code).toBe(0);
}, 30_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Without ffmpeg's SDT, as a segment must begin with PAT and PMT. */
function withoutSdt(bytes: Buffer): Buffer {
  const packets = Array.from({ length: bytes.length / 188 }, (_, i) =>
    bytes.subarray(i * 188, (i + 1) * 188),
  );
  return Buffer.concat(packets.filter((packet) => packet.readUInt16BE(1) % 0x2000 !== 17));
}

/** The level's segments one by one every two seconds, with EXTINF as ffmpeg wrote it. */
async function publish(level: string): Promise<{ states: State[]; peak: number; average: number }> {
  const text = await readFile(join(folder, `${level}.m3u8`), 'utf8');
  const listed = [...text.matchAll(/#EXTINF:([\d.]+),\n(.*)\n/g)].map(([, seconds, uri = '']) => ({
    seconds: Number(seconds),
    uri,
  }));
  let dateMs = Date.UTC(2026, 0, 1);
  const states: State[] = [];
  const entries: string[] = [];
  const rates: number[] = [];
  for (const [i, { seconds, uri }] of listed.entries()) {
    const body = withoutSdt(await readFile(join(folder, uri)));
    rates.push((body.length * 8) / seconds);
    entries.push(
      `#EXT-X-PROGRAM-DATE-TIME:${new Date(Math.round(dateMs)).toISOString()}\n#EXTINF:${seconds.toFixed(6)},\n${uri}\n`,
    );
    dateMs += seconds * 1_000;
    const first = Math.max(0, i + 1 - window);
    const header = `#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:${target}\n#EXT-X-MEDIA-SEQUENCE:${first}\n`;
    const tags = '#EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-INDEPENDENT-SEGMENTS\n';
    const end = i === listed.length - 1 ? '#EXT-X-ENDLIST\n' : '';
    const playlist = header + tags + entries.slice(first).join('') + end;
    states.push({
      atMs: 1_000 + 2_000 * i,
      resources: { [uri]: { status: 200, body }, [`${level}.m3u8`]: { status: 200, body: playlist } },
    });
  }
  return {
    states,
    peak: Math.max(...rates),
    average: rates.reduce((sum, rate) => sum + rate, 0) / rates.length,
  };
}

async function session(): Promise<State[]> {
  const master = await readFile(join(folder, 'index.m3u8'), 'utf8');
  const lines = ['#EXTM3U', '#EXT-X-VERSION:8', '#EXT-X-INDEPENDENT-SEGMENTS'];
  const states: State[] = [];
  // Codecs and resolution are ffmpeg's own words.
  for (const [, resolution, codecs, level = ''] of master.matchAll(
    /RESOLUTION=(\d+x\d+),CODECS="([^"]+)"\n(level\d)\.m3u8/g,
  )) {
    const published = await publish(level);
    states.push(...published.states);
    const bandwidth = `BANDWIDTH=${Math.ceil(published.peak)},AVERAGE-BANDWIDTH=${Math.ceil(published.average)}`;
    lines.push(
      `#EXT-X-STREAM-INF:${bandwidth},CODECS="${codecs}",RESOLUTION=${resolution},FRAME-RATE=29.970`,
      `${level}.m3u8`,
    );
  }
  expect(states.length).toBeGreaterThanOrEqual(22);
  return [
    ...states,
    { atMs: 1_000, resources: { 'index.m3u8': { status: 200, body: `${lines.join('\n')}\n` } } },
  ];
}

async function view(states: State[]): ReturnType<ReturnType<typeof watch>['stop']> {
  const clock = new VirtualClock();
  const watcher = watch({ url: `${base}index.m3u8`, transfer: recordedTransfer(states, clock), clock });
  const over = watcher.until(({ renditions }) => renditions.length > 0 && renditions.every(ended), {
    what: 'the end',
  });
  return clock.run(over.then(() => watcher.stop()));
}

test('real pictures and sound break no rule', async () => {
  const report = await view(await session());
  expectNoViolations(report);
  expect(report.renditions.map(({ name }) => name)).toEqual(['level0', 'level1']);
  for (const { segments } of report.renditions) {
    expect(segments.length).toBeGreaterThanOrEqual(11);
    expect(
      segments.every(({ facts }) => facts?.video?.randomAccess === 'idr' && facts.audio.length === 1),
    ).toBe(true);
  }
});

test('one packet lost in them does', async () => {
  const states = await session();
  const hit = states
    .flatMap(({ resources }) => Object.entries(resources))
    .find(([path]) => path === 'level1-5.ts');
  const resource = hit?.[1];
  if (resource === undefined) throw new Error('no such segment');
  const bytes = Buffer.from(resource.body as Uint8Array);
  resource.body = Buffer.concat([bytes.subarray(0, 188 * 40), bytes.subarray(188 * 41)]);
  expect(rules(await view(states))).toContain(24);
});
