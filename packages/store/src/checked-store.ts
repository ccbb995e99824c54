import { randomUUID } from 'node:crypto';
import { checkKey, RESERVED_PREFIX } from './object-key.js';
import type { Body, ObjectStore, PutOptions, PutResult, StoredEntry, StoredObject } from './object-store.js';
import { probe } from './probe.js';

/** What differs between the backends; they take keys as they come. */
export type Backend = Omit<ObjectStore, 'check'>;

/** A backend behind what all have in common: keys are checked before it sees them, and the check of it is one. */
export class CheckedStore implements ObjectStore {
  readonly name: string;
  readonly capabilities: ObjectStore['capabilities'];

  constructor(private readonly backend: Backend) {
    this.name = backend.name;
    this.capabilities = backend.capabilities;
  }

  async put(key: string, body: Body, options: PutOptions): Promise<PutResult> {
    checkKey(key);
    return this.backend.put(key, body, options);
  }

  async get(
    key: string,
    options: { signal: AbortSignal; maxBytes: number },
  ): Promise<StoredObject | undefined> {
    checkKey(key);
    return this.backend.get(key, options);
  }

  list(prefix: string, signal: AbortSignal): AsyncIterable<StoredEntry> {
    return this.backend.list(prefix, signal);
  }

  async delete(keys: readonly string[], signal: AbortSignal): Promise<void> {
    keys.forEach(checkKey);
    return this.backend.delete(keys, signal);
  }

  /** Under a reserved name, which no caller can mean. */
  check(signal: AbortSignal): Promise<void> {
    return probe(this.backend, `${RESERVED_PREFIX}check-${randomUUID()}`, signal);
  }

  close(): Promise<void> {
    return this.backend.close();
  }
}
