import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '@hls-uplink/runtime';
import { checkKey } from './object-key.js';

export interface DirectoryLocation {
  kind: 'directory';
  /** Absolute path of the folder. */
  path: string;
}

export interface S3Location {
  kind: 's3';
  bucket: string;
  /** In front of every key: empty, or ending with a slash. */
  prefix: string;
  region?: string;
  /** An S3-compatible server instead of AWS. */
  endpoint?: string;
  /** Canned ACL sent with every object; none unless asked for, new buckets refuse it (HLS-RULES 27). */
  acl?: string;
  /** Objects above this many bytes go in parts. */
  multipartAboveBytes: number;
}

export type StoreLocation = DirectoryLocation | S3Location;

const SUPPORTED =
  'file:///absolute/folder and s3://bucket/prefix?region=…&endpoint=…&acl=…&multipart-above=BYTES';
const MULTIPART_ABOVE_BYTES = 32 * 1024 * 1024;
/** A part of a multipart upload has at least 5 MiB, and one PUT takes at most 5 GiB. */
const LEAST_MULTIPART_BYTES = 5 * 1024 * 1024;
const MOST_MULTIPART_BYTES = 5 * 1024 * 1024 * 1024;
const ACLS = [
  'private',
  'public-read',
  'public-read-write',
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
];

/** Reads a store's URL; throws a ConfigError `bad-store` that says what to write instead. */
export function parseStoreUrl(text: string): StoreLocation {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    // The text stays out of the message: what cannot be parsed cannot be cleaned of credentials.
    throw new ConfigError('bad-store', `The store must be a URL: ${SUPPORTED}`, { cause });
  }
  if (url.username || url.password) {
    throw bad(
      url,
      'credentials do not belong into it; give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, a ' +
        'profile, or a role',
    );
  }
  if (url.hash) throw bad(url, 'it has a part after #; write %23 for that character');
  switch (url.protocol) {
    case 'file:':
      return directory(url);
    case 's3:':
      return s3(url);
    case 'sftp:':
    case 'ftp:':
    case 'ftps:':
    case 'http:':
    case 'https:':
      throw bad(url, `${url.protocol}// stores are not supported yet; supported are ${SUPPORTED}`);
    default:
      throw bad(url, `there is no such store; supported are ${SUPPORTED}`);
  }
}

function directory(url: URL): DirectoryLocation {
  rejectUnknown(url, []);
  let path: string;
  try {
    path = fileURLToPath(url);
  } catch (cause) {
    throw bad(url, 'write file:///absolute/folder', cause);
  }
  // A trailing slash would shift every listed key by one.
  path = path.replace(/\/+$/, '');
  if (!isAbsolute(path)) throw bad(url, 'name a folder below /');
  return { kind: 'directory', path };
}

function s3(url: URL): S3Location {
  rejectUnknown(url, ['region', 'endpoint', 'acl', 'multipart-above']);
  // Node's URL keeps the case of a non-special host, so an upper-case bucket is seen here.
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.host)) {
    throw bad(url, 'the bucket name must have 3 to 63 lower-case letters, digits, dots or hyphens');
  }
  const option = (name: string): string | undefined => url.searchParams.get(name) ?? undefined;
  const region = option('region');
  if (region !== undefined && !/^[a-z0-9-]+$/i.test(region))
    throw bad(url, 'region= must be like eu-central-1');
  const acl = option('acl');
  if (acl !== undefined && !ACLS.includes(acl)) throw bad(url, `acl= must be one of ${ACLS.join(', ')}`);
  const endpoint = option('endpoint');
  return {
    kind: 's3',
    bucket: url.host,
    prefix: prefixOf(url),
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint: endpointOf(url, endpoint) }),
    ...(acl !== undefined && { acl }),
    multipartAboveBytes: multipartAbove(url, option('multipart-above')),
  };
}

function prefixOf(url: URL): string {
  let prefix: string;
  try {
    prefix = decodeURIComponent(url.pathname).replace(/^\/|\/$/g, '');
    if (prefix !== '') checkKey(prefix);
  } catch (cause) {
    throw bad(url, 'its path is no usable prefix for keys', cause);
  }
  return prefix === '' ? '' : `${prefix}/`;
}

function endpointOf(url: URL, text: string): string {
  const endpoint = URL.canParse(text) ? new URL(text) : undefined;
  if (!endpoint || !/^https?:$/.test(endpoint.protocol) || endpoint.search || endpoint.hash) {
    throw bad(url, 'endpoint= must be like https://s3.example.net:9000');
  }
  if (endpoint.username || endpoint.password) throw bad(url, 'credentials do not belong into endpoint=');
  return endpoint.href.replace(/\/$/, '');
}

function multipartAbove(url: URL, text: string | undefined): number {
  if (text === undefined) return MULTIPART_ABOVE_BYTES;
  const bytes = /^\d{1,12}$/.test(text) ? Number(text) : NaN;
  if (!(bytes >= LEAST_MULTIPART_BYTES && bytes <= MOST_MULTIPART_BYTES)) {
    throw bad(url, `multipart-above= must be ${LEAST_MULTIPART_BYTES} to ${MOST_MULTIPART_BYTES} bytes`);
  }
  return bytes;
}

function rejectUnknown(url: URL, known: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of url.searchParams.keys()) {
    if (!known.includes(name)) {
      throw bad(url, `unknown option ${name}; known are: ${known.join(', ') || 'none'}`);
    }
    if (seen.has(name)) throw bad(url, `option ${name} is given twice`);
    seen.add(name);
  }
}

/** The URL is named without user, password and options: any of them may hold a secret by mistake. */
function bad(url: URL, why: string, cause?: unknown): ConfigError {
  return new ConfigError('bad-store', `Store ${url.protocol}//${url.host}${url.pathname}: ${why}`, { cause });
}
