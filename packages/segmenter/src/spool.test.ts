import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ConfigError, ManualClock, systemClock } from '@hls-uplink/runtime';
import { SpoolLock } from './spool-lock.js';
import { until } from './fake-uploader.test.helper.js';
import { Spool, spoolFolder } from './spool.js';
import { LogBook, openSpool, TempFolder } from './spool.test.helper.js';

let folder: TempFolder;
beforeEach(async () => {
  folder = await TempFolder.make();
});
afterEach(() => folder[Symbol.asyncDispose]());

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  const error: unknown = await promise.catch((reason: unknown) => reason);
  return error instanceof ConfigError ? error.code : 'no ConfigError';
};

describe('a session', () => {
  test('is made with the folder, stays its own, and differs from all others', async () => {
    const spool = await openSpool(`${folder.path}/a/b`);
    expect(spool.session).toMatch(/^[0-9a-f]{32}$/);
    await spool.close();
    const again = await openSpool(`${folder.path}/a/b`);
    expect(again.session).toBe(spool.session);
    await again.close();
    const other = await openSpool(`${folder.path}/c`);
    expect(other.session).not.toBe(spool.session);
    await other.close();
  });

  test('counts its indexes on, never back', async () => {
    const spool = await openSpool(folder.path);
    expect(await spool.nextIndex()).toBe(0);
    await Promise.all([
      spool.setNextIndex(7),
      spool.setNextIndex(5),
      spool.setNextIndex(12),
      spool.setNextIndex(9),
    ]);
    await spool.close();
    const again = await openSpool(folder.path);
    expect(await again.nextIndex()).toBe(12);
    await again.close();
  });

  test.each(['session.json', 'next-index'])('with a damaged %s is refused, with the remedy', async (file) => {
    const spool = await openSpool(folder.path);
    await spool.close();
    await writeFile(`${folder.path}/${file}`, '{');
    const opened = openSpool(folder.path).then(async (again) => {
      try {
        return await again.nextIndex();
      } finally {
        await again.close();
      }
    });
    await expect(opened).rejects.toMatchObject({
      code: 'spool-damaged',
      message: expect.stringMatching(/move the folder away/),
    });
  });
});

describe('a folder', () => {
  test('that cannot be made is refused', async () => {
    await writeFile(`${folder.path}/file`, '');
    expect(await codeOf(openSpool(`${folder.path}/file/spool`))).toBe('spool-unusable');
    expect(await codeOf(openSpool(`${folder.path}/file`))).toBe('spool-unusable');
    expect(await codeOf(openSpool('/proc/spool'))).toBe('spool-unusable');
  });

  test('of which not all may be read by others stays as it is', async () => {
    await mkdir(`${folder.path}/own`);
    await chmod(`${folder.path}/own`, 0o700);
    const spool = await openSpool(`${folder.path}/own`);
    await spool.close();
    expect(await readdir(`${folder.path}/own`)).toContain('session.json');
  });

  test('is freed of unfinished files, and of nothing else', async () => {
    await writeFile(`${folder.path}/cut-1.part`, '');
    await writeFile(`${folder.path}/mine.txt`, '');
    const log = new LogBook();
    const spool = await openSpool(folder.path, 0, log);
    await spool.close();
    expect(await readdir(folder.path)).toEqual(expect.arrayContaining(['mine.txt']));
    expect(await readdir(folder.path)).not.toContain('cut-1.part');
    expect(log.matching(/unfinished/)).toHaveLength(1);
  });

  test.each([
    ['a', 'b', undefined, '/s/a/b'],
    ['a/b', 'c', undefined, '/s/a+b/c'],
    ['a', 'b', 'x', '/s/a/b@x'],
    ['a', 'b', '../x+y', '/s/a/b@..+x%2by'],
  ])('of %s %s %s', (channel, rendition, source, path) => {
    expect(spoolFolder('/s', channel, rendition, source)).toBe(path);
  });
});

describe('the lock', () => {
  test('keeps a second one out, and lets it in when the first is done', async () => {
    const first = await openSpool(folder.path);
    expect(await codeOf(openSpool(folder.path, 0))).toBe('spool-locked');
    const second = openSpool(folder.path, 10_000);
    await first.close();
    await (await second).close();
  });

  test('of another is waited for with one line that says whose it is, and a stop meanwhile with another', async () => {
    const holder = await openSpool(folder.path);
    const log = new LogBook();
    const stop = new AbortController();
    const clock = new ManualClock();
    const options = { folder: folder.path, waitMs: 10_000, clock, logger: log, signal: stop.signal };
    const waiting = Spool.open(options).catch((reason: unknown) => reason);
    await until(() => clock.pending > 0);
    // Again and again it looks, without another word.
    for (let looks = 0; looks < 3; looks++) {
      clock.advance(100);
      await until(() => clock.pending > 0);
    }
    const fields = { folder: folder.path, pid: process.pid };
    const message = `process ${process.pid}, another hls-segmenter, holds the spool folder; waiting up to 10 s for it to end`;
    expect(log.lines).toEqual([{ level: 'warn', message, fields }]);
    stop.abort(new Error('stopped'));
    expect(await waiting).toMatchObject({ message: 'stopped' });
    expect(log.lines.slice(1)).toEqual([
      {
        level: 'info',
        message: 'asked to stop while the spool folder was waited for',
        fields: { folder: folder.path },
      },
    ]);
    await holder.close();
  });

  test('that nobody has, or that is not waited for, makes no line', async () => {
    const log = new LogBook();
    const holder = await openSpool(folder.path, 10_000, log);
    expect(await codeOf(openSpool(folder.path, 0, log))).toBe('spool-locked');
    await holder.close();
    expect(log.lines.filter(({ level }) => level !== 'debug')).toEqual([]);
  });

  test('stops waiting when asked to', async () => {
    const lock = await SpoolLock.acquire(folder.path, 0, systemClock);
    const stop = new AbortController();
    const second = SpoolLock.acquire(folder.path, 60_000, systemClock, { signal: stop.signal });
    stop.abort(new Error('stopped'));
    await expect(second).rejects.toThrow('stopped');
    await lock.release();
  });

  test('is had by one of many at a time', async () => {
    let holders = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        const lock = await SpoolLock.acquire(folder.path, 20_000, systemClock);
        most = Math.max(most, ++holders);
        await readdir(folder.path);
        holders--;
        await lock.release();
      }),
    );
    expect(most).toBe(1);
    expect((await readdir(folder.path)).filter((name) => name.startsWith('lock-'))).toHaveLength(1);
  });

  /** The lock of a process, as it would have written it. */
  const lockOf = async (pid: number, change: object = {}): Promise<void> => {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
    await writeFile(`${folder.path}/lock-3`, JSON.stringify({ pid, started, boot, ...change }));
  };

  test('of a process that was killed is taken over, while it lives it is not', async () => {
    const holder = spawn('sleep', ['600']);
    try {
      await once(holder, 'spawn');
      await lockOf(holder.pid ?? 0);
      expect(await codeOf(openSpool(folder.path, 0))).toBe('spool-locked');
      holder.kill('SIGKILL');
      await (await openSpool(folder.path, 10_000)).close();
    } finally {
      holder.kill('SIGKILL');
    }
  });

  test.each([
    ['another start time: the number was given again', { started: '1' }],
    ['another boot', { boot: 'before' }],
  ])('with %s is taken over', async (_what, change) => {
    await lockOf(process.pid, change);
    await (await openSpool(folder.path, 0)).close();
    expect(await readdir(folder.path)).toContain('lock-4');
  });

  test.each(['', '{}', '{"pid":'])('with the content %j is nobody’s', async (content) => {
    await writeFile(`${folder.path}/lock-1`, content);
    await (await openSpool(folder.path, 0)).close();
  });
});
