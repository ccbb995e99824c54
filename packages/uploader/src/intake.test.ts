import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ManualClock } from '@hls-uplink/runtime';
import { channelLogic } from './channel-logic.js';
import { FakeStore } from './fake-store.test.helper.js';
import { bytesOf, Peer, segmentIn, segmentOf, session } from './peer.test.helper.js';
import { until } from './until.test.helper.js';
import { startUploader, type TestUploader } from './uploader.test.helper.js';

describe('Intake, short of disk', () => {
  const size = bytesOf(0).length;
  /** Time passes until it holds. */
  const pass = (clock: ManualClock, what: string, condition: () => boolean): Promise<void> =>
    until(what, () => {
      clock.advance(100);
      return condition();
    });

  test('only so many bytes are asked for as its spool may hold, oldest first', async () => {
    const clock = new ManualClock(1e12);
    const uploader = await startUploader({ clock, spoolBytes: 2 * size });
    const peer = await Peer.hello(uploader.port);
    for (let index = 0; index < 6; index++) peer.say(segmentOf(index));
    let most = 0;
    for (let sent = 0; sent < 6; sent++) {
      await pass(clock, `send ${sent}`, () => peer.of('send').length > sent);
      const { index } = peer.of('send')[sent]!;
      expect(index).toBe(sent);
      most = Math.max(most, peer.of('send').length - sent);
      peer.say({ type: 'body', session, index, bytes: size });
      peer.write(bytesOf(index));
    }
    await pass(clock, 'the last to be published', () => peer.of('published', 5).length > 0);
    expect(most).toBeLessThanOrEqual(2);
    peer.end();
    await uploader.stop();
    await uploader.remove();
  });

  test('a peer that goes while nothing is read from it is gone', async () => {
    const clock = new ManualClock(1e12);
    const store = new FakeStore();
    store.gate = new Promise(() => undefined);
    const uploader = await startUploader({ clock, store, spoolBytes: size });
    const peer = await Peer.hello(uploader.port);
    peer.say(segmentOf(0));
    await pass(clock, 'send 0', () => peer.of('send', 0).length > 0);
    peer.say({ type: 'body', session, index: 0, bytes: size });
    peer.write(bytesOf(0));
    await peer.has('accepted', 0);
    for (let index = 1; index < 400; index++) peer.say(segmentOf(index));
    await until('all to be sent', () => peer.socket.writableLength === 0);
    await pass(clock, 'the reading to pause', () => clock.monotonic() > 20_000);
    expect(uploader.server.connections).toBe(1);
    peer.socket.resetAndDestroy();
    await pass(clock, 'it to be gone', () => uploader.server.connections === 0);
    expect([...[...uploader.channels][0]!.links()]).toEqual([]);
    await uploader.stop();
    await uploader.remove();
  });
});

describe('Intake, when a link comes back', () => {
  let uploader: TestUploader;
  let first: Peer;
  const finals = (peer: Peer, index: number): string[] =>
    peer.messages.flatMap((message) =>
      'index' in message && message.index === index && /^(published|dropped|rejected)$/.test(message.type)
        ? [`${message.type}${'code' in message ? ` ${message.code}` : ''}`]
        : [],
    );
  const giveBody = (peer: Peer, index: number): void => {
    peer.say({ type: 'body', session, index, bytes: bytesOf(index).length });
    peer.write(bytesOf(index));
  };

  /** A channel with a window of 5 segments that has published 4. */
  beforeEach(async () => {
    uploader = await startUploader({ logic: channelLogic, settings: { window: 5, iFrames: false } });
    first = await Peer.hello(uploader.port, { renditions: ['main'] });
    for (let index = 0; index < 4; index++) first.say(await segmentIn(uploader.spool, index));
    await first.has('published', 3);
  });
  afterEach(async () => {
    await uploader.stop();
    await uploader.remove();
  });

  test('of all that waited the last window is asked for, and nothing else', async () => {
    first.end();
    const peer = await Peer.hello(uploader.port, { renditions: ['main'] });
    for (let index = 4; index < 400; index++) peer.say(segmentOf(index));
    for (let index = 395; index < 400; index++) {
      await peer.has('send', index);
      giveBody(peer, index);
    }
    await peer.has('published', 399);
    expect(peer.of('send').map(({ index }) => index)).toEqual([395, 396, 397, 398, 399]);
    for (let index = 4; index < 400; index++)
      expect(finals(peer, index)).toEqual([index < 395 ? 'dropped backlog' : 'published']);
    expect(peer.of('accepted').map(({ index }) => index)).toEqual([395, 396, 397, 398, 399]);
    expect(uploader.ownSpool.bytes).toBe(0);
  });

  test('what only an event playlist is to have is asked for behind the last window, in order', async () => {
    await uploader.stop();
    await uploader.remove();
    const settings = { window: 5, iFrames: false, eventSeconds: 3600 };
    uploader = await startUploader({ logic: channelLogic, settings });
    first = await Peer.hello(uploader.port, { renditions: ['main'] });
    for (let index = 0; index < 4; index++) first.say(await segmentIn(uploader.spool, index));
    await first.has('published', 3);
    first.end();
    const peer = await Peer.hello(uploader.port, { renditions: ['main'] });
    for (let index = 4; index < 30; index++) peer.say(segmentOf(index));
    for (let index = 25; index < 30; index++) {
      await peer.has('send', index);
      giveBody(peer, index);
    }
    await peer.has('published', 29);
    for (let index = 4; index < 25; index++) {
      await peer.has('send', index);
      if (index === 14) {
        peer.say(segmentOf(30));
        await peer.has('send', 30);
        giveBody(peer, 30);
        await peer.has('published', 30);
      }
      giveBody(peer, index);
      await peer.has('dropped', index);
    }
    const older = Array.from({ length: 21 }, (_, i) => i + 4);
    const asked = peer.of('send').map(({ index }) => index);
    expect(asked.filter((index) => index !== 30)).toEqual([25, 26, 27, 28, 29, ...older]);
    for (const index of older) expect(finals(peer, index)).toEqual(['dropped backlog']);
    const event = uploader.store.objects.get('live/main-event.m3u8')!.text;
    expect(event.match(/^[^#].*\.ts$/gm)).toHaveLength(31);
    expect(event).not.toContain('EXT-X-GAP');
    expect(uploader.ownSpool.bytes).toBe(0);
  });

  test('two windows are asked for in order, and all of it is published', async () => {
    first.end();
    const peer = await Peer.hello(uploader.port, { renditions: ['main'] });
    for (let index = 4; index < 14; index++) peer.say(segmentOf(index));
    for (let index = 4; index < 14; index++) {
      await peer.has('send', index);
      giveBody(peer, index);
    }
    await peer.has('published', 13);
    expect(peer.of('send').map(({ index }) => index)).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect(peer.of('dropped')).toEqual([]);
  });

  test('what is dropped after it was asked for leaves nothing and is answered once', async () => {
    first.end();
    const peer = await Peer.hello(uploader.port, { renditions: ['main'] });
    peer.say(segmentOf(4));
    await peer.has('send', 4);
    for (let index = 5; index < 60; index++) peer.say(segmentOf(index));
    await peer.has('dropped', 4);
    giveBody(peer, 4);
    peer.say({ type: 'ping' });
    await peer.has('pong');
    expect(uploader.ownSpool.bytes).toBe(0);
    expect(finals(peer, 4)).toEqual(['dropped backlog']);
    expect(peer.of('accepted', 4)).toEqual([]);
  });

  test('a file that is here goes its way in order behind one that is not', async () => {
    first.say(segmentOf(4));
    first.say(await segmentIn(uploader.spool, 5));
    await first.has('send', 4);
    giveBody(first, 4);
    await first.has('published', 5);
    expect(first.of('accepted').map((message) => message.index)).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
