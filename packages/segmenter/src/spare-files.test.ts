import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '@hls-uplink/runtime';
import { Disk } from './disk.js';
import { Outbox } from './outbox.js';
import { PartFile } from './part-file.js';
import { SpareFiles } from './spare-files.js';
import { cutSegment, LogBook, openSpool, TempFolder } from './spool.test.helper.js';

let folder: TempFolder;
let spares: SpareFiles;

beforeEach(async () => {
  folder = await TempFolder.make();
  spares = new SpareFiles(folder.path);
});
afterEach(() => folder[Symbol.asyncDispose]());

const at = (name: string): string => `${folder.path}/${name}`;

async function kept(name: string, content: string): Promise<boolean> {
  await writeFile(at(name), content);
  return spares.keep(at(name));
}

test.each([
  ['shorter', 'new'],
  ['longer', 'new and much longer than what was there'],
  ['empty', ''],
])('a file that is written again has the new bytes only, those being %s', async (_, text) => {
  expect(await kept('0.ts', 'old, older, oldest')).toBe(true);
  const file = new PartFile(at('1.part'), new Disk(systemClock, 60_000, true, spares));
  expect(await readdir(folder.path)).toEqual(['1.part']);
  const bytes = Buffer.from(text);
  file.append(bytes, 0, bytes.length);
  expect(await file.finish()).toEqual({ bytes: bytes.length, crc32: crc32(bytes) });
  expect(await readFile(at('1.part'), 'utf8')).toBe(text);
});

test('keeps two, leaves the others where they are, and clears up', async () => {
  expect(await kept('0.ts', 'a')).toBe(true);
  expect(await kept('1.ts', 'b')).toBe(true);
  expect(await kept('2.ts', 'c')).toBe(false);
  expect((await readdir(folder.path)).sort()).toEqual(['2.ts', 'spare-1.part', 'spare-2.part']);
  spares.clear();
  expect(await readdir(folder.path)).toEqual(['2.ts']);
  expect(spares.give(at('3.part'))).toBe(false);
});

test('does without files that somebody took away', async () => {
  expect(spares.keep(at('none.ts'))).toBe(false);
  await kept('0.ts', 'a');
  for (const name of await readdir(folder.path)) await rm(at(name));
  const file = new PartFile(at('1.part'), new Disk(systemClock, 60_000, true, spares));
  file.append(Buffer.from('new'), 0, 3);
  await file.finish();
  expect(await readFile(at('1.part'), 'utf8')).toBe('new');
  spares.clear();
});

test('takes published segments only: whoever dropped or rejected one may still read it', async () => {
  const log = new LogBook();
  const spoolFolder = at('spool');
  await mkdir(spoolFolder);
  const spool = await openSpool(spoolFolder);
  spares = new SpareFiles(spoolFolder);
  const outbox = await Outbox.open({ spool, clock: systemClock, logger: log, spares });
  const left = async (): Promise<string[]> =>
    (await readdir(spoolFolder)).filter((name) => /\.(ts|part)$/.test(name));
  for (const answer of ['dropped', 'rejected', 'published'] as const) {
    outbox.segment(await cutSegment(spool, answer));
    await outbox.entered();
    const index = outbox.oldest!.index;
    outbox.settle(index, answer);
    outbox.leave('so that the next has an index of its own');
    await outbox.entered();
    outbox.settle(index + 1, answer);
    await outbox.close();
    expect(await left()).toEqual(answer === 'published' ? ['spare-1.part'] : []);
  }
  await spool.close();
});
