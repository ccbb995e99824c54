import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Child } from './child.js';
import { encoderArguments, RENDITIONS } from './encoder.js';
import { fetchText, playlistFacts } from './published.js';

export const CHANNEL = 'demo';
export const RENDITION_NAMES = RENDITIONS.map(({ name }) => name);

const PACKAGES = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'packages');
const SEGMENT_SECONDS = 4;
const READY_MS = 20_000;
const ENCODER_END_MS = 10_000;
const SEGMENTER_DRAIN_SECONDS = 20;
const SEGMENTER_END_MS = (SEGMENTER_DRAIN_SECONDS + 10) * 1000;
const UPLOADER_END_MS = 40_000;

/** The processes of the demo: ffmpeg → three FIFOs → three segmenters ⇢ uploader, which may run elsewhere. */
export class Pipeline {
  uploader;
  segmenters = [];
  encoder;
  /** Of the encoder. */
  progress = { seconds: 0, speed: '' };
  #dir;
  #address;
  #fifos;

  /**
   * @param dir for spools, journal, logs and published files; made when missing
   * @param address HOST:PORT where the segmenters announce
   */
  constructor(dir, address) {
    this.#dir = dir;
    this.#address = address;
    mkdirSync(join(dir, 'spool'), { recursive: true });
    this.#fifos = Object.fromEntries(RENDITION_NAMES.map((name) => [name, join(dir, `${name}.ts`)]));
  }

  get children() {
    return [this.uploader, ...this.segmenters, this.encoder].filter(Boolean);
  }

  get folder() {
    return join(this.#dir, 'published', CHANNEL);
  }

  /** Resolves when it serves; says why when it does not come up. @returns undefined, or text for the operator */
  async startUploader(http, readyUrl) {
    this.uploader = this.#start('uploader', process.execPath, [
      join(PACKAGES, 'uploader/bin/hls-uploader.js'),
      ...['--listen', this.#address, '--http', http],
      ...[
        '--store',
        pathToFileURL(join(this.#dir, 'published')).href,
        '--journal',
        join(this.#dir, 'journal'),
      ],
      ...['--spool-root', join(this.#dir, 'spool')],
    ]);
    for (
      const deadline = Date.now() + READY_MS;
      (await fetchText(readyUrl)) === undefined;
      await sleep(100)
    ) {
      if (this.uploader.ended) return this.uploader.report();
      if (Date.now() > deadline) {
        return `the uploader is not ready after ${READY_MS / 1000} s. Its log: ${this.uploader.logFile}`;
      }
    }
    return undefined;
  }

  /** A shell opens each FIFO as a segmenter's stdin: opening waits for ffmpeg, and must not hold us up. */
  startStream(input, drawText) {
    for (const fifo of Object.values(this.#fifos)) rmSync(fifo, { force: true });
    execFileSync('mkfifo', ['-m', '600', ...Object.values(this.#fifos)]);
    this.segmenters = RENDITION_NAMES.map((name) =>
      this.#start(`segmenter-${name}`, 'sh', [
        ...['-c', 'fifo=$1; shift; exec "$@" <"$fifo"', 'sh', this.#fifos[name]],
        ...[process.execPath, join(PACKAGES, 'segmenter/bin/hls-segmenter.js')],
        ...['--channel', CHANNEL, '--rendition', name, '--renditions', RENDITION_NAMES.join(',')],
        ...['--segment-duration', `${SEGMENT_SECONDS}`, '--uploader', this.#address],
        ...['--spool', join(this.#dir, 'spool'), '--drain-timeout', `${SEGMENTER_DRAIN_SECONDS}`],
        ...['--end-on-eof', '-'],
      ]),
    );
    this.encoder = this.#start(
      'encoder',
      'ffmpeg',
      encoderArguments(input, { outputs: this.#fifos, drawText }),
      (text) => {
        const microseconds = /^out_time_us=(\d+)/m.exec(text)?.[1];
        if (microseconds) this.progress.seconds = Number(microseconds) / 1e6;
        this.progress.speed = /^speed=\s*([\d.]+)x/m.exec(text)?.[1] ?? this.progress.speed;
      },
    );
  }

  /** Stops the encoder; what it has encoded is still on its way then. @returns whether it ended by itself */
  async stopEncoder() {
    this.encoder?.kill('SIGTERM');
    return (await this.encoder?.endWithin(ENCODER_END_MS)) ?? true;
  }

  /** After the encoder: every segmenter sees the end of its input and waits for its final answers. */
  async drainSegmenters() {
    for (const fifo of Object.values(this.#fifos)) release(fifo);
    await Promise.all(this.segmenters.map((segmenter) => segmenter.endWithin(SEGMENTER_END_MS)));
    return this.segmenters.every((segmenter) => segmenter.succeeded);
  }

  async stopUploader() {
    this.uploader?.kill('SIGTERM');
    await this.uploader?.endWithin(UPLOADER_END_MS);
    return this.uploader?.succeeded ?? true;
  }

  /** Which of the published playlists lack their ENDLIST. */
  openPlaylists() {
    const files = RENDITION_NAMES.map((name) => join(this.folder, `${name}.m3u8`));
    return files.filter((file) => !playlistFacts(readFileSync(file, 'utf8')).ended);
  }

  kill(signal) {
    for (const child of this.children) child.kill(signal);
  }

  #start(name, command, args, stdout) {
    return new Child(name, command, args, { logFile: join(this.#dir, `${name}.log`), stdout });
  }
}

/** A reader that still waits for an encoder which will not come any more sees the end of its input. */
function release(fifo) {
  try {
    closeSync(openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK));
  } catch (error) {
    if (error.code !== 'ENXIO' && error.code !== 'ENOENT') throw error;
  }
}
