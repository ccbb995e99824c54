/** One ffmpeg that encodes its moving test picture and tone at several bitrates in real time, on one clock. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface Rendition {
  name: string;
  /** Without it, sound alone. */
  picture?: { width: number; height: number; kilobits: number };
  /** AAC in ADTS, or MPEG-1 layer II; default AAC. */
  sound?: 'aac' | 'mp2';
}

export const LADDER: readonly Rendition[] = [
  { name: 'low', picture: { width: 256, height: 144, kilobits: 150 } },
  { name: 'mid', picture: { width: 384, height: 216, kilobits: 300 } },
  { name: 'high', picture: { width: 512, height: 288, kilobits: 600 } },
];

const PICTURES_PER_SECOND = 25;

export interface EncoderOptions {
  renditions: readonly Rendition[];
  /** Distance of key pictures. */
  gopSeconds: number;
  /** How much it encodes before it ends by itself; else it goes on. */
  seconds?: number | undefined;
}

function encoderArguments({ renditions, gopSeconds, seconds }: EncoderOptions): string[] {
  const pictures = renditions.flatMap(({ picture }) => picture ?? []);
  return [
    ...['-v', 'error', '-nostdin', '-re', '-f', 'lavfi', '-i', 'sine=f=440:r=48000'],
    ...testPicture(pictures),
    ...renditions.flatMap(({ picture, sound = 'aac' }, i) => [
      ...(picture ? pictureArguments(picture, pictures.indexOf(picture), gopSeconds) : []),
      ...['-map', '0:a', '-c:a', sound, '-b:a', '64k', '-ar', '48000', '-pes_payload_size', '0'],
      // Else each output is moved by what its own encoders start before zero: one clock for all.
      ...['-avoid_negative_ts', 'disabled', '-muxdelay', '0.1', '-flush_packets', '1'],
      ...(seconds === undefined ? [] : ['-t', String(seconds)]),
      ...['-f', 'mpegts', `pipe:${3 + i}`],
    ]),
  ];
}

type Picture = NonNullable<Rendition['picture']>;

function testPicture(pictures: readonly Picture[]): string[] {
  const largest = pictures.at(-1);
  if (largest === undefined) return [];
  const source = `testsrc2=s=${largest.width}x${largest.height}:r=${PICTURES_PER_SECOND}`;
  const parts = pictures.map((_, i) => `[in${i}]`).join('');
  const scaled = pictures.map(({ width, height }, i) => `[in${i}]scale=${width}:${height}[out${i}]`);
  const filter = [`[1:v]split=${pictures.length}${parts}`, ...scaled].join(';');
  return ['-re', '-f', 'lavfi', '-i', source, '-filter_complex', filter];
}

function pictureArguments({ kilobits }: Picture, i: number, gopSeconds: number): string[] {
  const gop = String(gopSeconds * PICTURES_PER_SECOND);
  return [
    ...['-map', `[out${i}]`, '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
    ...['-b:v', `${kilobits}k`, '-maxrate', `${kilobits}k`, '-bufsize', `${kilobits}k`],
    ...['-g', gop, '-keyint_min', gop, '-sc_threshold', '0', '-bf', '2'],
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
