import { execFile } from 'node:child_process';
import { rm, stat } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CLIP_SECONDS = 30;
const UNITS = { K: 1e3, M: 1e6, G: 1e9 };

/** Streams as encoders send them: constant bit rate, a key picture every 2 s, AAC. */
export const HIGH = { size: '1280x720', video: 4700, audio: 128 };
export const LOW = { size: '480x270', video: 660, audio: 64 };

/** `200M` → 200,000,000. @throws RangeError */
export function parseSize(text) {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([KMG])$/.exec(text) ?? [];
  if (!number) throw new RangeError(`--size ${text}: a number and K, M or G`);
  return Number(number) * UNITS[unit];
}

export function sizeText(bytes) {
  const [unit, factor] = Object.entries(UNITS).findLast(([, least]) => bytes >= least) ?? ['K', 1e3];
  return `${Number((bytes / factor).toFixed(1))} ${unit}B`;
}

/** A clip is encoded once and repeated, with its timestamps going on, up to so many bytes. */
export async function makeMaterial(path, { size, video, audio }, bytes) {
  const clip = `${path}.clip`;
  const encode =
    `-v error -y -f lavfi -i testsrc2=size=${size}:rate=25,noise=alls=20:allf=t -f lavfi -i sine=frequency=440:sample_rate=48000 ` +
    `-t ${CLIP_SECONDS} -c:v libx264 -preset ultrafast -g 50 -keyint_min 50 -sc_threshold 0 ` +
    `-b:v ${video}k -minrate ${video}k -maxrate ${video}k -bufsize ${video}k -x264-params nal-hrd=cbr ` +
    `-c:a aac -b:a ${audio}k -f mpegts ${clip}`;
  await run('ffmpeg', encode.split(' '));
  const loops = Math.ceil(bytes / (await stat(clip)).size);
  const repeat = `-v error -y -stream_loop ${loops} -i ${clip} -c copy -fs ${Math.round(bytes)} -f mpegts ${path}`;
  await run('ffmpeg', repeat.split(' '));
  await rm(clip);
  return path;
}
