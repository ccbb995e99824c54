/** The S3 store against a real S3 server: the contract of all stores, and what only S3 has. */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { openStore, type ObjectStore, type OpenStoreOptions, type PutOptions } from '@hls-uplink/store';
import { acceptErrorsOfNode, objectStoreContract } from '../packages/store/src/object-store.contract.js';
import { makeBucket, s3Client, setPolicy } from './helpers/bucket.js';
import { useCeph, type Ceph } from './helpers/ceph.js';
import { until } from './helpers/processes.js';

const MULTIPART_ABOVE = 6 * 1024 * 1024;
const run = `t${randomBytes(4).toString('hex')}`;
const bucket = `${run}-contract`;
const publicBucket = `${run}-public`;
const signal = new AbortController().signal;
const playlist: PutOptions = {
  contentType: 'application/vnd.apple.mpegurl',
  cacheControl: 'max-age=3',
  lane: 'playlist',
  signal,
};

let ceph: Ceph;
let client: S3Client;
const opened: ObjectStore[] = [];

/** Opens a store with these keys in the environment, as its process would have them; one that is refused reads it anew. */
async function open(
  url: string,
  keys: { accessKey: string; secretKey: string } = ceph,
  options?: OpenStoreOptions,
): Promise<ObjectStore> {
  process.env['AWS_ACCESS_KEY_ID'] = keys.accessKey;
  process.env['AWS_SECRET_ACCESS_KEY'] = keys.secretKey;
  const store = await openStore(`${url}${url.includes('?') ? '&' : '?'}endpoint=${ceph.endpoint}`, options);
  opened.push(store);
  // The provider chain reads the environment at the first request and remembers while nothing is refused.
  await store.get('first', { signal, maxBytes: 1 }).catch(() => undefined);
  return store;
}

acceptErrorsOfNode();

beforeAll(async () => {
  ceph = await useCeph();
  client = s3Client(ceph);
  await makeBucket(ceph, bucket);
  await makeBucket(ceph, publicBucket, { publicRead: true });
}, 180_000);

afterEach(() => {
  jest.restoreAllMocks();
});

afterAll(async () => {
  for (const store of opened) await store.close();
  client?.destroy();
  await ceph?.stop();
}, 60_000);

async function read(key: string): Promise<Uint8Array> {
  const { Body: body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `contract/${key}` }));
  return body!.transformToByteArray();
}

objectStoreContract(
  'S3',
  async () => ({
    store: await open(`s3://${bucket}/contract?multipart-above=${MULTIPART_ABOVE}`),
    broken: { store: await open(`s3://${run}-missing/live`), code: 'missing-bucket' },
    read,
    close: () => Promise.resolve(),
  }),
  { largeBytes: 20 * 1024 * 1024 + 1, openTimeoutMs: 60_000 },
);

describe('objects in S3', () => {
  test('have the headers asked for, small or in parts', async () => {
    const store = await open(`s3://${bucket}/headers?multipart-above=${MULTIPART_ABOVE}`);
    const segment = { contentType: 'video/mp2t', cacheControl: 'max-age=1209600, immutable', signal };
    const { etag } = await store.put('index.m3u8', { text: '#EXTM3U\n' }, playlist);
    await store.put('small.ts', { bytes: randomBytes(100) }, segment);
    await store.put('large.ts', { bytes: randomBytes(MULTIPART_ABOVE + 3_000_000) }, segment);
    const head = (key: string) =>
      client.send(new HeadObjectCommand({ Bucket: bucket, Key: `headers/${key}` }));
    expect(await head('index.m3u8')).toMatchObject({
      ContentType: 'application/vnd.apple.mpegurl',
      CacheControl: 'max-age=3',
    });
    for (const key of ['small.ts', 'large.ts']) {
      expect(await head(key)).toMatchObject({
        ContentType: 'video/mp2t',
        CacheControl: 'max-age=1209600, immutable',
      });
    }
    // Made of parts: S3 shows how many in the ETag.
    expect((await head('large.ts')).ETag).toMatch(/-2"$/);
    expect((await head('small.ts')).ETag).not.toMatch(/-/);
    expect((await store.get('index.m3u8', { signal, maxBytes: 100 }))?.etag).toBe(etag);
  });

  test('are private, public by a bucket policy, or public by the ACL asked for', async () => {
    const origin = { headers: { Origin: 'http://player.example' } };
    const status = async (path: string): Promise<number> =>
      (await fetch(`${ceph.endpoint}/${path}`, origin)).status;
    await (await open(`s3://${bucket}/acl`)).put('none.m3u8', { text: 'x' }, playlist);
    await (await open(`s3://${bucket}/acl?acl=public-read`)).put('public.m3u8', { text: 'x' }, playlist);
    await (await open(`s3://${publicBucket}/live`)).put('index.m3u8', { text: 'x' }, playlist);
    expect(await status(`${bucket}/acl/none.m3u8`)).toBe(403);
    expect(await status(`${bucket}/acl/public.m3u8`)).toBe(200);
    expect(await status(`${publicBucket}/live/index.m3u8`)).toBe(200);
    const served = await fetch(`${ceph.endpoint}/${publicBucket}/live/index.m3u8`, origin);
    expect(served.headers.get('access-control-allow-origin')).toBeTruthy();
  });

  test('are public by the ACL asked for when sent in parts, too', async () => {
    const store = await open(`s3://${bucket}/acl?acl=public-read&multipart-above=${MULTIPART_ABOVE}`);
    await store.put('large.ts', { bytes: new Uint8Array(MULTIPART_ABOVE + 3_000_000) }, playlist);
    expect((await fetch(`${ceph.endpoint}/${bucket}/acl/large.ts`, { method: 'HEAD' })).status).toBe(200);
  });

  test('leave no parts behind when stopped, or when the local file is at fault', async () => {
    const store = await open(`s3://${bucket}/parts?multipart-above=${MULTIPART_ABOVE}`);
    const bytes = new Uint8Array(MULTIPART_ABOVE * 4);
    await expect(
      store.put('large.ts', { file: import.meta.filename, bytes: bytes.length }, playlist),
    ).rejects.toMatchObject({ code: 'unreadable-body' });
    const outcomes: string[] = [];
    for (const afterMs of [20, 40, 80]) {
      const stopped = store.put('large.ts', { bytes }, { ...playlist, signal: AbortSignal.timeout(afterMs) });
      outcomes.push(
        await stopped.then(
          () => 'stored',
          (error: { code: string }) => error.code,
        ),
      );
    }
    expect(outcomes).toContain('aborted');
    // Also those of the contract's tests. The store tells of the stop at once, and cleans up after.
    const uploads = async (): Promise<unknown[]> =>
      (await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? [];
    await until(async () => (await uploads()).length === 0, { what: 'the end of all multipart uploads' });
  }, 30_000);

  test('are listed over several pages, and deleted in batches', async () => {
    const store = await open(`s3://${bucket}/many`);
    const keys = Array.from({ length: 1050 }, (_, index) => `live/${String(index).padStart(4, '0')}.ts`);
    const waiting = keys.values();
    const work = async (): Promise<void> => {
      for (const key of waiting) await store.put(key, { text: key }, playlist);
    };
    await Promise.all(Array.from({ length: 16 }, work));
    const listed = async (): Promise<string[]> => {
      const found: string[] = [];
      for await (const { key } of store.list('live/', signal)) found.push(key);
      return found.sort();
    };
    expect(await listed()).toEqual(keys);
    await store.delete([...keys.slice(0, 1040), 'live/none.ts'], signal);
    expect(await listed()).toEqual(keys.slice(1040));
  }, 60_000);
});

describe('what S3 refuses is said', () => {
  const failure = async (store: ObjectStore): Promise<Error> =>
    store.check(signal).then(
      () => new Error('nothing was refused'),
      (error: Error) => error,
    );

  test('a wrong secret, a key that nobody has', async () => {
    const { accessKey, secretKey } = ceph;
    const secret = await open(`s3://${bucket}/live`, { accessKey, secretKey: 'wrong' });
    expect(await failure(secret)).toMatchObject({ name: 'StoreError', code: 'denied', retryable: false });
    expect((await failure(secret)).message).toMatch(/SignatureDoesNotMatch.*check AWS_ACCESS_KEY_ID/);
    // Also while a segment's bytes are on their way.
    const bytes = new Uint8Array(8_000_000);
    await expect(secret.put('a.ts', { bytes }, playlist)).rejects.toMatchObject({ code: 'denied' });

    const key = await open(`s3://${bucket}/live`, { accessKey: 'NOBODY', secretKey });
    expect((await failure(key)).message).toMatch(/InvalidAccessKeyId.*check AWS_ACCESS_KEY_ID/);
  });

  test('a missing bucket, and by every operation', async () => {
    const store = await open(`s3://${run}-missing/live`);
    const missing = {
      code: 'missing-bucket',
      message: expect.stringContaining(`create the bucket ${run}-missing`),
    };
    await expect(store.check(signal)).rejects.toMatchObject(missing);
    await expect(store.put('a', { text: 'x' }, playlist)).rejects.toMatchObject(missing);
    await expect(store.get('a', { signal, maxBytes: 1 })).rejects.toMatchObject(missing);
    await expect(store.delete(['a', 'b'], signal)).rejects.toMatchObject(missing);
    await expect(store.list('', signal)[Symbol.asyncIterator]().next()).rejects.toMatchObject(missing);
  });

  test.each([
    ['s3:PutObject', 'objects', /Cannot put .*s3:PutObject/],
    ['s3:GetObject', 'objects', /Cannot get .*s3:GetObject/],
    ['s3:DeleteObject', 'objects', /Cannot delete .*s3:DeleteObject/],
  ] as const)('no right to %s', async (action, on, message) => {
    const name = `${run}-no-${action.slice(3).toLowerCase()}`;
    await makeBucket(ceph, name);
    await setPolicy(client, name, [{ effect: 'Deny', action, on }]);
    const error = await failure(await open(`s3://${name}/live`));
    expect(error).toMatchObject({ name: 'StoreError', code: 'denied', retryable: false });
    expect(error.message).toMatch(message);
  });

  test('a key of many that may not be deleted', async () => {
    const name = `${run}-keep`;
    await makeBucket(ceph, name);
    const store = await open(`s3://${name}/live`);
    for (const key of ['a.ts', 'b.ts']) await store.put(key, { text: 'x' }, playlist);
    await setPolicy(client, name, [{ effect: 'Deny', action: 's3:DeleteObject', on: 'objects' }]);
    await expect(store.delete(['a.ts', 'b.ts'], signal)).rejects.toMatchObject({
      code: 'denied',
      message: expect.stringMatching(/Cannot delete .*s3:DeleteObject/),
    });
  });

  test('a clock that is an hour off, and the next request goes by the clock of the server', async () => {
    const store = await open(`s3://${bucket}/clock`);
    const now = Date.now.bind(Date);
    jest.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000);
    await expect(store.put('a.m3u8', { text: 'x' }, playlist)).rejects.toMatchObject({
      code: 'clock-skew',
      retryable: true,
      message: expect.stringContaining('clock'),
    });
    await store.put('a.m3u8', { text: 'x' }, playlist);
  });

  test('a server that is not there', async () => {
    const store = await openStore(`s3://${bucket}/live?endpoint=http://127.0.0.1:9`);
    opened.push(store);
    expect(await failure(store)).toMatchObject({ code: 'unreachable', retryable: true });
    expect((await failure(store)).message).toContain('http://127.0.0.1:9');
  });
});
