/** The dvr, event and VOD playlists beside the live ones, as real parsers, ffmpeg and hls.js read them. */
import { expect, test } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Rendition } from './helpers/encoder.js';
import { start, until } from './helpers/processes.js';
import { begin, end, listedMore } from './helpers/stage.js';
import { complaintsOfParsers, expectPlayedInRealTime, play, readByFfmpeg } from './player/index.js';

const TARGET_SECONDS = 4;
const GOP_SECONDS = 2;
/** The live window is --window 3, and 3 × target duration plus two segments. */
const DVR_SEGMENTS = 7;
const PLAY_SECONDS = 5;
const PICTURES_PER_SECOND = 25;
const RENDITIONS: readonly Rendition[] = [
  { name: 'low', picture: { width: 256, height: 144, kilobits: 150 } },
  { name: 'high', picture: { width: 384, height: 216, kilobits: 300 } },
];

interface Seen {
  uris: string[];
  seconds: number;
  sequence: number;
}

/** @throws Error when a parser complains */
function see(text: string): Seen {
  expect(complaintsOfParsers(text)).toEqual([]);
  expect(text).not.toContain('EXT-X-GAP');
  const seconds = [...text.matchAll(/^#EXTINF:([\d.]+)/gm)].reduce((sum, [, one]) => sum + Number(one), 0);
  return {
    uris: text.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    seconds,
    sequence: Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)$/m.exec(text)?.[1]),
  };
}

async function output(command: string, ...args: string[]): Promise<string> {
  const process = await start(command, args, { name: command });
  expect(await process.exited).toEqual({ code: 0, signal: null });
  return process.lines.map(({ text }) => text).join('\n');
}

test('dvr and event go on over a new uploader with an empty journal, and the VOD plays from start to end', async () => {
  const stage = await begin(
    {
      renditions: RENDITIONS,
      target: TARGET_SECONDS,
      gop: GOP_SECONDS,
      endOnEof: true,
      uploaderArguments: ['--window', '3', '--dvr', String(DVR_SEGMENTS), '--event', '1h'],
    },
    undefined,
    { minimumSegments: 3 },
  );
  const { live } = stage;
  const base = live.url.replace(/index\.m3u8$/, '');
  const get = async (name: string): Promise<string> => {
    const response = await fetch(base + name);
    if (!response.ok) throw new Error(`${name}: ${response.status}`);
    return response.text();
  };
  await listedMore(stage, 2);
  const before = see(await get('low-event.m3u8'));
  expect(before.sequence).toBe(0);

  await live.killUploader();
  await live.startUploader('empty-journal');
  // Meanwhile who comes late plays from the oldest on, and the event as it goes.
  const more = listedMore(stage, 5);
  const late = await play({
    url: `${base}index-dvr.m3u8`,
    seconds: PLAY_SECONDS,
    config: { startPosition: 0 },
  });
  expectPlayedInRealTime(late);
  expect(late.samples.find(({ decodedFrames }) => decodedFrames > 0)!.currentTime).toBeLessThan(
    TARGET_SECONDS,
  );
  expectPlayedInRealTime(await play({ url: `${base}index-event.m3u8`, seconds: PLAY_SECONDS }));
  await more;
  for (const view of ['dvr', 'event']) {
    const { errors, frames } = await readByFfmpeg(`${base}low-${view}.m3u8`, 2 * TARGET_SECONDS);
    expect([view, errors]).toEqual([view, []]);
    expect(Math.abs(frames - 2 * TARGET_SECONDS * PICTURES_PER_SECOND)).toBeLessThanOrEqual(2);
  }
  for (const name of live.names) {
    const dvr = await get(`${name}-dvr.m3u8`);
    const event = await get(`${name}-event.m3u8`);
    expect(event).toContain('\n#EXT-X-PLAYLIST-TYPE:EVENT\n');
    expect(dvr).not.toContain('EXT-X-PLAYLIST-TYPE');
    expect(see(dvr).uris).toHaveLength(DVR_SEGMENTS);
    expect(see(event).uris.join()).toContain(see(dvr).uris.slice(0, -1).join());
  }
  expect(see(await get('low-event.m3u8')).uris.slice(0, before.uris.length)).toEqual(before.uris);

  const report = await end(stage);
  const stored = async (): Promise<string[]> => readdir(join(live.folder, 'www/live'));
  const closed = async (): Promise<boolean> =>
    (await Promise.all(live.names.map((name) => get(`${name}-event.m3u8`)))).every((text) =>
      text.includes('\n#EXT-X-ENDLIST\n'),
    );
  await until(closed, { what: 'the event playlists to be closed' });
  expect(await get('low-dvr.m3u8')).toContain('\n#EXT-X-ENDLIST\n');

  const index = (await stored()).find((name) => /^index-.*-vod\.m3u8$/.test(name))!;
  const multivariant = await get(index);
  expect(complaintsOfParsers(multivariant)).toEqual([]);
  for (const kind of ['dvr', 'event'])
    expect(complaintsOfParsers(await get(`index-${kind}.m3u8`))).toEqual([]);
  for (const one of ['index.m3u8', index]) {
    const sizes = await output(
      ...(['ffprobe', '-v', 'error', '-select_streams', 'v', '-show_entries'] as const),
      ...['program=program_id:program_stream=width,height', '-of', 'compact=p=0:nk=1', base + one],
    );
    for (const { picture } of RENDITIONS) expect(sizes).toContain(`${picture!.width}|${picture!.height}`);
  }
  for (const view of ['dvr', 'event']) {
    const { errors, frames } = await readByFfmpeg(`${base}low-${view}.m3u8`);
    expect([view, errors]).toEqual([view, []]);
    const { seconds } = see(await get(`low-${view}.m3u8`));
    expect(Math.abs(frames - seconds * PICTURES_PER_SECOND)).toBeLessThanOrEqual(2);
  }
  const played = await play({ url: base + index, seconds: PLAY_SECONDS });
  expectPlayedInRealTime(played);
  expect(played.samples.find(({ decodedFrames }) => decodedFrames > 0)!.currentTime).toBeLessThan(1);
  const names = multivariant.split('\n').filter((line) => line.endsWith('-vod.m3u8'));
  expect(names.map((name) => name.replace(/-.*/, ''))).toEqual(live.names);
  for (const name of names) {
    const text = await get(name);
    const vod = see(text);
    expect(text).toContain('\n#EXT-X-PLAYLIST-TYPE:VOD\n');
    expect(text).toMatch(/\n#EXT-X-ENDLIST\n$/);
    const observed = report.renditions.find((one) => name.startsWith(`${one.name}-`))!.segments;
    expect(vod.uris).toEqual(observed.map(({ uri }) => uri));
    // Every picture of every segment, from where viewers get it: the frames are the duration.
    const probe = ['-v', 'error', '-select_streams', 'v', '-count_packets', '-of', 'csv=p=0'];
    const shown = ['-show_entries', 'stream=nb_read_packets,r_frame_rate'];
    const [rate = '', packets] = (await output('ffprobe', ...probe, ...shown, base + name))
      .split('\n')[0]!
      .split(',');
    const [frames, perSeconds] = rate.split('/').map(Number) as [number, number];
    expect((Number(packets) * perSeconds) / frames).toBeCloseTo(vod.seconds, 1);
    const duration = await output(
      'ffprobe',
      '-v',
      'error',
      '-show_entries',
      'format=duration',
      '-of',
      'csv=p=0',
      base + name,
    );
    expect(Math.abs(Number(duration.split('\n')[0]) - vod.seconds)).toBeLessThan(0.2);
    expect(await output('ffmpeg', '-v', 'error', '-i', base + name, '-f', 'null', '-')).toBe('');
  }
}, 180_000);
