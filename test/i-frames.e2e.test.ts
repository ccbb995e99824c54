/** I-frame playlists as trick play uses them: single pictures by byte range, from the store as viewers see it. */
import { expect, test } from '@jest/globals';
import { begin, end, listedMore } from './helpers/stage.js';
import { start } from './helpers/processes.js';
import { complaintsOfParsers, readByFfmpeg, wind } from './player/index.js';

const TARGET_SECONDS = 4;
const GOP_SECONDS = 2;

interface Picture {
  url: string;
  seconds: number;
  range: [first: number, last: number];
  tables: [first: number, last: number];
}

/** First and last byte of `LENGTH@OFFSET`. */
function bytesOf(text: string): [number, number] {
  const [length, offset] = text.split('@').map(Number) as [number, number];
  return [offset, offset + length - 1];
}

/** @throws Error when something is not as RFC 8216 §4.3.3.6 has it */
function picturesOf(text: string, base: string): Picture[] {
  if (!text.includes('\n#EXT-X-I-FRAMES-ONLY\n')) throw new Error(`no I-frame playlist:\n${text}`);
  const pictures: Picture[] = [];
  let tables: Picture['tables'] | undefined;
  let seconds = NaN;
  let range: Picture['range'] | undefined;
  for (const line of text.split('\n')) {
    const map = /^#EXT-X-MAP:URI=".*",BYTERANGE="(.*)"$/.exec(line)?.[1];
    if (map !== undefined) tables = bytesOf(map);
    if (line.startsWith('#EXTINF:')) seconds = Number.parseFloat(line.slice(8));
    if (line.startsWith('#EXT-X-BYTERANGE:')) range = bytesOf(line.slice(17));
    if (line === '' || line.startsWith('#')) continue;
    if (!range || !tables) throw new Error(`${line} has no range or no tables`);
    pictures.push({ url: new URL(line, base).href, seconds, range, tables });
    range = undefined;
  }
  return pictures;
}

async function part(url: string, [first, last]: [number, number]): Promise<Buffer> {
  const response = await fetch(url, { headers: { range: `bytes=${first}-${last}` } });
  expect(response.status).toBe(206);
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(bytes.length).toBe(last - first + 1);
  return bytes;
}

/** What ffprobe decodes of it: picture types. */
async function pictureTypes(bytes: Buffer): Promise<string[]> {
  const probe = ['-v', 'error', '-f', 'mpegts', '-select_streams', 'v', '-show_entries', 'frame=pict_type'];
  const ffprobe = await start('ffprobe', [...probe, '-of', 'csv=p=0', '-i', 'pipe:0'], {
    name: 'ffprobe',
    stdin: 'pipe',
  });
  ffprobe.stdin?.end(bytes);
  expect(await ffprobe.exited).toEqual({ code: 0, signal: null });
  return ffprobe.lines.map(({ text }) => text.replaceAll(',', '')).filter((text) => text !== '');
}

test('each picture of each I-frame playlist is one that decodes by itself, and they last as long as the stream', async () => {
  const stage = await begin({ target: TARGET_SECONDS, gop: GOP_SECONDS, endOnEof: true });
  const { live } = stage;
  await listedMore(stage, 4);
  await end(stage);

  const multivariant = await (await fetch(live.url)).text();
  expect(complaintsOfParsers(multivariant)).toEqual([]);
  const listed = [...multivariant.matchAll(/^#EXT-X-I-FRAME-STREAM-INF:(.*),URI="(.*)"$/gm)];
  expect(listed.map(([, , uri]) => uri)).toEqual(live.names.map((name) => `${name}-iframes.m3u8`));
  const served = `http://127.0.0.1:${live.httpPort}/live/live/`;
  const times = [1, 9, 5];
  const wound = await wind(`${served}index.m3u8`, times);
  expect(wound.errors).toEqual([]);
  const { width: widest, height: highest } = live.renditions.at(-1)!.picture!;
  for (const { asked, time, width, height } of wound.pictures) {
    expect(asked - time!).toBeGreaterThan(-0.1);
    expect(asked - time!).toBeLessThan(GOP_SECONDS + 0.1);
    expect(width * height).toBeGreaterThan(0);
    expect(width * height).toBeLessThanOrEqual(widest * highest);
  }
  expect(wound.pictures.map(({ asked }) => asked)).toEqual(times);
  for (const [i, [, attributes = '', uri = '']] of listed.entries()) {
    const { width, height } = live.renditions[i]!.picture!;
    expect(attributes).toMatch(
      new RegExp(`^BANDWIDTH=\\d+,CODECS="avc1\\.[0-9a-f]{6}",RESOLUTION=${width}x${height}$`),
    );
    const text = await (await fetch(new URL(uri, served))).text();
    expect(complaintsOfParsers(text)).toEqual([]);
    expect(text).toMatch(/\n#EXT-X-ENDLIST\n$/);
    const pictures = picturesOf(text, served);
    // All but the stream's last one last a GOP.
    expect(pictures.slice(0, -1).map(({ seconds }) => seconds)).toEqual(
      pictures.slice(1).map(() => GOP_SECONDS),
    );
    const media = await (await fetch(new URL(uri.replace('-iframes', ''), served))).text();
    const lasts = (all: string): number =>
      [...all.matchAll(/^#EXTINF:([\d.]+)/gm)].reduce((sum, [, seconds]) => sum + Number(seconds), 0);
    expect(lasts(text)).toBeCloseTo(lasts(media), 3);
    // ffmpeg's own client fetches the same ranges; it warns of what such a playlist leaves out, sound and what is between.
    expect((await readByFfmpeg(new URL(uri, served).href)).frames).toBe(pictures.length);
    for (const { url, range, tables } of pictures) {
      const bytes = Buffer.concat([await part(url, tables), await part(url, range)]);
      expect({ url, range, types: await pictureTypes(bytes) }).toEqual({ url, range, types: ['I'] });
    }
  }
}, 180_000);
