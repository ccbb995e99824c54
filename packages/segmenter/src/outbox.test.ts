import { mkdir, readdir, readFile, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseSegmenterMessage } from '@hls-uplink/protocol';
import type { Outbox } from './outbox.js';
import type { Spool } from './spool.js';
import { cutSegment, LogBook, openOutbox, openSpool, someTracks, TempFolder } from './spool.test.helper.js';
import { until } from './fake-uploader.test.helper.js';

let folder: TempFolder;
let spool: Spool;
let outbox: Outbox;
let log: LogBook;

beforeEach(async () => {
  folder = await TempFolder.make();
  spool = await openSpool(folder.path);
  log = new LogBook();
  outbox = await openOutbox(spool, log);
});

afterEach(async () => {
  await outbox.close();
  await spool.close();
  await folder[Symbol.asyncDispose]();
});

/** As after `kill -9`: nothing is closed in order, another process opens the same folder. */
async function restart(change: () => Promise<void> = () => Promise.resolve()): Promise<void> {
  await outbox.close();
  await spool.close();
  await change();
  spool = await openSpool(folder.path, 0, log);
  outbox = await openOutbox(spool, log);
}

/** The files of segments and records. */
const files = async (): Promise<string[]> =>
  (await readdir(folder.path)).filter((name) => /^\d|\.part$/.test(name)).sort();

const waiting = (): number[] => {
  const indexes: number[] = [];
  for (let entry = outbox.oldest; entry; entry = outbox.after(entry.index)) indexes.push(entry.index);
  return indexes;
};

describe('what is entered', () => {
  test('has indexes without holes, its file under its final name, and a record, when it can be announced', async () => {
    outbox.tracks(someTracks);
    const cut = await cutSegment(spool, 'abc');
    outbox.segment(cut);
    outbox.lost({ startPts: 1, endPts: 2, wallClockMs: 0, reason: 'full disk' });
    outbox.leave('the input ended');
    outbox.end();
    await outbox.entered();

    expect(waiting()).toEqual([0, 1, 2, 3]);
    expect(await files()).toEqual(['0.json', '0.ts', '1.json', '2.json', '3.json']);
    expect(await readFile(outbox.segmentPath(0), 'utf8')).toBe('abc');
    expect(await outbox.announcement(0)).toEqual({
      type: 'segment',
      session: spool.session,
      index: 0,
      path: outbox.segmentPath(0),
      bytes: 3,
      crc32: cut.crc32,
      startPts: cut.startPts,
      endPts: cut.endPts,
      wallClock: new Date(cut.wallClockMs).toISOString(),
      ended: 'cut',
      independent: true,
      keyPictures: cut.keyPictures,
      markers: cut.markers,
    });
    expect(await outbox.announcement(1)).toMatchObject({ type: 'gap', index: 1, reason: 'full disk' });
    expect(await outbox.announcement(2)).toMatchObject({
      type: 'leave',
      index: 2,
      reason: 'the input ended',
    });
    expect(await outbox.announcement(3)).toEqual({ type: 'end', session: spool.session, index: 3 });
    expect(outbox.bytes).toBe(3);
    expect(outbox.counters.lost).toBe(1);
  });

  test('tells of its tracks, also after a restart, for as long as an entry needs them', async () => {
    const other = { tracks: [] };
    outbox.tracks(someTracks);
    outbox.segment(await cutSegment(spool));
    outbox.tracks(other);
    outbox.segment(await cutSegment(spool));
    await outbox.entered();
    await restart();
    expect(outbox.tracksFor(0)).toMatchObject({ index: 0, gop: 180_000 });
    expect(outbox.tracksFor(1)).toMatchObject({ index: 1, tracks: [] });
    expect(outbox.tracksFor(7)).toMatchObject({ index: 1 });
    outbox.settle(0, 'published');
    outbox.tracks(someTracks);
    outbox.segment(await cutSegment(spool));
    await outbox.entered();
    expect(outbox.tracksFor(0)).toBeUndefined();
    expect(outbox.tracksFor(1)).toMatchObject({ index: 1 });
  });

  test('is told at once', async () => {
    let changes = 0;
    outbox.onChange = () => changes++;
    outbox.leave('x');
    await outbox.entered();
    expect(changes).toBe(1);
  });
});

describe('what is announced', () => {
  test('comes from memory while it is one of the newest four, from its record before', async () => {
    for (let i = 0; i < 9; i++) outbox.segment(await cutSegment(spool));
    await outbox.entered();
    const announced = await Promise.all(waiting().map((index) => outbox.announcement(index)));
    for (const [index, message] of announced.entries()) {
      expect(parseSegmenterMessage(JSON.stringify(message))).toMatchObject({ type: 'segment', index });
      expect(JSON.parse(await readFile(`${folder.path}/${index}.json`, 'utf8'))).toEqual(message);
    }
    for (const index of waiting()) await writeFile(`${folder.path}/${index}.json`, '{');
    const types: (string | undefined)[] = [];
    for (const index of waiting()) types.push((await outbox.announcement(index))?.type);
    expect(types).toEqual([...Array<string>(5).fill('gap'), ...Array<string>(4).fill('segment')]);
  });

  test('is a gap, however new the segment was, once its file is lost', async () => {
    outbox.segment(await cutSegment(spool));
    await outbox.entered();
    expect(await outbox.announcement(0)).toMatchObject({ type: 'segment' });
    await outbox.lose(0, 'gone');
    expect(await outbox.announcement(0)).toMatchObject({ type: 'gap', reason: 'gone' });
    outbox.settle(0, 'published');
    expect(await outbox.announcement(0)).toBeUndefined();
  });
});

describe('a final answer', () => {
  test('frees record and file, and is counted by kind', async () => {
    for (let i = 0; i < 4; i++) outbox.segment(await cutSegment(spool));
    await outbox.entered();
    outbox.settle(1, 'dropped');
    outbox.settle(1, 'dropped');
    outbox.settle(2, 'rejected');
    outbox.settle(99, 'published');
    await until(async () => (await files()).length === 4);
    expect(waiting()).toEqual([0, 3]);
    outbox.settleThrough(3);
    await until(async () => (await files()).length === 0);
    expect(outbox.counters).toEqual({ published: 2, dropped: 1, rejected: 1, lost: 0 });
    expect(outbox.bytes).toBe(0);
    expect(await outbox.announcement(0)).toBeUndefined();
  });

  test('to what is no segment frees it, and is not counted as one', async () => {
    outbox.segment(await cutSegment(spool));
    outbox.lost({ startPts: 0, endPts: 540_000, wallClockMs: 0, reason: 'x' });
    outbox.leave('x');
    outbox.end();
    await outbox.entered();
    expect(waiting()).toEqual([0, 1, 2, 3]);
    outbox.settleThrough(3);
    await until(async () => (await files()).length === 0);
    expect(waiting()).toEqual([]);
    expect(outbox.counters).toEqual({ published: 1, dropped: 0, rejected: 0, lost: 1 });
  });

  test('of all does not let an index be used again after a restart', async () => {
    for (let i = 0; i < 3; i++) outbox.segment(await cutSegment(spool));
    await outbox.entered();
    outbox.settleThrough(2);
    const { session } = spool;
    await restart();
    expect(spool.session).toBe(session);
    outbox.segment(await cutSegment(spool));
    await outbox.entered();
    expect(waiting()).toEqual([3]);
  });
});

describe('a crash', () => {
  beforeEach(async () => {
    outbox.segment(await cutSegment(spool, 'zero'));
    outbox.segment(await cutSegment(spool, 'one'));
    await outbox.entered();
  });

  test('between entries loses nothing', async () => {
    const before = await outbox.announcement(1);
    await restart();
    expect(waiting()).toEqual([0, 1]);
    expect(await outbox.announcement(1)).toEqual(before);
    expect(outbox.bytes).toBe(7);
  });

  test('while a segment was written: its part is removed', async () => {
    await restart(() => writeFile(`${folder.path}/cut-9.part`, 'half'));
    expect(await files()).toEqual(['0.json', '0.ts', '1.json', '1.ts']);
    expect(log.matching(/unfinished/)[0]?.fields).toMatchObject({ files: 1 });
  });

  test('between file and record: the file is removed, and its index used again, since nobody heard of it', async () => {
    await restart(() => writeFile(`${folder.path}/2.ts`, 'unheard'));
    expect(log.matching(/without a record/)[0]?.fields).toMatchObject({ files: 1 });
    outbox.segment(await cutSegment(spool, 'two'));
    await outbox.entered();
    expect(waiting()).toEqual([0, 1, 2]);
    expect(await readFile(outbox.segmentPath(2), 'utf8')).toBe('two');
  });

  test('while a record was written', async () => {
    await restart(async () => {
      await writeFile(`${folder.path}/2.ts`, 'unheard');
      await writeFile(`${folder.path}/2.json.part`, '{"type":"seg');
    });
    expect(await files()).toEqual(['0.json', '0.ts', '1.json', '1.ts']);
  });

  test('while an entry was freed: its file goes too', async () => {
    outbox.settle(0, 'published');
    await until(async () => (await files()).length === 2);
    await restart(() => writeFile(`${folder.path}/0.ts`, 'zero'));
    expect(await files()).toEqual(['1.json', '1.ts']);
  });

  test('after the mark and before the last record went', async () => {
    await spool.setNextIndex(2);
    await restart();
    outbox.leave('x');
    await outbox.entered();
    expect(waiting()).toEqual([0, 1, 2]);
  });

  test('of the disk that took a file: a gap stands for it, across restarts', async () => {
    await restart(() => unlink(`${folder.path}/0.ts`));
    const gap = await outbox.announcement(0);
    expect(gap).toMatchObject({ type: 'gap', index: 0, reason: 'its file is gone' });
    await restart();
    expect(await outbox.announcement(0)).toEqual(gap);
    expect(waiting()).toEqual([0, 1]);
  });

  test('of the disk that cut a file short', async () => {
    await restart(() => writeFile(`${folder.path}/1.ts`, 'o'));
    expect(await outbox.announcement(1)).toMatchObject({ type: 'gap', reason: 'its file has another size' });
    expect(await files()).toEqual(['0.json', '0.ts', '1.json']);
  });

  test.each([
    ['no JSON', 'x'],
    ['another message', '{"type":"ping"}'],
    ['empty', ''],
  ])('of the disk that damaged a record (%s): said, and its index is not used again', async (_what, text) => {
    await restart(() => writeFile(`${folder.path}/1.json`, text));
    expect(waiting()).toEqual([0]);
    expect(log.matching(/damaged/)).toHaveLength(1);
    outbox.leave('x');
    await outbox.entered();
    expect(waiting()).toEqual([0, 2]);
  });

  test('of the disk that damaged the tracks', async () => {
    await restart(() => writeFile(`${folder.path}/tracks.json`, '['));
    expect(outbox.tracksFor(1)).toBeUndefined();
    expect(waiting()).toEqual([0, 1]);
  });

  test('and a folder that was moved: the paths follow', async () => {
    const moved = `${folder.path}-moved`;
    try {
      await restart(async () => {
        await rename(folder.path, moved);
        await mkdir(folder.path);
      });
      await restart(async () => {
        await rm(folder.path, { recursive: true });
        await rename(moved, folder.path);
      });
      expect(await outbox.announcement(0)).toMatchObject({ path: `${folder.path}/0.ts` });
    } finally {
      await rm(moved, { recursive: true, force: true });
    }
  });
});

describe('a disk that refuses', () => {
  /** Nothing can be written under the name of this record while a folder has it. */
  const block = (index: number): Promise<string | undefined> =>
    mkdir(`${folder.path}/${index}.json.part`, { recursive: true });
  const unblock = (index: number): Promise<void> => rmdir(`${folder.path}/${index}.json.part`);

  test('a record: the segment becomes a gap, which is announced from memory and recorded later', async () => {
    await block(0);
    outbox.segment(await cutSegment(spool));
    await outbox.entered();
    expect(await outbox.announcement(0)).toMatchObject({ type: 'gap', index: 0 });
    expect(await files()).toEqual(['0.json.part']);
    expect(log.matching(/takes no announcements/)).toHaveLength(1);

    await unblock(0);
    outbox.segment(await cutSegment(spool));
    await outbox.entered();
    expect(await files()).toEqual(['0.json', '1.json', '1.ts']);
    expect(log.matching(/takes announcements again/)).toHaveLength(1);
    await restart();
    expect(await outbox.announcement(0)).toMatchObject({ type: 'gap', index: 0 });
  });

  test('a gap that was announced from memory never gives its index to another, even after a crash', async () => {
    await block(0);
    outbox.segment(await cutSegment(spool));
    await outbox.entered();
    await restart(() => unblock(0));
    outbox.leave('x');
    await outbox.entered();
    expect(waiting()).toEqual([1]);
  });

  test('a gap that was answered before it was recorded leaves nothing behind', async () => {
    await block(0);
    outbox.segment(await cutSegment(spool));
    await outbox.entered();
    outbox.settle(0, 'published');
    await unblock(0);
    outbox.segment(await cutSegment(spool));
    await outbox.entered();
    expect(await files()).toEqual(['1.json', '1.ts']);
  });

  test('a part file that is gone', async () => {
    const cut = await cutSegment(spool);
    await unlink(cut.partPath);
    outbox.segment(cut);
    await outbox.entered();
    expect(await outbox.announcement(0)).toMatchObject({
      type: 'gap',
      startPts: cut.startPts,
      endPts: cut.endPts,
      wallClock: new Date(cut.wallClockMs).toISOString(),
    });
  });

  test('a record that can no longer be read is announced as a gap', async () => {
    outbox.segment({ ...(await cutSegment(spool)), discontinuity: 'start' });
    for (let i = 0; i < 4; i++) outbox.segment(await cutSegment(spool));
    await outbox.entered();
    const { bytes } = outbox;
    await writeFile(`${folder.path}/0.json`, '{');
    expect(await outbox.announcement(0)).toMatchObject({ type: 'gap', index: 0, discontinuity: 'start' });
    expect(outbox.bytes).toBeLessThan(bytes);
  });
});
