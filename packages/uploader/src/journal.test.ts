import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ClassicLevel } from 'classic-level';
import { ManualClock, silentLogger } from '@hls-uplink/runtime';
import type { Segment } from '@hls-uplink/protocol';
import { Journal } from './journal.js';
import { JournalError } from './journal-error.js';
import type { JournalRecord } from './journal-record.js';
import { until } from './until.test.helper.js';

const session = 'a'.repeat(32);
const other = 'b'.repeat(32);
const facts = { rendition: 'main', source: 'one', session, target: 6 };

function segment(index: number, of = session): Segment {
  return {
    type: 'segment',
    session: of,
    index,
    path: `/spool/${index}.ts`,
    bytes: 188,
    crc32: index,
    startPts: index * 540_000,
    endPts: (index + 1) * 540_000,
    wallClock: '2026-11-22T10:00:00.000Z',
    ended: 'cut',
    independent: true,
    keyPictures: [],
    markers: [],
  };
}

const tracks = (index: number) => ({ type: 'tracks' as const, session, index, tracks: [] });
const open = (folder: string): Promise<Journal> => Journal.open({ folder, logger: silentLogger });

async function replayed(journal: Journal, channel = 'live'): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of journal.replay(channel)) records.push(record);
  return records;
}

const summary = (records: JournalRecord[]): string[] =>
  records.map((record) => {
    if (record.type === 'accepted') return `${record.announcement.session[0]}${record.announcement.index}`;
    if (record.type === 'tracks') return `tracks ${record.tracks.index}`;
    return record.type;
  });

describe('Journal', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'journal-'));
  });
  afterEach(() => {
    jest.restoreAllMocks();
    return rm(folder, { recursive: true, force: true });
  });

  test('replays one channel in the order it was appended first, whatever the sessions are called', async () => {
    const journal = await open(folder);
    await journal.append('live', { type: 'session', facts: { ...facts, session: other } });
    await journal.append('live', { type: 'accepted', announcement: segment(9, other) });
    await journal.append('live', { type: 'session', facts });
    await journal.append('live', { type: 'tracks', tracks: tracks(10) });
    await journal.append('live', { type: 'accepted', announcement: segment(10) });
    await journal.append('live/two', { type: 'accepted', announcement: segment(0, 'c'.repeat(32)) });
    await journal.append('live', { type: 'session', facts: { ...facts, target: 4 } });
    await journal.append('live', { type: 'tracks', tracks: tracks(10) });
    await journal.append('live', { type: 'accepted', announcement: segment(11) });
    await journal.close();
    const again = await open(folder);
    expect(summary(await replayed(again))).toEqual(['session', 'b9', 'session', 'tracks 10', 'a10', 'a11']);
    expect(summary(await replayed(again, 'live/two'))).toEqual(['c0']);
    expect(again.channels.sort()).toEqual(['live', 'live/two']);
    expect(again.has({ session, index: 10 })).toBe(true);
    expect(again.has({ session, index: 12 })).toBe(false);
    await again.close();
  });

  test('forgets answered announcements, tracks that hold for nothing, and sessions of which nothing is left', async () => {
    const journal = await open(folder);
    journal.hold('live', session);
    await journal.append('live', { type: 'session', facts });
    await journal.append('live', { type: 'tracks', tracks: tracks(0) });
    await journal.append('live', { type: 'accepted', announcement: segment(0) });
    await journal.append('live', { type: 'tracks', tracks: tracks(1) });
    await journal.append('live', { type: 'accepted', announcement: segment(1) });
    await journal.forget({ session, index: 0 });
    expect(summary(await replayed(journal))).toEqual(['session', 'tracks 1', 'a1']);
    await journal.forget({ session, index: 1 });
    await journal.forget({ session, index: 1 });
    // Connected: what comes next needs its facts.
    expect(summary(await replayed(journal))).toEqual(['session', 'tracks 1']);
    await journal.release(session);
    expect(await replayed(journal)).toEqual([]);
    await journal.close();
  });

  test('facts stay for an announcement that is being written while its connection goes', async () => {
    const journal = await open(folder);
    journal.hold('live', session);
    await journal.append('live', { type: 'session', facts });
    const appended = journal.append('live', { type: 'accepted', announcement: segment(0) });
    await journal.release(session);
    await appended;
    expect(summary(await replayed(journal))).toEqual(['session', 'a0']);
    await journal.forget({ session, index: 0 });
    expect(await replayed(journal)).toEqual([]);
    await journal.close();
  });

  test('facts go that are written while their connection goes', async () => {
    const journal = await open(folder);
    journal.hold('live', session);
    const appended = journal.append('live', { type: 'session', facts });
    await journal.release(session);
    await appended;
    expect(await replayed(journal)).toEqual([]);
    await journal.close();
  });

  test('without room to open it nothing is set aside', async () => {
    const journal = await open(folder);
    await journal.append('live', { type: 'accepted', announcement: segment(0) });
    await journal.close();
    const openDatabase = jest.spyOn(ClassicLevel.prototype, 'open');
    const full = new Error(`IO error: ${folder}/db/000007.log: No space left on device`);
    openDatabase.mockRejectedValue(new Error('Database failed to open', { cause: full }));
    await expect(open(folder)).rejects.toMatchObject({ code: 'journal-unwritable', cause: full });
    openDatabase.mockRestore();
    expect(await readdir(folder)).toEqual(['db']);
    const again = await open(folder);
    expect(summary(await replayed(again))).toEqual(['a0']);
    await again.close();
  });

  test('after the disk failed another write shows when it is well again, unasked', async () => {
    const clock = new ManualClock(1e12);
    const journal = await Journal.open({ folder, logger: silentLogger, clock });
    const write = jest.spyOn(ClassicLevel.prototype, 'batch');
    for (let i = 0; i < 2; i++) {
      write.mockImplementationOnce(() => Promise.reject(new Error('IO error: no space left')) as never);
    }
    await expect(journal.append('live', { type: 'session', facts })).rejects.toThrow('free space there');
    expect(journal.problem).toMatch(/no space left/);
    clock.advance(5000);
    await until('the second failure', () => write.mock.calls.length === 2);
    expect(journal.healthy).toBe(false);
    await until('the third write', () => {
      clock.advance(5000);
      return journal.healthy;
    });
    expect(journal.problem).toBeUndefined();
    expect(await replayed(journal)).toEqual([]);
    await journal.close();
  });

  test('after the disk failed it is read and written again', async () => {
    const journal = await open(folder);
    await journal.append('live', { type: 'accepted', announcement: segment(0) });
    const write = jest.spyOn(ClassicLevel.prototype, 'batch');
    write.mockImplementationOnce(() => Promise.reject(new Error('IO error: no space left')) as never);
    const append = (): Promise<void> =>
      journal.append('live', { type: 'accepted', announcement: segment(1) });
    await expect(append()).rejects.toMatchObject({ code: 'journal-write' });
    expect(journal.healthy).toBe(false);
    const opening = jest.spyOn(ClassicLevel.prototype, 'open');
    opening.mockImplementationOnce(() => Promise.reject(new Error('IO error: no space left')));
    await expect(append()).rejects.toMatchObject({ code: 'journal-write' });
    expect(summary(await replayed(journal))).toEqual(['a0']);
    expect(journal.healthy).toBe(true);
    await journal.close();
  });

  test('appends that come together are written together and all resolve', async () => {
    const journal = await open(folder);
    const indexes = Array.from({ length: 300 }, (_, index) => index);
    await Promise.all(
      indexes.map((index) => journal.append('live', { type: 'accepted', announcement: segment(index) })),
    );
    expect(summary(await replayed(journal))).toEqual(indexes.map((index) => `a${index}`));
    await journal.close();
    await expect(journal.append('live', { type: 'tracks', tracks: tracks(0) })).rejects.toThrow(JournalError);
  });

  test('says that another process has it', async () => {
    const journal = await open(folder);
    await expect(open(folder)).rejects.toMatchObject({ name: 'ConfigError', code: 'journal-locked' });
    await journal.close();
  });

  test('says that its folder cannot be one', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(open(join(folder, 'file', 'journal'))).rejects.toMatchObject({ code: 'journal-unwritable' });
    await expect(open('/proc/journal')).rejects.toMatchObject({ code: 'journal-unwritable' });
  });

  test('sets a corrupt one aside and begins anew', async () => {
    const journal = await open(folder);
    await journal.append('live', { type: 'accepted', announcement: segment(0) });
    await journal.close();
    const manifest = (await readdir(join(folder, 'db'))).find((name) => name.startsWith('MANIFEST')) ?? '';
    await writeFile(join(folder, 'db', manifest), 'no manifest, and longer than a header would be');
    const again = await open(folder);
    expect(again.counts.setAside).toBe(1);
    expect(await replayed(again)).toEqual([]);
    await again.append('live', { type: 'accepted', announcement: segment(1) });
    expect(summary(await replayed(again))).toEqual(['a1']);
    expect((await readdir(folder)).filter((name) => name.startsWith('db-corrupt-'))).toHaveLength(1);
    await again.close();
  });

  test('what it said to be durable survives kill -9', async () => {
    const script = `
      import { ClassicLevel } from 'classic-level';
      const db = new ClassicLevel(${JSON.stringify(join(folder, 'db'))}, { valueEncoding: 'json' });
      await db.open();
      const make = (index) => ({ type: 'accepted', sequence: index, announcement: { ...${JSON.stringify(segment(0))}, index } });
      for (let index = 0; ; index++) {
        const key = 'live!${session}!a' + String(index).padStart(16, '0');
        await db.batch([{ type: 'put', key, value: make(index) }], { sync: true });
        process.stdout.write(index + '\\n');
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: join(import.meta.dirname, '..'),
    });
    let told = -1;
    for await (const line of createInterface({ input: child.stdout })) {
      told = Number(line);
      if (told === 200) child.kill('SIGKILL');
    }
    expect(told).toBeGreaterThanOrEqual(200);
    const journal = await open(folder);
    const records = await replayed(journal);
    expect(records.length).toBeGreaterThan(told);
    expect(summary(records).slice(0, told + 1)).toEqual(
      Array.from({ length: told + 1 }, (_, index) => `a${index}`),
    );
    await journal.close();
  });
});
