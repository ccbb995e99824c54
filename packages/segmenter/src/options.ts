import { hostname } from 'node:os';
import {
  channelName,
  DEFAULT_PORT,
  defaultSpoolBase,
  hello,
  names as namesSchema,
  renditionName,
  type Names,
} from '@hls-uplink/protocol';
import { ConfigError, loadOptions, type LogLevel } from '@hls-uplink/runtime';
import * as z from 'zod';
import { spoolFolder } from './spool.js';
import type { Address } from './uploader-connection.js';

const ADDRESS = /^(?:\[([0-9a-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/i;

const address = z.string().refine((text) => {
  const port = Number(ADDRESS.exec(text)?.[3] ?? 0);
  return port >= 1 && port <= 65535;
}, 'not HOST:PORT');

const schema = z.strictObject({
  channel: channelName.default('live').describe('the programme this belongs to'),
  rendition: renditionName.default('main').describe('which of the bitrates of the channel this is'),
  segmentDuration: hello.shape.target
    .default(6)
    .describe('target duration of a segment, seconds; cuts are made at key pictures only'),
  uploader: z
    .array(address)
    .min(1)
    .default([`127.0.0.1:${DEFAULT_PORT}`])
    .describe('HOST:PORT of the uploader; several, with commas, are tried in turn'),
  spool: z
    .string()
    .optional()
    .describe(
      `folder where segments live until the uploader has answered, one folder per stream in it (default: ${defaultSpoolBase()})`,
    ),
  source: hello.shape.source
    .optional()
    .describe('which of several redundant encoders this is (default: the name of the host)'),
  renditions: z
    .array(renditionName)
    .min(1)
    .max(100)
    .optional()
    .describe('all renditions the channel will have, with commas (default: whoever comes in time)'),
  program: z
    .number()
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe(
      'which program of a stream with several, by its number in the PAT (default: the first with video, else the first with audio)',
    ),
  bandwidth: z
    .number()
    .int()
    .positive()
    .optional()
    .describe('declared peak, bits a second: at least this is published'),
  endOnEof: z
    .boolean()
    .optional()
    .describe('the end of the input ends the stream (default: only for a regular file)'),
  inputTimeout: z
    .number()
    .min(0)
    .max(86_400)
    .optional()
    .describe(
      'without data for so many seconds the source leaves, until data comes again; 0: never (default: 10 over a network, else never)',
    ),
  realtime: z
    .boolean()
    .optional()
    .describe('play a file at the rate of its PCRs, as an encoder would send it (default: with --loop)'),
  loop: z
    .boolean()
    .default(false)
    .describe('play a file over and over; its timestamps and continuity counters go on'),
  drainTimeout: z
    .number()
    .min(0)
    .max(86_400)
    .default(10)
    .describe('how long to wait for final answers when leaving, seconds; the spool keeps the rest'),
  audioWait: z
    .number()
    .min(0)
    .max(60)
    .optional()
    .describe(
      'how long a segment waits for its sound, seconds of stream time (default: the target, at most 2)',
    ),
  logLevel: z.enum(['error', 'warn', 'info', 'debug']).default('info').describe('error, warn, info or debug'),
  token: z.string().min(1).max(1000).optional().describe('shown to the uploader, where it asks for one'),
});

/** What a segmenter process does, complete and checked. */
export interface Settings {
  input: string;
  channel: string;
  rendition: string;
  source: string;
  /** Seconds. */
  segmentDuration: number;
  uploaders: Address[];
  spoolFolder: string;
  renditions?: string[];
  /** program_number; absent: the first with video, else the first with audio. */
  program?: number;
  bandwidth?: number;
  names?: Names;
  token?: string;
  /** Absent: only for a regular file. */
  endOnEof?: boolean;
  /** Absent: 10 s over a network, else never. */
  inputTimeoutMs?: number;
  realtime: boolean;
  loop: boolean;
  drainTimeoutMs: number;
  audioWaitSeconds?: number;
  logLevel: LogLevel;
  /** To be logged. */
  warnings: string[];
}

export type Command = 'hls-segmenter' | 'live_upload';

const LEGACY_USAGE =
  '<input MPEG-TS file> <segment duration in seconds> <output directory> <output MPEG-TS file prefix> ' +
  '<output m3u8 index file> <http prefix> <bucket name> <key prefix>';

const INPUTS = `INPUT is one of
  -                         stdin
  PATH                      a file, or a FIFO, whose writers may come and go
  udp://ADDRESS:PORT        raw packets or RTP, sent to this address of this machine
  udp://@GROUP:PORT         … to a multicast group; udp://SENDER@GROUP:PORT from this sender only;
                            ?interface=ADDRESS or NAME joins there, ?buffer_size=BYTES, ?reuse
  rtp://…                   the same as udp://
  tcp://HOST:PORT           connects; tcp://ADDRESS:PORT?listen is connected to
  http(s)://HOST/PATH       gets a transport stream that goes on
  srt://HOST:PORT           by srt-live-transmit (package srt-tools), with its parameters
A network input that goes is waited for, and taken up again; --input-timeout says when it counts as gone.`;

const usages: Record<Command, string> = {
  'hls-segmenter':
    '[options] INPUT\n\nCuts a live MPEG-TS into HLS segments and announces each to hls-uploader.\n' +
    `${INPUTS}\n\n` +
    `The arguments of the original live_upload do as well:\n  hls-segmenter ${LEGACY_USAGE}`,
  live_upload: `[options] ${LEGACY_USAGE}\n\nThe original's arguments, done by hls-segmenter.`,
};

/** How many arguments the original takes. */
const LEGACY_COUNT = 8;

/** @returns the settings, or a text to be printed instead. @throws ConfigError for every mistake of the operator */
export async function loadSettings(
  command: Command,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  version: string,
): Promise<Settings | { print: string }> {
  const loaded = await loadOptions({
    name: command,
    version,
    schema,
    argv,
    env,
    envPrefix: 'HLS_SEGMENTER',
    secrets: ['token'],
    usage: usages[command],
    positionals: { min: command === 'live_upload' ? LEGACY_COUNT : 1, max: LEGACY_COUNT },
    examples:
      command === 'live_upload'
        ? [['- 10 ./spool/ sample_128k stream-128k.m3u8 http://cdn/stream0001/ bucket stream0001', '']]
        : [
            [
              '--channel news --rendition 720p -',
              'one bitrate, from a pipe: ffmpeg … -f mpegts - | hls-segmenter …',
            ],
            ['--end-on-eof -', 'the stream is over when the encoder ends'],
            ['udp://@239.1.1.1:5004?interface=eth1', 'multicast, raw or RTP'],
            ['--loop clip.ts', 'a file for ever, at live rate, for demos and tests'],
          ],
    epilogue:
      'Exit codes: 0 the input ended or the process was asked to stop, 1 the input is refused or was lost, 2 wrong usage.',
  });
  if (loaded.kind === 'print') return { print: loaded.text };
  const { options, positionals, sources, warnings } = loaded;
  if (positionals.length !== 1 && positionals.length !== LEGACY_COUNT) {
    throw new ConfigError(
      'bad-argument',
      `${positionals.length} arguments: give one INPUT, or the original's ${LEGACY_COUNT}; --help shows the usage`,
    );
  }
  const legacy = positionals.length === LEGACY_COUNT ? legacySettings(positionals) : undefined;
  if (legacy) {
    const twice = (['channel', 'rendition', 'segmentDuration', 'spool'] as const).find((key) =>
      sources[key]?.startsWith('--'),
    );
    if (twice !== undefined) {
      const message = `${sources[twice]} is said by the original's arguments already: leave it out`;
      throw new ConfigError('bad-argument', message);
    }
  }
  const { uploader, source, drainTimeout, audioWait, renditions, bandwidth, endOnEof, token, logLevel } =
    options;
  const { program, inputTimeout, loop, realtime = loop } = options;
  const { channel, rendition, segmentDuration, spool } = legacy ?? options;
  const atEof = endOnEof ?? (legacy ? true : undefined);
  if (renditions && !renditions.includes(rendition)) {
    throw new ConfigError(
      'bad-option',
      `--renditions ${renditions.join(',')} must name --rendition ${rendition} too`,
    );
  }
  return {
    input: positionals[0] ?? '',
    channel,
    rendition,
    source: source ?? hostSource(),
    segmentDuration,
    uploaders: uploader.map(parseAddress),
    spoolFolder: spoolFolder(spool ?? defaultSpoolBase(), channel, rendition, source),
    realtime,
    loop,
    drainTimeoutMs: drainTimeout * 1000,
    logLevel,
    warnings,
    ...(renditions && { renditions }),
    ...(program !== undefined && { program }),
    ...(bandwidth !== undefined && { bandwidth }),
    ...(legacy && { names: legacy.names }),
    ...(token !== undefined && { token }),
    ...(atEof !== undefined && { endOnEof: atEof }),
    ...(inputTimeout !== undefined && { inputTimeoutMs: inputTimeout * 1000 }),
    ...(audioWait !== undefined && { audioWaitSeconds: audioWait }),
  };
}

interface LegacySettings {
  channel: string;
  rendition: string;
  segmentDuration: number;
  spool: string;
  names: Names;
}

const number = z
  .string()
  .regex(/^\d+(\.\d+)?$/, 'not a number')
  .transform(Number)
  .pipe(hello.shape.target);

function legacySettings(positionals: readonly string[]): LegacySettings {
  const argument = <T>(at: number, what: string, type: z.ZodType<T, string>): T => {
    const text = positionals[at] ?? '';
    const result = type.safeParse(text);
    if (result.success) return result.data;
    const problem = result.error.issues[0]?.message ?? 'cannot be used';
    throw new ConfigError('bad-argument', `the ${what} ${JSON.stringify(text.slice(0, 80))}: ${problem}`);
  };
  const { bucket, index, segmentPrefix, urlPrefix } = namesSchema.shape;
  const indexFile = argument(4, 'output m3u8 index file', index.unwrap());
  const url = argument(5, 'http prefix', urlPrefix.unwrap());
  return {
    segmentDuration: argument(1, 'segment duration', number),
    spool: argument(2, 'output directory', z.string().min(1, 'must not be empty')),
    channel: argument(7, 'key prefix', channelName),
    rendition: argument(
      4,
      'output m3u8 index file',
      z
        .string()
        .transform((name) => name.replace(/\.m3u8$/, ''))
        .pipe(renditionName),
    ),
    names: {
      bucket: argument(6, 'bucket name', bucket.unwrap().min(1, 'must not be empty')),
      index: indexFile,
      segmentPrefix: argument(3, 'output MPEG-TS file prefix', segmentPrefix.unwrap()),
      ...(url !== '' && { urlPrefix: url }),
    },
  };
}

function parseAddress(text: string): Address {
  const [, bracketed, plain, port] = ADDRESS.exec(text) ?? [];
  return { host: bracketed ?? plain ?? '', port: Number(port) };
}

/** Stays the same over restarts, and differs between machines. */
const hostSource = (): string =>
  hostname()
    .replaceAll(/[^\x21-\x7e]/g, '_')
    .slice(0, 100) || 'localhost';
