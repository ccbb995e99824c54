import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startsNearEnd } from '@hls-uplink/hls';
import { channelName, DEFAULT_PORT, defaultSpoolBase } from '@hls-uplink/protocol';
import { ConfigError, loadOptions, type LogLevel } from '@hls-uplink/runtime';
import { parseStoreUrl, type StoreLocation } from '@hls-uplink/store';
import * as z from 'zod';
import { encryptionOf, encryptionSchema, keyText, type EncryptionSettings } from './encryption-options.js';

export interface Address {
  host: string;
  /** 0: any that is free. */
  port: number;
}

const ADDRESS = /^(?:\[([0-9a-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/i;
const address = z
  .string()
  .refine((text) => Number(ADDRESS.exec(text)?.[3] ?? Infinity) <= 65535, 'not HOST:PORT');
const GIGABYTE = 1024 ** 3;

/** A live playlist has no fewer segments (HLS-RULES 9). */
const LEAST_SEGMENTS = 3;
const MOST_SEGMENTS = 10_000;
const MOST_WINDOW_SECONDS = 6 * 3600;
const MOST_RETENTION_SECONDS = 366 * 24 * 3600;
const WINDOW_TEXT = `neither a number of segments from ${LEAST_SEGMENTS} to ${MOST_SEGMENTS} nor a time up to 6h`;
const MOST_DVR_SEGMENTS = 50_000;
const MOST_DVR_SECONDS = 7 * 24 * 3600;
const MOST_EVENT_SECONDS = 48 * 3600;
const DVR_TEXT = `neither a number of segments from ${LEAST_SEGMENTS} to ${MOST_DVR_SEGMENTS} nor a time up to 7d`;
const EVENT_TEXT = 'not a time up to 48h';
const RETENTION_TEXT = 'neither a time up to 366d nor keep';

const schema = z.strictObject({
  listen: address.default(`127.0.0.1:${DEFAULT_PORT}`).describe('HOST:PORT where segmenters connect'),
  http: address
    .default('127.0.0.1:8080')
    .describe('HOST:PORT of the status page, the health checks and /live'),
  store: z
    .string()
    .optional()
    .describe('URL of where to publish: file:///folder or s3://bucket/prefix (default: a folder)'),
  bucket: z
    .record(
      z.string().regex(/^[A-Za-z0-9_.-]{1,255}$/, 'a bucket name has letters, digits, _ . - only'),
      z.string(),
    )
    .default({})
    .describe('NAME=URL: the store that segmenters mean by the bucket NAME; may be repeated'),
  segmentUrlPrefix: z
    .string()
    .max(500)
    .regex(
      /^https?:\/\/[A-Za-z0-9.:[\]-]+(\/[\x21\x24-\x3b\x3d\x40-\x7e]*)?$/,
      'not a URL http://… or https://… without ? and #',
    )
    .optional()
    .describe(
      'URL of the store as viewers reach it, for segments in playlists (default: beside the playlist)',
    ),
  journal: z
    .string()
    .min(1)
    .optional()
    .describe('folder of the journal and of the segments that were sent here (default: a state folder)'),
  spoolRoot: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      `folders below which announced files may lie; may be repeated (default: ${defaultSpoolBase()})`,
    ),
  spoolLimit: z.number().positive().default(16).describe('gigabytes that the segments sent here may take'),
  window: z
    .union([z.number(), z.string()])
    .refine((value) => windowOf(value) !== undefined, WINDOW_TEXT)
    .default(6)
    .describe('what the live window holds at least: segments, or a time like 90s, 15m or 2h'),
  dvr: z
    .union([z.number(), z.string()])
    .refine((value) => dvrOf(value) !== undefined, DVR_TEXT)
    .optional()
    .describe(
      'publish a second playlist of each rendition, <rendition>-dvr.m3u8, that holds at least so much: segments, or a time like 30m, 4h or 2d',
    ),
  event: z
    .string()
    .refine((text) => secondsOf(text, MOST_EVENT_SECONDS) !== undefined, EVENT_TEXT)
    .optional()
    .describe(
      'publish all of a stream in <rendition>-event.m3u8, up to this time, like 90m or 12h, and as VOD when it is over',
    ),
  retention: z
    .string()
    .refine((text) => retentionOf(text) !== undefined, RETENTION_TEXT)
    .optional()
    .describe(
      'how long at least what left the window stays in the store, like 30m, 2h or 7d, or keep: nothing is ever deleted (default: as HLS requires)',
    ),
  iFramePlaylists: z
    .boolean()
    .default(true)
    .describe('publish I-frame playlists, which players need for scrubbing and fast forward'),
  ...encryptionSchema,
  targetDuration: z
    .number()
    .int()
    .min(1)
    .max(3600)
    .optional()
    .describe('EXT-X-TARGETDURATION, seconds (default: from the streams)'),
  startOffset: z
    .number()
    .min(-MOST_WINDOW_SECONDS)
    .max(MOST_WINDOW_SECONDS)
    .optional()
    .describe(
      'EXT-X-START, seconds: where players begin, from the end when negative, at least 3 target durations before it (default: the players choose)',
    ),
  awayTimeout: z
    .number()
    .positive()
    .max(30 * 24 * 3600)
    .optional()
    .describe(
      'end a stream that no source has delivered to for so long, seconds, and for 3 target durations (default: keep waiting)',
    ),
  drainTimeout: z
    .number()
    .min(0)
    .max(3600)
    .default(10)
    .describe('how long uploads under way may take when stopping, seconds'),
  logLevel: z.enum(['error', 'warn', 'info', 'debug']).default('info').describe('error, warn, info or debug'),
  token: z
    .string()
    .min(1)
    .max(1000)
    .optional()
    .describe('what segmenters, and whoever ends a stream or gives a date range, must show'),
});

/** What an uploader process does, complete and checked. */
export interface Settings {
  listen: Address;
  http: Address;
  store: { url: string; location: StoreLocation };
  /** By name. */
  buckets: Map<string, { url: string; location: StoreLocation }>;
  /** Ends with a slash. */
  segmentUrlPrefix?: string;
  journal: string;
  spoolRoots: string[];
  spoolBytes: number;
  /** Segments. */
  window: number;
  windowSeconds?: number;
  /** What the dvr playlists hold at least; without it there are none. */
  dvr?: { segments: number; seconds: number };
  /** So long an event playlist may be; without it there are none. */
  eventSeconds?: number;
  /** Milliseconds, or that nothing is deleted. */
  retention?: number | 'keep';
  iFramePlaylists: boolean;
  encryption?: EncryptionSettings;
  targetDuration?: number;
  /** EXT-X-START, seconds, whole milliseconds. */
  startOffset?: number;
  /** Without it a stream waits for its sources as long as they stay away. */
  awayTimeoutMs?: number;
  drainTimeoutMs: number;
  logLevel: LogLevel;
  token?: string;
  /** To be logged. */
  warnings: string[];
}

export type Task =
  | { kind: 'run'; settings: Settings }
  /** `hls-uploader end CHANNEL`, to the daemon at this address. */
  | { kind: 'end'; channel: string; http: Address; token?: string }
  | { kind: 'print'; text: string };

/** @throws ConfigError for every mistake of the operator */
export async function loadTask(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  version: string,
): Promise<Task> {
  const loaded = await loadOptions({
    name: 'hls-uploader',
    version,
    schema,
    argv,
    env,
    envPrefix: 'HLS_UPLOADER',
    secrets: ['token', 'encryptionSecret'],
    usage:
      '[options]\n  hls-uploader end CHANNEL [--http HOST:PORT]\n  hls-uploader key ID\n\nTakes segments from hls-segmenter and publishes them as live HLS.',
    positionals: { min: 0, max: 2 },
    examples: [
      ['--store file:///var/www/live', 'publish into a folder'],
      ['--store s3://bucket/live?region=eu-central-1', 'publish into a bucket'],
      ['end news', 'end the stream of the channel news'],
      ['key ID', 'print the key that EXT-X-KEY names so, for key servers'],
    ],
    epilogue: 'Exit codes: 0 asked to stop, 1 failed, 2 wrong usage or a setting that cannot work.',
  });
  if (loaded.kind === 'print') return loaded;
  const { options, positionals, sources, warnings } = loaded;
  if (options.dvr !== undefined) checkDvr(options.dvr, options.window);
  const { token, targetDuration, startOffset, awayTimeout, segmentUrlPrefix } = options;
  if (startOffset !== undefined && targetDuration !== undefined) checkStart(startOffset, targetDuration);
  const http = parseAddress(options.http);
  const [command, channel] = positionals;
  if (command === 'key' && channel !== undefined) return { kind: 'print', text: keyText(options, channel) };
  if (command !== undefined) {
    if (command !== 'end' || channel === undefined) {
      const message = `unexpected argument ${JSON.stringify(command)}: hls-uploader takes options, end CHANNEL, or key ID`;
      throw new ConfigError('bad-argument', message);
    }
    checkChannel(channel);
    return { kind: 'end', channel, http, ...(token !== undefined && { token }) };
  }
  const encryption = encryptionOf(options, sources);
  const state = stateFolder(env);
  const url = options.store ?? pathToFileURL(join(state, 'live')).href;
  const settings: Settings = {
    listen: parseAddress(options.listen),
    http,
    store: { url, location: parseStoreUrl(url) },
    buckets: new Map(
      Object.entries(options.bucket).map(([name, bucketUrl]) => [
        name,
        { url: bucketUrl, location: parseStoreUrl(bucketUrl) },
      ]),
    ),
    journal: resolve(options.journal ?? join(state, 'journal')),
    spoolRoots: (options.spoolRoot ?? [defaultSpoolBase({ env })]).map((root) => resolve(root)),
    spoolBytes: options.spoolLimit * GIGABYTE,
    ...windowOf(options.window)!,
    ...(options.dvr !== undefined && { dvr: dvrOf(options.dvr)! }),
    ...(options.event !== undefined && { eventSeconds: secondsOf(options.event, MOST_EVENT_SECONDS)! }),
    iFramePlaylists: options.iFramePlaylists,
    ...(options.retention !== undefined && { retention: retentionOf(options.retention)! }),
    drainTimeoutMs: options.drainTimeout * 1000,
    logLevel: options.logLevel,
    warnings,
    ...(segmentUrlPrefix !== undefined && { segmentUrlPrefix: segmentUrlPrefix.replace(/\/*$/, '/') }),
    ...(targetDuration !== undefined && { targetDuration }),
    ...(startOffset !== undefined && { startOffset: Math.round(startOffset * 1000) / 1000 }),
    ...(awayTimeout !== undefined && { awayTimeoutMs: awayTimeout * 1000 }),
    ...(token !== undefined && { token }),
    ...(encryption && { encryption }),
  };
  return { kind: 'run', settings };
}

/** Where the target duration comes from the streams, the channel warns. */
function checkStart(startOffset: number, targetDuration: number): void {
  if (startOffset >= 0 || !startsNearEnd(startOffset, 0, targetDuration)) return;
  const least = -3 * targetDuration;
  const message = `--start-offset ${startOffset} is nearer to the end than three target durations of ${targetDuration} s: give ${least} or less, or a lower --target-duration`;
  throw new ConfigError('bad-option', message);
}

function windowOf(value: number | string): Pick<Settings, 'window' | 'windowSeconds'> | undefined {
  const extent = extentOf(value, { segments: MOST_SEGMENTS, seconds: MOST_WINDOW_SECONDS });
  return extent && { window: extent.segments, ...(extent.seconds > 0 && { windowSeconds: extent.seconds }) };
}

function dvrOf(value: number | string): Settings['dvr'] {
  return extentOf(value, { segments: MOST_DVR_SEGMENTS, seconds: MOST_DVR_SECONDS });
}

/** A number of segments, or a time, as what is to be held at least; undefined when it is neither, or more than `most`. */
function extentOf(
  value: number | string,
  most: { segments: number; seconds: number },
): { segments: number; seconds: number } | undefined {
  const segments = Number(value);
  if (Number.isInteger(segments)) {
    return segments >= LEAST_SEGMENTS && segments <= most.segments ? { segments, seconds: 0 } : undefined;
  }
  const seconds = secondsOf(String(value), most.seconds);
  return seconds === undefined ? undefined : { segments: LEAST_SEGMENTS, seconds };
}

/** Of a time and a number nothing is known before there are segments. */
function checkDvr(dvr: number | string, window: number | string): void {
  const [long, live] = [dvrOf(dvr)!, windowOf(window)!];
  const isTime = long.seconds > 0;
  if (isTime !== (live.windowSeconds !== undefined)) return;
  if (isTime ? long.seconds > live.windowSeconds! : long.segments > live.window) return;
  throw new ConfigError(
    'bad-option',
    `--dvr ${dvr} is no longer than --window ${window}: give more, or leave it out`,
  );
}

function retentionOf(text: string): Settings['retention'] {
  if (text === 'keep') return 'keep';
  const seconds = secondsOf(text, MOST_RETENTION_SECONDS);
  return seconds === undefined ? undefined : seconds * 1000;
}

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90s`, `15m`, `2h`, `7d` */
function secondsOf(text: string, most: number): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text.trim()) ?? [];
  const seconds = Number(number) * (UNIT_SECONDS[unit] ?? NaN);
  return seconds > 0 && seconds <= most ? seconds : undefined;
}

/** A channel may be named with its bucket: `bucket:channel`. */
function checkChannel(name: string): void {
  if (channelName.safeParse(name.slice(name.indexOf(':') + 1)).success) return;
  throw new ConfigError('bad-argument', `${JSON.stringify(name.slice(0, 80))} is no name of a channel`);
}

export function parseAddress(text: string): Address {
  const [, bracketed, plain, port] = ADDRESS.exec(text) ?? [];
  return { host: bracketed ?? plain ?? '', port: Number(port) };
}

/** `/var/lib/hls-uploader` where this user can write to it, else below the user's state folder (XDG Base Directory). */
export function stateFolder(env: NodeJS.ProcessEnv): string {
  const system = '/var/lib/hls-uploader';
  if (isWritable(system)) return system;
  const base = env['XDG_STATE_HOME'];
  return join(
    base !== undefined && isAbsolute(base) ? base : join(homedir(), '.local', 'state'),
    'hls-uploader',
  );
}

function isWritable(folder: string): boolean {
  for (const path of [folder, dirname(folder)]) {
    try {
      accessSync(path, constants.W_OK | constants.X_OK);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return false;
    }
  }
  return false;
}
