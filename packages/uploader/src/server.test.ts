import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fakeLogic } from './fake-logic.test.helper.js';
import { FakeStore } from './fake-store.test.helper.js';
import { bytesOf, helloOf, Peer, segmentIn, segmentOf, session } from './peer.test.helper.js';
import { until } from './until.test.helper.js';
import { startUploader, type TestUploader } from './uploader.test.helper.js';

const other = 'b'.repeat(32);

describe('UploaderServer', () => {
  let logic: ReturnType<typeof fakeLogic>;
  let uploader: TestUploader;
  const peers: Peer[] = [];
  const connect = async (): Promise<Peer> => peers[peers.push(await Peer.connect(uploader.port)) - 1]!;
  const welcome = async (changes = {}): Promise<Peer> =>
    peers[peers.push(await Peer.hello(uploader.port, changes)) - 1]!;

  beforeEach(async () => {
    logic = fakeLogic();
    uploader = await startUploader({ logic, token: 'secret' });
  });
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.end();
    await uploader.stop();
    await uploader.remove();
  });
  const token = 'secret';

  describe('first line', () => {
    test.each<[string, string, string]>([
      ['a text', 'GET / HTTP/1.1\r\n', 'bad-hello'],
      ['another message', '{"type":"ping"}\n', 'bad-hello'],
      ['an empty line', '\n', 'bad-hello'],
      ['an array', '[]\n', 'bad-hello'],
      ['another version', `${JSON.stringify({ ...helloOf(), version: 2 })}\n`, 'version'],
      ['an unknown field', `${JSON.stringify({ ...helloOf({ token }), more: 1 })}\n`, 'bad-hello'],
      ['no token', `${JSON.stringify(helloOf())}\n`, 'bad-token'],
      ['another token', `${JSON.stringify(helloOf({ token: 'secret2' }))}\n`, 'bad-token'],
      ['a name of a derived file', `${JSON.stringify(helloOf({ token, rendition: 'index' }))}\n`, 'bad-name'],
      ['a name that leads out', `${JSON.stringify(helloOf({ token, channel: '../up' }))}\n`, 'bad-name'],
      [
        'the index of the channel',
        `${JSON.stringify(helloOf({ token, names: { index: 'index.m3u8' } }))}\n`,
        'bad-name',
      ],
      ['an unknown bucket', `${JSON.stringify(helloOf({ token, names: { bucket: 'nobody' } }))}\n`, 'bucket'],
      ['no end', 'x'.repeat(40_000), 'bad-hello'],
      ['no text', '\xff\xfe\n', 'bad-hello'],
    ])('%s is refused', async (_, line, code) => {
      const peer = await connect();
      peer.write(Buffer.from(line, 'latin1'));
      expect((await peer.has('refused')).code).toBe(code);
      await peer.isClosed();
      expect(logic.events).toEqual([]);
    });

    test('a hello in single bytes is welcome', async () => {
      const peer = await connect();
      for (const byte of Buffer.from(
        `${JSON.stringify(helloOf({ token, names: { bucket: 'bucket' } }))}\n`,
      )) {
        peer.write(Buffer.from([byte]));
      }
      expect(await peer.has('welcome')).toEqual({ type: 'welcome', version: 1, session, accepted: [] });
    });
  });

  test('a segment below a spool root is accepted, published, and forgotten', async () => {
    const peer = await welcome({ token });
    peer.say({ type: 'tracks', session, index: 0, tracks: [] });
    peer.say(await segmentIn(uploader.spool, 0));
    await peer.has('published', 0);
    expect(peer.messages.map(({ type }) => type).filter((type) => type !== 'pong')).toEqual([
      'welcome',
      'accepted',
      'published',
    ]);
    expect(logic.events.map(({ type }) => type)).toEqual([
      'opened',
      'connected',
      'tracks',
      'accepted',
      'segment-stored',
      'playlist-stored',
    ]);
    expect(uploader.store.objects.get(`live/main-${session}-0.ts`)?.text).toBe(bytesOf(0).toString('latin1'));
    await until('the journal to forget it', () => uploader.journal.waiting(session) === 0);
  });

  test('bytes that are not here are asked for, kept until the answer, and taken in order', async () => {
    const peer = await welcome({ token });
    for (const index of [0, 1, 2]) peer.say(segmentOf(index));
    peer.say({ type: 'leave', session, index: 3, reason: 'test' });
    await peer.has('send', 2);
    for (const index of [2, 0, 1]) {
      peer.say({ type: 'body', session, index, bytes: bytesOf(index).length });
      peer.write(bytesOf(index));
    }
    await peer.has('published', 3);
    expect(peer.of('accepted').map(({ index }) => index)).toEqual(
      [0, 1, 2].concat(peer.of('accepted', 3).length ? [3] : []),
    );
    const accepted = logic.events.flatMap((event) =>
      event.type === 'accepted' ? [event.announcement.index] : [],
    );
    expect(accepted).toEqual([0, 1, 2, 3]);
    await until('the own copies to go', () => uploader.ownSpool.bytes === 0);
  });

  test('many announcements whose bytes are elsewhere all come through', async () => {
    const peer = await welcome({ token });
    const count = 400;
    for (let index = 0; index < count; index++) peer.say(segmentOf(index));
    let sent = 0;
    await until(
      'all to be published',
      () => {
        for (; sent < peer.of('send').length; sent++) {
          const { index } = peer.of('send')[sent]!;
          peer.say({ type: 'body', session, index, bytes: bytesOf(index).length });
          peer.write(bytesOf(index));
        }
        return peer.of('published', count - 1).length > 0;
      },
      60_000,
    );
    expect(peer.of('accepted')).toHaveLength(count);
  }, 70_000);

  test('a body with other bytes is rejected, and what follows goes on', async () => {
    const peer = await welcome({ token });
    peer.say(segmentOf(0));
    await peer.has('send', 0);
    peer.say({ type: 'body', session, index: 0, bytes: bytesOf(0).length });
    peer.write(bytesOf(9));
    expect((await peer.has('rejected', 0)).code).toBe('bad-file');
    expect(logic.events.at(-1)).toMatchObject({ type: 'refused', announcement: { index: 0 } });
    peer.say(await segmentIn(uploader.spool, 1));
    await peer.has('published', 1);
  });

  test('a segment that is lost when its bytes are asked for stands as a gap, in its turn', async () => {
    const peer = await welcome({ token });
    for (const index of [0, 1]) peer.say(segmentOf(index));
    await peer.has('send', 1);
    const { startPts, endPts, wallClock } = segmentOf(0);
    peer.say({ type: 'gap', session, index: 0, startPts, endPts, wallClock, reason: 'its file is gone' });
    peer.say({ type: 'body', session, index: 1, bytes: bytesOf(1).length });
    peer.write(bytesOf(1));
    await peer.has('published', 1);
    expect(
      logic.events.flatMap((event) =>
        event.type === 'accepted' ? [[event.announcement.type, event.announcement.index]] : [],
      ),
    ).toEqual([
      ['gap', 0],
      ['segment', 1],
    ]);
    expect(peer.of('published', 0)).toHaveLength(1);
  });

  test('an announcement that is said again while its bytes are awaited is answered once', async () => {
    const peer = await welcome({ token });
    for (const index of [0, 0, 1]) peer.say(segmentOf(index));
    await peer.has('send', 1);
    for (const index of [0, 1]) {
      peer.say({ type: 'body', session, index, bytes: bytesOf(index).length });
      peer.write(bytesOf(index));
    }
    await peer.has('published', 1);
    expect(peer.of('accepted', 0)).toHaveLength(1);
    expect(peer.of('send')).toHaveLength(2);
  });

  test('a body of another size is rejected, and what follows goes on', async () => {
    const peer = await welcome({ token });
    peer.say(segmentOf(0));
    await peer.has('send', 0);
    peer.say({ type: 'body', session, index: 0, bytes: 188 });
    peer.write(bytesOf(0).subarray(0, 188));
    expect(await peer.has('rejected', 0)).toMatchObject({ code: 'bad-file' });
    peer.say(await segmentIn(uploader.spool, 1));
    await peer.has('published', 1);
  });

  test('a channel has so many renditions and no more', async () => {
    await welcome({ token });
    const { state } = [...uploader.channels][0]!;
    for (let count = 0; count < 100; count++) Object.assign(state.renditions, { [`r${count}`]: {} });
    const peer = await connect();
    peer.say(helloOf({ token, rendition: 'more', session: other }));
    expect(await peer.has('refused')).toMatchObject({
      code: 'channel',
      reason: expect.stringMatching(/100/),
    });
    peers.push(await Peer.hello(uploader.port, { token, rendition: 'r7', session: 'c'.repeat(32) }));
  });

  test('a file with other content than announced is asked for', async () => {
    const announced = await segmentIn(uploader.spool, 0);
    await writeFile(announced.path, bytesOf(5));
    const peer = await welcome({ token });
    peer.say(announced);
    await peer.has('send', 0);
  });

  test('a body that is cut off leaves nothing, and is asked for again', async () => {
    const first = await welcome({ token });
    first.say(segmentOf(0));
    await first.has('send', 0);
    first.say({ type: 'body', session, index: 0, bytes: bytesOf(0).length });
    first.write(bytesOf(0).subarray(0, 1000));
    await until(
      'the bytes to arrive',
      () => first.socket.bytesWritten > 1000 && first.socket.writableLength === 0,
    );
    first.end();
    const second = await welcome({ token });
    expect((await second.has('welcome')).accepted).toEqual([]);
    second.say(segmentOf(0));
    await second.has('send', 0);
    second.say({ type: 'body', session, index: 0, bytes: bytesOf(0).length });
    second.write(bytesOf(0));
    await second.has('published', 0);
    expect(logic.events.filter(({ type }) => type === 'accepted')).toHaveLength(1);
  });

  test('bytes that were not asked for are passed over', async () => {
    const peer = await welcome({ token });
    peer.say({ type: 'body', session, index: 5, bytes: 1000 });
    peer.write(Buffer.alloc(1000, '\n'));
    peer.say({ type: 'ping' });
    await peer.has('pong');
    expect(peer.closed).toBe(false);
  });

  test('a message that breaks the schema is rejected alone; what is known of it stands as a gap', async () => {
    const peer = await welcome({ token });
    const bad = { ...(await segmentIn(uploader.spool, 0)), bytes: undefined };
    peer.write(`${JSON.stringify(bad)}\n`);
    expect((await peer.has('rejected', 0)).code).toBe('bad-message');
    expect(logic.events.at(-1)).toMatchObject({
      type: 'refused',
      announcement: { type: 'gap', index: 0, endPts: 540_000 },
    });
    peer.write(`${JSON.stringify({ type: 'segment', session, index: 1 })}\n`);
    await peer.has('rejected', 1);
    peer.say(await segmentIn(uploader.spool, 2));
    await peer.has('published', 2);
  });

  test.each<[string, string]>([
    ['no JSON', 'what?'],
    ['a second hello', JSON.stringify(helloOf({ token }))],
    ['another session', JSON.stringify({ type: 'end', session: other, index: 0 })],
    ['a body without a size', JSON.stringify({ type: 'body', session, index: 0 })],
    ['a legacy line', 'a.m3u8, /spool, 2, a, , 0, 0, 0, bucket, key'],
  ])('%s after hello ends the connection', async (_, line) => {
    const peer = await welcome({ token });
    peer.write(`${line}\n`);
    expect((await peer.has('refused')).code).toBe('bad-message');
    await peer.isClosed();
  });

  test('an announcement is accepted once, however often it comes', async () => {
    let open = (): void => undefined;
    uploader.store.gate = new Promise((resolve) => (open = resolve));
    const first = await welcome({ token });
    const announced = await segmentIn(uploader.spool, 0);
    first.say(announced);
    await first.has('accepted', 0);
    first.say(announced);
    await until('it to be accepted again', () => first.of('accepted', 0).length === 2);
    const second = await welcome({ token });
    expect((await first.has('refused')).code).toBe('replaced');
    expect((await second.has('welcome')).accepted).toEqual([0]);
    second.say(announced);
    await second.has('accepted', 0);
    open();
    await second.has('published', 0);
    second.say(announced);
    await until('it to be answered again', () => second.of('published', 0).length === 2);
    expect(logic.events.filter(({ type }) => type === 'accepted')).toHaveLength(1);
    expect(logic.events.filter(({ type }) => type === 'disconnected')).toHaveLength(0);
    const third = await welcome({ token });
    expect((await third.has('welcome')).settled).toBe(0);
  });

  test('another session of the same source must wait; another source or rendition need not', async () => {
    const first = await welcome({ token });
    const second = await connect();
    second.say(helloOf({ token, session: other }));
    expect((await second.has('refused')).code).toBe('rendition-busy');
    await welcome({ token, session: 'c'.repeat(32), source: 'two' });
    await welcome({ token, session: 'd'.repeat(32), rendition: 'low' });
    first.end();
    await until('the first to be gone', () => uploader.server.connections === 2);
    await welcome({ token, session: other });
  });

  test('another target is refused with the remedy', async () => {
    await welcome({ token });
    const peer = await connect();
    peer.say(helloOf({ token, session: other, rendition: 'low', target: 4 }));
    const { code, reason } = await peer.has('refused');
    expect(code).toBe('target');
    expect(reason).toContain('--segment-duration 6');
  });

  test('stopping is told', async () => {
    const peer = await welcome({ token });
    await uploader.server.stop(AbortSignal.timeout(5000));
    expect((await peer.has('refused')).code).toBe('stopping');
  });

  test('a path outside the roots is never opened', async () => {
    const peer = await welcome({ token });
    const secret = join(uploader.folder, 'secret.ts');
    await writeFile(secret, bytesOf(0));
    peer.say({ ...segmentOf(0), path: secret });
    await peer.has('send', 0);
  });
});

describe('UploaderServer, restarted', () => {
  test('what was accepted is published without being announced again', async () => {
    const store = new FakeStore();
    let open = (): void => undefined;
    store.gate = new Promise((resolve) => (open = resolve));
    const before = await startUploader({ store });
    const peer = await Peer.hello(before.port);
    peer.say(await segmentIn(before.spool, 0));
    peer.say(segmentOf(1));
    await peer.has('send', 1);
    peer.say({ type: 'body', session, index: 1, bytes: bytesOf(1).length });
    peer.write(bytesOf(1));
    await peer.has('accepted', 1);
    await before.stop();
    open();
    const logic = fakeLogic();
    const after = await startUploader({ folder: before.folder, logic });
    await until(
      'both to be published',
      () => after.journal.waiting(session) === 0 && after.store.objects.size === 3,
    );
    expect(logic.events.slice(0, 4).map(({ type }) => type)).toEqual([
      'opened',
      'connected',
      'accepted',
      'accepted',
    ]);
    expect(after.store.objects.get(`live/main-${session}-1.ts`)?.text).toBe(bytesOf(1).toString('latin1'));
    await until('the own copy to go', () => after.ownSpool.bytes === 0);
    await after.stop();
    await after.remove();
  });

  test('welcome waits for the store; pings are answered meanwhile', async () => {
    const store = new FakeStore();
    let down = true;
    store.getFault = () => down;
    const uploader = await startUploader({ store });
    const peer = await Peer.connect(uploader.port);
    peer.say(helloOf());
    peer.say({ type: 'ping' });
    await peer.has('pong');
    expect(peer.of('welcome')).toEqual([]);
    down = false;
    await peer.has('welcome');
    peer.end();
    await uploader.stop();
    await uploader.remove();
  });
});
