import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { link, mkdir, mkdtemp, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { SpoolFiles } from './spool-files.js';

const content = Buffer.alloc(700_000, 'segment');
const facts = { bytes: content.length, crc32: crc32(content) };

describe('SpoolFiles', () => {
  let base: string;
  let root: string;
  let files: SpoolFiles;
  const at = (name: string): string => join(root, name);

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'roots-'));
    root = join(base, 'spool');
    await mkdir(join(root, 'stream'), { recursive: true });
    await mkdir(join(base, 'spool-other'));
    await writeFile(at('stream/good.ts'), content);
    await writeFile(join(base, 'secret.ts'), content);
    await writeFile(join(base, 'spool-other', 'secret.ts'), content);
    await symlink(join(base, 'secret.ts'), at('link.ts'));
    await symlink(at('stream/good.ts'), at('inner-link.ts'));
    await symlink(base, at('way-out'));
    await symlink(at('stream'), at('inner'));
    await symlink(root, join(base, 'linked-root'));
    await link(at('stream/good.ts'), at('hard.ts'));
    execFileSync('mkfifo', [at('fifo.ts')]);
    files = new SpoolFiles([root, join(base, 'not-there-yet')]);
  });
  afterAll(() => rm(base, { recursive: true, force: true }));

  test.each([
    ['stream/good.ts', true],
    ['hard.ts', true],
    ['inner/good.ts', true],
  ])('%s is opened', async (name) => {
    expect(await files.check(at(name), facts)).toEqual({ ok: true });
    expect(await files.read(at(name), facts)).toEqual({ ok: true, buffer: content });
  });

  test.each<[string, () => string]>([
    ['a link as the last part', () => at('link.ts')],
    ['a link as the last part, to a good file', () => at('inner-link.ts')],
    ['a folder that leads out', () => at('way-out/secret.ts')],
    ['dots', () => `${root}/../secret.ts`],
    ['dots that come back', () => `${root}/../spool/stream/good.ts`],
    ['a folder that only begins with the name', () => join(base, 'spool-other', 'secret.ts')],
    ['outside', () => '/etc/passwd'],
    ['relative', () => 'stream/good.ts'],
    ['the root itself', () => root],
    ['a folder', () => at('stream')],
    ['a FIFO', () => at('fifo.ts')],
    ['nothing', () => at('stream/absent.ts')],
    ['a NUL byte', () => `${at('stream/good.ts')}\0.ts`],
    ['a device', () => '/dev/zero'],
    ['the process itself', () => '/proc/self/environ'],
    ['a name that is too long', () => at('x'.repeat(4000))],
    ['below a root that is not there', () => join(base, 'not-there-yet', 'a.ts')],
  ])('%s is unreachable', async (_, path) => {
    expect(await files.check(path(), facts)).toMatchObject({ ok: false, why: 'unreachable' });
    expect(await files.read(path(), facts)).toMatchObject({ ok: false, why: 'unreachable' });
  });

  test('devices below a root are not read', async () => {
    const devices = new SpoolFiles(['/dev']);
    expect(await devices.check('/dev/zero', facts)).toMatchObject({ ok: false, why: 'unreachable' });
  });

  test.each([
    ['size', { ...facts, bytes: facts.bytes - 1 }],
    ['size', { ...facts, bytes: facts.bytes + 188 }],
    ['CRC-32', { ...facts, crc32: facts.crc32 ^ 1 }],
  ])('another %s is wrong', async (_, wrong) => {
    expect(await files.check(at('stream/good.ts'), wrong)).toMatchObject({ ok: false, why: 'wrong' });
  });

  test('a root that is a link leads to the real one', async () => {
    const linked = new SpoolFiles([join(base, 'linked-root')]);
    expect(await linked.check(join(base, 'linked-root', 'stream/good.ts'), facts)).toEqual({ ok: true });
    expect(await linked.check(at('stream/good.ts'), facts)).toEqual({ ok: true });
    expect(await linked.check(join(base, 'linked-root', 'way-out/secret.ts'), facts)).toMatchObject({
      ok: false,
    });
  });

  test('what was lent is the opened file, whatever becomes of its name', async () => {
    const path = at('stream/lent.ts');
    await writeFile(path, content);
    const lent = await files.lend(path, facts, async (file) => {
      await unlink(path);
      await writeFile(path, 'something else');
      return readFile(file);
    });
    expect(lent).toEqual({ ok: true, value: content });
  });

  test('many checks at once all end', async () => {
    const checks = Array.from({ length: 50 }, () => files.check(at('stream/good.ts'), facts));
    expect(await Promise.all(checks)).toEqual(checks.map(() => ({ ok: true })));
  });
});
