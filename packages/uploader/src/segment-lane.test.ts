import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ManualClock, silentLogger, type Logger } from '@hls-uplink/runtime';
import { SEGMENT_CACHE_CONTROL } from './cache-control.js';
import { FakeStore } from './fake-store.test.helper.js';
import { PlaylistLane } from './playlist-lane.js';
import { SegmentLane } from './segment-lane.js';
import { SpoolFiles } from './spool-files.js';
import { StoreHealth } from './store-health.js';
import { until } from './until.test.helper.js';

const session = 'a'.repeat(32);

/** Lets time pass until it holds: delays have jitter, so their sum is not known. */
async function pass(
  clock: ManualClock,
  what: string,
  condition: () => boolean,
  stepMs = 100,
): Promise<number> {
  const start = clock.monotonic();
  await until(what, async () => {
    if (condition()) return true;
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(stepMs);
    return condition();
  });
  return clock.monotonic() - start;
}

/** What is begun at the same time reaches the store in any order: its file is read first. */
class FilesInOrder extends SpoolFiles {
  override read(...[path, ...rest]: Parameters<SpoolFiles['read']>): ReturnType<SpoolFiles['read']> {
    begun.push(basename(path));
    return super.read(path, ...rest);
  }
}
const begun: string[] = [];

describe('lanes', () => {
  let folder: string;
  let store: FakeStore;
  let clock: ManualClock;
  let health: StoreHealth;
  let lines: string[];
  let logger: Logger;
  const outcomes: string[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lane-'));
    await mkdir(join(folder, 'spool'));
    store = new FakeStore();
    clock = new ManualClock(1e12);
    lines = [];
    const line = (message: string): void => void lines.push(message);
    logger = { ...silentLogger, error: line, info: line, child: () => logger };
    health = new StoreHealth({ store, clock, logger });
    outcomes.length = 0;
    begun.length = 0;
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const laneOf = (limits: { maxBytes?: number; maxCount?: number } = {}): SegmentLane =>
    new SegmentLane({ store, files: new FilesInOrder([folder]), health, clock, logger, ...limits });

  async function put(
    lane: SegmentLane,
    stream: string,
    index: number,
    size = 188,
    behind: { isBehind?: true } = {},
  ): Promise<string> {
    const content = Buffer.alloc(size, `${stream}${index}`);
    const key = `${stream}-${index}.ts`;
    const path = join(folder, 'spool', key);
    await writeFile(path, content);
    const done = (outcome: string): void => void outcomes.push(`${key} ${outcome}`);
    const names = { stream, channel: 'live', rendition: stream, id: { session, index }, key };
    lane.put({ ...names, path, bytes: size, crc32: crc32(content), done, ...behind });
    return path;
  }

  test('a segment goes with its headers', async () => {
    await put(laneOf(), 'a', 0);
    await until('it to be stored', () => outcomes.length === 1);
    expect(outcomes).toEqual(['a-0.ts stored']);
    const { options } = store.objects.get('a-0.ts')!;
    expect(options).toMatchObject({ contentType: 'video/mp2t', cacheControl: SEGMENT_CACHE_CONTROL });
    expect(Number(/max-age=(\d+)/.exec(SEGMENT_CACHE_CONTROL)?.[1])).toBeGreaterThanOrEqual(14 * 86_400);
  });

  test('bytes and number in flight are bounded, a larger one goes alone, all go in the end', async () => {
    const lane = laneOf({ maxBytes: 1000, maxCount: 3 });
    for (let index = 0; index < 12; index++)
      await put(lane, 'abc'[index % 3]!, index, index === 5 ? 5000 : 300);
    await until('all to be stored', () => outcomes.length === 12);
    expect(store.mostInFlight).toBeLessThanOrEqual(3);
    expect(store.mostBytes).toBeLessThanOrEqual(5000);
    expect(lane.load).toEqual({ bytes: 0, count: 0, waiting: 0 });
  });

  test('streams take turns', async () => {
    let open = (): void => undefined;
    store.gate = new Promise((resolve) => (open = resolve));
    const lane = laneOf({ maxCount: 1 });
    for (let index = 0; index < 4; index++) await put(lane, 'backlog', index);
    await put(lane, 'live', 0);
    open();
    await until('all to be stored', () => outcomes.length === 5);
    expect(store.puts).toEqual(['backlog-0.ts', 'backlog-1.ts', 'live-0.ts', 'backlog-2.ts', 'backlog-3.ts']);
  });

  test('what no live playlist waits for goes behind all that one does, one of a stream, and leaves room', async () => {
    let open = (): void => undefined;
    store.gate = new Promise((resolve) => (open = resolve));
    const lane = laneOf({ maxBytes: 4000, maxCount: 16 });
    const behind = { isBehind: true as const };
    for (const stream of 'abcdefg') for (const index of [0, 1]) await put(lane, stream, index, 188, behind);
    await put(lane, 'h', 0, 1000, behind);
    await until('as many as may be to be under way', () => store.puts.length === 4);
    for (let index = 10; index < 14; index++) await put(lane, 'a', index);
    await until('the live ones to be under way', () => store.puts.length === 6);
    expect(begun).toEqual(['a-0.ts', 'b-0.ts', 'c-0.ts', 'd-0.ts', 'a-10.ts', 'a-11.ts']);
    lane.cancel({ session, index: 13 });
    open();
    await until('all to be stored', () => outcomes.length === 18);
    expect(begun[6]).toBe('a-12.ts');
    expect(begun).not.toContain('a-13.ts');
    expect(lane.load).toEqual({ bytes: 0, count: 0, waiting: 0 });
  });

  test('an outage is tried through, told once, and its end told once and to all who wait', async () => {
    let down = true;
    store.fault = () => (down ? 'fail' : undefined);
    let recoveries = 0;
    health.onRecovered(() => recoveries++);
    const lane = laneOf();
    for (let index = 0; index < 6; index++) await put(lane, 'a', index);
    await pass(clock, 'many attempts', () => store.puts.length > 40);
    expect(health.good).toBe(false);
    expect(health.problem).toContain('503');
    down = false;
    const ms = await pass(clock, 'all to be stored', () => outcomes.length === 6);
    expect(ms).toBeLessThan(20_000);
    expect(lines).toEqual(['the store does not take what it is given', 'the store takes writes again']);
    expect(recoveries).toBe(1);
    expect(health.good).toBe(true);
  });

  test('what is cancelled is not begun, not tried again, and nobody is told', async () => {
    let open = (): void => undefined;
    store.gate = new Promise((resolve) => (open = resolve));
    const failing = new Set(['a-0.ts']);
    store.fault = (key) => (failing.has(key) ? 'fail' : undefined);
    const lane = laneOf({ maxCount: 2 });
    for (let index = 0; index < 5; index++) await put(lane, 'a', index);
    await until('two to be under way', () => store.puts.length === 2);
    for (const index of [0, 1, 3]) lane.cancel({ session, index });
    open();
    await pass(clock, 'all others to be stored', () => outcomes.length === 2);
    expect(store.puts.toSorted()).toEqual(['a-0.ts', 'a-1.ts', 'a-2.ts', 'a-4.ts']);
    expect(outcomes.toSorted()).toEqual(['a-2.ts stored', 'a-4.ts stored']);
    expect(lane.load).toEqual({ bytes: 0, count: 0, waiting: 0 });
  });

  test('one that is cancelled while it is put is aborted, and makes room', async () => {
    store.fault = (key) => (key === 'a-0.ts' ? 'hang' : undefined);
    const lane = laneOf({ maxCount: 1 });
    await put(lane, 'a', 0);
    await put(lane, 'a', 1);
    await until('the first to be under way', () => store.inFlight.has('a-0.ts'));
    lane.cancel({ session, index: 0 });
    await until('the next to be stored', () => outcomes.length === 1);
    expect(outcomes).toEqual(['a-1.ts stored']);
    expect(health.problem).toBeUndefined();
    expect(lane.load).toEqual({ bytes: 0, count: 0, waiting: 0 });
  });

  test('of one stream two are put at a time, so that on a slow link the first are done first', async () => {
    let open = (): void => undefined;
    store.gate = new Promise((resolve) => (open = resolve));
    const lane = laneOf();
    for (let index = 0; index < 5; index++) await put(lane, 'a', index);
    for (let index = 0; index < 5; index++) await put(lane, 'b', index);
    await until('as many to be under way as may', () => store.puts.length === 4);
    expect([...store.inFlight].toSorted()).toEqual(['a-0.ts', 'a-1.ts', 'b-0.ts', 'b-1.ts']);
    open();
    await until('all to be stored', () => outcomes.length === 10);
  });

  test('on a link as fast as the streams, all of them go on in step, each in order', async () => {
    const rate = 3000;
    const begunAt = new Map<string, number>();
    const doneAt = new Map<string, number>();
    // What is on its way shares the link.
    const slow = new (class extends FakeStore {
      readonly left = new Map<string, { bytes: number; done: () => void }>();
      override async put(...[key, body, options]: Parameters<FakeStore['put']>): Promise<{ etag?: string }> {
        begunAt.set(key, clock.monotonic());
        const bytes = 'bytes' in body && typeof body.bytes !== 'number' ? body.bytes.length : NaN;
        await new Promise<void>((done) => this.left.set(key, { bytes, done }));
        doneAt.set(key, clock.monotonic());
        return super.put(key, body, options);
      }
      move(ms: number): void {
        const share = (rate * ms) / 1000 / this.left.size;
        for (const [key, one] of this.left) {
          one.bytes -= share;
          if (one.bytes > 0) continue;
          this.left.delete(key);
          one.done();
        }
      }
    })();
    store = slow;
    const lane = laneOf();
    const streams = ['a', 'b', 'c'];
    for (let index = 0; index < 5; index++)
      for (const stream of streams) await put(lane, stream, index, 1000);
    await until('all to be stored', async () => {
      const before = lane.load;
      clock.advance(100);
      slow.move(100);
      // Reading the next from disk takes none of the clock's time.
      await until(
        'what is free to be used',
        () => lane.load.count === slow.left.size || before.waiting === 0,
      );
      return outcomes.length === 15;
    });
    for (const stream of streams) {
      const done = [0, 1, 2, 3, 4].map((index) => doneAt.get(`${stream}-${index}.ts`)!);
      expect(done).toEqual([...done].sort((x, y) => x - y));
      // Five of three streams at one a second each take 5 s; two at a time hold the first back to 2 s.
      expect(done[0]).toBeLessThanOrEqual(begunAt.get(`${stream}-0.ts`)! + 2100);
      expect(done[4]).toBeLessThanOrEqual(begunAt.get(`${stream}-0.ts`)! + 5600);
    }
    expect(slow.left.size).toBe(0);
  });

  test('one that failed is cancelled while it waits to be tried again', async () => {
    store.fault = () => 'fail';
    const lane = laneOf();
    const path = await put(lane, 'a', 0);
    await pass(clock, 'some attempts', () => store.puts.length > 2);
    lane.cancel({ session, index: 0 });
    const tried = store.puts.length;
    await rm(path);
    store.fault = () => undefined;
    await put(lane, 'a', 1);
    await pass(clock, 'the next to be stored', () => outcomes.length === 1);
    clock.advance(60_000);
    await until('nothing to wait', () => lane.load.waiting === 0);
    expect(store.puts.slice(tried)).toEqual(['a-1.ts']);
    expect(lines.filter((line) => line.includes('are gone'))).toEqual([]);
  });

  test('what retrying cannot help is tried once a minute and resumes by itself', async () => {
    let denied = true;
    store.fault = () => (denied ? 'deny' : undefined);
    await put(laneOf(), 'a', 0);
    await until('the first attempt to fail', () => health.problem?.includes('403') ?? false);
    const before = clock.monotonic();
    await pass(clock, 'five more attempts', () => store.puts.length === 6, 1000);
    expect(clock.monotonic() - before).toBeGreaterThan(5 * 50_000);
    expect(lines.length).toBeGreaterThanOrEqual(5);
    denied = false;
    await pass(clock, 'it to be stored', () => outcomes.length === 1, 1000);
    expect(outcomes).toEqual(['a-0.ts stored']);
  });

  test('one bad object does not hold up the others', async () => {
    store.fault = (key) => (key === 'a-0.ts' ? 'fail' : undefined);
    const lane = laneOf();
    await put(lane, 'a', 0);
    for (let index = 1; index < 5; index++) await put(lane, 'a', index);
    await pass(clock, 'the others to be stored', () => outcomes.length === 4);
  });

  test('one bad object is not sent again at each success of others', async () => {
    store.fault = (key) => (key === 'a-0.ts' ? 'deny' : undefined);
    const lane = laneOf();
    await put(lane, 'a', 0);
    await until('it to fail', () => health.problem?.includes('403') ?? false);
    for (let index = 1; index <= 20; index++) {
      await put(lane, 'b', index);
      await pass(clock, 'the other to be stored', () => outcomes.length === index, 0);
      // What it wakes runs before the next success.
      await pass(clock, 'the health to be told', () => lane.load.count === 0, 0);
      clock.advance(1000);
    }
    expect(store.puts.filter((key) => key === 'a-0.ts')).toHaveLength(2);
  });

  test.each([
    ['gone', (path: string) => rm(path)],
    ['changed', (path: string) => writeFile(path, Buffer.alloc(188, 'other'))],
    ['shorter', (path: string) => writeFile(path, 'x')],
  ])('a file that is %s is lost', async (_, spoil) => {
    let open = (): void => undefined;
    store.gate = new Promise((resolve) => (open = resolve));
    const lane = laneOf({ maxCount: 1 });
    await put(lane, 'a', 0);
    await spoil(await put(lane, 'a', 1));
    open();
    await until('both to have an outcome', () => outcomes.length === 2);
    expect(outcomes).toEqual(['a-0.ts stored', 'a-1.ts lost']);
  });

  test('a put that hangs is given up and tried again', async () => {
    store.fault = (_key, attempt) => (attempt === 1 ? 'hang' : undefined);
    await put(laneOf(), 'a', 0);
    await until('it to be under way', () => store.puts.length === 1);
    await pass(clock, 'it to be stored', () => outcomes.length === 1, 5000);
    expect(outcomes).toEqual(['a-0.ts stored']);
  });

  test('draining waits for what is under way, and aborts it at the bound', async () => {
    let open = (): void => undefined;
    store.gate = new Promise((resolve) => (open = resolve));
    const lane = laneOf({ maxCount: 1 });
    await put(lane, 'a', 0);
    await put(lane, 'a', 1);
    await until('one to be under way', () => store.inFlight.size === 1);
    const drained = lane.drain(new AbortController().signal);
    open();
    await drained;
    expect(outcomes).toEqual(['a-0.ts stored']);

    store.fault = () => 'hang';
    const stuck = laneOf();
    await put(stuck, 'b', 0);
    await until('it to be under way', () => store.puts.includes('b-0.ts'));
    await stuck.drain(AbortSignal.abort());
    expect(outcomes).toEqual(['a-0.ts stored']);
  });

  test('draining ends at its bound, also when a disk knows no abort', async () => {
    store.gate = new Promise(() => undefined);
    const lane = laneOf();
    await put(lane, 'a', 0);
    await until('it to be under way', () => store.inFlight.size === 1);
    const bound = new AbortController();
    const drained = lane.drain(bound.signal);
    bound.abort();
    await drained;
  });

  describe('PlaylistLane', () => {
    const lane = (): PlaylistLane => new PlaylistLane({ store, health, clock, logger });

    test('a playlist goes with its headers', async () => {
      expect(await lane().put({ key: 'a.m3u8', text: 'one', maxAgeSeconds: 3 })).toBe('stored');
      expect(store.objects.get('a.m3u8')?.options).toMatchObject({
        contentType: 'application/vnd.apple.mpegurl',
        cacheControl: 'public, max-age=3',
        lane: 'playlist',
      });
    });

    test('draining waits for what follows from what is under way', async () => {
      let open = (): void => undefined;
      store.gate = new Promise((resolve) => (open = resolve));
      const playlists = lane();
      const put = (text: string): Promise<unknown> =>
        playlists.put({ key: 'a.m3u8', text, maxAgeSeconds: 3 });
      void put('one').then(() => put('two'));
      const drained = playlists.drain(new AbortController().signal);
      open();
      store.gate = new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      await drained;
      expect(store.objects.get('a.m3u8')?.text).toBe('two');
    });

    test('a write whose answer was lost is found out', async () => {
      store.fault = () => 'lose-answer';
      let outcome: unknown;
      void lane()
        .put({ key: 'a.m3u8', text: 'one', maxAgeSeconds: 3 })
        .then((told) => (outcome = told));
      await pass(clock, 'the outcome', () => outcome !== undefined);
      expect(outcome).toBe('stored');
      expect(store.puts).toHaveLength(1);
    });

    test('a write that failed is told once the store says so', async () => {
      store.fault = () => 'fail';
      let down = true;
      store.getFault = () => down;
      let outcome: unknown;
      void lane()
        .put({ key: 'a.m3u8', text: 'one', maxAgeSeconds: 3 })
        .then((told) => (outcome = told));
      for (let step = 0; step < 100; step++)
        await pass(clock, 'time', () => true).then(() => clock.advance(100));
      expect(outcome).toBeUndefined();
      down = false;
      await pass(clock, 'the outcome', () => outcome !== undefined);
      expect(outcome).toBe('failed');
    });
  });
});
