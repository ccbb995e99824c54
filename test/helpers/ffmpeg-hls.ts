/** ffmpeg's own HLS of its moving test picture and tone, two levels of 2 s segments: media that is not ours. */

export interface FfmpegHls {
  /** Pictures a second. */
  rate: string;
  /** Of the sound, Hz. */
  sampleRate: number;
  /** As it would come live; else as fast as it can be made. */
  realTime?: boolean;
  /** Default: for ever. */
  seconds?: number;
  /** For the encoder of pictures. */
  video: string;
  /** For the muxers. */
  output: string;
}

/** Writes `index.m3u8`, `level0.m3u8`, `level1.m3u8` and their `levelN-M.ts` to the current folder. */
export function ffmpegHlsArguments({
  rate,
  sampleRate,
  realTime = false,
  seconds,
  video,
  output,
}: FfmpegHls): string[] {
  const input = (source: string): string => `${realTime ? '-re ' : ''}-f lavfi -i ${source}`;
  return [
    '-v error',
    input(`testsrc2=size=320x180:rate=${rate}`),
    input(`sine=frequency=440:sample_rate=${sampleRate}`),
    ...(seconds === undefined ? [] : [`-t ${seconds}`]),
    '-map 0:v -map 1:a -map 0:v -map 1:a',
    `-c:v libx264 -sc_threshold 0 ${video}`,
    '-s:v:0 160x90 -b:v:0 100k -s:v:1 320x180 -b:v:1 300k -c:a aac -b:a 64k',
    `-f hls -hls_time 2 ${output}`,
    '-master_pl_name index.m3u8 -hls_segment_filename level%v-%d.ts',
    '-var_stream_map',
  ]
    .flatMap((part) => part.split(' '))
    .concat('v:0,a:0 v:1,a:1', 'level%v.m3u8');
}
