import { randomUUID } from 'node:crypto';
import { StoreError } from './store-error.js';
import type { Body, PutOptions, StoredObject } from './object-store.js';

/** The operations below key validation, so that a probe may carry a reserved name. */
export interface Probed {
  readonly name: string;
  putRaw(key: string, body: Body, options: PutOptions): Promise<unknown>;
  getRaw(key: string, options: { signal: AbortSignal; maxBytes: number }): Promise<StoredObject | undefined>;
  deleteRaw(keys: readonly string[], signal: AbortSignal): Promise<void>;
}

/**
 * Does once what the uploader will do all the time: look for an object that is not there (S3 says 403 to who may not
 * list, and then nobody can tell an absent playlist from a forbidden one), write, read back, delete.
 */
export async function probe(store: Probed, key: string, signal: AbortSignal): Promise<void> {
  const text = randomUUID();
  await store.getRaw(key, { signal, maxBytes: 1024 });
  await store.putRaw(key, { text }, { contentType: 'text/plain', cacheControl: 'no-store', signal });
  const stored = await store.getRaw(key, { signal, maxBytes: 1024 });
  await store.deleteRaw([key], signal);
  if (stored?.text !== text) {
    throw new StoreError(
      'server',
      `Checking ${store.name}: what was written to ${key} did not come back; check that nothing caches or rewrites ` +
        'between here and the store',
    );
  }
}
