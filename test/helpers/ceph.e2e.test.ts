import { execFile } from 'node:child_process';
import { readdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { makeBucket, s3Client } from './bucket.js';
import { startCeph, useCeph, type Ceph } from './ceph.js';

const run = promisify(execFile);
let folder: string;
let ceph: Ceph;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ceph-test-'));
  ceph = await startCeph(folder);
}, 180_000);

afterAll(async () => {
  await ceph?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

describe('the S3 gateway of the tests', () => {
  test('serves a public bucket to pages of other origins, and a private one to nobody', async () => {
    await makeBucket(ceph, 'public', { publicRead: true });
    await makeBucket(ceph, 'private');
    const client = s3Client(ceph);
    for (const Bucket of ['public', 'private']) {
      await client.send(
        new PutObjectCommand({
          Bucket,
          Key: 'live/index.m3u8',
          Body: '#EXTM3U\n',
          ContentType: 'application/vnd.apple.mpegurl',
          CacheControl: 'max-age=3',
        }),
      );
    }
    client.destroy();

    const headers = { Origin: 'http://player.example' };
    const served = await fetch(`${ceph.endpoint}/public/live/index.m3u8`, { headers });
    expect(served.status).toBe(200);
    expect(await served.text()).toBe('#EXTM3U\n');
    expect(served.headers.get('access-control-allow-origin')).toMatch(/^(\*|http:\/\/player\.example)$/);
    expect(served.headers.get('content-type')).toBe('application/vnd.apple.mpegurl');
    expect(served.headers.get('cache-control')).toBe('max-age=3');
    const preflight = await fetch(`${ceph.endpoint}/public/live/index.m3u8`, {
      method: 'OPTIONS',
      headers: {
        ...headers,
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'range',
      },
    });
    expect(preflight.status).toBe(200);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('range');

    expect((await fetch(`${ceph.endpoint}/private/live/index.m3u8`, { headers })).status).toBe(403);
    expect((await fetch(`${ceph.endpoint}/public/`, { headers })).status).toBe(403);
  });

  test('a shared one is used as the environment names it, and left running', async () => {
    const env = {
      HLS_TEST_S3_ENDPOINT: ceph.endpoint,
      HLS_TEST_S3_ACCESS_KEY: ceph.accessKey,
      HLS_TEST_S3_SECRET_KEY: ceph.secretKey,
    };
    const shared = await useCeph(env);
    await shared.stop();
    await makeBucket(shared, 'after-stop');
    expect((await fetch(ceph.endpoint)).status).toBe(200);
    await expect(useCeph({ ...env, HLS_TEST_S3_SECRET_KEY: '' })).rejects.toThrow('HLS_TEST_S3_SECRET_KEY');
  });

  test('without Ceph says what to install', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = folder;
    try {
      await expect(startCeph(folder)).rejects.toThrow(/apt-get install .*radosgw/);
    } finally {
      process.env['PATH'] = path;
    }
  });

  // Last: it ends the gateway of the tests above.
  test('leaves no process and no file behind', async () => {
    // Each daemon names its configuration, so other gateways on this machine do not count.
    const daemons = async (): Promise<number> =>
      (await run('ps', ['-ww', '-eo', 'args'])).stdout.split('\n').filter((line) => line.includes(folder))
        .length;
    expect(await daemons()).toBe(3);
    await ceph.stop();
    expect(await daemons()).toBe(0);
    expect(await readdir(folder)).toEqual([]);
    await ceph.stop();
  });
});
