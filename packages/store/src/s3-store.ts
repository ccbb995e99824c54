import { setMaxListeners } from 'node:events';
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type _Error,
  type ObjectCannedACL,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { ConfigError } from '@hls-uplink/runtime';
import type { Backend } from './checked-store.js';
import { readChunks, readWhole } from './file-body.js';
import { RESERVED_PREFIX } from './object-key.js';
import type { Body, PutOptions, PutResult, StoredEntry, StoredObject } from './object-store.js';
import type { OpenStoreOptions } from './open-store.js';
import { createS3Client } from './s3-client.js';
import { s3Error } from './s3-error.js';
import { StoreError, throwIfAborted, tooLarge } from './store-error.js';
import type { S3Location } from './store-url.js';

const IDLE_TIMEOUT_MS = 15_000;
const MAX_SOCKETS = 32;
/** Playlists are small and one at a time each; this many channels' can be under way. */
const PLAYLIST_SOCKETS = 16;
/** What one DeleteObjects takes. */
const DELETE_BATCH = 1000;
const SINGLE_DELETES = 8;
const PART_BYTES = 8 * 1024 * 1024;
/** What one multipart upload takes. */
const MOST_PARTS = 10_000;
/** Parts of one object under way, each in memory. */
const PARTS_AT_ONCE = 3;

/** Objects in a bucket of S3 or of a server that speaks its protocol. */
export class S3Store implements Backend {
  readonly name: string;
  readonly capabilities = { conditionalWrites: true, headers: true, list: true } as const;
  #batchDeletes = true;

  private constructor(
    private readonly location: S3Location,
    private readonly clients: Readonly<Record<'segment' | 'playlist', S3Client>>,
  ) {
    const { bucket, prefix, endpoint } = location;
    this.name = `s3://${bucket}/${prefix}${endpoint === undefined ? '' : ` at ${endpoint}`}`;
  }

  /** Connects to nothing yet. Throws a ConfigError `bad-store` when no region is known. */
  static async open(location: S3Location, options: OpenStoreOptions): Promise<S3Store> {
    const { env = process.env, idleTimeoutMs = IDLE_TIMEOUT_MS, maxSockets = MAX_SOCKETS } = options;
    const endpoint =
      location.endpoint ?? (env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'] || undefined);
    const region =
      location.region ?? (endpoint === undefined ? undefined : (env['AWS_REGION'] ?? 'us-east-1'));
    const where = { ...(endpoint !== undefined && { endpoint }), ...(region !== undefined && { region }) };
    const segment = createS3Client(where, { idleTimeoutMs, maxSockets });
    await segment.config.region().catch((cause: unknown) => {
      throw new ConfigError(
        'bad-store',
        `Store s3://${location.bucket}/${location.prefix}: no region is known; add ?region=… or set AWS_REGION`,
        { cause },
      );
    });
    const playlist = createS3Client(where, { idleTimeoutMs, maxSockets: PLAYLIST_SOCKETS }, segment);
    return new S3Store({ ...location, ...where }, { segment, playlist });
  }

  async put(key: string, body: Body, options: PutOptions): Promise<PutResult> {
    const { contentType, cacheControl, ifAbsent = false, ifMatch, lane = 'segment', signal } = options;
    const doing = `put ${key} to ${this.name}`;
    begin(signal, doing);
    const params = {
      ...this.#object(key),
      ContentType: contentType,
      ...(cacheControl !== undefined && { CacheControl: cacheControl }),
      ...(ifAbsent && { IfNoneMatch: '*' }),
      ...(ifMatch !== undefined && { IfMatch: ifMatch }),
      ...(this.location.acl !== undefined && { ACL: this.location.acl as ObjectCannedACL }),
    };
    const client = this.clients[lane];
    try {
      const bytes = sizeOf(body);
      // Servers that know conditions know them on PutObject; on CompleteMultipartUpload some ignore them.
      if (bytes > this.location.multipartAboveBytes && !ifAbsent && ifMatch === undefined) {
        return await putInParts(client, params, body, bytes, doing, signal);
      }
      const { ETag } = await client.send(
        new PutObjectCommand({ ...params, Body: await wholeBody(body, doing), ContentLength: bytes }),
        { abortSignal: signal },
      );
      return etagOf(ETag);
    } catch (error) {
      const told = this.#error(error, doing, signal);
      // S3 says of an object that is gone that there is no such key.
      if (ifMatch === undefined || (told.code !== 'exists' && !isMissingKey(error))) throw told;
      throw new StoreError('changed', `Cannot ${doing}: it is not the object that was read; read it again`, {
        cause: error,
      });
    }
  }

  async get(
    key: string,
    { signal, maxBytes }: { signal: AbortSignal; maxBytes: number },
  ): Promise<StoredObject | undefined> {
    const doing = `get ${key} from ${this.name}`;
    begin(signal, doing);
    try {
      const { Body: body, ETag } = await this.clients.playlist.send(new GetObjectCommand(this.#object(key)), {
        abortSignal: signal,
      });
      return { text: await readText(body as Readable, maxBytes, doing), ...etagOf(ETag) };
    } catch (error) {
      const told = this.#error(error, doing, signal);
      if (isMissingKey(error)) return undefined;
      if (told.code !== 'denied' || (error as Error).name !== 'AccessDenied') throw told;
      throw new StoreError(
        'denied',
        `${told.message}. Without s3:ListBucket S3 answers so for an object that does not exist, too`,
        { cause: error },
      );
    }
  }

  async *list(prefix: string, signal: AbortSignal): AsyncIterable<StoredEntry> {
    const doing = `list ${prefix}* in ${this.name}`;
    const own = this.location.prefix;
    let token: string | undefined;
    do {
      begin(signal, doing);
      const page = await this.clients.segment
        .send(
          new ListObjectsV2Command({
            Bucket: this.location.bucket,
            Prefix: own + prefix,
            ...(token !== undefined && { ContinuationToken: token }),
          }),
          { abortSignal: signal },
        )
        .catch((error: unknown) => {
          throw this.#error(error, doing, signal);
        });
      for (const { Key: key, Size: bytes = 0, LastModified: modified } of page.Contents ?? []) {
        if (key === undefined || !key.startsWith(own) || isReserved(key)) continue;
        yield { key: key.slice(own.length), bytes, modifiedMs: modified?.getTime() ?? 0 };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETE_BATCH) {
      const batch = keys.slice(at, at + DELETE_BATCH);
      if (!this.#batchDeletes || batch.length === 1 || !(await this.#deleteBatch(batch, signal))) {
        await this.#deleteSingly(batch, signal);
      }
    }
  }

  /** Closes the connections; requests that are under way fail. */
  async close(): Promise<void> {
    this.clients.segment.destroy();
    this.clients.playlist.destroy();
    return Promise.resolve();
  }

  /** False when the server does not know DeleteObjects, or not as the SDK sends it. */
  async #deleteBatch(keys: readonly string[], signal: AbortSignal): Promise<boolean> {
    const doing = `delete ${keys.length} objects from ${this.name}`;
    begin(signal, doing);
    const request = new DeleteObjectsCommand({
      Bucket: this.location.bucket,
      Delete: { Quiet: true, Objects: keys.map((key) => ({ Key: this.location.prefix + key })) },
    });
    let errors: _Error[];
    try {
      errors = (await this.clients.segment.send(request, { abortSignal: signal })).Errors ?? [];
    } catch (error) {
      const told = this.#error(error, doing, signal);
      const unknown = told.code === 'refused' || [411, 501].includes(httpStatus(error) ?? 0);
      if (!unknown) throw told;
      this.#batchDeletes = false;
      return false;
    }
    const failed = errors.filter(({ Code: code }) => code !== 'NoSuchKey');
    const [first] = failed;
    if (!first) return true;
    throw this.#error(
      { name: first.Code ?? '', message: first.Message ?? '', $metadata: { httpStatusCode: 200 } },
      `delete ${first.Key ?? 'an object'} (${failed.length} of ${keys.length} failed) from ${this.name}`,
      signal,
    );
  }

  async #deleteSingly(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const waiting = keys.values();
    const failures: StoreError[] = [];
    const work = async (): Promise<void> => {
      for (const key of waiting) {
        const doing = `delete ${key} from ${this.name}`;
        begin(signal, doing);
        await this.clients.segment
          .send(new DeleteObjectCommand(this.#object(key)), { abortSignal: signal })
          .catch((error: unknown) => {
            if (!isMissingKey(error)) failures.push(this.#error(error, doing, signal));
          });
      }
    };
    await Promise.all(Array.from({ length: SINGLE_DELETES }, work));
    const [first] = failures;
    if (first) throw first;
  }

  #object(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.location.bucket, Key: this.location.prefix + key };
  }

  #error(error: unknown, doing: string, signal: AbortSignal): StoreError {
    return s3Error(error, doing, this.location, signal);
  }
}

function begin(signal: AbortSignal, doing: string): void {
  throwIfAborted(signal, doing);
  // Each request listens to it, and one signal for many requests is no leak: Node 20 would warn of the eleventh.
  setMaxListeners(0, signal);
}

async function putInParts(
  client: S3Client,
  params: PutObjectCommandInput,
  body: Body,
  bytes: number,
  doing: string,
  signal: AbortSignal,
): Promise<PutResult> {
  const { Upload } = await import('@aws-sdk/lib-storage');
  const source = 'file' in body ? Readable.from(readChunks(body, doing)) : await wholeBody(body, doing);
  const upload = new Upload({
    client,
    params: { ...params, Body: source, ContentLength: bytes },
    partSize: Math.max(PART_BYTES, Math.ceil(bytes / MOST_PARTS)),
    queueSize: PARTS_AT_ONCE,
  });
  const abort = (): void => void upload.abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    const { ETag } = await upload.done();
    return etagOf(ETag);
  } finally {
    signal.removeEventListener('abort', abort);
    if (source instanceof Readable) source.destroy();
  }
}

function sizeOf(body: Body): number {
  if ('text' in body) return Buffer.byteLength(body.text);
  return 'file' in body ? body.bytes : body.bytes.byteLength;
}

async function wholeBody(body: Body, doing: string): Promise<Uint8Array> {
  if ('text' in body) return Buffer.from(body.text);
  return 'file' in body ? readWhole(body, doing) : body.bytes;
}

async function readText(body: Readable, maxBytes: number, doing: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    // Leaving the loop destroys the connection: what remains is never read.
    if (bytes > maxBytes) throw tooLarge(doing, bytes, maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function isMissingKey(error: unknown): boolean {
  const { name } = error as { name?: string };
  return name === 'NoSuchKey' || (httpStatus(error) === 404 && name !== 'NoSuchBucket');
}

function httpStatus(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

/** Probes of an uploader that was killed while it checked. */
function isReserved(key: string): boolean {
  return key.slice(key.lastIndexOf('/') + 1).startsWith(RESERVED_PREFIX);
}

/** Without its quotes: AWS takes it either way, Ceph only so. */
function etagOf(etag: string | undefined): { etag?: string } {
  return etag === undefined ? {} : { etag: etag.replaceAll('"', '') };
}
