import { beforeEach, describe, expect, test } from '@jest/globals';
import { ManualClock } from '@hls-uplink/runtime';
import { LiveSource, type Feed } from './live-source.js';
import { Presence } from './presence.js';
import { LogBook } from './spool.test.helper.js';
import { until } from './fake-uploader.test.helper.js';

const TIMEOUT_MS = 10_000;

/** What each connection does in turn; then nothing comes. */
type Deed = string[] | Error | 'silent';

class FakeFeed implements Feed {
  readonly name = 'tcp://encoder:1';
  readonly deeds: Deed[] = [];
  connections = 0;
  open = 0;

  constructor(readonly listens = false) {}

  async *connect(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const deed = this.deeds[this.connections++] ?? 'silent';
    this.open++;
    try {
      if (deed instanceof Error) throw deed;
      if (deed !== 'silent') {
        for (const text of deed) if (text !== '…') yield Buffer.from(text);
        if (!deed.includes('…')) return;
      }
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve());
      });
    } finally {
      this.open--;
    }
  }
}

let clock: ManualClock;
let feed: FakeFeed;
let log: LogBook;
let events: string[];
let stop: AbortController;

beforeEach(() => {
  clock = new ManualClock();
  feed = new FakeFeed();
  log = new LogBook();
  events = [];
  stop = new AbortController();
});

async function readAll({ endsWithPeer = false, timeoutMs = TIMEOUT_MS } = {}): Promise<void> {
  const presence = new Presence({
    onLost: async (reason) => {
      await Promise.resolve();
      events.push(`lost: ${reason}`);
    },
    onBack: () => void events.push('back'),
  });
  const source = new LiveSource(feed, { clock, logger: log, presence, timeoutMs, endsWithPeer });
  for await (const chunk of source.read(stop.signal)) events.push(Buffer.from(chunk).toString());
}

/** Lets time pass in small steps until so many connections were made. */
async function connections(count: number): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve));
    if (feed.connections >= count) return;
    clock.advance(50);
  }
}

describe('a network input', () => {
  test('that is lost leaves, connects again, and is back with its next data', async () => {
    feed.deeds.push(['one', 'two'], new Error('refused'), ['three']);
    const reading = readAll();
    await connections(4);
    expect(events).toEqual([
      'one',
      'two',
      'lost: the sender closed the connection',
      'back',
      'three',
      'lost: the sender closed the connection',
    ]);
    stop.abort();
    await reading;
    expect(feed.open).toBe(0);
  });

  test('that breaks says why', async () => {
    feed.deeds.push(['one', 'two']);
    const broken: Feed = {
      name: 'x',
      listens: false,
      // eslint-disable-next-line @typescript-eslint/require-await -- as the interface wants it
      async *connect() {
        yield Buffer.from('one');
        throw new Error('reset by the peer');
      },
    };
    const presence = new Presence({ onLost: (reason) => void (events.push(reason), stop.abort()) });
    const options = { clock, logger: log, presence, timeoutMs: 0, endsWithPeer: true };
    for await (const chunk of new LiveSource(broken, options).read(stop.signal))
      events.push(String(chunk.length));
    expect(events).toEqual(['3', 'reset by the peer']);
  });

  test('that does not come is tried at growing intervals, and that is said once a minute', async () => {
    feed.deeds.push(...new Array<Error>(20).fill(new Error('refused')));
    const reading = readAll();
    const times: number[] = [];
    for (let count = 2; count <= 12; count++) {
      await connections(count);
      times.push(clock.monotonic());
    }
    expect(times[0]).toBeLessThanOrEqual(550);
    const last = times.at(-1)! - times.at(-2)!;
    expect(last).toBeGreaterThan(4900);
    expect(last).toBeLessThanOrEqual(10_050);
    expect(log.matching(/does not come/).length).toBeLessThanOrEqual(1 + times.at(-1)! / 60_000);
    expect(log.lines[0]?.fields).toMatchObject({ input: feed.name, reason: 'refused' });
    expect(events).toEqual([]);
    stop.abort();
    await reading;
  });

  test('from which nothing comes counts as gone, and is connected to anew at once', async () => {
    feed.deeds.push(['one', '…'], ['two', '…']);
    const reading = readAll();
    await until(() => events.length === 1);
    clock.advance(TIMEOUT_MS - 1);
    expect(feed.connections).toBe(1);
    clock.advance(1);
    await until(() => events.length === 4);
    expect(events).toEqual(['one', 'lost: nothing has come for 10 s', 'back', 'two']);
    expect(feed.open).toBe(1);
    stop.abort();
    await reading;
    expect(feed.open).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('that never came is not lost', async () => {
    const reading = readAll();
    await connections(3);
    stop.abort();
    await reading;
    expect(events).toEqual([]);
    expect(log.matching(/does not come/)[0]?.fields).toMatchObject({ reason: 'nothing has come for 10 s' });
  });

  test('whose peers come to us waits for the next one without delay', async () => {
    feed = new FakeFeed(true);
    feed.deeds.push(['one'], ['two'], ['three']);
    const reading = readAll();
    await until(() => feed.connections === 4);
    expect(clock.monotonic()).toBe(0);
    stop.abort();
    await reading;
  });

  test('ends with its peer when told so, but not when the connection breaks or brings nothing', async () => {
    feed.deeds.push(new Error('refused'), [], ['one']);
    const reading = readAll({ endsWithPeer: true });
    await connections(3);
    await reading;
    expect(events).toEqual(['one']);
    expect(feed.connections).toBe(3);
  });
});
