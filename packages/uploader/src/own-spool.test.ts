import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { OwnSpool } from './own-spool.js';

const session = 'a'.repeat(32);
const id = { session, index: 7 };
const bytes = Buffer.from('some bytes');
const facts = { bytes: bytes.length, crc32: crc32(bytes) };

describe('OwnSpool', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'own-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('a body appears when it is whole and right, and goes after the answer', async () => {
    const spool = await OwnSpool.open(folder, () => false);
    const receiver = await spool.receive(id, facts);
    await receiver.write(bytes.subarray(0, 3));
    expect((await readdir(folder)).filter((name) => name.endsWith('.ts'))).toEqual([]);
    await receiver.write(bytes.subarray(3));
    const finished = await receiver.finish();
    expect(finished).toEqual({ ok: true, path: spool.pathOf(id) });
    expect(await readFile(spool.pathOf(id) ?? '')).toEqual(bytes);
    expect(spool.bytes).toBe(bytes.length);
    await spool.remove(id);
    await spool.remove(id);
    expect(await readdir(folder)).toEqual([]);
    expect(spool.bytes).toBe(0);
  });

  test.each([
    ['short', bytes.subarray(1)],
    ['other', Buffer.from('same bytes')],
    ['long', Buffer.from('some bytes more')],
  ])('a %s body leaves nothing', async (_, sent) => {
    const spool = await OwnSpool.open(folder, () => false);
    const receiver = await spool.receive(id, facts);
    await receiver.write(sent);
    expect(await receiver.finish()).toMatchObject({ ok: false });
    await receiver.discard();
    expect(spool.pathOf(id)).toBeUndefined();
    expect(await readdir(folder)).toEqual([]);
  });

  test('a body that the disk does not take under its name leaves nothing open and nothing behind', async () => {
    const spool = await OwnSpool.open(folder, () => false);
    const inTheWay = join(folder, `${session}-7.ts`);
    await mkdir(join(inTheWay, 'full'), { recursive: true });
    const openFiles = async (): Promise<number> => {
      const links = await readdir('/proc/self/fd');
      const paths = await Promise.all(links.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
      return paths.filter((path) => path.startsWith(folder)).length;
    };
    const receiver = await spool.receive(id, facts);
    await receiver.write(bytes);
    await expect(receiver.finish()).rejects.toThrow(inTheWay);
    expect(await openFiles()).toBe(0);
    expect(await readdir(folder)).toEqual([`${session}-7.ts`]);
    expect(spool.bytes).toBe(0);
  });

  test('room is kept for what is to come', async () => {
    const spool = await OwnSpool.open(folder, () => false);
    const giveBack = spool.reserve(300, 100);
    expect(giveBack).toBeDefined();
    expect(spool.reserve(1, 300)).toBeUndefined();
    giveBack?.();
    expect(spool.reserve(60, 100)).toBeDefined();
    expect(spool.reserve(41, 100)).toBeUndefined();
    expect(spool.reserve(40, 100)).toBeDefined();
  });

  test('a start removes what the journal does not name', async () => {
    const kept = `${session}-1.ts`;
    for (const name of [kept, `${session}-2.ts`, '.x.part', 'strange'])
      await writeFile(join(folder, name), bytes);
    const spool = await OwnSpool.open(folder, ({ index }) => index === 1);
    expect(await readdir(folder)).toEqual([kept]);
    expect(spool.pathOf({ session, index: 1 })).toBe(join(folder, kept));
    expect(spool.bytes).toBe(bytes.length);
  });
});
