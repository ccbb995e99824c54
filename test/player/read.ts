/** ffmpeg as a reader of playlists: what its own HLS client makes of one, as published. */
import { start } from '../helpers/processes.js';

export interface ReadByFfmpeg {
  /** Lines that ffmpeg wrote at level warning. */
  errors: string[];
  /** Pictures decoded. */
  frames: number;
  /** Length of what came out, seconds. */
  seconds: number;
}

/** Reads and decodes from the first entry on. @param seconds how much; of a playlist without ENDLIST a bounded part */
export async function readByFfmpeg(url: string, seconds?: number): Promise<ReadByFfmpeg> {
  const input = [
    ...(seconds === undefined ? [] : ['-t', String(seconds)]),
    '-live_start_index',
    '0',
    '-i',
    url,
  ];
  const output = ['-fps_mode', 'passthrough', '-f', 'null', '-progress', 'pipe:1', '-'];
  const ffmpeg = await start('ffmpeg', ['-v', 'warning', '-nostdin', ...input, ...output], {
    name: `ffmpeg on ${url}`,
  });
  const { code } = await ffmpeg.exited;
  const errors = ffmpeg.lines.filter(({ from }) => from === 'stderr').map(({ text }) => text);
  if (code !== 0) errors.push(`ffmpeg ended with ${code ?? 'a signal'}`);
  const last = (name: string): number =>
    Number(
      ffmpeg.lines.findLast(({ text }) => text.startsWith(`${name}=`))?.text.slice(name.length + 1) ?? 0,
    );
  return { errors, frames: last('frame'), seconds: last('out_time_us') / 1e6 };
}
