import { randomUUID } from 'node:crypto';
import type { Backend } from './checked-store.js';
import { StoreError } from './store-error.js';

/**
 * Does once what the uploader will do all the time: look for an object that is not there (S3 says 403 to who may not
 * list, and then nobody can tell an absent playlist from a forbidden one), write, read back, delete.
 */
export async function probe(store: Backend, key: string, signal: AbortSignal): Promise<void> {
  const text = randomUUID();
  await store.get(key, { signal, maxBytes: 1024 });
  await store.put(key, { text }, { contentType: 'text/plain', cacheControl: 'no-store', signal });
  const stored = await store.get(key, { signal, maxBytes: 1024 });
  await store.delete([key], signal);
  if (stored?.text !== text) {
    throw new StoreError(
      'server',
      `Checking ${store.name}: what was written to ${key} did not come back; check that nothing caches or rewrites ` +
        'between here and the store',
    );
  }
}
