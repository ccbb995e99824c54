import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '@hls-uplink/runtime';
import { until } from './fake-uploader.test.helper.js';
import { parseInputUrl } from './input-url.js';
import { LogBook } from './spool.test.helper.js';
import { TcpFeed } from './tcp-feed.js';

let log: LogBook;
let stop: AbortController;
let read: string;
let server: Server | undefined;

beforeEach(() => {
  log = new LogBook();
  stop = new AbortController();
  read = '';
});
afterEach(() => {
  stop.abort();
  server?.close();
});

function feedOf(url: string): TcpFeed {
  const input = parseInputUrl(url);
  if (input.kind !== 'tcp') throw new Error(url);
  return new TcpFeed(input, { clock: systemClock, logger: log });
}

async function readAll(feed: TcpFeed): Promise<void> {
  for await (const chunk of feed.connect(stop.signal)) read += Buffer.from(chunk).toString('latin1');
}

const listeningPort = async (count: number): Promise<number> => {
  await until(() => log.matching(/^listening/).length === count);
  return log.matching(/^listening/).at(-1)!.fields['port'] as number;
};

describe('connecting', () => {
  test.each(['127.0.0.1', '::1'])('reads what %s sends, until it closes', async (host) => {
    server = createServer((peer) => {
      peer.write('one ');
      peer.end('two');
    }).listen(0, host);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await readAll(feedOf(`tcp://${host === '::1' ? '[::1]' : host}:${port}`));
    expect(read).toBe('one two');
    expect(log.matching(/^connected/)).toHaveLength(1);
  });

  test('to nobody says what to do', async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    await expect(readAll(feedOf(`tcp://127.0.0.1:${port}`))).rejects.toThrow(
      /^cannot connect to 127\.0\.0\.1:\d+: .*connect ECONNREFUSED .*: nothing listens there; start the sender, or add \?listen$/,
    );
  });

  test('a reset is an error, being stopped is none', async () => {
    const peers: Socket[] = [];
    server = createServer((peer) => void peers.push(peer)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const reset = readAll(feedOf(`tcp://127.0.0.1:${port}`));
    await until(() => peers.length === 1);
    peers[0]!.write('some');
    await until(() => read === 'some');
    peers[0]!.resetAndDestroy();
    await expect(reset).rejects.toThrow('ECONNRESET');
    const stopped = readAll(feedOf(`tcp://127.0.0.1:${port}`));
    await until(() => peers.length === 2);
    const closed = once(peers[1]!.on('error', () => undefined).resume(), 'close');
    stop.abort();
    await stopped;
    await closed;
  });

  test('a sender is held back while nobody reads', async () => {
    let written = 0;
    let isStuck = false;
    server = createServer((peer) => {
      peer.on('error', () => undefined);
      const more = (): void => {
        isStuck = false;
        while (peer.write(Buffer.alloc(1 << 20))) written++;
        isStuck = true;
      };
      peer.on('drain', more);
      more();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const chunks = feedOf(`tcp://127.0.0.1:${port}`).connect(stop.signal);
    await chunks.next();
    let before = -1;
    await until(() => {
      const stands = isStuck && written === before;
      before = written;
      return stands;
    });
    expect(written).toBeLessThan(64);
    await chunks.return(undefined);
  });
});

describe('being connected to', () => {
  test('one peer at a time, the next one after it', async () => {
    const feed = feedOf('tcp://127.0.0.1:0?listen');
    const first = readAll(feed);
    const port = await listeningPort(1);
    const one = connect(port, '127.0.0.1');
    await once(one, 'connect');
    one.write('one');
    await until(() => read === 'one');
    const intruder = connect(port, '127.0.0.1');
    const [error] = (await once(intruder, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toMatch(/ECONNREFUSED|ECONNRESET/);
    one.end();
    await first;

    const again = feedOf(`tcp://127.0.0.1:${port}?listen`);
    const second = readAll(again);
    expect(await listeningPort(2)).toBe(port);
    connect(port, '127.0.0.1').end(' two');
    await second;
    expect(read).toBe('one two');
  });

  test('can be stopped while nobody comes', async () => {
    const reading = readAll(feedOf('tcp://[::1]:0?listen'));
    const port = await listeningPort(1);
    stop.abort();
    await reading;
    const [error] = (await once(connect(port, '::1'), 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });

  test('a port that is taken is named', async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await expect(readAll(feedOf(`tcp://127.0.0.1:${port}?listen`))).rejects.toThrow(
      /cannot listen at 127\.0\.0\.1:\d+: .*listen EADDRINUSE/,
    );
  });
});
