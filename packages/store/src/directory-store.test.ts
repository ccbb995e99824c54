import { randomBytes } from 'node:crypto';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { DirectoryStore } from './directory-store.js';
import { objectStoreContract } from './object-store.contract.js';
import type { PutOptions } from './object-store.js';
import { openStore } from './open-store.js';

objectStoreContract(
  'a directory',
  async () => {
    const root = await mkdtemp(join(tmpdir(), 'store-'));
    await writeFile(join(root, 'a-file'), '');
    return {
      store: await openStore(`file://${root}/made/by/the/store`),
      broken: { store: await openStore(`file://${root}/a-file/below`), code: 'not-writable' },
      read: (key) => readFile(join(root, 'made/by/the/store', key)),
      close: () => rm(root, { recursive: true }),
    };
  },
  { largeBytes: 3_000_000 },
);

const signal = new AbortController().signal;
const options: PutOptions = { contentType: 'video/mp2t', signal };

describe('a directory', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'store-'));
  });
  afterEach(() => rm(root, { recursive: true }));

  test('removes at open what a crash left long ago, and nothing else', async () => {
    await mkdir(join(root, 'live'));
    const old = new Date(Date.now() - 2 * 60 * 60 * 1000);
    const files = {
      'live/.hls-uplink-old.tmp': old,
      '.hls-uplink-check-old': old,
      'live/.hls-uplink-young.tmp': new Date(),
      'live/a.ts': old,
      'live/.hidden': old,
    };
    for (const [name, date] of Object.entries(files)) {
      await writeFile(join(root, name), 'x');
      await utimes(join(root, name), date, date);
    }
    const store = await DirectoryStore.open(root);
    expect((await readdir(root)).sort()).toEqual(['live']);
    expect((await readdir(join(root, 'live'))).sort()).toEqual(['.hidden', '.hls-uplink-young.tmp', 'a.ts']);
    const listed: string[] = [];
    for await (const { key } of store.list('', signal)) listed.push(key);
    expect(listed.sort()).toEqual(['live/.hidden', 'live/a.ts']);
  });

  test('leaves no temporary file after a failure', async () => {
    const store = await DirectoryStore.open(root);
    await mkdir(join(root, 'live/a.ts'), { recursive: true });
    await expect(store.put('live/a.ts', { text: 'x' }, options)).rejects.toMatchObject({
      code: 'not-writable',
      message: expect.stringContaining('remove what stands in the way'),
    });
    await expect(store.put('live/a.ts', { text: 'x' }, { ...options, ifAbsent: true })).rejects.toMatchObject(
      {
        code: 'exists',
      },
    );
    await expect(store.put('live/b.ts', { file: '/none', bytes: 1 }, options)).rejects.toThrow('/none');
    expect(await readdir(join(root, 'live'))).toEqual(['a.ts']);
  });

  test('gives a copy the rights of any new file, not those of the spool', async () => {
    const file = join(root, 'private.ts');
    await writeFile(file, randomBytes(10));
    await chmod(file, 0o600);
    const store = await DirectoryStore.open(join(root, 'out'));
    await store.put('copied.ts', { file, bytes: 10 }, options);
    await store.put('written.ts', { text: 'x' }, options);
    const modeOf = async (key: string): Promise<number> => (await stat(join(root, 'out', key))).mode & 0o777;
    expect(await modeOf('copied.ts')).toBe(await modeOf('written.ts'));
    expect((await modeOf('copied.ts')) & 0o077).not.toBe(0);
  });

  test('follows a link to a folder when storing, and not when listing', async () => {
    await mkdir(join(root, 'elsewhere'));
    await mkdir(join(root, 'out'));
    await symlink(join(root, 'elsewhere'), join(root, 'out/live'));
    const store = await DirectoryStore.open(join(root, 'out'));
    await store.put('live/a.ts', { text: 'x' }, options);
    expect(await readdir(join(root, 'elsewhere'))).toEqual(['a.ts']);
    for await (const { key } of store.list('', signal)) throw new Error(`listed ${key}`);
  });

  test('deletes all it can before it says what it could not', async () => {
    const store = await DirectoryStore.open(root);
    await store.put('a/1.ts', { text: 'x' }, options);
    await store.put('a/2.ts', { text: 'x' }, options);
    await mkdir(join(root, 'a/folder.ts'));
    await store.delete(['a/1.ts', 'a/folder.ts', 'a/1.ts/below', 'a/2.ts'], signal);
    expect(await readdir(join(root, 'a'))).toEqual(['folder.ts']);
  });

  test('fails where folders cannot be made, and does not hang', async () => {
    const store = await DirectoryStore.open('/proc/no-such-store/live');
    await expect(store.put('a.ts', { text: 'x' }, options)).rejects.toMatchObject({
      name: 'StoreError',
      message: expect.stringContaining("mkdir '/proc/no-such-store'"),
    });
  });

  test('is named by its URL', async () => {
    expect((await DirectoryStore.open(join(root, 'a b'))).name).toBe(`file://${root}/a%20b`);
  });

  test('lists keys of a root with a trailing slash', async () => {
    const store = await openStore(`file://${root}/`);
    await store.put('live/a.ts', { text: 'x' }, options);
    for await (const { key } of store.list('live/', signal)) expect(key).toBe('live/a.ts');
    expect.assertions(1);
  });
});
