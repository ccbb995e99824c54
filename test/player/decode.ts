/** ffmpeg as a judge of segments: each alone, and all in a row. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** How many ffmpegs run at a time, and how many files one of them decodes: most of its time is its start. */
const AT_A_TIME = 2;
const MOST_FILES = 16;

/**
 * Decodes each alone, then all; give segments of one epoch, for timestamps must run on in a row.
 * @param silent names of those that have no sound, though they name a track of it
 */
export async function decodeAll(
  segments: readonly Segment[],
  silent: ReadonlySet<string> = new Set(),
): Promise<Decoded[]> {
  const folder = await mkdtemp(join(tmpdir(), 'decode-'));
  try {
    const loaded: Uint8Array[] = [];
    const files: MediaFile[] = [];
    const take = async (name: string, bytes: Uint8Array): Promise<void> => {
      const path = join(folder, `${files.length}.ts`);
      await writeFile(path, bytes);
      files.push({ name, path, silent: silent.has(name) });
    };
    for (const segment of segments) {
      const { name, bytes } =
        typeof segment === 'string' ? { name: segment, bytes: await load(segment) } : segment;
      loaded.push(bytes);
      await take(name, bytes);
    }
    await take('all in a row', Buffer.concat(loaded));
    return await decodeFiles(files, folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Decodes each of these files alone. @param sound false: pictures only */
export async function decodeEach(paths: readonly string[], sound = true): Promise<Decoded[]> {
  const folder = await mkdtemp(join(tmpdir(), 'decode-'));
  try {
    return await decodeFiles(
      paths.map((path) => ({ name: path, path, silent: !sound })),
      folder,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
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

interface MediaFile {
  name: string;
  path: string;
  /** Its sound is not asked for. */
  silent: boolean;
}

async function decodeFiles(files: readonly MediaFile[], folder: string): Promise<Decoded[]> {
  const results: Decoded[][] = [];
  const batches = Array.from({ length: Math.ceil(files.length / MOST_FILES) }, (_, n) =>
    files.slice(n * MOST_FILES, (n + 1) * MOST_FILES),
  );
  const waiting = batches.entries();
  const work = async (): Promise<void> => {
    for (const [i, batch] of waiting) results[i] = await decodeBatch(batch, join(folder, `${i}`));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return results.flat();
}

/** All in one process; where it complains, each in its own, so that it is known of which. */
async function decodeBatch(files: readonly MediaFile[], output: string): Promise<Decoded[]> {
  const inputs = files.flatMap(({ path }) => ['-threads', '1', '-f', 'mpegts', '-i', path]);
  const outputs = files.flatMap(({ silent }, i) => {
    const sound = silent ? [] : ['-map', `${i}:a?`];
    return ['-map', `${i}:v?`, ...sound, '-vsync', 'passthrough', '-f', 'framecrc', `${output}.${i}`];
  });
  const options = ['-v', 'error', '-y', '-nostdin', '-filter_threads', '1', '-filter_complex_threads', '1'];
  const name = `ffmpeg on ${files.map((file) => file.name).join(', ')}`;
  const ffmpeg = await start('ffmpeg', [...options, ...inputs, ...outputs], { name });
  const { code } = await ffmpeg.exited;
  const errors = ffmpeg.lines.map(({ text }) => text);
  if (code !== 0) errors.push(`ffmpeg ended with ${code ?? 'a signal'}`);
  if (errors.length > 0 && files.length > 1) {
    const results: Decoded[] = [];
    for (const file of files) results.push(...(await decodeBatch([file], output)));
    return results;
  }
  return Promise.all(
    files.map(async (file, i) => ({
      what: file.name,
      errors,
      ...framesIn(await readFile(`${output}.${i}`, 'utf8').catch(() => '')),
    })),
  );
}

/** What ffmpeg's framecrc muxer wrote: a line a frame, `stream, dts, pts, duration, size, crc`. */
function framesIn(text: string): Pick<Decoded, 'frames' | 'seconds'> {
  const video = /^#media_type (\d+): video$/m.exec(text)?.[1];
  const ticks = new Map(
    Array.from(text.matchAll(/^#tb (\d+): (\d+)\/(\d+)$/gm), ([, stream, n, d]) => [
      stream!,
      Number(n) / Number(d),
    ]),
  );
  const frames = Array.from(
    text.matchAll(/^(\d+), *-?\d+, *(-?\d+), *(\d+),/gm),
    ([, stream, pts, duration]) => ({
      stream: stream!,
      end: (Number(pts) + Number(duration)) * ticks.get(stream!)!,
    }),
  );
  return {
    frames: frames.filter(({ stream }) => stream === video).length,
    seconds: Math.max(0, ...frames.map(({ end }) => end)),
  };
}
