/** A live channel of real processes: encoder → segmenters → uploader → store, each of which a test may kill and start again. */
import { readdirSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serveStatic, type StaticServer } from '../player/index.js';
import type { S3Server } from './ceph.js';
import { Encoder, LADDER, type Rendition } from './encoder.js';
import { freePort, start, until, type Exit, type StartedProcess } from './processes.js';

const bin = (name: string): string => fileURLToPath(new URL(`../../packages/${name}`, import.meta.url));

/** When the newest module of a folder was made, milliseconds since 1970; 0 when there is none. */
const newest = (folder: string): number => {
  const modules = readdirSync(bin(folder)).filter((name) => name.endsWith('.js') && !name.includes('.test.'));
  return Math.max(0, ...modules.map((name) => statSync(bin(`${folder}/${name}`)).mtimeMs));
};
const compiled = ['mpegts', 'protocol', 'runtime', 'segmenter'].map((name) => newest(`${name}/dist`));
if (newest('segmenter/bundle') < Math.max(...compiled))
  throw new Error('hls-segmenter is older than what it is made of: npm run build');

export const SEGMENTER = bin('segmenter/bin/hls-segmenter.js');
export const UPLOADER = bin('uploader/bin/hls-uploader.js');
export const LIVE_UPLOAD = bin('segmenter/bin/live_upload.js');

export interface LiveOptions {
  renditions?: readonly Rendition[];
  /** Segment duration and GOP, seconds. */
  target?: number;
  gop?: number;
  /** After how much of it the encoder ends by itself. */
  seconds?: number;
  /** Default: a directory, served by the test, so that viewers see it while the uploader is down. */
  store?: { url: string; publicBase: string; env: Record<string, string> };
  uploaderArguments?: string[];
  /** Each rendition has an encoder of its own, with a clock of its own. */
  ownEncoders?: boolean;
  /** Whether the end of the input ends the stream. */
  endOnEof?: boolean;
  /** The spools lie outside the uploader's spool roots, as on another machine. */
  remoteSpools?: boolean;
  /** The segmenters know of a second uploader, too, which `startSpare` starts. */
  spare?: boolean;
  /** Of a rendition that several segmenters feed, the same stream each. */
  sources?: Readonly<Record<string, readonly string[]>>;
  /** Where the segmenters announce, when not at the uploader itself. */
  announceTo?: () => number;
}

/** A bucket that anyone may read, as the uploader writes to it (perhaps through a proxy) and viewers see it. */
export function s3Store(
  server: S3Server,
  bucket: string,
  endpoint = server.endpoint,
): NonNullable<LiveOptions['store']> {
  return {
    url: `s3://${bucket}?region=us-east-1&endpoint=${encodeURIComponent(endpoint)}`,
    publicBase: `${server.endpoint}/${bucket}`,
    env: { AWS_ACCESS_KEY_ID: server.accessKey, AWS_SECRET_ACCESS_KEY: server.secretKey },
  };
}

export class Live {
  readonly renditions: readonly Rendition[];
  readonly segmenters = new Map<string, StartedProcess>();
  uploader: StartedProcess | undefined;
  spare: StartedProcess | undefined;
  private sparePort = 0;
  private encoder: Encoder | undefined;
  private readonly ownEncoders = new Map<string, Encoder>();

  private constructor(
    readonly folder: string,
    readonly port: number,
    readonly httpPort: number,
    private readonly site: StaticServer,
    private readonly options: LiveOptions,
  ) {
    this.renditions = options.renditions ?? LADDER;
  }

  static async open(options: LiveOptions = {}): Promise<Live> {
    const folder = await mkdtemp(join(tmpdir(), 'hls-live-'));
    await mkdir(join(folder, 'spool'));
    await mkdir(join(folder, 'www'));
    const site = await serveStatic({ folder: join(folder, 'www') });
    const live = new Live(folder, await freePort(), await freePort(), site, options);
    if (options.spare) live.sparePort = await freePort();
    return live;
  }

  get names(): string[] {
    return this.renditions.map(({ name }) => name);
  }

  /** Of the multivariant playlist. */
  get url(): string {
    return `${this.options.store?.publicBase ?? this.site.url.replace(/\/$/, '')}/live/index.m3u8`;
  }

  /** Everything, in the order a machine would. */
  async startAll(): Promise<void> {
    await this.startUploader();
    for (const name of this.names) {
      for (const source of this.options.sources?.[name] ?? [undefined])
        await this.startSegmenter(name, source);
    }
    if (this.options.ownEncoders) for (const name of this.names) this.startEncoderOf(name);
    else this.startEncoder();
  }

  async startUploader(journal = 'journal'): Promise<void> {
    this.uploader = await this.uploaderAt(this.port, this.httpPort, journal);
  }

  async startSpare(): Promise<void> {
    this.spare = await this.uploaderAt(this.sparePort, 0, 'spare-journal');
  }

  private async uploaderAt(port: number, httpPort: number, journal: string): Promise<StartedProcess> {
    const { store, remoteSpools } = this.options;
    const uploader = await start(
      process.execPath,
      [
        UPLOADER,
        ...['--listen', `127.0.0.1:${port}`, '--http', `127.0.0.1:${httpPort}`],
        ...['--store', store?.url ?? `file://${this.folder}/www`],
        ...['--journal', join(this.folder, journal)],
        ...['--spool-root', join(this.folder, remoteSpools ? 'nothing-here' : 'spool')],
        ...(this.options.uploaderArguments ?? []),
      ],
      { name: 'uploader', env: { ...store?.env } },
    );
    await uploader.waitForLine(/"message":"ready"/, 20_000);
    return uploader;
  }

  /** @param source which of several; then its name in `segmenters` is `name~source` */
  async startSegmenter(name: string, source?: string): Promise<StartedProcess> {
    const { target = 4, endOnEof, announceTo, spare } = this.options;
    const ports = [announceTo?.() ?? this.port, ...(spare ? [this.sparePort] : [])];
    const uploaders = ports.map((port) => `127.0.0.1:${port}`);
    const segmenter = await start(
      process.execPath,
      [
        SEGMENTER,
        ...['--uploader', uploaders.join(','), '--spool', join(this.folder, 'spool')],
        ...['--channel', 'live', '--rendition', name, '--renditions', this.names.join(',')],
        ...['--segment-duration', String(target)],
        ...(endOnEof ? ['--end-on-eof'] : []),
        ...(source === undefined ? [] : ['--source', source]),
        '-',
      ],
      { name: `segmenter ${name}${source ?? ''}`, stdin: 'pipe' },
    );
    this.segmenters.set(source === undefined ? name : `${name}~${source}`, segmenter);
    return segmenter;
  }

  /** What a rendition's segmenter does not take, because none runs, is lost, as with a pipe to nowhere. */
  startEncoder(): void {
    this.encoder = this.feed(this.renditions);
  }

  /** With `ownEncoders`: that of one rendition. */
  startEncoderOf(name: string): void {
    this.ownEncoders.set(name, this.feed(this.renditions.filter((one) => one.name === name)));
  }

  private feed(renditions: readonly Rendition[]): Encoder {
    const { gop = 2, seconds } = this.options;
    const encoder = new Encoder({ renditions, gopSeconds: gop, seconds });
    for (const [i, { name }] of renditions.entries()) {
      encoder.output(i).on('data', (chunk: Buffer) => {
        for (const [who, segmenter] of this.segmenters) {
          const isFed = who.split('~')[0] === name && segmenter.running;
          if (isFed && segmenter.stdin?.writable) segmenter.stdin.write(chunk);
        }
      });
    }
    return encoder;
  }

  /** It crashes, its segmenter's input ends, and that one goes. */
  async killEncoderOf(name: string): Promise<void> {
    const encoder = this.ownEncoders.get(name)!;
    encoder.kill();
    await encoder.exited;
    const segmenter = this.segmenters.get(name)!;
    segmenter.stdin?.end();
    await segmenter.exited;
  }

  /** The encoder crashes, and with it the segmenters' input ends. */
  async killEncoder(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.encoder?.kill(signal);
    await this.encoder?.exited;
    this.encoder = undefined;
    for (const segmenter of this.segmenters.values()) segmenter.stdin?.end();
  }

  /** The input ends and the segmenters go by themselves. */
  async endInput(): Promise<Exit[]> {
    if (this.options.seconds !== undefined) await this.encoder?.exited;
    await this.killEncoder('SIGTERM');
    return Promise.all([...this.segmenters.values()].map((one) => one.exited));
  }

  async killSegmenter(name: string): Promise<void> {
    const segmenter = this.segmenters.get(name)!;
    segmenter.kill('SIGKILL');
    await segmenter.exited;
  }

  async killUploader(): Promise<void> {
    this.uploader!.kill('SIGKILL');
    await this.uploader!.exited;
  }

  /** Resolves when the multivariant playlist can be fetched. */
  async published(timeoutMs = 60_000): Promise<void> {
    const there = async (): Promise<boolean> => {
      try {
        return (await fetch(this.url)).ok;
      } catch {
        return false;
      }
    };
    await until(there, { timeoutMs, intervalMs: 100, what: `${this.url} is published` });
  }

  async close(): Promise<void> {
    for (const encoder of [this.encoder, ...this.ownEncoders.values()]) encoder?.kill();
    for (const segmenter of this.segmenters.values()) segmenter.kill('SIGKILL');
    await this.uploader?.stop();
    await this.spare?.stop();
    await this.site.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
