import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { RefusedCode } from '@hls-uplink/protocol';
import { ManualClock } from '@hls-uplink/runtime';
import { ownerOf } from './channel/ownership.js';
import { channelLogic } from './channel-logic.js';
import { playlistKeyOf } from './channel/playlist-keys.js';
import type { ChannelWorker } from './channel-worker.js';
import type { SourceLink } from './source-link.js';
import { FakeStore } from './fake-store.test.helper.js';
import { helloOf, Peer, segmentIn } from './peer.test.helper.js';
import { until } from './until.test.helper.js';
import { startUploader, type TestUploader } from './uploader.test.helper.js';

const SESSIONS = { first: 'a'.repeat(32), second: 'b'.repeat(32) };

/** A source of rendition main at one of the uploaders, which starts where the other has left off. */
class Source implements SourceLink {
  readonly facts;
  readonly answers: string[] = [];
  refusedWith: RefusedCode | undefined;

  constructor(
    readonly uploader: TestUploader,
    name: 'first' | 'second',
    private index = 0,
  ) {
    this.facts = {
      rendition: 'main',
      source: 'box',
      session: SESSIONS[name],
      target: 6,
      renditions: ['main'],
    };
  }

  get worker(): ChannelWorker {
    const found = this.uploader.channels.find('live');
    if (!found.ok) throw new Error(found.reason);
    return found.worker;
  }

  tell(message: Parameters<SourceLink['tell']>[0]): void {
    if ('index' in message) this.answers.push(`${message.index} ${message.type}`);
  }

  refuse(code: RefusedCode): void {
    this.refusedWith = code;
    void this.worker.detach(this);
  }

  /** @returns who else has the channel */
  async connect(): Promise<string | undefined> {
    this.refusedWith = undefined;
    const rival = await this.worker.openFor(playlistKeyOf('live', this.facts));
    if (!rival) await this.worker.attach(this);
    return rival?.writer;
  }

  /** @param slot of 6 s on the clock that both have */
  async announce(slot: number): Promise<void> {
    const segment = await segmentIn(this.uploader.spool, slot, {
      session: this.facts.session,
      index: this.index++,
      startPts: slot * 540_000,
      endPts: (slot + 1) * 540_000,
      wallClock: new Date(1e12 + slot * 6000).toISOString(),
    });
    await this.worker.accept(segment);
  }
}

jest.setTimeout(20_000);

describe('two uploaders on one store', () => {
  const clock = new ManualClock(1e12);
  let store: FakeStore;
  let first: Source;
  let second: Source;

  const text = (): string => store.objects.get('live/main.m3u8')?.text ?? '';
  const writer = (): string | undefined => ownerOf(text())?.writer;
  const listed = (): number => text().match(/#EXTINF/g)?.length ?? 0;
  const eventually = (what: string, condition: () => boolean) =>
    until(what, () => {
      clock.advance(200);
      return condition();
    });
  const open = (name: string, folder?: string): Promise<TestUploader> =>
    startUploader({
      logic: channelLogic,
      clock,
      store,
      settings: { writer: name },
      ...(folder !== undefined && { folder }),
    });

  beforeEach(async () => {
    store = new FakeStore({ conditionalWrites: true });
    first = new Source(await open('one'), 'first');
    second = new Source(await open('two'), 'second');
    expect(await first.connect()).toBeUndefined();
    for (const slot of [0, 1, 2]) await first.announce(slot);
    await eventually('three to be listed', () => listed() === 3);
    expect(writer()).toBe('one');
  });

  afterEach(async () => {
    for (const { uploader } of [first, second]) {
      await uploader.stop();
      await uploader.remove();
    }
  });

  test('a source takes the channel along; who had it writes no more, says so, and does not take it back', async () => {
    expect(await second.connect()).toBeUndefined();
    await second.announce(3);
    await eventually('the fourth to be listed', () => listed() === 4);
    expect(writer()).toBe('two');

    await first.announce(3);
    await eventually('the first to be told', () => first.refusedWith !== undefined);
    expect(first.refusedWith).toBe('superseded');
    const before = text();
    expect(await first.connect()).toBe('two');
    const peer = await Peer.connect(first.uploader.port);
    peer.say(helloOf({ session: SESSIONS.first }));
    expect(await peer.has('refused')).toMatchObject({
      code: 'superseded',
      reason: expect.stringContaining('(two)'),
    });
    peer.end();
    expect(text()).toBe(before);
    expect(first.answers).toEqual(['0 published', '1 published', '2 published']);
  });

  test('one that has fallen silent loses it, and nothing that was accepted is lost', async () => {
    await second.connect();
    await second.announce(3);
    await eventually('the fourth to be listed', () => listed() === 4);
    await first.announce(3);
    await eventually('the first to be told', () => first.refusedWith !== undefined);
    const from = clock.now();
    await second.uploader.stop();

    await until('the first to get it', async () => {
      clock.advance(1000);
      return (await first.connect()) === undefined;
    });
    expect(clock.now() - from).toBeGreaterThanOrEqual(3 * 6000);
    await first.announce(4);
    await eventually('the fifth to be listed', () => listed() === 5);
    expect(writer()).toBe('one');
    expect(ownerOf(text())?.term).toBe(3);
    // Whether the session that is back is the same encode as the other's, nobody knows who has read both back.
    expect(text()).not.toContain('GAP');
    await eventually('an answer for each', () => first.uploader.journal.waiting(SESSIONS.first) === 0);
    expect(first.answers.slice(3)).toEqual(['4 published']);
    // Its slot was the other's by then.
    const { dropped } = first.worker.state.renditions['main']!.counts;
    expect(Object.values(dropped)).toEqual([1]);
    second = new Source(await open('two', second.uploader.folder), 'second');
  });

  test('started again it goes on at once, though nobody says hello; as another it waits', async () => {
    let open3 = (): void => undefined;
    store.gate = new Promise((resolve) => (open3 = resolve));
    await first.announce(3);
    await first.uploader.stop();
    store.gate = undefined;
    open3();
    const { folder } = first.uploader;
    first = new Source(await open('copied', folder), 'first');
    const from = clock.now();
    await eventually('the fourth to be listed', () => listed() === 4);
    expect(clock.now() - from).toBeGreaterThanOrEqual(3 * 6000);
    expect(writer()).toBe('copied');
    await first.uploader.stop();

    const own = clock.now();
    first = new Source(await open('copied', folder), 'first', 4);
    await first.connect();
    await first.announce(4);
    await eventually('the fifth to be listed', () => listed() === 5);
    expect(clock.now() - own).toBeLessThan(3 * 6000);
  });

  test('a playlist that somebody has deleted is published again', async () => {
    store.objects.delete('live/main.m3u8');
    await first.announce(3);
    await eventually('four to be listed', () => listed() === 4);
    await eventually('an answer for each', () => first.answers.length === 4);
    expect(first.refusedWith).toBeUndefined();
  });

  test('a playlist that another tool has put there is not lost: it is read, and its numbers are counted on', async () => {
    const text50 = '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:50\n#EXTINF:6,\nx.ts\n';
    await store.put(
      'live/main.m3u8',
      { text: text50 },
      { contentType: '', signal: new AbortController().signal },
    );
    await first.announce(3);
    await eventually('the source to be told', () => first.refusedWith !== undefined);
    expect(await first.connect()).toBeUndefined();
    await first.announce(4);
    await eventually('it to be ours again', () => writer() === 'one' && listed() === 3);
    expect(text()).toMatch(/#EXT-X-MEDIA-SEQUENCE:50\n[^]*\n#EXTINF:6,\nx\.ts\n#EXT-X-DISCONTINUITY\n/);
    await eventually('an answer for each', () => first.uploader.journal.waiting(SESSIONS.first) === 0);
  });
});
