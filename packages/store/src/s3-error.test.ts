import { describe, expect, test } from '@jest/globals';
import { errorText } from '@hls-uplink/runtime';
import { s3Error } from './s3-error.js';
import { StoreError, type StoreErrorCode } from './store-error.js';

const location = { bucket: 'live-bucket', endpoint: 'http://127.0.0.1:9000' };
const doing = 'put a.ts to s3://live-bucket/';

/** As the SDK throws it: the name is S3's code. */
const sdk = (name: string, status: number, message = name): object => ({
  name,
  message,
  $metadata: { httpStatusCode: status },
});
const network = (code: string): object => Object.assign(new Error(`connect ${code}`), { code });

const CASES: [string, object, StoreErrorCode, boolean, RegExp][] = [
  ['missing bucket', sdk('NoSuchBucket', 404), 'missing-bucket', false, /create the bucket live-bucket/],
  ['404 without words', sdk('UnknownError', 404), 'missing-bucket', false, /answered 404/],
  ['wrong secret', sdk('SignatureDoesNotMatch', 403), 'denied', false, /AWS_SECRET_ACCESS_KEY/],
  ['unknown key', sdk('InvalidAccessKeyId', 403), 'denied', false, /AWS_ACCESS_KEY_ID/],
  [
    'no permission',
    sdk('AccessDenied', 403, 'Access Denied'),
    'denied',
    false,
    /AccessDenied \(Access Denied\).*s3:PutObject/,
  ],
  ['403 without words', sdk('UnknownError', 403), 'denied', false, /s3:ListBucket/],
  [
    'no credentials',
    { name: 'CredentialsProviderError', message: 'no providers' },
    'denied',
    false,
    /no credentials/,
  ],
  ['expired session', sdk('ExpiredToken', 400), 'denied', false, /expired/],
  ['other region', sdk('PermanentRedirect', 301), 'wrong-region', false, /region=/],
  ['redirect', sdk('UnknownError', 307), 'wrong-region', false, /region=/],
  ['clock', sdk('RequestTimeTooSkewed', 403), 'clock-skew', true, /clock/],
  ['ACL', sdk('AccessControlListNotSupported', 400), 'refused', false, /acl=/],
  ['other 400', sdk('InvalidArgument', 400), 'refused', false, /InvalidArgument/],
  ['precondition', sdk('PreconditionFailed', 412), 'exists', false, /exists/],
  ['412 without words', sdk('UnknownError', 412), 'exists', false, /exists/],
  ['conflict', sdk('ConditionalRequestConflict', 409), 'conflict', true, /tried again/],
  ['409 without words', sdk('UnknownError', 409), 'conflict', true, /tried again/],
  ['too large', sdk('EntityTooLarge', 400), 'too-large', false, /shorter/],
  ['413', sdk('UnknownError', 413), 'too-large', false, /shorter/],
  ['quota', sdk('QuotaExceeded', 403), 'full', true, /quota/],
  ['507', sdk('UnknownError', 507), 'full', true, /quota/],
  ['slow down', sdk('SlowDown', 503), 'server', true, /fewer/],
  ['429', sdk('UnknownError', 429), 'server', true, /fewer/],
  [
    'internal error',
    sdk('InternalError', 500, 'We encountered\n an error'),
    'server',
    true,
    /We encountered an error/,
  ],
  ['bad gateway', sdk('UnknownError', 502), 'server', true, /answered 502/],
  [
    'unreadable success',
    { name: 'Error', message: 'char 1 not expected', $metadata: { httpStatusCode: 200 } },
    'server',
    true,
    /S3 server at http:\/\/127\.0\.0\.1:9000/,
  ],
  ['silence', { name: 'TimeoutError', message: 'idle' }, 'unreachable', true, /network/],
  ['408', sdk('UnknownError', 408), 'unreachable', true, /network/],
  ['refused', network('ECONNREFUSED'), 'unreachable', true, /endpoint http:\/\/127\.0\.0\.1:9000/],
  ['reset', network('ECONNRESET'), 'unreachable', true, /ECONNRESET/],
  ['broken pipe', network('EPIPE'), 'unreachable', true, /EPIPE/],
  ['no such host', network('ENOTFOUND'), 'unreachable', true, /ENOTFOUND/],
  ['no answer of DNS', network('EAI_AGAIN'), 'unreachable', true, /EAI_AGAIN/],
  ['certificate', network('DEPTH_ZERO_SELF_SIGNED_CERT'), 'unreachable', true, /NODE_EXTRA_CA_CERTS/],
  ['expired certificate', network('CERT_HAS_EXPIRED'), 'unreachable', true, /certificate/],
  [
    'both addresses',
    Object.assign(new AggregateError([network('ECONNREFUSED')]), { code: 'ECONNREFUSED' }),
    'unreachable',
    true,
    /connect ECONNREFUSED/,
  ],
  ['not HTTP', network('HPE_INVALID_CONSTANT'), 'unreachable', true, /HPE_INVALID_CONSTANT/],
];

describe('s3Error', () => {
  test.each(CASES)('%s', (_, thrown, code, retryable, message) => {
    const error = s3Error(thrown, doing, location);
    expect(error).toMatchObject({ name: 'StoreError', code, retryable, cause: thrown });
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^Cannot put a\.ts to s3:\/\/live-bucket\/: .+; .+$/);
  });

  test('does not repeat the SDK where it says nothing', () => {
    const thrown = Object.assign(new Error('UnknownError'), {
      name: 'NoSuchBucket',
      $metadata: { httpStatusCode: 404 },
    });
    expect(errorText(s3Error(thrown, doing, location))).toBe(
      'Cannot put a.ts to s3://live-bucket/: the store answered 404, NoSuchBucket; create the bucket live-bucket, or name another one',
    );
  });

  test('keeps what is a StoreError already', () => {
    const own = new StoreError('bad-key', 'own');
    expect(s3Error(own, doing, location)).toBe(own);
  });

  test('is aborted when the signal is, whatever the SDK makes of it', () => {
    const stop = new AbortController();
    stop.abort();
    expect(s3Error(network('ECONNRESET'), doing, location, stop.signal)).toMatchObject({ code: 'aborted' });
    expect(s3Error(network('ECONNRESET'), doing, location, new AbortController().signal)).toMatchObject({
      code: 'unreachable',
    });
  });
});
