import { errorCode } from '@hls-uplink/runtime';
import type { S3Location } from './store-url.js';
import { StoreError, type StoreErrorCode } from './store-error.js';

/** The fields that the SDK puts on what it throws. */
interface SdkError {
  name?: string;
  message?: string;
  Code?: string;
  $metadata?: { httpStatusCode?: number };
  $response?: { statusCode?: number; headers?: Record<string, string> };
}

type Finding = readonly [code: StoreErrorCode, remedy: string];

const CREDENTIALS =
  'check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or the profile, or the role) that this process runs with';
const PERMISSIONS =
  'let these credentials do s3:PutObject, s3:GetObject and s3:DeleteObject on the objects and s3:ListBucket on the ' +
  'bucket';
const RETRIED = 'it is tried again';
const TLS_REMEDY = 'check the endpoint and its certificate; NODE_EXTRA_CA_CERTS names a private authority';

/** Codes of S3's error documents (and names that the SDK makes), whatever the HTTP status. */
const BY_NAME: Readonly<Record<string, Finding>> = {
  InvalidAccessKeyId: ['denied', CREDENTIALS],
  SignatureDoesNotMatch: ['denied', CREDENTIALS],
  InvalidToken: ['denied', CREDENTIALS],
  ExpiredToken: ['denied', `the session has expired: ${CREDENTIALS}`],
  ExpiredTokenException: ['denied', `the session has expired: ${CREDENTIALS}`],
  TokenRefreshRequired: ['denied', CREDENTIALS],
  CredentialsProviderError: ['denied', `no credentials were found: ${CREDENTIALS}`],
  AccessDenied: ['denied', PERMISSIONS],
  AllAccessDisabled: ['denied', 'the account is disabled: ask the store’s support'],
  AccountProblem: ['denied', 'there is a problem with the account: ask the store’s support'],
  RequestTimeTooSkewed: ['clock-skew', 'set this machine’s clock (timedatectl set-ntp true)'],
  RequestExpired: ['clock-skew', 'set this machine’s clock (timedatectl set-ntp true)'],
  PermanentRedirect: ['wrong-region', 'name the bucket’s region with region= in the store’s URL'],
  AuthorizationHeaderMalformed: ['wrong-region', 'name the bucket’s region with region= in the store’s URL'],
  IllegalLocationConstraintException: [
    'wrong-region',
    'name the bucket’s region with region= in the store’s URL',
  ],
  AccessControlListNotSupported: ['refused', 'this bucket takes no ACLs: leave acl= out of the store’s URL'],
  EntityTooLarge: ['too-large', 'make the segments shorter'],
  QuotaExceeded: ['full', 'free some room in the bucket, or raise its quota'],
  PreconditionFailed: ['exists', 'it exists already'],
  ConditionalRequestConflict: ['conflict', `another write of it was under way; ${RETRIED}`],
  OperationAborted: ['conflict', `another operation on it was under way; ${RETRIED}`],
  TimeoutError: ['unreachable', `check the network to the store; ${RETRIED}`],
  RequestTimeout: ['unreachable', `check the network to the store; ${RETRIED}`],
  SlowDown: ['server', `the store asks for fewer requests; ${RETRIED}`],
};

/** Turns what the SDK threw while `doing` ("put live/a.ts to s3://bucket/live") into a StoreError. */
export function s3Error(
  error: unknown,
  doing: string,
  location: Pick<S3Location, 'bucket' | 'endpoint'>,
  signal?: AbortSignal,
): StoreError {
  if (error instanceof StoreError) return error;
  if (signal?.aborted) return new StoreError('aborted', `Stopped: ${doing}`, { cause: signal.reason });
  const [code, remedy] = finding(error as SdkError, location);
  const reason = because(error as SdkError);
  // The SDK's message for an answer without a text: in a log it would stand behind ours and tell nothing.
  if (error instanceof Error && error.message === 'UnknownError') error.message = reason;
  return new StoreError(code, `Cannot ${doing}: ${reason}; ${remedy}`, { cause: error });
}

/** Whether the SDK threw this because of credentials: wrong, expired, missing, or with too few rights. */
export function isDenied(error: unknown): boolean {
  return finding(error as SdkError, { bucket: '' })[0] === 'denied';
}

function finding(error: SdkError, { bucket, endpoint }: Pick<S3Location, 'bucket' | 'endpoint'>): Finding {
  const name = sdkName(error);
  if (name === 'NoSuchBucket') return ['missing-bucket', `create the bucket ${bucket}, or name another one`];
  const known = Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined;
  if (known) return known;
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode;
  if (status !== undefined) return byStatus(status, bucket, endpoint);
  const code = networkCode(error);
  if (code && /CERT|SIGNED|TLS|SSL|ISSUER/.test(code)) return ['unreachable', TLS_REMEDY];
  if (code) return ['unreachable', `check the network and the endpoint ${endpoint ?? 'of AWS'}; ${RETRIED}`];
  return ['server', `check that there is an S3 server at ${endpoint ?? 'AWS'}`];
}

function byStatus(status: number, bucket: string, endpoint: string | undefined): Finding {
  if (status === 301 || status === 307) return BY_NAME['PermanentRedirect']!;
  if (status === 401 || status === 403) return ['denied', `${CREDENTIALS}; ${PERMISSIONS}`];
  if (status === 404) return ['missing-bucket', `create the bucket ${bucket}, or name another one`];
  if (status === 408) return BY_NAME['RequestTimeout']!;
  if (status === 409) return BY_NAME['ConditionalRequestConflict']!;
  if (status === 412) return BY_NAME['PreconditionFailed']!;
  if (status === 413) return BY_NAME['EntityTooLarge']!;
  if (status === 429) return BY_NAME['SlowDown']!;
  if (status === 507) return BY_NAME['QuotaExceeded']!;
  if (status >= 500) return ['server', `the store failed; ${RETRIED}`];
  if (status >= 400) return ['refused', `check the options of the store’s URL, and what the server supports`];
  // A success that the SDK could not read: an answer cut off, or one that is no S3 server's.
  return ['server', `check that there is an S3 server at ${endpoint ?? 'AWS'}; ${RETRIED}`];
}

/** What went wrong in one line: S3's code with its words, Node's words, or the bare status. */
function because(error: SdkError): string {
  const status = error.$metadata?.httpStatusCode ?? error.$response?.statusCode;
  const name = sdkName(error);
  const nested = (error as { errors?: unknown }).errors;
  const words =
    // Node reports each address it tried in an AggregateError without a message of its own.
    Array.isArray(nested) && !error.message
      ? nested.map((each) => String((each as Error).message)).join(', ')
      : error.message;
  const told = words && words !== name && words !== 'UnknownError' ? words : '';
  const subject = status === undefined || name === '' ? told || name : told ? `${name} (${told})` : name;
  const text = subject || 'the answer was empty';
  return (status === undefined ? text : `the store answered ${status}, ${text}`).replaceAll(/\s+/g, ' ');
}

function sdkName(error: SdkError): string {
  const name = error.Code ?? error.name ?? '';
  return ['Error', 'UnknownError', 'Unknown', 'AggregateError'].includes(name) ? '' : name;
}

function networkCode(error: SdkError): string | undefined {
  const code = errorCode(error);
  return code && /^(E[A-Z]|CERT|DEPTH|SELF|UNABLE|ERR_TLS|ERR_SSL|HPE_)/.test(code) ? code : undefined;
}
