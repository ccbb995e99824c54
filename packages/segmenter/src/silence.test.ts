import { expect, test } from '@jest/globals';
import { ManualClock } from '@hls-uplink/runtime';
import { watchSilence } from './silence.js';

/** Gives what is pushed, when it is. */
class Script {
  returned = false;
  #waiting: ((result: IteratorResult<Uint8Array, undefined>) => void) | undefined;

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return {
      next: () => new Promise((resolve) => (this.#waiting = resolve)),
      return: () => {
        this.returned = true;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  push(text: string): void {
    this.#waiting?.({ done: false, value: Buffer.from(text) });
  }

  end(): void {
    this.#waiting?.({ done: true, value: undefined });
  }
}

function watch(timeoutMs: number): {
  clock: ManualClock;
  script: Script;
  chunks: AsyncGenerator<Uint8Array>;
  silences: number[];
} {
  const clock = new ManualClock();
  const script = new Script();
  const silences: number[] = [];
  const chunks = watchSilence(script, {
    clock,
    timeoutMs,
    onSilence: () => void silences.push(clock.monotonic()),
  });
  return { clock, script, chunks, silences };
}

test('tells each time the time has passed', async () => {
  const { clock, script, chunks, silences } = watch(1000);
  const first = chunks.next();
  clock.advance(999);
  expect(silences).toEqual([]);
  clock.advance(1501);
  expect(silences).toEqual([1000, 2000]);
  script.push('one');
  expect(String((await first).value)).toBe('one');
  const end = chunks.next();
  script.end();
  expect((await end).done).toBe(true);
  expect(clock.pending).toBe(0);
  expect(script.returned).toBe(true);
});

test('counts from the last chunk on, and not while the reader is busy', async () => {
  const { clock, script, chunks, silences } = watch(1000);
  const first = chunks.next();
  clock.advance(900);
  script.push('one');
  await first;
  // The disk is slow.
  clock.advance(5000);
  expect(silences).toEqual([]);
  const second = chunks.next();
  clock.advance(999);
  expect(silences).toEqual([]);
  clock.advance(1);
  expect(silences).toEqual([6900]);
  script.push('two');
  await second;
  await chunks.return(undefined);
  expect(script.returned).toBe(true);
  expect(clock.pending).toBe(0);
});

test('0 waits for ever', async () => {
  const { clock, script, chunks, silences } = watch(0);
  const first = chunks.next();
  clock.advance(1e9);
  script.push('one');
  await first;
  expect(silences).toEqual([]);
});

test('what is no data does not end the silence', async () => {
  const clock = new ManualClock();
  const script = new Script();
  const silences: number[] = [];
  let packets = 0;
  const chunks = watchSilence(script, {
    clock,
    timeoutMs: 1000,
    found: () => packets,
    onSilence: () => void silences.push(clock.monotonic()),
  });
  const give = async (text: string, waitedMs: number): Promise<void> => {
    const next = chunks.next();
    clock.advance(waitedMs);
    script.push(text);
    await next;
  };
  await give('garbage', 600);
  // The reader's own time is no silence.
  clock.advance(5000);
  await give('garbage', 399);
  expect(silences).toEqual([]);
  await give('packets', 1);
  expect(silences).toEqual([6000]);
  packets++;
  await give('garbage', 999);
  expect(silences).toHaveLength(1);
  await give('garbage', 1);
  expect(silences).toEqual([6000, 7000]);
  await chunks.return(undefined);
});
