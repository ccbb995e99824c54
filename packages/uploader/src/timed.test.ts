import { describe, expect, test } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ManualClock, systemClock } from '@hls-uplink/runtime';
import { timed } from './timed.js';
import { until } from './until.test.helper.js';

const clock = systemClock;
const doing = 'put a';

describe('timed', () => {
  test('gives up after its time, as what may pass', async () => {
    const manual = new ManualClock();
    const { signal } = new AbortController();
    const hangs = timed({ clock: manual, ms: 5000, signal, doing }, (aborted) => {
      return new Promise((_, reject) =>
        aborted.addEventListener('abort', () => reject(new Error('aborted'))),
      );
    });
    manual.advance(5000);
    await expect(hangs).rejects.toMatchObject({ code: 'unreachable', message: 'put a: not done after 5 s' });
    expect(manual.pending).toBe(0);
  });

  test('hands the abort on, with what was thrown', async () => {
    const stop = new AbortController();
    const hangs = timed({ clock, ms: 5000, signal: stop.signal, doing }, (aborted) => {
      return new Promise((_, reject) =>
        aborted.addEventListener('abort', () => reject(new Error('stopped'))),
      );
    });
    stop.abort();
    await expect(hangs).rejects.toThrow('stopped');
    const late = timed({ clock, ms: 5000, signal: stop.signal, doing }, ({ aborted }) =>
      Promise.resolve(aborted),
    );
    expect(await late).toBe(true);
  });

  test('what is done leaves nothing behind, whoever still listens to its signal', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const { signal } = new AbortController();
    const left: WeakRef<AbortSignal>[] = [];
    for (let count = 0; count < 20; count++) {
      await timed({ clock, ms: 5000, signal, doing }, (own) => {
        own.addEventListener('abort', () => undefined);
        left.push(new WeakRef(own));
        return Promise.resolve();
      });
    }
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    await until('the signals to be collected', () => {
      collect();
      return left.every((one) => one.deref() === undefined);
    });
  });
});
