import { afterEach, describe, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import type { UploaderMessage } from '@hls-uplink/protocol';
import type { Effect } from './channel/event.js';
import type { ChannelWorker, SourceLink } from './channel-worker.js';
import { fakeLogic } from './fake-logic.test.helper.js';
import { FakeStore } from './fake-store.test.helper.js';
import { findOrphans, ORPHAN_AGE_MS } from './orphans.js';
import { segmentIn, session } from './peer.test.helper.js';
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
    expect(worker.counts.dropped).toEqual({ spool: 1 });
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

    const { worker } = await start({ store });
    await worker.accept(await segmentIn(uploader.spool, 9));
    await until('the sweep', () => !store.objects.has(key('main', 1)));
    expect(store.objects.has('live/holiday.ts')).toBe(true);
    expect(store.objects.has(`live/sub/main-${session}-1.ts`)).toBe(true);
  });
});
