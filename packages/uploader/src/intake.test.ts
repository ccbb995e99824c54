import { describe, expect, test } from '@jest/globals';
import { ManualClock } from '@hls-uplink/runtime';
import { FakeStore } from './fake-store.test.helper.js';
import { bytesOf, Peer, segmentOf, session } from './peer.test.helper.js';
import { until } from './until.test.helper.js';
import { startUploader } from './uploader.test.helper.js';

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
    await peer.has('send', 0);
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
