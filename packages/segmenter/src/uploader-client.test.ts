import { createHash } from 'node:crypto';
import { unlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { SegmenterMessage, UploaderMessage } from '@hls-uplink/protocol';
import { ManualClock, systemClock, type Clock } from '@hls-uplink/runtime';
import { FakeUploader, polite, until, welcome, type FakeConnection } from './fake-uploader.test.helper.js';
import type { Outbox } from './outbox.js';
import type { Spool } from './spool.js';
import { cutSegment, LogBook, openOutbox, openSpool, someTracks, TempFolder } from './spool.test.helper.js';
import { UploaderClient } from './uploader-client.js';

let folder: TempFolder;
let spool: Spool;
let outbox: Outbox;
let uploader: FakeUploader;
let client: UploaderClient;
let log: LogBook;
let targets: number[];

beforeEach(async () => {
  folder = await TempFolder.make();
  spool = await openSpool(folder.path);
  outbox = await openOutbox(spool);
  uploader = await FakeUploader.listen();
  log = new LogBook();
  targets = [];
});

afterEach(async () => {
  await client.close();
  await uploader.close();
  await outbox.close();
  await spool.close();
  await folder[Symbol.asyncDispose]();
});

function startClient(clock: Clock = systemClock, ports: number[] = [uploader.port]): void {
  client = new UploaderClient({
    addresses: ports.map((port) => ({ host: '127.0.0.1', port })),
    hello: { channel: 'news', rendition: '720p', source: 'here', target: 6, token: 'secret' },
    outbox,
    clock,
    logger: log,
    onTargetDuration: (seconds) => targets.push(seconds),
    random: () => 0,
  });
  client.start();
}

async function enter(count: number): Promise<void> {
  for (let i = 0; i < count; i++) outbox.segment(await cutSegment(spool));
  await outbox.entered();
}

const answer = (type: 'published' | 'accepted' | 'send', index: number): UploaderMessage => ({
  type,
  session: spool.session,
  index,
});

/** Answers each segment as a healthy uploader does. */
function obliging(message: SegmenterMessage, connection: FakeConnection): void {
  polite(message, connection);
  if (!('index' in message) || message.type === 'tracks' || message.type === 'body') return;
  connection.send(answer('accepted', message.index));
  connection.send(answer('published', message.index));
}

/** The newest connection has said it. */
const saying = (what: string): Promise<void> => until(() => uploader.last?.said.includes(what) ?? false);

describe('announcing', () => {
  test('hello first, then tracks and entries, oldest first, then what comes', async () => {
    outbox.tracks(someTracks);
    await enter(2);
    startClient();
    await until(() => uploader.last?.said.length === 3);
    await enter(1);
    outbox.tracks({ tracks: [] });
    outbox.lost({ startPts: 0, endPts: 90, wallClockMs: 0, reason: 'full disk' });
    outbox.leave('the input ended');
    await saying('leave 4');
    expect(uploader.last?.messages[0]).toEqual({
      type: 'hello',
      version: 1,
      channel: 'news',
      rendition: '720p',
      source: 'here',
      target: 6,
      token: 'secret',
      session: spool.session,
    });
    expect(uploader.last?.said).toEqual([
      'tracks 0',
      'segment 0',
      'segment 1',
      'segment 2',
      'tracks 3',
      'gap 3',
      'leave 4',
    ]);
    expect(client.state).toBe('connected');
  });

  test('waits for the welcome', async () => {
    uploader.onMessage = () => undefined;
    await enter(1);
    startClient();
    await until(() => uploader.last?.hello !== undefined);
    await enter(1);
    expect(uploader.last?.said).toEqual([]);
    uploader.last?.send(welcome(spool.session));
    await saying('segment 1');
  });

  test('after a reconnect only what the welcome does not list', async () => {
    outbox.tracks(someTracks);
    await enter(5);
    startClient();
    await saying('segment 4');
    uploader.onMessage = (message, connection) => {
      if (message.type === 'hello') connection.send(welcome(message.session, [2, 4], 0));
    };
    uploader.last?.socket.destroy();
    await until(() => uploader.connections.length === 2);
    await enter(1);
    await saying('segment 5');
    expect(uploader.last?.said).toEqual(['tracks 0', 'segment 1', 'segment 3', 'segment 5']);
    expect(outbox.counters.published).toBe(1);
    expect(outbox.size).toBe(5);
    expect(log.matching(/^lost the uploader/)).toHaveLength(1);
    expect(log.matching(/^connected/)).toHaveLength(2);
  });

  test('every entry gets to the uploader whenever it is entered', async () => {
    uploader.onMessage = obliging;
    startClient();
    for (let round = 0; round < 20; round++) await enter(round % 3);
    expect(await client.answered(10_000)).toBe(true);
    expect(outbox.counters.published).toBe(19);
  });
});

describe('answers', () => {
  test('free the entries, are counted, and end the waiting', async () => {
    await enter(3);
    startClient();
    await saying('segment 2');
    const { session } = spool;
    const all = client.answered(10_000);
    uploader.last?.send(answer('published', 0));
    uploader.last?.send({ type: 'dropped', session, index: 1, code: 'late' });
    uploader.last?.send({ type: 'rejected', session, index: 2, code: 'bad-file', reason: 'CRC' });
    expect(await all).toBe(true);
    expect(outbox.counters).toEqual({ published: 1, dropped: 1, rejected: 1, lost: 0 });
    expect(log.matching(/dropped/)[0]).toMatchObject({ level: 'warn', fields: { code: 'late' } });
    expect(log.matching(/rejected/)[0]).toMatchObject({ level: 'error', fields: { reason: 'CRC' } });
  });

  test('that do not come are waited for no longer than said', async () => {
    await enter(1);
    const clock = new ManualClock();
    startClient(clock);
    const all = client.answered(3000);
    await saying('segment 0');
    clock.advance(3000);
    expect(await all).toBe(false);
  });

  test('about another session change nothing', async () => {
    await enter(1);
    startClient();
    await saying('segment 0');
    uploader.last?.send({ type: 'published', session: 'f'.repeat(32), index: 0 });
    await until(() => log.matching(/not ours/).length === 1);
    expect(outbox.size).toBe(1);
  });

  test('tell the target duration', async () => {
    startClient();
    await until(() => client.state === 'connected');
    uploader.last?.send({ type: 'channel', targetDuration: 8 });
    await until(() => targets.length === 1);
    expect(targets).toEqual([8]);
  });

  test('of a newer version are said and left out; what is no message ends the connection', async () => {
    startClient();
    await until(() => client.state === 'connected');
    uploader.last?.socket.write('{"type":"praise"}\n');
    await until(() => log.matching(/does not know/).length === 1);
    uploader.last?.socket.write('HTTP/1.1 400 Bad Request\r\n');
    await until(() => uploader.connections.length === 2);
    expect(log.matching(/lost/)[0]?.fields['reason']).toMatch(/not the protocol/);
  });
});

describe('bodies', () => {
  const digest = (bytes: Buffer | undefined): string | undefined =>
    bytes && createHash('sha256').update(bytes).digest('hex');
  // More than the sockets' buffers hold, and nothing that repeats.
  const content = Buffer.alloc(12_000_000);
  for (let at = 0; at < content.length; at += 4) content.writeUInt32LE((at * 2654435761) >>> 0, at);

  test('follow their line exactly, one at a time, announcements between them', async () => {
    outbox.segment(await cutSegment(spool, content));
    outbox.segment(await cutSegment(spool, 'second'));
    await outbox.entered();
    startClient();
    await saying('segment 1');
    uploader.last?.send(answer('send', 0));
    uploader.last?.send(answer('send', 1));
    uploader.last?.send(answer('send', 1));
    await saying('body 0');
    await enter(1);
    await until(() => uploader.last?.bodies.get(1)?.length === 6);
    await saying('segment 2');
    expect(digest(uploader.last?.bodies.get(0))).toBe(digest(content));
    expect(uploader.last?.bodies.get(1)?.toString()).toBe('second');
    expect(uploader.last?.said.filter((what) => what === 'body 1')).toHaveLength(1);
  });

  test('go after the announcements that wait, so that what is dropped then is not sent', async () => {
    await enter(20);
    uploader.onMessage = (message, connection) => {
      polite(message, connection);
      if (message.type !== 'segment') return;
      if (message.index < 2) connection.send(answer('send', message.index));
      if (message.index === 19)
        connection.send({ type: 'dropped', session: spool.session, index: 1, code: 'backlog' });
    };
    startClient();
    await saying('body 0');
    const { said } = uploader.last!;
    expect(said.slice(-21)).toEqual([...Array.from({ length: 20 }, (_, i) => `segment ${i}`), 'body 0']);
  });

  test('cut in the middle are dead with their connection, and whole when asked for again', async () => {
    outbox.segment(await cutSegment(spool, content));
    await outbox.entered();
    uploader.onMessage = (message, connection) => {
      polite(message, connection);
      if (message.type === 'segment') connection.send(answer('send', message.index));
    };
    uploader.onBody = (_index, bytes, connection) => {
      if (uploader.connections.length === 1 && bytes.length > 100_000) connection.socket.destroy();
      else if (bytes.length === content.length) connection.send(answer('published', 0));
    };
    startClient();
    expect(await client.answered(20_000)).toBe(true);
    expect(uploader.connections).toHaveLength(2);
    expect(uploader.connections[0]?.bodies.get(0)?.length).toBeLessThan(content.length);
    expect(digest(uploader.last?.bodies.get(0))).toBe(digest(content));
    // As long as it waits for its answers.
  }, 30_000);

  test.each([
    ['is gone', (path: string) => unlink(path)],
    ['has another size', (path: string) => writeFile(path, 'short')],
  ])('of a file that %s: a gap instead, on the same connection', async (_what, spoil) => {
    await enter(1);
    startClient();
    await saying('segment 0');
    await spoil(outbox.segmentPath(0));
    uploader.last?.send(answer('send', 0));
    await saying('gap 0');
    expect(uploader.connections).toHaveLength(1);
    uploader.last?.send(answer('published', 0));
    expect(await client.answered(10_000)).toBe(true);
    expect(outbox.counters).toMatchObject({ lost: 1, published: 0 });
  });

  test('of what was settled, or never was, are not sent', async () => {
    await enter(2);
    startClient();
    await saying('segment 1');
    uploader.last?.send(answer('published', 0));
    uploader.last?.send(answer('send', 0));
    uploader.last?.send(answer('send', 77));
    uploader.last?.send(answer('send', 1));
    await saying('body 1');
    expect(uploader.last?.said.filter((what) => what.startsWith('body'))).toEqual(['body 1']);
  });
});

describe('an uploader that', () => {
  const refusing =
    (code: 'bad-token' | 'rendition-busy') =>
    (message: SegmenterMessage, connection: FakeConnection): void => {
      if (message.type !== 'hello') return;
      connection.send({ type: 'refused', code, reason: 'because' });
      connection.socket.end();
    };

  test('refuses what only an operator can mend is asked once a minute, and it is said once', async () => {
    uploader.onMessage = refusing('bad-token');
    const clock = new ManualClock();
    startClient(clock);
    await until(() => client.state === 'refused' && clock.pending === 1);
    clock.advance(59_000);
    expect(uploader.connections).toHaveLength(1);
    expect(log.matching(/refuses/)).toMatchObject([
      { level: 'error', fields: { code: 'bad-token', reason: 'because' } },
    ]);
    uploader.onMessage = polite;
    clock.advance(1000);
    await until(() => client.state === 'connected');
  });

  test('has another segmenter for the rendition is asked again soon, and it is said once', async () => {
    uploader.onMessage = refusing('rendition-busy');
    startClient();
    await until(() => uploader.connections.length === 3);
    expect(log.matching(/refuses/)).toHaveLength(1);
    uploader.onMessage = polite;
    await until(() => client.state === 'connected');
  });

  test('is not there is tried again, and it is said once; the next address is tried at once', async () => {
    const { port } = uploader;
    await uploader.close();
    startClient(systemClock, [port]);
    await until(() => log.matching(/cannot reach/).length === 1);
    await client.close();
    uploader = await FakeUploader.listen();
    startClient(systemClock, [port, uploader.port]);
    await until(() => client.state === 'connected');
    expect(log.matching(/cannot reach/)).toHaveLength(2);
  });

  test('falls silent is given up after 5 s, having been pinged', async () => {
    const clock = new ManualClock();
    startClient(clock);
    await until(() => client.state === 'connected');
    const pings = (): number =>
      uploader.connections[0]?.messages.filter((message) => message.type === 'ping').length ?? 0;
    for (let i = 0; i < 3; i++) {
      clock.advance(2000);
      await until(() => pings() === i + 1);
      // What is said behind the pong has come: then that has, too.
      uploader.connections[0]!.send({ type: 'channel', targetDuration: 10 + i });
      await until(() => targets.includes(10 + i));
    }
    // Its pongs were signs of life: 6 s, and still the same connection.
    expect(uploader.connections).toHaveLength(1);
    uploader.onMessage = (message, connection) => {
      if (message.type === 'hello') polite(message, connection);
    };
    clock.advance(2000);
    await until(() => pings() === 4);
    clock.advance(3000);
    await until(() => client.state === 'unreachable' && clock.pending > 0);
    expect(log.matching(/lost the uploader/)[0]?.fields['reason']).toMatch(/nothing moved for 5 s/);
    clock.advance(5000);
    await until(() => uploader.connections.length === 2);
  });

  test('never says welcome is given up too', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    try {
      const address = silent.address();
      if (address === null || typeof address === 'string') throw new Error('no port');
      const clock = new ManualClock();
      startClient(clock, [address.port, uploader.port]);
      let connections = 0;
      silent.on('connection', () => connections++);
      await until(() => connections === 1);
      clock.advance(5000);
      await until(() => client.state === 'connected');
    } finally {
      silent.close();
    }
  });
});
