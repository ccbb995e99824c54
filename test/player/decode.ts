/** ffmpeg as a judge of segments: each alone, and all in a row. */
import { readFile } from 'node:fs/promises';
import { start } from '../helpers/processes.js';

export interface Decoded {
  /** A segment's name, or `all in a row`. */
  what: string;
  /** Lines that ffmpeg wrote at level error. */
  errors: string[];
  /** Pictures decoded. */
  frames: number;
  /** Length of what came out, seconds. */
  seconds: number;
}

/** A segment's name (a path or URL, when no bytes are given). */
export type Segment = string | { name: string; bytes: Uint8Array };

/** How many ffmpegs run at a time. */
const AT_A_TIME = 2;

/**
 * Decodes each alone, then all; give segments of one epoch, for timestamps must run on in a row.
 * @param silent names of those that have no sound, though they name a track of it
 */
export async function decodeAll(
  segments: readonly Segment[],
  silent: ReadonlySet<string> = new Set(),
): Promise<Decoded[]> {
  const loaded: { name: string; bytes: Uint8Array }[] = [];
  for (const segment of segments)
    loaded.push(typeof segment === 'string' ? { name: segment, bytes: await load(segment) } : segment);
  const all = { name: 'all in a row', bytes: Buffer.concat(loaded.map(({ bytes }) => bytes)) };
  const results: Decoded[] = [];
  const waiting = [...loaded, all].entries();
  const work = async (): Promise<void> => {
    for (const [i, { name, bytes }] of waiting) results[i] = await decode(name, bytes, silent.has(name));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return results;
}

/** The segments of a published media playlist, gaps left out, one list for each epoch. */
export async function segmentsOfPlaylist(url: string): Promise<string[][]> {
  const epochs: string[][] = [[]];
  let gap = false;
  for (const line of Buffer.from(await load(url))
    .toString('utf8')
    .split(/\r?\n/)) {
    if (line === '#EXT-X-DISCONTINUITY') epochs.push([]);
    else if (line === '#EXT-X-GAP') gap = true;
    else if (line !== '' && !line.startsWith('#')) {
      if (!gap) epochs.at(-1)?.push(new URL(line, url).href);
      gap = false;
    }
  }
  return epochs.filter((epoch) => epoch.length > 0);
}

/** @throws Error that lists what did not decode cleanly, or to nothing. */
export function expectDecoded(results: readonly Decoded[]): void {
  const wrong = results.flatMap(({ what, errors, seconds }) => [
    ...errors.map((line) => `${what}: ${line}`),
    ...(seconds > 0 ? [] : [`${what}: nothing came out`]),
  ]);
  if (wrong.length > 0) throw new Error(`ffmpeg complains:\n  ${wrong.slice(0, 20).join('\n  ')}`);
}

async function load(name: string): Promise<Uint8Array> {
  if (!/^https?:/.test(name)) return readFile(name);
  const response = await fetch(name);
  if (!response.ok) throw new Error(`GET ${name}: status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function decode(what: string, bytes: Uint8Array, silent: boolean): Promise<Decoded> {
  const sound = silent ? [] : ['-map', '0:a?'];
  const output = ['-map', '0:v?', ...sound, '-f', 'null', '-progress', 'pipe:1', '-'];
  const ffmpeg = await start(
    'ffmpeg',
    ['-v', 'error', '-threads', '1', '-f', 'mpegts', '-i', 'pipe:0', ...output],
    {
      name: `ffmpeg on ${what}`,
      stdin: 'pipe',
    },
  );
  ffmpeg.stdin?.end(bytes);
  const { code } = await ffmpeg.exited;
  const errors = ffmpeg.lines.filter(({ from }) => from === 'stderr').map(({ text }) => text);
  if (code !== 0) errors.push(`ffmpeg ended with ${code ?? 'a signal'}`);
  const last = (name: string): number =>
    Number(ffmpeg.lines.findLast(({ text }) => text.startsWith(`${name}=`))?.text.slice(name.length + 1)) ||
    0;
  return { what, errors, frames: last('frame'), seconds: last('out_time_us') / 1_000_000 };
}
