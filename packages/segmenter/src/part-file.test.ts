import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ManualClock, systemClock } from '@hls-uplink/runtime';
import fc from 'fast-check';
import { Disk, isInMemory } from './disk.js';
import { PartFile } from './part-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'part-file-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Bytes that differ everywhere. */
const bytes = Uint8Array.from({ length: 3_000_000 }, (_, n) => (n * 31) ^ (n >> 8));

describe.each([
  ['on a disk', false],
  ['in memory', true],
])('a part file %s', (_, inMemory) => {
  const newDisk = (): Disk => new Disk(systemClock, 60_000, inMemory);

  test('has the bytes appended, in runs of any size, and their CRC-32 (property)', async () => {
    const seen = { runs: 0, large: 0 };
    const run = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: 400_000 }));
    let files = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(run, { maxLength: 12 }), async (runs) => {
        const disk = newDisk();
        const path = join(folder, `${files++}.part`);
        const file = new PartFile(path, disk);
        const expected: Uint8Array[] = [];
        for (const [n, length] of runs.entries()) {
          const from = (n * 99_991) % (bytes.length - length);
          const own = bytes.slice(from, from + length);
          expected.push(bytes.subarray(from, from + length));
          file.append(own, 0, length);
          // It may be reused at once.
          own.fill(0);
          seen.runs++;
          if (length > 64 * 1024) seen.large++;
        }
        const whole = Buffer.concat(expected);
        expect(await file.finish()).toEqual({ bytes: whole.length, crc32: crc32(whole) });
        expect((await readFile(path)).equals(whole)).toBe(true);
        expect(disk.pendingBytes).toBe(0);
        await rm(path);
      }),
      { numRuns: 60 },
    );
    expect(seen.runs).toBeGreaterThan(100);
    expect(seen.large).toBeGreaterThan(20);
  });

  test('that cannot be made says why, takes what comes, and leaves nothing', async () => {
    const file = new PartFile(join(folder, 'none/x.part'), newDisk());
    file.append(bytes, 0, 500_000);
    file.append(bytes, 0, 100);
    await expect(file.finish()).rejects.toThrow(/cannot create .*x\.part: .*ENOENT/);
    expect(file.bytes).toBe(500_100);
    expect(await readdir(folder)).toEqual([]);
  });

  test('never takes the place of another', async () => {
    const path = join(folder, 'x.part');
    const first = new PartFile(path, newDisk());
    first.append(bytes, 0, 1000);
    await first.finish();
    const second = new PartFile(path, newDisk());
    second.append(bytes, 1000, 2000);
    await expect(second.finish()).rejects.toThrow(/EEXIST/);
    expect((await readFile(path)).equals(bytes.subarray(0, 1000))).toBe(true);
  });

  test('that is given up is removed', async () => {
    const file = new PartFile(join(folder, 'x.part'), newDisk());
    file.append(bytes, 0, 2_500_000);
    await file.discard();
    for (let n = 0; n < 1000 && (await readdir(folder)).length > 0; n++);
    expect(await readdir(folder)).toEqual([]);
  });
});

test('whether a folder is in memory is what the system says of it', () => {
  expect(isInMemory('/dev/shm')).toBe(true);
  expect(isInMemory('/proc')).toBe(false);
  expect(isInMemory('/nowhere')).toBe(false);
});

describe('the disk', () => {
  test('is waited for until enough is written, or for so long', async () => {
    let late: () => void = () => undefined;
    const disk = new Disk(
      { ...systemClock, after: (_, callback) => ((late = callback), () => undefined) },
      60_000,
      false,
    );
    disk.pendingBytes = 1000;
    let below = false;
    const waiting = disk.below(400).then(() => (below = true));
    disk.settled(500);
    await Promise.resolve();
    expect(below).toBe(false);
    disk.settled(200);
    await waiting;
    const impatient = disk.below(100, 20);
    late();
    await impatient;
    expect(disk.pendingBytes).toBe(300);
  });

  test('is not taken for stuck where we were the ones who were held up', async () => {
    const clock = new ManualClock();
    const disk = new Disk(clock, 1000, false);
    const answered = disk.bounded('cannot look', stat('/'));
    const never = disk.bounded('cannot wait', new Promise(() => undefined));
    // Its answer is there, but nothing has come round to hear it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    clock.advance(1000);
    await expect(never).rejects.toThrow('cannot wait: the disk has not answered for 1 s');
    expect((await answered).isDirectory()).toBe(true);
    expect(disk.stuck).toBe(1);
  });
});
