/** What a directory store holds of a channel, read by its own means: pictures, discontinuities, packets that are missing. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const PACKET = 188;
export const VIDEO_PID = 256;

/** Packets whose continuity counter does not follow, on the PIDs of ffmpeg's pictures and sound. */
export class CounterGaps {
  count = 0;
  readonly #counters = new Map<number, number>();

  /** What comes next follows nothing. */
  restart(): void {
    this.#counters.clear();
  }

  take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += PACKET) {
      const pid = bytes.readUInt16BE(at + 1) & 0x1fff;
      const isTrack = pid === VIDEO_PID || pid === VIDEO_PID + 1;
      if (!isTrack || !((bytes[at + 3]! >> 4) & 1)) continue;
      const counter = bytes[at + 3]! & 15;
      const before = this.#counters.get(pid);
      if (before !== undefined && counter !== ((before + 1) & 15)) this.count++;
      this.#counters.set(pid, counter);
    }
  }
}

export interface Published {
  /** PTS of all pictures, in order. */
  pictures: number[];
  discontinuities: number;
  segments: number;
  /** Packets whose continuity counter does not follow. */
  losses: number;
  /** Paths of the segments, in order. */
  files: string[];
}

/** All of `channel`'s rendition `main` that is listed. */
export async function published(www: string, channel: string): Promise<Published> {
  const result: Published = { pictures: [], discontinuities: 0, segments: 0, losses: 0, files: [] };
  if (!(await readdir(www)).includes(channel)) return result;
  const playlist = await readFile(join(www, channel, 'main.m3u8'), 'utf8').catch(() => '');
  const gaps = new CounterGaps();
  for (const line of playlist.split('\n')) {
    if (line === '#EXT-X-DISCONTINUITY') {
      result.discontinuities++;
      gaps.restart();
    }
    if (line === '' || line.startsWith('#')) continue;
    const file = join(www, channel, line);
    const bytes = await readFile(file);
    result.segments++;
    result.files.push(file);
    result.pictures.push(...pictureTimes(bytes));
    gaps.take(bytes);
  }
  result.losses = gaps.count;
  return result;
}

function pictureTimes(bytes: Buffer): number[] {
  const times: number[] = [];
  for (let at = 0; at < bytes.length; at += PACKET) {
    const control = bytes[at + 3]! >> 4;
    const isStart = bytes[at + 1]! & 0x40 && control & 1;
    if ((bytes.readUInt16BE(at + 1) & 0x1fff) !== VIDEO_PID || !isStart) continue;
    const pes = control & 2 ? at + 5 + bytes[at + 4]! : at + 4;
    const high = (bytes[pes + 9]! >> 1) & 7;
    const low = ((bytes.readUInt16BE(pes + 10) >> 1) << 15) | (bytes.readUInt16BE(pes + 12) >> 1);
    times.push(high * 2 ** 30 + low);
  }
  return times;
}
