import { ConfigError } from '@hls-uplink/runtime';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openStore } from './open-store.js';
import { parseStoreUrl, type StoreLocation } from './store-url.js';

const multipartAboveBytes = 32 * 1024 * 1024;

describe('parseStoreUrl', () => {
  test.each<[string, StoreLocation]>([
    ['file:///srv/live', { kind: 'directory', path: '/srv/live' }],
    ['file:///srv/live//', { kind: 'directory', path: '/srv/live' }],
    ['file:///srv/a%20b', { kind: 'directory', path: '/srv/a b' }],
    ['file:///srv/../live', { kind: 'directory', path: '/live' }],
    ['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '', multipartAboveBytes }],
    ['s3://bucket/', { kind: 's3', bucket: 'bucket', prefix: '', multipartAboveBytes }],
    ['s3://bucket/a/b', { kind: 's3', bucket: 'bucket', prefix: 'a/b/', multipartAboveBytes }],
    ['s3://bucket/a%20b/', { kind: 's3', bucket: 'bucket', prefix: 'a b/', multipartAboveBytes }],
    [
      's3://my.bucket-1/live?region=eu-central-1&endpoint=http://127.0.0.1:9000/&acl=public-read&multipart-above=5242880',
      {
        kind: 's3',
        bucket: 'my.bucket-1',
        prefix: 'live/',
        region: 'eu-central-1',
        endpoint: 'http://127.0.0.1:9000',
        acl: 'public-read',
        multipartAboveBytes: 5242880,
      },
    ],
  ])('reads %s', (url, location) => {
    expect(parseStoreUrl(url)).toEqual(location);
  });

  test.each([
    ['', /must be a URL: file:.*s3:/],
    ['/srv/live', /must be a URL/],
    ['s3:bucket', /bucket name/],
    ['file:///', /name a folder below/],
    ['file://host/srv', /write file:\/\/\/absolute\/folder/],
    ['file:///srv/live?region=x', /unknown option region; known are: none/],
    ['file:///srv/live#1', /after #/],
    ['s3://', /bucket name/],
    ['s3://Bucket/a', /lower-case/],
    ['s3://ab/a', /3 to 63/],
    ['s3://bucket:80/a', /bucket name/],
    ['s3://bucket/a//b', /prefix/],
    ['s3://bucket/a%2F..%2Fb', /prefix/],
    ['s3://bucket/%E0%A4%A', /prefix/],
    ['s3://bucket/a?regoin=x', /unknown option regoin; known are: region, endpoint/],
    ['s3://bucket/a?region=x&region=y', /region is given twice/],
    ['s3://bucket/a?region=a b', /region= must/],
    ['s3://bucket/a?acl=everyone', /acl= must be one of private, public-read/],
    ['s3://bucket/a?endpoint=127.0.0.1:9000', /endpoint= must be like/],
    ['s3://bucket/a?endpoint=ftp://host', /endpoint= must be like/],
    ['s3://bucket/a?endpoint=http://host/?a=b', /endpoint= must be like/],
    ['s3://bucket/a?multipart-above=0', /multipart-above= must be 5242880 to/],
    ['s3://bucket/a?multipart-above=lots', /multipart-above= must/],
    ['sftp://host/dir', /not supported yet; supported are file:.*s3:/],
    ['ftp://host/dir', /not supported yet/],
    ['https://host/dav/', /not supported yet/],
    ['gs://bucket/dir', /no such store; supported are file:.*s3:/],
  ])('refuses %j', (url, message) => {
    expect(() => parseStoreUrl(url)).toThrow(ConfigError);
    expect(() => parseStoreUrl(url)).toThrow(message);
  });

  test.each([
    's3://KEY:hunter2@bucket/a',
    's3://hunter2@bucket/a',
    'sftp://user:hunter2@host/dir',
    's3://bucket/a?endpoint=http://user:hunter2@host',
    's3://bucket/a?secret=hunter2',
    's3://bucket/a?region=hunter2!',
    's3://b u c:hunter2@/a',
  ])('refuses credentials in a URL, and does not repeat them: %s', async (url) => {
    await expect(openStore(url)).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'bad-store',
      message: expect.not.stringContaining('hunter2'),
    });
  });

  test('reads anything, or throws a ConfigError of one line', () => {
    const url = fc.oneof(
      fc.string(),
      fc.string().map((rest) => `s3://${rest}`),
      fc.string().map((rest) => `s3://bucket/${rest}`),
      fc.string().map((rest) => `s3://bucket/a?${rest}`),
      fc.string().map((rest) => `file:///${rest}`),
    );
    const seen = { read: 0, refused: 0 };
    fc.assert(
      fc.property(url, (text) => {
        try {
          const location = parseStoreUrl(text);
          if (location.kind === 'directory') expect(location.path).toMatch(/^\/[^/]|\/.*[^/]$/s);
          else expect(location.prefix === '' || location.prefix.endsWith('/')).toBe(true);
          seen.read++;
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          expect(error.code).toBe('bad-store');
          seen.refused++;
        }
      }),
      { numRuns: 2000 },
    );
    expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(100);
  });
});
