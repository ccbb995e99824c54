import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Segment } from '@hls-uplink/protocol';
import { systemClock } from '@hls-uplink/runtime';
import { LineBudget, OWN_SHARE_BYTES } from './line-budget.js';
import { Outgoing } from './outgoing.js';
import { Peer, segmentIn, segmentOf } from './peer.test.helper.js';
import { until } from './until.test.helper.js';
import { startUploader, type TestUploader } from './uploader.test.helper.js';

const COMMON = 100_000;

describe('LineBudget', () => {
  test('each has its own share, and what is above it while there is some', () => {
    const budget = new LineBudget(COMMON);
    const [one, two] = [budget.share(), budget.share()];
    expect(one.hold(OWN_SHARE_BYTES)).toBe(true);
    expect(budget.left).toBe(COMMON);
    expect(one.hold(OWN_SHARE_BYTES + COMMON)).toBe(true);
    expect(budget.left).toBe(0);
    expect(one.hold(OWN_SHARE_BYTES + COMMON + 1)).toBe(false);
    expect(two.hold(OWN_SHARE_BYTES)).toBe(true);
    expect(two.hold(OWN_SHARE_BYTES + 1)).toBe(false);
    expect(one.hold(OWN_SHARE_BYTES + COMMON - 1)).toBe(true);
    expect(two.hold(OWN_SHARE_BYTES + 1)).toBe(true);
    one.hold(0);
    two.hold(0);
    two.hold(0);
    expect(budget.left).toBe(COMMON);
  });

  test('who reads no answers is cut off when all together wait for too much', () => {
    const budget = new LineBudget(COMMON);
    const socket = new Duplex({ write: () => undefined, read: () => undefined });
    const outgoing = new Outgoing(socket as Socket, systemClock, budget.share());
    let said = 0;
    const bytes = '{"type":"pong"}\n'.length;
    for (; !socket.destroyed && said < 100_000; said++) outgoing.tell({ type: 'pong' });
    expect(socket.destroyed).toBe(true);
    expect(said).toBe(Math.floor((OWN_SHARE_BYTES + COMMON) / bytes) + 1);
  });
});

describe('what all connections together hold', () => {
  let uploader: TestUploader;
  let budget: LineBudget;
  const peers: Peer[] = [];

  beforeEach(async () => {
    budget = new LineBudget(COMMON);
    uploader = await startUploader({ lineBudget: budget });
  });
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.end();
    await uploader.stop();
    await uploader.remove();
  });

  const keep = async (peer: Promise<Peer>): Promise<Peer> => peers[peers.push(await peer) - 1]!;
  const keyPictures = Array.from({ length: 1200 }, (_, at) => ({ offset: at * 188, bytes: 188, pts: at }));
  /** Some 40 KB of text. */
  const long = (segment: Segment): Segment => ({ ...segment, keyPictures });

  test('who fills it with what cannot go is refused; others go on, and all is given back', async () => {
    const greedy = await keep(Peer.hello(uploader.port, { session: 'b'.repeat(32), rendition: 'greedy' }));
    for (let index = 0; index < 3; index++)
      greedy.say(long({ ...segmentOf(index), session: 'b'.repeat(32) }));
    await until('it to be held', () => budget.left < COMMON);
    const modest = await keep(Peer.hello(uploader.port));
    modest.say(await segmentIn(uploader.spool, 0));
    await modest.has('published', 0);
    for (let index = 3; index < 8; index++)
      greedy.say(long({ ...segmentOf(index), session: 'b'.repeat(32) }));
    expect(await greedy.has('refused')).toMatchObject({
      code: 'bad-message',
      reason: expect.stringMatching(/all segmenters together/),
    });
    await greedy.isClosed();
    await until('all to be given back', () => budget.left === COMMON);
    modest.say(await segmentIn(uploader.spool, 1));
    await modest.has('published', 1);
  });

  test('who has much that can go is read more slowly, and all of it goes', async () => {
    let least = COMMON;
    const peer = await keep(Peer.hello(uploader.port));
    const segments = await Promise.all(
      Array.from({ length: 40 }, (_, index) => segmentIn(uploader.spool, index)),
    );
    for (const segment of segments) peer.say(long(segment));
    await until('the last to be published', () => {
      least = Math.min(least, budget.left);
      return peer.of('published', 39).length > 0;
    });
    expect(peer.of('accepted')).toHaveLength(40);
    expect(least).toBeGreaterThanOrEqual(0);
    // With the next thing it says what it no longer holds is seen.
    peer.say({ type: 'ping' });
    await until('all to be given back', () => budget.left === COMMON);
  });

  test('only who said hello may send long lines', async () => {
    const line = `index, /folder, 10, prefix, http://cdn/, 0, 0, 0, nobody, stream`;
    const old = await keep(Peer.connect(uploader.port));
    old.write(`${line}\n`);
    await until('it to be followed', () => uploader.legacy.counts.lines === 1);
    old.write('x'.repeat(40_000));
    expect(await old.has('refused')).toMatchObject({ reason: expect.stringMatching(/longer than/) });
    await old.isClosed();
  });
});
