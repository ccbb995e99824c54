import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { types } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Body, ObjectStore, PutOptions, StoredEntry } from './object-store.js';
import type { StoreErrorCode } from './store-error.js';

/**
 * Jest runs tests in a realm of its own, where an error of Node's is no `instanceof Error`; the SDK then wraps it and
 * loses its code. In a process without Jest there is one realm.
 */
export function acceptErrorsOfNode(): void {
  const inherited = Function.prototype[Symbol.hasInstance];
  Object.defineProperty(Error, Symbol.hasInstance, {
    configurable: true,
    value(this: unknown, value: unknown): boolean {
      return (this === Error && types.isNativeError(value)) || inherited.call(this, value);
    },
  });
}

export interface ContractSubject {
  store: ObjectStore;
  /** One of the same kind that cannot be written to, and the code that says why. */
  broken: { store: ObjectStore; code: StoreErrorCode };
  /** An object's bytes as stored, read without the store under test. */
  read(key: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface ContractOptions {
  /** Bytes of an object that the backend stores in another way than small ones, and more than one read takes. */
  largeBytes: number;
  /** For opening the subject, milliseconds. */
  openTimeoutMs?: number;
}

const never = new AbortController().signal;
const get = { signal: never, maxBytes: 1024 * 1024 };
const playlist: PutOptions = {
  contentType: 'application/vnd.apple.mpegurl',
  cacheControl: 'max-age=3',
  lane: 'playlist',
  signal: never,
};
const segment: PutOptions = {
  contentType: 'video/mp2t',
  cacheControl: 'max-age=1209600, immutable',
  signal: never,
};

/** What every backend must do, as `ObjectStore` promises it. */
export function objectStoreContract(
  name: string,
  open: () => Promise<ContractSubject>,
  { largeBytes, openTimeoutMs = 10_000 }: ContractOptions,
): void {
  describe(`${name} keeps the contract of ObjectStore`, () => {
    let subject: ContractSubject;
    let store: ObjectStore;
    let folder: string;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'contract-'));
      subject = await open();
      store = subject.store;
    }, openTimeoutMs);

    afterAll(async () => {
      await subject?.close();
      await rm(folder, { recursive: true, force: true });
    });

    async function fileOf(bytes: Uint8Array): Promise<Body & { file: string }> {
      const file = join(folder, randomUUID());
      await writeFile(file, bytes);
      return { file, bytes: bytes.length };
    }

    async function list(prefix: string): Promise<StoredEntry[]> {
      const entries: StoredEntry[] = [];
      for await (const entry of store.list(prefix, never)) entries.push(entry);
      return entries.sort((a, b) => (a.key < b.key ? -1 : 1));
    }

    test('stores texts, bytes and files as they are', async () => {
      const bytes = randomBytes(100_000);
      await store.put('kinds/text.m3u8', { text: '#EXTM3U\n# grün\n' }, playlist);
      await store.put('kinds/bytes.ts', { bytes }, segment);
      await store.put('kinds/file.ts', await fileOf(bytes), segment);
      await store.put('kinds/empty.ts', { bytes: new Uint8Array() }, segment);
      await store.put('kinds/empty-file.ts', await fileOf(new Uint8Array()), segment);
      expect((await store.get('kinds/text.m3u8', get))?.text).toBe('#EXTM3U\n# grün\n');
      expect(Buffer.compare(await subject.read('kinds/bytes.ts'), bytes)).toBe(0);
      expect(Buffer.compare(await subject.read('kinds/file.ts'), bytes)).toBe(0);
      expect(await subject.read('kinds/empty.ts')).toHaveLength(0);
      expect(await subject.read('kinds/empty-file.ts')).toHaveLength(0);
    });

    test('stores a view of a larger buffer as what it shows', async () => {
      const all = randomBytes(1000);
      await store.put('kinds/view.ts', { bytes: all.subarray(100, 200) }, segment);
      expect(Buffer.compare(await subject.read('kinds/view.ts'), all.subarray(100, 200))).toBe(0);
    });

    test('stores large objects whole, from a file and from memory', async () => {
      const bytes = randomBytes(largeBytes);
      await store.put('large/file.ts', await fileOf(bytes), segment);
      await store.put('large/bytes.ts', { bytes }, segment);
      expect(Buffer.compare(await subject.read('large/file.ts'), bytes)).toBe(0);
      expect(Buffer.compare(await subject.read('large/bytes.ts'), bytes)).toBe(0);
    }, 60_000);

    test('replaces an object, also by the same one', async () => {
      for (const text of ['first', 'the second, longer', '3rd', '3rd']) {
        await store.put('replaced.m3u8', { text }, playlist);
        expect((await store.get('replaced.m3u8', get))?.text).toBe(text);
      }
    });

    test('lets readers see the old or the new object, never a part or nothing', async () => {
      const versions = ['a', 'b'].map((letter) => letter.repeat(200_000));
      const key = 'atomic/playlist.m3u8';
      await store.put(key, { text: versions[0]! }, playlist);
      let writing = true;
      let reads = 0;
      const write = async (): Promise<void> => {
        for (let round = 1; round <= 20; round++) {
          await store.put(key, { text: versions[round % 2]! }, playlist);
        }
      };
      const read = async (): Promise<void> => {
        while (writing) {
          const found = await store.get(key, get);
          expect(versions.includes(found?.text ?? 'nothing')).toBe(true);
          reads++;
        }
      };
      await Promise.all([write().finally(() => (writing = false)), read(), read(), read()]);
      expect(reads).toBeGreaterThan(10);
    }, 30_000);

    test('gives undefined for what is not there', async () => {
      await store.put('there/object.m3u8', { text: 'x' }, playlist);
      expect(await store.get('missing.m3u8', get)).toBeUndefined();
      expect(await store.get('no/such/folder/missing.m3u8', get)).toBeUndefined();
      expect(await store.get('there', get)).toBeUndefined();
    });

    test('refuses to read more than asked for', async () => {
      await store.put('limit.m3u8', { text: 'x'.repeat(1000) }, playlist);
      expect((await store.get('limit.m3u8', { ...get, maxBytes: 1000 }))?.text).toHaveLength(1000);
      await expect(store.get('limit.m3u8', { ...get, maxBytes: 999 })).rejects.toMatchObject({
        name: 'StoreError',
        code: 'too-large',
        retryable: false,
      });
    });

    test('lists by prefix, through all folders, with sizes and dates', async () => {
      const before = Date.now();
      const keys = ['list/a-1.ts', 'list/a-2.ts', 'list/a/deep/er.ts', 'list/b.ts', 'list-not/a.ts'];
      for (const [bytes, key] of keys.entries()) await store.put(key, { text: 'x'.repeat(bytes) }, segment);
      expect((await list('list/')).map(({ key, bytes }) => [key, bytes])).toEqual([
        ['list/a-1.ts', 0],
        ['list/a-2.ts', 1],
        ['list/a/deep/er.ts', 2],
        ['list/b.ts', 3],
      ]);
      expect((await list('list/a')).map(({ key }) => key)).toEqual(keys.slice(0, 3));
      expect((await list('list/a-')).map(({ key }) => key)).toEqual(keys.slice(0, 2));
      expect(await list('list/none')).toEqual([]);
      expect(await list('none/')).toEqual([]);
      expect((await list('')).map(({ key }) => key)).toEqual(expect.arrayContaining(keys));
      for (const { modifiedMs } of await list('list/')) {
        // Dates of S3 have whole seconds.
        expect(modifiedMs).toBeGreaterThan(before - 1000 - 1);
        expect(modifiedMs).toBeLessThan(Date.now() + 1000);
      }
    });

    test('deletes what is there, and finds nothing wrong with what is not', async () => {
      const keys = ['delete/1.ts', 'delete/2.ts', 'delete/3.ts'];
      for (const key of keys) await store.put(key, { text: 'x' }, segment);
      await store.delete([], never);
      await store.delete(['delete/1.ts'], never);
      await store.delete(['delete/1.ts', 'delete/2.ts', 'delete/none.ts', 'none/none.ts'], never);
      expect((await list('delete/')).map(({ key }) => key)).toEqual(['delete/3.ts']);
      expect(await store.get('delete/1.ts', get)).toBeUndefined();
    });

    test('makes an object only once when asked to, whoever races', async () => {
      expect(store.capabilities.conditionalWrites).toBe(true);
      const racers = Array.from({ length: 8 }, (_, racer) => `racer ${racer}`);
      const outcomes = await Promise.allSettled(
        racers.map((text) => store.put('race/one.m3u8', { text }, { ...playlist, ifAbsent: true })),
      );
      const winners = racers.filter((_, racer) => outcomes[racer]?.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === 'fulfilled') continue;
        // A server may also say that another write is under way.
        expect(['exists', 'conflict']).toContain((outcome.reason as { code: string }).code);
      }
      expect((await store.get('race/one.m3u8', get))?.text).toBe(winners[0]);
      await expect(
        store.put('race/one.m3u8', await fileOf(randomBytes(largeBytes)), { ...playlist, ifAbsent: true }),
      ).rejects.toMatchObject({ code: 'exists', retryable: false });
      expect((await store.get('race/one.m3u8', get))?.text).toBe(winners[0]);
    }, 30_000);

    test('replaces an object only while it is the one that was read, whoever races', async () => {
      const key = 'race/replaced.m3u8';
      const changed = { name: 'StoreError', code: 'changed', retryable: false };
      const first = await store.put(key, { text: 'first' }, playlist);
      expect(first.etag).toEqual(expect.any(String));
      expect((await store.get(key, get))?.etag).toBe(first.etag);
      const second = await store.put(key, { text: 'second' }, { ...playlist, ifMatch: first.etag! });
      const old = store.put(key, { text: 'third' }, { ...playlist, ifMatch: first.etag! });
      await expect(old).rejects.toMatchObject(changed);
      expect(await store.get(key, get)).toEqual({ text: 'second', ...second });

      const racers = Array.from({ length: 8 }, (_, racer) => `racer ${racer}`);
      const outcomes = await Promise.allSettled(
        racers.map((text) => store.put(key, { text }, { ...playlist, ifMatch: second.etag! })),
      );
      const winners = racers.filter((_, racer) => outcomes[racer]?.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === 'fulfilled') continue;
        // Ceph answers some of them with 500.
        expect(['changed', 'conflict', 'server']).toContain((outcome.reason as { code: string }).code);
      }
      expect((await store.get(key, get))?.text).toBe(winners[0]);

      await store.delete([key], never);
      const gone = store.put(key, { text: 'again' }, { ...playlist, ifMatch: second.etag! });
      await expect(gone).rejects.toMatchObject(changed);
      expect(await store.get(key, get)).toBeUndefined();
      expect((await list('race/')).map((entry) => entry.key)).not.toContain(key);
    }, 30_000);

    test('says that the local file is at fault, and stores nothing', async () => {
      const bytes = randomBytes(1000);
      const whole = await fileOf(bytes);
      const bodies: Body[] = [
        { file: join(folder, 'missing.ts'), bytes: 1000 },
        { file: folder, bytes: 1000 },
        { ...whole, bytes: 1001 },
        { ...whole, bytes: 999 },
        { file: whole.file, bytes: largeBytes },
      ];
      for (const body of bodies) {
        await expect(store.put('unreadable.ts', body, segment)).rejects.toMatchObject({
          name: 'StoreError',
          code: 'unreadable-body',
          retryable: false,
          message: expect.stringMatching(/^Cannot put unreadable\.ts to /),
        });
      }
      expect(await list('unreadable')).toEqual([]);
    });

    test('refuses keys that would leave the store, or that some file system misreads', async () => {
      const bad = [
        '',
        '/a',
        'a/',
        'a//b',
        '.',
        '..',
        '../a',
        'a/../../b',
        'a/./b',
        'a\nb',
        'a\0b',
        'a\\b',
        '\ud800',
      ];
      for (const key of [
        ...bad,
        'x'.repeat(256),
        'y/'.repeat(600) + 'z',
        '.hls-uplink-mine',
        'a/.hls-uplink-1.tmp',
      ]) {
        const wrong = { name: 'StoreError', code: 'bad-key', retryable: false };
        await expect(store.put(key, { text: 'x' }, segment)).rejects.toMatchObject(wrong);
        await expect(store.get(key, get)).rejects.toMatchObject(wrong);
        await expect(store.delete(['fine.ts', key], never)).rejects.toMatchObject(wrong);
      }
    });

    test('stops when told to', async () => {
      const stop = new AbortController();
      stop.abort();
      const { signal } = stop;
      const aborted = { name: 'StoreError', code: 'aborted', retryable: false };
      await expect(store.put('aborted.ts', { text: 'x' }, { ...segment, signal })).rejects.toMatchObject(
        aborted,
      );
      await expect(store.get('aborted.ts', { ...get, signal })).rejects.toMatchObject(aborted);
      await expect(store.delete(['aborted.ts'], signal)).rejects.toMatchObject(aborted);
      await expect(store.list('', signal)[Symbol.asyncIterator]().next()).rejects.toMatchObject(aborted);
      await expect(store.check(signal)).rejects.toMatchObject(aborted);
      expect(await list('aborted')).toEqual([]);
    });

    test('stopped in the middle, has the object whole or not at all', async () => {
      const bytes = randomBytes(largeBytes);
      const body = await fileOf(bytes);
      for (const afterMs of [0, 2, 5, 10, 20]) {
        const signal = AbortSignal.timeout(afterMs);
        const key = `stopped/${afterMs}.ts`;
        const outcome = await store.put(key, body, { ...segment, signal }).then(
          () => 'stored',
          (error: { code: string }) => error.code,
        );
        expect(['stored', 'aborted']).toContain(outcome);
        for (const { bytes: stored } of await list(key)) expect(stored).toBe(bytes.length);
        if (outcome === 'stored') expect(Buffer.compare(await subject.read(key), bytes)).toBe(0);
      }
      // Nothing of it is in the way of the next try.
      await store.put('stopped/0.ts', body, segment);
      expect(Buffer.compare(await subject.read('stopped/0.ts'), bytes)).toBe(0);
    }, 60_000);

    test('checks that it can be written to, and leaves nothing behind', async () => {
      const before = await list('');
      await store.check(never);
      expect(await list('')).toEqual(before);
    });

    test('says in one line what is wrong when it cannot be written to', async () => {
      const { store: broken, code } = subject.broken;
      const attempts = [
        () => broken.check(never),
        () => broken.put('a.m3u8', { text: 'x' }, playlist),
        () => broken.put('a.ts', { bytes: new Uint8Array(largeBytes) }, segment),
      ];
      for (const attempt of attempts) {
        const error = await attempt().then(
          () => undefined,
          (reason: Error) => reason,
        );
        expect(error).toMatchObject({ name: 'StoreError', code, retryable: false });
        expect(error?.message).toMatch(/^Cannot (put|get) \S+ (to|from) .+: .+; .+$/);
        expect(error?.message).toContain(broken.name);
      }
    });
  });
}
