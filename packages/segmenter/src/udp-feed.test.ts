import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '@hls-uplink/runtime';
import { until } from './fake-uploader.test.helper.js';
import { parseInputUrl, type NetworkInput, type UdpInput } from './input-url.js';
import { rtpPacket, transportPackets } from './rtp.test.helper.js';
import { LogBook } from './spool.test.helper.js';
import { UdpFeed } from './udp-feed.js';

let log: LogBook;
let stop: AbortController;
let read: number[];
let readings: Promise<unknown>[];
let senders: Socket[];

beforeEach(() => {
  log = new LogBook();
  stop = new AbortController();
  read = [];
  readings = [];
  senders = [];
});
afterEach(async () => {
  stop.abort();
  await Promise.all(readings);
  for (const sender of senders) sender.close();
});

const inputOf = (url: string): UdpInput & { name: string } => {
  const input: NetworkInput = parseInputUrl(url);
  if (input.kind !== 'udp') throw new Error(url);
  return input;
};

/** Resolves with the port once it receives. */
async function receive(url: string): Promise<{ port: number; feed: UdpFeed }> {
  const feed = new UdpFeed(inputOf(url), { clock: systemClock, logger: log });
  const before = log.matching(/^receiving/).length;
  const reading = (async () => {
    for await (const chunk of feed.connect(stop.signal)) read.push(...chunk);
  })();
  readings.push(reading);
  await Promise.race([reading, until(() => log.matching(/^receiving/).length > before)]);
  return { port: log.matching(/^receiving/).at(-1)!.fields['port'] as number, feed };
}

async function sender(type: 'udp4' | 'udp6' = 'udp4', address?: string): Promise<Socket> {
  const socket = createSocket(type);
  senders.push(socket);
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

const send = (socket: Socket, datagram: readonly number[], port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) =>
    socket.send(Uint8Array.from(datagram), port, host, (error) => (error ? reject(error) : resolve())),
  );

const packets = (...ids: number[]): number[] => ids.flatMap(transportPackets);

describe('unicast', () => {
  test.each<[string, 'udp4' | 'udp6', string]>([
    ['udp://127.0.0.1:0', 'udp4', '127.0.0.1'],
    ['udp://@:0', 'udp4', '127.0.0.1'],
    ['udp://[::1]:0', 'udp6', '::1'],
    ['rtp://[::]:0', 'udp6', '::1'],
  ])('%s receives raw packets, one after the other', async (url, type, host) => {
    const { port } = await receive(url);
    const from = await sender(type);
    for (let id = 0; id < 20; id++) await send(from, transportPackets(id), port, host);
    await until(() => read.length >= 20 * 7 * 188);
    expect(read).toEqual(packets(...Array(20).keys()));
  });

  test('RTP is told apart, brought into order, and its losses are counted and said', async () => {
    const { port, feed } = await receive('udp://127.0.0.1:0');
    const from = await sender();
    for (const n of [1, 3, 2, 5, 6]) {
      await send(
        from,
        rtpPacket(transportPackets(n), { sequence: (0xfffd + n) & 0xffff }),
        port,
        '127.0.0.1',
      );
    }
    // Nobody else comes: what is missing is given up after a moment.
    await until(() => read.length >= 5 * 7 * 188);
    expect(read).toEqual(packets(1, 2, 3, 5, 6));
    expect(feed.counters.rtp).toMatchObject({ received: 5, lost: 1, reordered: 1, duplicates: 0 });
    expect(log.matching(/datagrams were lost/)[0]?.fields).toMatchObject({ lost: 1, noRoom: 0 });
  });

  test('only from the sender that was named', async () => {
    const { port } = await receive('udp://127.0.0.2@127.0.0.1:0');
    await send(await sender('udp4', '127.0.0.1'), transportPackets(1), port, '127.0.0.1');
    await send(await sender('udp4', '127.0.0.2'), transportPackets(2), port, '127.0.0.1');
    await until(() => read.length >= 7 * 188);
    expect(read).toEqual(packets(2));
  });

  test('a port that is taken, and an address of another machine, are named with the remedy', async () => {
    const { port } = await receive('udp://127.0.0.1:0');
    const taken = new UdpFeed(inputOf(`udp://127.0.0.1:${port}`), { clock: systemClock, logger: log });
    await expect(taken.connect(stop.signal)[Symbol.asyncIterator]().next()).rejects.toThrow(
      /^cannot receive at 127\.0\.0\.1:\d+: .*bind EADDRINUSE 127\.0\.0\.1:\d+: another program receives there/,
    );
    const foreign = new UdpFeed(inputOf('udp://192.0.2.77:0'), { clock: systemClock, logger: log });
    await expect(foreign.connect(stop.signal).next()).rejects.toThrow(/give an address of this machine/);
  });

  test('can be left and entered again', async () => {
    const { feed } = await receive('udp://127.0.0.1:0');
    stop.abort();
    await Promise.all(readings);
    stop = new AbortController();
    const again = feed.connect(stop.signal);
    const first = again.next();
    await until(() => log.matching(/^receiving/).length === 2);
    const port = log.matching(/^receiving/)[1]!.fields['port'] as number;
    await send(await sender(), transportPackets(3), port, '127.0.0.1');
    expect([...((await first).value as Uint8Array)]).toEqual(packets(3));
    stop.abort();
    expect((await again.next()).done).toBe(true);
  });

  test('a receive buffer smaller than asked for is said, with the remedy', async () => {
    await receive('udp://127.0.0.1:0?buffer_size=1073741824');
    const [warning] = log.matching(/less receive buffer/);
    expect(warning?.message).toContain('sysctl -w net.core.rmem_max=1073741824');
    expect(warning?.fields['grantedBytes']).toBeGreaterThan(0);
    const most = Number(await readFile('/proc/sys/net/core/rmem_max', 'utf8'));
    expect(warning?.fields['grantedBytes']).toBe(most);
    log.lines.length = 0;
    await receive(`udp://127.0.0.1:0?buffer_size=${Math.min(most, 100_000)}`);
    expect(log.matching(/receive buffer/)).toEqual([]);
  });

  test('a reader that takes its time is not waited for: bounded, and what has no room is counted', async () => {
    const feed = new UdpFeed(inputOf('udp://127.0.0.1:0'), { clock: systemClock, logger: log });
    const chunks = feed.connect(stop.signal);
    const first = chunks.next();
    await until(() => log.matching(/^receiving/).length === 1);
    const port = log.matching(/^receiving/)[0]!.fields['port'] as number;
    const from = await sender();
    await send(from, transportPackets(0), port, '127.0.0.1');
    await first;
    const big = packets(...Array(40).keys());
    await until(async () => {
      for (let n = 0; n < 20; n++) await send(from, big, port, '127.0.0.1');
      return feed.dropped > 20;
    });
    const chunk = (await chunks.next()).value as Uint8Array;
    expect(chunk.length).toBeLessThanOrEqual(2 << 20);
    expect(chunk.length).toBeGreaterThan(1 << 20);
    expect(log.matching(/datagrams were lost/)[0]?.fields['noRoom']).toBeGreaterThan(0);
    await chunks.return(undefined);
  }, 20_000);
});

describe('multicast on the loopback interface', () => {
  async function multicaster(): Promise<Socket> {
    const socket = await sender('udp4', '127.0.0.1');
    socket.setMulticastInterface('127.0.0.1');
    socket.setMulticastLoopback(true);
    return socket;
  }

  test.each([
    'udp://@239.255.12.1:0?interface=127.0.0.1',
    'udp://@239.255.12.2:0?iface=lo',
    'rtp://239.255.12.3:0?localaddr=127.0.0.1',
    'udp://127.0.0.1@232.255.12.4:0?interface=lo',
  ])('%s', async (url) => {
    const { port } = await receive(url);
    const group = /@?(23\d\.[\d.]+)/.exec(url)![1]!;
    const from = await multicaster();
    await send(from, transportPackets(1), port, group);
    await send(from, rtpPacket([1, 2, 3]), port, group);
    await send(from, transportPackets(2), port, group);
    await until(() => read.length >= packets(1, 2).length);
    expect(read.slice(0, 7 * 188)).toEqual(packets(1));
    expect(read.slice(-7 * 188)).toEqual(packets(2));
  });

  test('another group on the same port is not heard, nor another source', async () => {
    const { port } = await receive('udp://@239.255.12.5:0?interface=lo');
    await receive(`udp://127.0.0.9@239.255.12.6:${port}?interface=lo`);
    const from = await multicaster();
    await send(from, transportPackets(1), port, '239.255.12.6');
    await send(from, transportPackets(2), port, '239.255.12.5');
    await until(() => read.length >= 7 * 188);
    expect(read).toEqual(packets(2));
  });

  test('two may receive one group', async () => {
    const { port } = await receive('udp://@239.255.12.7:0?interface=lo');
    await receive(`udp://@239.255.12.7:${port}?interface=lo`);
    await send(await multicaster(), transportPackets(1), port, '239.255.12.7');
    await until(() => read.length >= 2 * 7 * 188);
    expect(read).toEqual(packets(1, 1));
  });

  // Linux has no route for IPv6 multicast over lo, so that what the kernel joined is asked of it.
  test.each([
    ['udp://@[ff15::12:1]:0?interface=lo', 'ff150000000000000000000000120001'],
    ['udp://[::1]@[ff35::12:2]:0?interface=::1', 'ff350000000000000000000000120002'],
    ['udp://@[ff12::12:3]:0?interface=lo', 'ff120000000000000000000000120003'],
  ])('%s joins', async (url, group) => {
    const joined = async (): Promise<boolean> =>
      (await readFile('/proc/net/igmp6', 'utf8'))
        .split('\n')
        .some((line) => / lo /.test(line) && line.includes(group));
    expect(await joined()).toBe(false);
    await receive(url);
    await until(joined);
    stop.abort();
    await Promise.all(readings);
    expect(await joined()).toBe(false);
  });

  test('an interface that is not there is named, with those that are', async () => {
    const feed = new UdpFeed(inputOf('udp://@239.255.12.8:0?interface=eth77'), {
      clock: systemClock,
      logger: log,
    });
    await expect(feed.connect(stop.signal).next()).rejects.toThrow(/no interface eth77; there are lo/);
  });
});
