import type { FileHandle } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import {
  KEY_CACHE_CONTROL,
  KEY_TYPE,
  playlistCacheControl,
  PLAYLIST_TYPE,
  SEGMENT_CACHE_CONTROL,
  SEGMENT_TYPE,
} from './cache-control.js';
import { MAX_PLAYLIST_BYTES } from './playlist-lane.js';
import { SpoolFiles } from './spool-files.js';

/** Keys as they are published: no part begins with a dot, so neither temporary files nor `..` are asked for. */
const KEY = /^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)+\.(m3u8|ts|key)$/;
/** A playlist that states no target duration, seconds. */
const STANDARD_MAX_AGE = 1;

/** Serves what a directory store published, as a web server or CDN would serve the bucket. */
export class LiveFiles {
  readonly #files: SpoolFiles;

  constructor(private readonly folder: string) {
    this.#files = new SpoolFiles([folder]);
  }

  /** @param key as in the store */
  async answer(key: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-expose-headers', 'content-length, content-range, date');
    response.setHeader('x-content-type-options', 'nosniff');
    if (request.method === 'OPTIONS') {
      response.writeHead(204, {
        'access-control-allow-methods': 'GET, HEAD, OPTIONS',
        'access-control-allow-headers': 'range',
      });
      response.end();
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return refuse(response, 405, 'only GET and HEAD', { allow: 'GET, HEAD, OPTIONS' });
    }
    if (!KEY.test(key)) return refuse(response, 404, 'no such object');
    const opened = await this.#files.open(join(this.folder, key));
    if (!opened.ok) return refuse(response, 404, 'no such object');
    try {
      if (key.endsWith('.m3u8')) await playlist(opened.handle, opened.bytes, request, response);
      else await part(opened.handle, opened.bytes, headersOf(key), request, response);
    } finally {
      await opened.handle.close();
    }
  }
}

async function playlist(
  handle: FileHandle,
  bytes: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (bytes > MAX_PLAYLIST_BYTES) return refuse(response, 500, 'this playlist is too long');
  const plain = await handle.readFile();
  const target = /^#EXT-X-TARGETDURATION:(\d+)/m.exec(plain.toString('utf8'))?.[1];
  const asksGzip = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(
    String(request.headers['accept-encoding'] ?? ''),
  );
  const body = asksGzip ? await promisify(gzip)(plain) : plain;
  response.writeHead(200, {
    'content-type': PLAYLIST_TYPE,
    'content-length': body.length,
    'cache-control': playlistCacheControl(target === undefined ? STANDARD_MAX_AGE : Number(target) / 2),
    vary: 'accept-encoding',
    ...(asksGzip && { 'content-encoding': 'gzip' }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

const headersOf = (key: string): Record<string, string> =>
  key.endsWith('.key')
    ? { 'content-type': KEY_TYPE, 'cache-control': KEY_CACHE_CONTROL }
    : { 'content-type': SEGMENT_TYPE, 'cache-control': SEGMENT_CACHE_CONTROL };

/** A segment or a key, whole or a range of it. */
async function part(
  handle: FileHandle,
  bytes: number,
  headers: Record<string, string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const range = rangeOf(request.headers.range, bytes);
  if (range === 'unsatisfiable') {
    return refuse(response, 416, 'that range is not in it', { 'content-range': `bytes */${bytes}` });
  }
  const { start, end } = range ?? { start: 0, end: bytes - 1 };
  response.writeHead(range ? 206 : 200, {
    ...headers,
    'content-length': end - start + 1,
    'accept-ranges': 'bytes',
    ...(range && { 'content-range': `bytes ${start}-${end}/${bytes}` }),
  });
  if (request.method === 'HEAD' || bytes === 0) {
    response.end();
    return;
  }
  await pipeline(handle.createReadStream({ start, end, autoClose: false }), response);
}

/** One range (RFC 9110 §14.2); what cannot be understood, and several at once, are as none. */
export function rangeOf(
  header: string | undefined,
  bytes: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  if (from === '') {
    const last = Math.min(Number(to), bytes);
    return last === 0 ? 'unsatisfiable' : { start: bytes - last, end: bytes - 1 };
  }
  const start = Number(from);
  const end = to === '' ? bytes - 1 : Math.min(Number(to), bytes - 1);
  if (to !== '' && Number(to) < start) return undefined;
  return start >= bytes ? 'unsatisfiable' : { start, end };
}

function refuse(
  response: ServerResponse,
  status: number,
  message: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(`${message}\n`);
}
