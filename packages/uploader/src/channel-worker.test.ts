import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import type { UploaderMessage } from '@hls-uplink/protocol';
import { ManualClock, silentLogger } from '@hls-uplink/runtime';
import { StoreError } from '@hls-uplink/store';
import type { Effect } from './channel/event.js';
import type { ChannelWorker } from './channel-worker.js';
import type { SourceLink } from './source-link.js';
import { Deletions } from './deletions.js';
import { fakeLogic } from './fake-logic.test.helper.js';
import { FakeStore } from './fake-store.test.helper.js';
import { JournalError } from './journal-error.js';
import { findOrphans, ORPHAN_AGE_MS } from './orphans.js';
import { bytesOf, segmentIn, segmentOf, session } from './peer.test.helper.js';
import { until } from './until.test.helper.js';
import { startUploader, type TestUploader, type TestUploaderOptions } from './uploader.test.helper.js';

describe('ChannelWorker', () => {
  let uploader: TestUploader;
  afterEach(async () => {
    await uploader.stop();
    await uploader.remove();
  });

  async function start(
    options: TestUploaderOptions = {},
  ): Promise<{ worker: ChannelWorker; told: UploaderMessage[] }> {
    uploader = await startUploader(options);
    const found = uploader.channels.find('live');
    if (!found.ok) throw new Error(found.reason);
    const told: UploaderMessage[] = [];
    const link: SourceLink = {
      facts: { rendition: 'main', source: 'one', session, target: 6 },
      tell: (message) => void told.push(message),
      refuse: () => undefined,
    };
    await found.worker.open();
    await found.worker.attach(link);
    return { worker: found.worker, told };
  }

  test('opens with the playlists directly below its name, after the store came back', async () => {
    const store = new FakeStore();
    const signal = new AbortController().signal;
    for (const key of [
      'live/index.m3u8',
      'live/main.m3u8',
      'live/two/main.m3u8',
      'livelong/main.m3u8',
      'live/a.ts',
    ]) {
      await store.put(key, { text: key }, { contentType: '', signal });
    }
    let failures = 2;
    store.getFault = () => failures-- > 0;
    const logic = fakeLogic();
    await start({ store, logic });
    expect(logic.events[0]).toMatchObject({
      type: 'opened',
      playlists: [
        { key: 'live/index.m3u8', text: 'live/index.m3u8' },
        { key: 'live/main.m3u8', text: 'live/main.m3u8' },
      ],
    });
  });

  test.each(['fail', 'lose-answer'] as const)('publishes through playlist writes that %s', async (fault) => {
    const store = new FakeStore();
    store.fault = (_key, attempt) => (attempt <= 2 ? fault : undefined);
    const { worker, told } = await start({ store });
    for (const index of [0, 1]) await worker.accept(await segmentIn(uploader.spool, index));
    await until('both to be published', () => told.filter(({ type }) => type === 'published').length === 2);
    // Which of two was stored first is the store's.
    const indexes = told.flatMap((one) => (one.type === 'published' ? [one.index] : []));
    expect(indexes.sort()).toEqual([0, 1]);
    expect(uploader.journal.waiting(session)).toBe(0);
    expect(worker.counts).toMatchObject({ published: 2, lost: 0 });
  });

  test('a file that changed after it was accepted is lost, and told so', async () => {
    let open = (): void => undefined;
    const store = new FakeStore();
    store.gate = new Promise((resolve) => (open = resolve));
    const { worker, told } = await start({ store });
    const many = [];
    for (let index = 0; index < 20; index++) many.push(await segmentIn(uploader.spool, index));
    for (const segment of many) await worker.accept(segment);
    await writeFile(many[19]!.path, 'spoiled');
    open();
    await until('the last to be answered', () => told.some((one) => 'index' in one && one.index === 19));
    expect(told).toContainEqual({ type: 'dropped', session, index: 19, code: 'spool' });
    expect(worker.counts.lost).toBe(1);
  });

  test('tells the reducer when writes succeed again', async () => {
    const store = new FakeStore();
    const logic = fakeLogic();
    store.fault = (_key, attempt) => (attempt === 1 ? 'fail' : undefined);
    const { worker } = await start({ store, logic });
    await worker.accept(await segmentIn(uploader.spool, 0));
    await until('it to be published', () => worker.counts.published === 1);
    expect(logic.events.filter(({ type }) => type === 'store-recovered').length).toBeGreaterThan(0);
  });

  test('puts no deadline off for one object that fails beside others', async () => {
    const logic = fakeLogic();
    const { worker } = await start({ logic });
    Object.assign(worker.state, { targetDuration: 6 });
    const { health } = uploader.lanes;
    health.succeeded();
    health.failed(new Error('one object'));
    health.succeeded();
    expect(logic.events.filter(({ type }) => type === 'store-recovered')).toEqual([]);
  });

  test('opens as soon as the store is back, though only an operator could help', async () => {
    const clock = new ManualClock(1e12);
    const store = new FakeStore();
    let denied = true;
    const list = store.list.bind(store);
    store.list = (prefix) => {
      if (denied) throw new StoreError('denied', 'list live/: 403');
      return list(prefix);
    };
    uploader = await startUploader({ clock, store });
    const found = uploader.channels.find('live');
    if (!found.ok) throw new Error(found.reason);
    let isOpen = false;
    void found.worker.open().then(() => (isOpen = true));
    await until('it to fail', () => uploader.lanes.health.problem?.includes('403') ?? false);
    denied = false;
    uploader.lanes.health.succeeded();
    await until('it to be open', () => isOpen);
    expect(clock.monotonic()).toBe(0);
  });

  test('opens when the journal can be read again', async () => {
    const clock = new ManualClock(1e12);
    uploader = await startUploader({ clock });
    const real = uploader.journal.replay.bind(uploader.journal);
    let failures = 2;
    jest.spyOn(uploader.journal, 'replay').mockImplementation((channel) => {
      if (failures-- > 0) throw Object.assign(new Error('closed'), { code: 'LEVEL_DATABASE_NOT_OPEN' });
      return real(channel);
    });
    const found = uploader.channels.find('live');
    if (!found.ok) throw new Error(found.reason);
    let isOpen = false;
    void found.worker.open().then(() => (isOpen = true));
    await until('it to be open', () => {
      clock.advance(100);
      return isOpen;
    });
    expect(failures).toBeLessThan(0);
  });

  test('bytes are freed by their answer, also when the journal cannot forget it', async () => {
    let open = (): void => undefined;
    const store = new FakeStore();
    store.gate = new Promise((resolve) => (open = resolve));
    const { worker, told } = await start({ store });
    const segment = segmentOf(0);
    const receiver = await uploader.ownSpool.receive(segment, segment);
    await receiver.write(bytesOf(0));
    const received = await receiver.finish();
    await worker.accept({ ...segment, ...(received.ok && { path: received.path }) });
    jest
      .spyOn(uploader.journal, 'forget')
      .mockRejectedValue(new JournalError('journal-write', 'no space left'));
    open();
    await until('it to be published', () => told.some(({ type }) => type === 'published'));
    await until('its bytes to go', () => uploader.ownSpool.bytes === 0);
  });

  test('a store that refuses deletes is asked by one request at a time, however many keys wait', async () => {
    const clock = new ManualClock(1e12);
    const store = new FakeStore();
    const asked: number[] = [];
    let denied = true;
    store.delete = (keys) => {
      asked.push(keys.length);
      return denied ? Promise.reject(new StoreError('denied', 'delete: 403')) : Promise.resolve();
    };
    const deleted: string[] = [];
    uploader = await startUploader({ clock, store });
    const deletions = new Deletions({
      lanes: uploader.lanes,
      clock,
      logger: silentLogger,
      deleted: (keys) => void deleted.push(...keys),
    });
    for (let index = 0; index < 50; index++) {
      deletions.add([`live/${index}.ts`]);
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(1000);
    }
    expect(asked.length).toBeLessThanOrEqual(2);
    denied = false;
    await until('all to be deleted', () => {
      clock.advance(1000);
      return deleted.length === 50;
    });
    deletions.stop();
  });

  test('ticks when the reducer asks, deletes and tells, and passes on the target duration', async () => {
    const logic = fakeLogic();
    const reduce = logic.reduce.bind(logic);
    let due: number | undefined;
    logic.deadline = () => due;
    logic.reduce = (state, event) => {
      const reduced = reduce(state, event);
      const more: Effect[] = [];
      if (event.type === 'connected') due = event.at + 20;
      if (event.type === 'tick') {
        due = undefined;
        more.push({ type: 'delete', keys: ['live/old.ts'] }, { type: 'target-duration', seconds: 6 });
      }
      return { state: reduced.state, effects: [...reduced.effects, ...more] };
    };
    const { told } = await start({ logic });
    await until('the deletion to be told', () => logic.events.some(({ type }) => type === 'deleted'));
    expect(logic.events.at(-1)).toMatchObject({ type: 'deleted', keys: ['live/old.ts'] });
    expect(logic.events.filter(({ type }) => type === 'tick')).toHaveLength(1);
    expect(told).toEqual([{ type: 'channel', targetDuration: 6 }]);
  });

  test('tells the reducer that it was paused, or its journal takes nothing, in place of a tick', async () => {
    const paused = { ms: 0 };
    class Pausable extends ManualClock {
      override monotonic(): number {
        return super.monotonic() + paused.ms;
      }
    }
    const clock = new Pausable(1e12);
    const logic = fakeLogic();
    const happened = (): string[] => logic.events.map(({ type, at }) => `${type} ${at - 1e12}`);
    logic.deadline = () => 1e12 + 5000;
    const { worker } = await start({ logic, clock });
    const begun = logic.events.length;
    clock.advance(4000);
    paused.ms = 18_000;
    logic.deadline = () => undefined;
    clock.advance(1000);
    expect(happened().slice(begun)).toEqual(['held-up 23000']);

    logic.deadline = () => 1e12 + 60_000;
    const journal = jest.spyOn(uploader.journal, 'healthy', 'get').mockReturnValue(false);
    await worker.tracks({ type: 'tracks', session, index: 0, tracks: [] });
    clock.advance(2000);
    journal.mockRestore();
    clock.advance(10_000);
    expect(happened().slice(begun + 1)).toEqual(['tracks 23000', 'held-up 24000', 'held-up 25000']);
  });

  test('sweeps what nothing names and only that', async () => {
    const store = new FakeStore();
    const key = (name: string, index: number): string => `live/${name}-${session}-${index}.ts`;
    const store1 = async (name: string, modifiedMs: number): Promise<void> => {
      store.nowMs = modifiedMs;
      await store.put(name, { text: 'x' }, { contentType: '', signal: new AbortController().signal });
    };
    await store1(key('main', 1), 0);
    await store1(key('main', 2), 0);
    await store1(key('main', 3), 1000);
    await store1('live/holiday.ts', 0);
    await store1(`live/sub/main-${session}-1.ts`, 0);
    await store1('live/main.m3u8', ORPHAN_AGE_MS + 1000);
    const signal = new AbortController().signal;
    expect(await findOrphans(store, 'live', new Set([key('main', 2)]), signal)).toEqual([key('main', 1)]);
    // What is to stay longer is spared longer.
    expect(await findOrphans(store, 'live', new Set(), signal, 500)).toEqual([
      key('main', 1),
      key('main', 2),
    ]);
    expect(await findOrphans(store, 'live', new Set(), signal, 1000)).toEqual([]);
    // What any playlist of the channel lists stays, as the VOD of a life before does.
    const vod = 'live/main-20261128T030627Z-vod.m3u8';
    const uri = `http://cdn/live/main-${session}-1.ts`;
    await store.put(vod, { text: `#EXTM3U\r\n#EXTINF:6,\r\n${uri}\r\n` }, { contentType: '', signal });
    expect(await findOrphans(store, 'live', new Set(), signal, 500)).toEqual([key('main', 2)]);
    store.getFault = () => true;
    await expect(findOrphans(store, 'live', new Set(), signal)).rejects.toThrow('no connection');
    store.getFault = () => false;
    store.objects.delete(vod);

    const { worker } = await start({ store });
    await worker.accept(await segmentIn(uploader.spool, 9));
    await until('the sweep', () => !store.objects.has(key('main', 1)));
    expect(store.objects.has('live/holiday.ts')).toBe(true);
    expect(store.objects.has(`live/sub/main-${session}-1.ts`)).toBe(true);
  });

  test('sweeps nothing when all is to be kept', async () => {
    const store = new FakeStore();
    const old = `live/main-${session}-1.ts`;
    const signal = new AbortController().signal;
    await store.put(old, { text: 'x' }, { contentType: '', signal });
    store.nowMs = 10 * ORPHAN_AGE_MS;
    const lists = jest.spyOn(store, 'list');
    const { worker } = await start({ store, settings: { retention: 'keep' } });
    lists.mockClear();
    await worker.accept(await segmentIn(uploader.spool, 9));
    await until('it to be published', () => worker.counts.published === 1);
    expect(lists).not.toHaveBeenCalled();
    expect(store.objects.has(old)).toBe(true);
  });
});
