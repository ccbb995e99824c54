import {
  StoreError,
  type Body,
  type ObjectStore,
  type PutOptions,
  type StoredEntry,
} from '@hls-uplink/store';
import { readFile } from 'node:fs/promises';

export type Fault = 'fail' | 'deny' | 'lose-answer' | 'hang';

/** A store in memory that fails on demand: `fault` is asked before each put. */
export class FakeStore implements ObjectStore {
  readonly name = 'fake:';
  readonly capabilities;
  readonly objects = new Map<
    string,
    { text: string; etag: string; options: PutOptions; modifiedMs: number }
  >();
  readonly puts: string[] = [];
  readonly inFlight = new Set<string>();
  mostInFlight = 0;
  mostBytes = 0;
  nowMs = 0;
  fault: (key: string, attempt: number) => Fault | undefined = () => undefined;
  getFault: () => boolean = () => false;
  /** Puts wait here when set. */
  gate: Promise<void> | undefined;
  constructor({ conditionalWrites = false } = {}) {
    this.capabilities = { conditionalWrites, headers: true, list: true };
  }

  readonly #attempts = new Map<string, number>();
  #bytes = 0;
  #puts = 0;

  async put(key: string, body: Body, options: PutOptions): Promise<{ etag?: string }> {
    const attempt = (this.#attempts.get(key) ?? 0) + 1;
    this.#attempts.set(key, attempt);
    this.puts.push(key);
    const size = 'text' in body ? body.text.length : 'file' in body ? body.bytes : body.bytes.length;
    this.inFlight.add(key);
    this.#bytes += size;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight.size);
    this.mostBytes = Math.max(this.mostBytes, this.#bytes);
    try {
      await this.gate;
      const fault = this.fault(key, attempt);
      if (fault === 'fail') throw new StoreError('server', `put ${key}: 503`);
      if (fault === 'deny') throw new StoreError('denied', `put ${key}: 403`);
      if (fault === 'hang') {
        await new Promise((_, reject) =>
          options.signal.addEventListener('abort', () => reject(new StoreError('aborted', key))),
        );
      }
      const text =
        'text' in body
          ? body.text
          : 'file' in body
            ? await readFile(body.file, 'latin1')
            : Buffer.from(body.bytes).toString('latin1');
      const found = this.objects.get(key);
      if (options.ifAbsent && found) throw new StoreError('exists', `put ${key}: it exists`);
      if (options.ifMatch !== undefined && options.ifMatch !== found?.etag)
        throw new StoreError('changed', `put ${key}: it has changed`);
      const etag = `${this.#puts++}`;
      this.objects.set(key, { text, etag, options, modifiedMs: this.nowMs });
      if (fault === 'lose-answer') throw new StoreError('unreachable', `put ${key}: connection reset`);
      return { etag };
    } finally {
      this.inFlight.delete(key);
      this.#bytes -= size;
    }
  }

  get(key: string): Promise<{ text: string; etag: string } | undefined> {
    if (this.getFault()) return Promise.reject(new StoreError('unreachable', `get ${key}: no connection`));
    const found = this.objects.get(key);
    return Promise.resolve(found && { text: found.text, etag: found.etag });
  }

  async *list(prefix: string): AsyncIterable<StoredEntry> {
    if (this.getFault()) throw new StoreError('unreachable', `list ${prefix}: no connection`);
    for (const [key, { text, modifiedMs }] of this.objects) {
      if (key.startsWith(prefix)) yield await Promise.resolve({ key, bytes: text.length, modifiedMs });
    }
  }

  delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.objects.delete(key);
    return Promise.resolve();
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
