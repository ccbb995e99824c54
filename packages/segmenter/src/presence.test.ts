import { expect, test } from '@jest/globals';
import { Presence } from './presence.js';

/** Its chunks are data or not; events in their order. */
class Input {
  readonly events: string[] = [];
  packets = 0;
  readonly presence = new Presence({
    onLost: async (reason) => {
      await Promise.resolve();
      this.events.push(`lost: ${reason}`);
    },
    onBack: () => void this.events.push('back'),
    found: () => this.packets,
  });

  async chunk(text: string, packets: number): Promise<void> {
    await this.presence.heard();
    this.events.push(text);
    this.packets += packets;
  }
}

test('garbage is no presence: neither at the start, nor after data', async () => {
  const input = new Input();
  await input.chunk('garbage', 0);
  await input.presence.lost('silence');
  expect(input.presence.isThere).toBe(false);
  await input.chunk('data', 7);
  expect(input.presence.isThere).toBe(true);
  await input.chunk('garbage', 0);
  await input.presence.lost('silence');
  await input.chunk('garbage', 0);
  await input.presence.lost('silence');
  await input.chunk('data', 7);
  await input.chunk('data', 7);
  expect(input.events).toEqual([
    'garbage',
    'data',
    'garbage',
    'lost: silence',
    'garbage',
    'data',
    'back',
    'data',
  ]);
});

test('data that come once between two silences are lost again', async () => {
  const input = new Input();
  for (const reason of ['one', 'two']) {
    await input.chunk('data', 1);
    await input.presence.lost(reason);
  }
  expect(input.events).toEqual(['data', 'lost: one', 'data', 'back', 'lost: two']);
});

test('the next chunk waits until the leave is announced', async () => {
  const input = new Input();
  await input.chunk('data', 1);
  void input.presence.lost('silence');
  await input.chunk('more', 1);
  expect(input.events).toEqual(['data', 'lost: silence', 'more']);
});
