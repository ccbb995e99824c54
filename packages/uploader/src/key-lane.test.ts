import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createDecipheriv } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Key } from '@hls-uplink/hls';
import { ManualClock, silentLogger, type Logger } from '@hls-uplink/runtime';
import { FakeStore } from './fake-store.test.helper.js';
import { KeyLane } from './key-lane.js';
import { SegmentKeys } from './segment-keys.js';
import { SegmentLane } from './segment-lane.js';
import { SpoolFiles } from './spool-files.js';
import { StoreHealth } from './store-health.js';
import { until } from './until.test.helper.js';

const session = 'a'.repeat(32);
const keys = new SegmentKeys({ secret: 's'.repeat(32), rotation: 2 });
const BUFFERED_BYTES = 1_000_000;
const LARGE_BYTES = BUFFERED_BYTES + 188;

describe('encrypted segments', () => {
  let folder: string;
  let store: FakeStore;
  let keyStore: FakeStore;
  let keyLane: KeyLane;
  let health: StoreHealth;
  let clock: ManualClock;
  let lines: string[];
  let logger: Logger;
  /** In which order things were put, in both stores. */
  let order: string[];
  const done = new Map<number, { outcome: string; encryption: Key | undefined }>();

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'encryption-'));
    clock = new ManualClock(1e12);
    lines = [];
    order = [];
    const line = (message: string): void => void lines.push(message);
    logger = { ...silentLogger, error: line, info: line, warn: line, child: () => logger };
    store = new FakeStore();
    keyStore = new FakeStore();
    const told = (key: string): undefined => void order.push(key);
    store.fault = told;
    keyStore.fault = told;
    health = new StoreHealth({ store, clock, logger });
    keyLane = new KeyLane({
      store: keyStore,
      health: new StoreHealth({ store: keyStore, clock, logger }),
      clock,
      logger,
    });
    done.clear();
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const laneOf = (lane?: KeyLane, copies = folder): SegmentLane =>
    new SegmentLane({
      store,
      files: new SpoolFiles([folder]),
      health,
      clock,
      logger,
      encryption: { keys, lane, folder: copies },
      bufferedBytes: BUFFERED_BYTES,
    });

  const plainOf = (index: number, size = 188_000): Buffer => Buffer.alloc(size, `segment ${index} `);
  const keyOf = (index: number) => keys.of({ session, index }, 'live', 'main');
  const objectOf = (index: number): string => `live/main-${index}.ts`;

  async function put(lane: SegmentLane, index: number, size?: number): Promise<void> {
    const content = plainOf(index, size);
    const path = join(folder, `${index}.ts`);
    await writeFile(path, content);
    lane.put({
      ...{ stream: 'live/main', channel: 'live', rendition: 'main', id: { session, index } },
      ...{ key: objectOf(index), path, bytes: content.length, crc32: crc32(content) },
      done: (outcome, encryption) => void done.set(index, { outcome, encryption }),
    });
  }

  /** Lets time pass until all have an outcome. */
  const settled = (count: number): Promise<void> =>
    until(`${count} outcomes`, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(100);
      return done.size === count;
    });

  /** As a player does it, by the tag alone. */
  function decrypted(index: number): Buffer {
    const { encryption } = done.get(index)!;
    if (encryption?.method !== 'AES-128') throw new Error('not encrypted');
    const key = Buffer.from(keyStore.objects.get(`live/${encryption.uri}`)!.text, 'latin1');
    const decipher = createDecipheriv('aes-128-cbc', key, Buffer.from(encryption.iv, 'hex'));
    const bytes = Buffer.from(store.objects.get(objectOf(index))!.text, 'latin1');
    return Buffer.concat([decipher.update(bytes), decipher.final()]);
  }

  test('decrypt to what was announced, by the key that is in its store before them, once for each rotation', async () => {
    const lane = laneOf(keyLane);
    for (let index = 0; index < 5; index++) await put(lane, index);
    await settled(5);
    for (let index = 0; index < 5; index++) {
      expect(done.get(index)).toEqual({ outcome: 'stored', encryption: keyOf(index).tag });
      expect(decrypted(index).equals(plainOf(index))).toBe(true);
      const keyName = `live/${keyOf(index).keyId}.key`;
      expect(order.indexOf(keyName)).toBeLessThan(order.indexOf(objectOf(index)));
    }
    expect(keyStore.puts).toEqual([0, 2, 4].map((index) => `live/${keyOf(index).keyId}.key`));
    expect([...keyStore.objects.values()][0]!.options).toMatchObject({
      contentType: 'application/octet-stream',
      cacheControl: 'private, max-age=86400',
    });
    expect([...store.objects.keys()].filter((key) => key.endsWith('.key'))).toEqual([]);
  });

  test('put again by another process have the same bytes', async () => {
    await put(laneOf(keyLane), 3);
    await settled(1);
    const [first] = [...store.objects.values()].map(({ text }) => text);
    store.objects.clear();
    done.clear();
    await put(laneOf(keyLane), 3);
    await settled(1);
    expect(store.objects.get(objectOf(3))!.text === first).toBe(true);
  });

  test('that are too large for memory wait while no copy can be made', async () => {
    const copies = join(folder, 'copies');
    const lane = laneOf(keyLane, copies);
    await put(lane, 0, LARGE_BYTES);
    await until('an attempt', async () => {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(100);
      return lines.includes('cannot encrypt a segment now');
    });
    expect(health.problem).toBe('not checked yet');
    await mkdir(copies);
    await settled(1);
    expect(done.get(0)!.outcome).toBe('stored');
  });

  test('that are too large for memory go by a file, which does not stay', async () => {
    await put(laneOf(keyLane), 0, LARGE_BYTES);
    await settled(1);
    expect(done.get(0)!.outcome).toBe('stored');
    expect(decrypted(0).equals(plainOf(0, LARGE_BYTES))).toBe(true);
    expect(await readdir(folder)).toEqual(['0.ts']);
  });

  test('wait while the key store refuses, which is told of that store alone, and go on when it is back', async () => {
    let down = true;
    keyStore.fault = () => (down ? 'fail' : undefined);
    const lane = laneOf(keyLane);
    for (let index = 0; index < 3; index++) await put(lane, index);
    await until('some attempts', async () => {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(100);
      return keyStore.puts.length > 10 || done.size > 0;
    });
    expect(store.puts).toEqual([]);
    expect(done.size).toBe(0);
    expect(keyLane.options.health.problem).toContain('503');
    expect(health.problem).toBe('not checked yet');
    expect(lane.load.waiting + lane.load.count).toBeGreaterThan(0);
    down = false;
    await settled(3);
    expect(decrypted(2).equals(plainOf(2))).toBe(true);
    expect(keyLane.options.health.good).toBe(true);
    expect(lines).toEqual(['the store does not take what it is given', 'the store takes writes again']);
  });

  test('wait at the store itself, and their keys are not put again', async () => {
    store.fault = (_key, attempt) => (attempt < 4 ? 'fail' : undefined);
    const lane = laneOf(keyLane);
    await put(lane, 0);
    await settled(1);
    expect(keyStore.puts).toHaveLength(1);
    expect(keyLane.options.health.good).toBe(true);
  });

  test('whose file is gone are lost, also when their key is there', async () => {
    const lane = laneOf(keyLane);
    let open = (): void => undefined;
    keyStore.gate = new Promise((resolve) => (open = resolve));
    await put(lane, 0);
    await rm(join(folder, '0.ts'));
    open();
    await settled(1);
    expect(done.get(0)).toEqual({ outcome: 'lost', encryption: undefined });
  });

  test('that are cancelled while their key is put are not put', async () => {
    let open = (): void => undefined;
    keyStore.gate = new Promise((resolve) => (open = resolve));
    const lane = laneOf(keyLane);
    await put(lane, 0);
    await put(lane, 1);
    await until('the key to be under way', () => keyStore.puts.length === 1);
    lane.cancel({ session, index: 0 });
    open();
    await settled(1);
    expect(store.puts).toEqual([objectOf(1)]);
    expect(lane.load).toEqual({ bytes: 0, count: 0, waiting: 0 });
  });

  test('need no key store where a key server derives the keys', async () => {
    await put(laneOf(), 1);
    await settled(1);
    expect(done.get(1)).toEqual({ outcome: 'stored', encryption: keyOf(1).tag });
    expect(keyStore.puts).toEqual([]);
  });
});
