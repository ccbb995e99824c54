import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ManualClock } from '@hls-uplink/runtime';
import { ReceiveBuffer } from './receive-buffer.js';

const text = async (chunk: Promise<Uint8Array | undefined>): Promise<string | undefined> => {
  const bytes = await chunk;
  return bytes && Buffer.from(bytes).toString();
};

test('what comes within a moment is handed on together', async () => {
  const clock = new ManualClock();
  const buffer = new ReceiveBuffer(clock);
  const next = text(buffer.next());
  buffer.push(Buffer.from('one '));
  buffer.push(Buffer.from('-two-'), 1, 4);
  clock.advance(10);
  expect(await next).toBe('one two');
  expect(clock.pending).toBe(0);
});

test('much is handed on at once', async () => {
  const buffer = new ReceiveBuffer(new ManualClock());
  const next = buffer.next();
  buffer.push(new Uint8Array(70_000));
  expect((await next)?.length).toBe(70_000);
});

test('takes whole datagrams or none, and has room again when it was read', async () => {
  const buffer = new ReceiveBuffer(new ManualClock(), 100);
  expect(buffer.push(new Uint8Array(60))).toBe(true);
  expect(buffer.push(new Uint8Array(41))).toBe(false);
  expect(buffer.push(new Uint8Array(40))).toBe(true);
  buffer.end();
  expect((await buffer.next())?.length).toBe(100);
  expect(buffer.push(new Uint8Array(100))).toBe(true);
});

test('its end comes after all it has, its error too', async () => {
  const ended = new ReceiveBuffer(new ManualClock());
  ended.push(Buffer.from('rest'));
  ended.end();
  ended.end(new Error('too late'));
  expect(await text(ended.next())).toBe('rest');
  expect(await ended.next()).toBeUndefined();
  const failed = new ReceiveBuffer(new ManualClock());
  const waiting = failed.next();
  failed.end(new Error('broken'));
  await expect(waiting).rejects.toThrow('broken');
});

test('what a chunk holds stays until the next is asked for, whatever arrives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.nat(255), { maxLength: 20 }), { maxLength: 40 }),
      async (rounds) => {
        const clock = new ManualClock();
        const buffer = new ReceiveBuffer(clock, 1000);
        const read: number[] = [];
        let chunk: Uint8Array | undefined;
        for (const bytes of rounds) {
          buffer.push(Uint8Array.from(bytes));
          read.push(...(chunk ?? []));
          chunk = undefined;
          if (bytes.length === 0) continue;
          const next = buffer.next();
          clock.advance(10);
          chunk = await next;
        }
        read.push(...(chunk ?? []));
        expect(read).toEqual(rounds.flat());
      },
    ),
  );
});
