/** One ffmpeg that encodes its moving test picture and tone at several bitrates in real time, on one clock. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface Rendition {
  name: string;
  width: number;
  height: number;
  kilobits: number;
}

export const LADDER: readonly Rendition[] = [
  { name: 'low', width: 256, height: 144, kilobits: 150 },
  { name: 'mid', width: 384, height: 216, kilobits: 300 },
  { name: 'high', width: 512, height: 288, kilobits: 600 },
];

const PICTURES_PER_SECOND = 25;

export interface EncoderOptions {
  renditions: readonly Rendition[];
  /** Distance of key pictures. */
  gopSeconds: number;
}

function encoderArguments({ renditions, gopSeconds }: EncoderOptions): string[] {
  const gop = String(gopSeconds * PICTURES_PER_SECOND);
  const parts = renditions.map((_, i) => `[in${i}]`).join('');
  const scaled = renditions.map(({ width, height }, i) => `[in${i}]scale=${width}:${height}[out${i}]`);
  const { width, height } = renditions.at(-1)!;
  const outputs = renditions.flatMap(({ kilobits }, i) => [
    ...['-map', `[out${i}]`, '-map', '1:a', '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
    ...['-b:v', `${kilobits}k`, '-maxrate', `${kilobits}k`, '-bufsize', `${kilobits}k`],
    ...['-g', gop, '-keyint_min', gop, '-sc_threshold', '0', '-bf', '2', '-muxdelay', '0.1'],
    ...['-c:a', 'aac', '-b:a', '64k', '-ar', '48000', '-pes_payload_size', '0', '-flush_packets', '1'],
    ...['-f', 'mpegts', `pipe:${3 + i}`],
  ]);
  return [
    ...['-v', 'error', '-nostdin', '-re', '-f', 'lavfi', '-i'],
    `testsrc2=s=${width}x${height}:r=${PICTURES_PER_SECOND}`,
    ...['-re', '-f', 'lavfi', '-i', 'sine=f=440:r=48000', '-filter_complex'],
    [`[0:v]split=${renditions.length}${parts}`, ...scaled].join(';'),
    ...outputs,
  ];
}

/** Its outputs, one a rendition in the given order. SIGKILL to the process alone is what a crash looks like. */
export class Encoder {
  private readonly process: ChildProcess;
  readonly exited: Promise<void>;

  constructor(options: EncoderOptions) {
    const pipes = options.renditions.map(() => 'pipe' as const);
    this.process = spawn('ffmpeg', encoderArguments(options), {
      stdio: ['ignore', 'ignore', 'inherit', ...pipes],
    });
    this.exited = new Promise((resolve, reject) => {
      // Not at its exit: what it wrote last is to be read first.
      this.process.once('close', () => resolve());
      this.process.once('error', reject);
    });
  }

  output(i: number): Readable {
    return this.process.stdio[3 + i] as Readable;
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.process.kill(signal);
  }
}
