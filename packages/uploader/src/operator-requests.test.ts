import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ManualClock } from '@hls-uplink/runtime';
import { channelLogic } from './channel-logic.js';
import type { ChannelWorker } from './channel-worker.js';
import type { SourceLink } from './source-link.js';
import { FakeStore } from './fake-store.test.helper.js';
import type { JournalRecord } from './journal-record.js';
import { segmentIn, session } from './peer.test.helper.js';
import { until } from './until.test.helper.js';
import { startUploader, type TestUploader } from './uploader.test.helper.js';

const link: SourceLink = {
  facts: { rendition: 'main', source: 'one', session, target: 6 },
  tell: () => undefined,
  refuse: () => undefined,
};

describe('what an operator asks of a channel', () => {
  let uploader: TestUploader;
  let store: FakeStore;
  let clock: ManualClock;
  beforeEach(() => {
    store = new FakeStore();
    clock = new ManualClock(1e12);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await uploader.stop();
    await uploader.remove();
  });

  const playlist = (name = 'main'): string => store.objects.get(`live/${name}.m3u8`)?.text ?? '';
  const settled = (what: string, condition: () => boolean) =>
    until(what, () => {
      clock.advance(100);
      return condition();
    });

  async function requests(): Promise<JournalRecord[]> {
    const records: JournalRecord[] = [];
    for await (const record of uploader.journal.replay('live')) records.push(record);
    return records.filter(({ type }) => type === 'end' || type === 'date-range');
  }

  function worker(): ChannelWorker {
    const found = uploader.channels.find('live');
    if (!found.ok) throw new Error(found.reason);
    return found.worker;
  }

  async function publish(index: number): Promise<void> {
    await worker().accept(await segmentIn(uploader.spool, index));
    await settled('it to be published', () => uploader.journal.waiting(session) === 0);
  }

  /** A channel that has published two segments. */
  async function live(): Promise<void> {
    uploader = await startUploader({ logic: channelLogic, clock, store });
    await worker().open();
    await worker().attach(link);
    for (const index of [0, 1]) await publish(index);
  }

  /** As a new process on the same disk. */
  async function startAgain(): Promise<void> {
    const { folder } = uploader;
    await uploader.stop();
    uploader = await startUploader({ logic: channelLogic, clock, store, folder });
  }

  test('an end that the store does not take comes after a restart, with what was accepted, unasked', async () => {
    await live();
    store.fault = () => 'fail';
    await worker().accept(await segmentIn(uploader.spool, 2));
    await worker().requests.end();
    await settled('the store to fail', () => uploader.lanes.health.problem !== undefined);
    expect(worker().state.phase).toBe('live');

    await startAgain();
    store.fault = () => undefined;
    await settled('its end', () => playlist().includes('#EXT-X-ENDLIST'));
    expect(playlist().match(/^#EXTINF/gm)).toHaveLength(3);
    await settled('it to be forgotten', () => uploader.journal.channels.length === 0);
    expect(await requests()).toEqual([]);
  });

  test('an end that is decided, and whose ENDLIST is not stored, comes after a restart', async () => {
    await live();
    store.fault = () => 'fail';
    await worker().requests.end();
    expect(worker().state.phase).toBe('ended');

    await startAgain();
    store.fault = () => undefined;
    await settled('its end', () => playlist().includes('#EXT-X-ENDLIST'));
  });

  test('an end is not that of the life after', async () => {
    await live();
    await worker().requests.end();
    await settled('it to be forgotten', () => uploader.journal.channels.length === 0);
    await worker().detach(link);
    await worker().attach(link);
    await publish(2);
    expect(worker().state).toMatchObject({ phase: 'live', life: 2 });
    // As it is when the journal cannot forget it.
    await uploader.journal.append('live', { type: 'end', life: 1, asked: true });

    await startAgain();
    await worker().open();
    expect(worker().state).toMatchObject({ phase: 'live', life: 2, endRequested: false });
    await settled('it to be forgotten', () => uploader.journal.channels.length === 0);
  });

  test('an end of a life of which nothing was stored yet comes after a restart', async () => {
    uploader = await startUploader({ logic: channelLogic, clock, store });
    await worker().open();
    await worker().attach(link);
    store.fault = (key) => (key.endsWith('.m3u8') ? 'fail' : undefined);
    await worker().accept(await segmentIn(uploader.spool, 0));
    await settled('it to be live', () => worker().state.phase === 'live');
    await worker().requests.end();

    await startAgain();
    store.fault = () => undefined;
    await settled('its end', () => playlist().includes('#EXT-X-ENDLIST'));
  });

  test('an end of a stream that another uploader has published since is dropped', async () => {
    store = new FakeStore({ conditionalWrites: true });
    await live();
    store.fault = () => 'fail';
    await worker().requests.end();
    const { folder } = uploader;
    await uploader.stop();
    store.fault = () => undefined;

    uploader = await startUploader({ logic: channelLogic, clock, store, settings: { writer: 'another' } });
    await worker().openFor('live/main.m3u8');
    await worker().attach(link);
    await publish(2);
    await uploader.stop();
    await uploader.remove();

    uploader = await startUploader({ logic: channelLogic, clock, store, folder });
    await settled('it to be open', () => worker().isOpen);
    expect(worker().state).toMatchObject({ phase: 'live', endRequested: false });
    await settled('it to be forgotten', () => uploader.journal.channels.length === 0);
  });

  test('a stream that ended is closed in all its playlists after a restart, though no source comes', async () => {
    const tracks = [{ kind: 'video' as const, pid: 256, codec: 'avc1.64001f' }];
    store = new FakeStore({ conditionalWrites: true });
    uploader = await startUploader({ logic: channelLogic, clock, store });
    await worker().open();
    await worker().attach(link);
    await worker().tracks({ type: 'tracks', session, index: 0, tracks });
    for (const index of [0, 1, 2]) await publish(index);
    await settled('the pictures', () => playlist('main-iframes') !== '');
    store.fault = (key) => (key.endsWith('-iframes.m3u8') ? 'fail' : undefined);
    await worker().accept({ type: 'end', session, index: 3 });
    await settled('its end', () => playlist().includes('#EXT-X-ENDLIST'));
    await settled('it to be remembered', () => uploader.journal.channels.length === 1);

    await startAgain();
    expect(uploader.channels.get('live')).toBeDefined();
    store.fault = () => undefined;
    await settled('the last picture', () => playlist('main-iframes').includes('#EXT-X-ENDLIST'));
    await settled('it to be forgotten', () => uploader.journal.channels.length === 0);
    await startAgain();
    expect(uploader.channels.get('live')).toBeUndefined();
  });

  const range = { id: 'promo-1', startDateMs: Date.parse('2026-11-22T10:00:05Z'), durationSeconds: 30 };
  const listed = (): number => playlist().match(/^#EXT-X-DATERANGE:ID="promo-1"/gm)?.length ?? 0;

  test('a date range that no entry has brought yet is listed after a restart, once', async () => {
    await live();
    expect(await worker().requests.dateRange(range)).toBeUndefined();
    expect(await requests()).toMatchObject([{ type: 'date-range', range }]);

    await startAgain();
    await worker().open();
    expect(listed()).toBe(0);
    await worker().attach(link);
    await publish(2);
    expect(listed()).toBe(1);
    await settled('it to be forgotten', () => uploader.journal.channels.length === 0);

    // As it stays when the journal cannot forget it.
    await uploader.journal.append('live', { type: 'date-range', life: 1, range });
    await startAgain();
    await worker().open();
    await worker().attach(link);
    await publish(3);
    expect(listed()).toBe(1);
    await settled('it to be forgotten', () => uploader.journal.channels.length === 0);
    expect(await requests()).toEqual([]);
  });

  test('a date range of a stream that ends while the journal takes it is refused', async () => {
    await live();
    const append = uploader.journal.append.bind(uploader.journal);
    jest.spyOn(uploader.journal, 'append').mockImplementationOnce(async (channel, ...records) => {
      await append(channel, ...records);
      await worker().requests.end();
    });
    expect(await worker().requests.dateRange(range)).toBe('the stream has ended meanwhile');
    await settled('it to be forgotten', () => uploader.journal.channels.length === 0);
    expect(await requests()).toEqual([]);
  });

  test('of two date ranges of one name that come together one is taken', async () => {
    await live();
    const answers = await Promise.all(
      [range, { ...range, durationSeconds: 60 }].map((one) => worker().requests.dateRange(one)),
    );
    expect(answers).toEqual([undefined, expect.stringMatching(/another date range/)]);
    expect(await requests()).toMatchObject([{ range: { durationSeconds: 30 } }]);
  });
});
