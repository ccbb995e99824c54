import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ffmpegHlsArguments } from '../helpers/ffmpeg-hls.js';
import { start, until } from '../helpers/processes.js';
import {
  acceptedByParsers,
  complaintsOfParsers,
  decodeAll,
  expectDecoded,
  expectPlayedInRealTime,
  frozenMs,
  play,
  segmentsOfPlaylist,
  serveStatic,
  type StaticServer,
} from './index.js';

jest.setTimeout(120_000);

let folder: string;
let server: StaticServer;
/** Segments at or after this number get no answer at all. */
let stuckFrom = Infinity;

/** ffmpeg's own live HLS: two levels, 2 s segments. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'player-'));
  server = await serveStatic({
    folder,
    intercept: (path) => Number(/-(\d+)\.ts$/.exec(path)?.[1] ?? -1) >= stuckFrom,
  });
  const args = ffmpegHlsArguments({
    rate: '25',
    sampleRate: 48_000,
    realTime: true,
    video: '-preset ultrafast -tune zerolatency -g 50',
    output: '-hls_list_size 8 -hls_flags temp_file+program_date_time',
  });
  await start('ffmpeg', args, { cwd: folder });
  const segments = async (): Promise<number> =>
    (await readdir(folder)).filter((name) => /1-\d+\.ts$/.test(name)).length;
  await until(async () => (await segments()) >= 4 && (await stat(join(folder, 'index.m3u8'))).size > 0, {
    what: 'four segments',
    timeoutMs: 40_000,
  });
});

afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

describe('a good stream', () => {
  test('plays in real time, levels switched up and down, and a picture is taken', async () => {
    const screenshot = join(folder, 'screenshot.png');
    const report = await play({
      url: `${server.url}index.m3u8`,
      seconds: 24,
      switchLevels: true,
      screenshot,
    });
    expectPlayedInRealTime(report);
    expect(report.fatalErrors).toEqual([]);
    expect(report.stalls.filter(({ immediateSwitch }) => !immediateSwitch)).toEqual([]);
    expect(report.levels.map(({ height }) => height)).toEqual([90, 180]);
    expect(report.forced.map(({ by, level }) => `${by} ${level}`)).toEqual([
      'nextLevel 1',
      'nextLevel 0',
      'loadLevel 1',
      'loadLevel 0',
      'currentLevel 1',
      'currentLevel 0',
    ]);
    expect(report.switches.map(({ level }) => level).slice(-5)).toEqual([0, 1, 0, 1, 0]);
    expect(report.realSeconds).toBeGreaterThan(22);
    expect(report.targetDuration).toBe(2);
    expect(frozenMs(report)).toBeLessThanOrEqual(2 * 3_000);
    expect(report.decodedFrames).toBeGreaterThan(0.85 * 25 * (report.realSeconds - frozenMs(report) / 1000));
    expect((await readFile(screenshot)).subarray(1, 4).toString()).toBe('PNG');
  });

  test('decodes, and parsers take it', async () => {
    const [segments = []] = await segmentsOfPlaylist(`${server.url}level1.m3u8`);
    expect(segments.length).toBeGreaterThanOrEqual(3);
    const results = await decodeAll(segments.slice(0, 3));
    expectDecoded(results);
    expect(
      results.map(({ what, frames }) => [
        what.replace(/.*level/, 'level').replace(/\d+\.ts/, 'N.ts'),
        frames,
      ]),
    ).toEqual([
      ['level1-N.ts', 50],
      ['level1-N.ts', 50],
      ['level1-N.ts', 50],
      ['all in a row', 150],
    ]);
    for (const name of ['index', 'level0']) {
      const text = await readFile(join(folder, `${name}.m3u8`), 'utf8');
      expect(complaintsOfParsers(text)).toEqual([]);
      expect(acceptedByParsers(text)).toBe(true);
    }
  });
});

describe('a broken stream', () => {
  test('a stall is noticed', async () => {
    const text = await readFile(join(folder, 'level1.m3u8'), 'utf8');
    const last = Number(/-(\d+)\.ts\n*$/.exec(text)?.[1]);
    stuckFrom = last + 2;
    const report = await play({ url: `${server.url}level1.m3u8`, seconds: 16 });
    stuckFrom = Infinity;
    expect(report.startedAfterMs).toBeGreaterThan(0);
    expect(report.stalls.length).toBeGreaterThan(0);
    expect(report.stalls[0]?.ms).toBeGreaterThan(1_000);
    expect(() => expectPlayedInRealTime(report)).toThrow(/stood still for \d+ ms/);
  });

  test('a playlist that is not there is a fatal error', async () => {
    const report = await play({ url: `${server.url}nothing.m3u8`, seconds: 5 });
    expect(report.fatalErrors).toMatchObject([{ type: 'networkError', details: 'manifestLoadError' }]);
    expect(report.startedAfterMs).toBeUndefined();
    expect(() => expectPlayedInRealTime(report)).toThrow(/fatal error manifestLoadError.*\n.*never started/);
  });

  test('segments that are no media never start', async () => {
    await writeFile(join(folder, 'junk.ts'), Buffer.alloc(188 * 20, 7));
    const lines = ['#EXTM3U', '#EXT-X-TARGETDURATION:2', '#EXTINF:2.0,', 'junk.ts', '#EXT-X-ENDLIST', ''];
    await writeFile(join(folder, 'junk.m3u8'), lines.join('\n'));
    const report = await play({ url: `${server.url}junk.m3u8`, seconds: 5, startTimeoutMs: 10_000 });
    expect(report.startedAfterMs).toBeUndefined();
    expect(report.fatalErrors.length + report.errors.length).toBeGreaterThan(0);
    expect(() => expectPlayedInRealTime(report)).toThrow(/never started/);
  });

  test('what does not decode is said, and by which segment', async () => {
    const [[good = ''] = []] = await segmentsOfPlaylist(`${server.url}level1.m3u8`);
    const bytes = new Uint8Array(await (await fetch(good)).arrayBuffer());
    for (let at = 188 * 12; at < bytes.length - 188; at += 188 * 9) bytes.fill(0xa5, at + 20, at + 180);
    const results = await decodeAll([good, { name: 'broken', bytes }]);
    expect(results[0]?.errors).toEqual([]);
    expect(() => expectDecoded(results)).toThrow(/ffmpeg complains:\n {2}broken: /);
    expect(() => expectDecoded([{ what: 'empty', errors: [], frames: 0, seconds: 0 }])).toThrow(
      /nothing came out/,
    );
  });
});

test('parsers refuse what is no playlist', () => {
  expect(complaintsOfParsers('#EXTM3U\n#EXT-X-TARGETDURATION:2\nno-extinf.ts\n')).not.toEqual([]);
  expect(acceptedByParsers('<html></html>\n')).toBe(false);
});
