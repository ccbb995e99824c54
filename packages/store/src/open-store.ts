import { CheckedStore } from './checked-store.js';
import { DirectoryStore } from './directory-store.js';
import type { ObjectStore } from './object-store.js';
import { parseStoreUrl } from './store-url.js';

export interface OpenStoreOptions {
  /** A connection on which nothing moves for so long has failed, milliseconds; default 15,000. */
  idleTimeoutMs?: number;
  /** Connections for segments at most; playlists have their own. Default 32. */
  maxSockets?: number;
  /** Where AWS_ENDPOINT_URL is looked for; default `process.env`. Credentials come from the AWS provider chain. */
  env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Opens the store that a URL names: `file:///absolute/folder`,
 * `s3://bucket/prefix?region=…&endpoint=…&acl=…&multipart-above=BYTES`.
 *
 * Says nothing about whether the store can be written to: that is `check`'s. Throws a ConfigError `bad-store`.
 */
export async function openStore(url: string, options: OpenStoreOptions = {}): Promise<ObjectStore> {
  const location = parseStoreUrl(url);
  if (location.kind === 'directory') return new CheckedStore(await DirectoryStore.open(location.path));
  // 60 MB and 440 ms that a directory store need not pay.
  const { S3Store } = await import('./s3-store.js');
  return new CheckedStore(await S3Store.open(location, options));
}
