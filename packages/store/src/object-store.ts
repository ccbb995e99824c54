/** What to store: a text, a file (of this many bytes), or bytes in memory. */
export type Body = { text: string } | { bytes: Uint8Array } | { file: string; bytes: number };

export interface PutOptions {
  contentType: string;
  cacheControl?: string;
  /** Store only when the key does not exist yet; else a StoreError `exists`. Needs `conditionalWrites`. */
  ifAbsent?: boolean;
  /** Store only while the object is the one of this `etag`; else a StoreError `changed`. Needs `conditionalWrites`. */
  ifMatch?: string;
  /** Playlists go over sockets of their own, so that none waits behind segments. Default `segment`. */
  lane?: 'segment' | 'playlist';
  /** Aborts the request; the object is then stored or not. */
  signal: AbortSignal;
}

export interface PutResult {
  /** Opaque. Of every text where the store has `conditionalWrites`. */
  etag?: string;
}

export interface StoredObject {
  text: string;
  etag?: string;
}

export interface StoredEntry {
  key: string;
  bytes: number;
  /** The store's own date, milliseconds since 1970. */
  modifiedMs: number;
}

/** Where objects go. Every backend passes the one contract suite. Errors are `StoreError`. */
export interface ObjectStore {
  /** For messages: the URL without credentials. */
  readonly name: string;
  readonly capabilities: { conditionalWrites: boolean; headers: boolean; list: boolean };
  /** Resolves only when stored. Readers see the old or the new object, never a part. Safe to repeat. */
  put(key: string, body: Body, options: PutOptions): Promise<PutResult>;
  /** Undefined when there is none. Throws `too-large` above `maxBytes`. */
  get(key: string, options: { signal: AbortSignal; maxBytes: number }): Promise<StoredObject | undefined>;
  list(prefix: string, signal: AbortSignal): AsyncIterable<StoredEntry>;
  /** A missing key is success. */
  delete(keys: readonly string[], signal: AbortSignal): Promise<void>;
  /** Throws a StoreError that says what is wrong (missing bucket, wrong credentials) when it cannot be written to. */
  check(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
