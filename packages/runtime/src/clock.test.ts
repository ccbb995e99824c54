import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { sleep, systemClock } from './clock.js';
import { ManualClock } from './manual-clock.js';

describe('ManualClock', () => {
  test('calls what falls due in order, each at its time', () => {
    const clock = new ManualClock(1000);
    const calls: [string, number, number][] = [];
    const call = (name: string) => (): void => void calls.push([name, clock.monotonic(), clock.now()]);
    clock.after(20, call('b'));
    clock.after(10, call('a'));
    clock.after(20, call('c'));
    const cancel = clock.after(15, call('never'));
    clock.after(5, () => clock.after(10, call('from a callback')));
    cancel();
    expect(clock.pending).toBe(4);
    clock.advance(19);
    expect(calls).toEqual([
      ['a', 10, 1010],
      ['from a callback', 15, 1015],
    ]);
    clock.advance(1);
    expect(calls.slice(2)).toEqual([
      ['b', 20, 1020],
      ['c', 20, 1020],
    ]);
    expect([clock.monotonic(), clock.now(), clock.pending]).toEqual([20, 1020, 0]);
  });

  test('a step moves the wall clock alone', () => {
    const clock = new ManualClock(5000);
    clock.step(-3000);
    expect([clock.now(), clock.monotonic()]).toEqual([2000, 0]);
  });
});

describe('systemClock', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  test('waits longer than a timer of Node can, and not when that is cancelled', () => {
    const day = 24 * 3600 * 1000;
    jest.useFakeTimers();
    const calls: string[] = [];
    systemClock.after(60 * day, () => calls.push('60 days'));
    const cancel = systemClock.after(60 * day, () => calls.push('cancelled'));
    jest.advanceTimersByTime(59 * day);
    expect(calls).toEqual([]);
    cancel();
    jest.advanceTimersByTime(day);
    expect(calls).toEqual(['60 days']);
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('sleep', () => {
  test('ends when the time has passed', async () => {
    const clock = new ManualClock();
    let awake = false;
    const sleeping = sleep(clock, 100).then(() => (awake = true));
    clock.advance(99);
    await Promise.resolve();
    expect(awake).toBe(false);
    clock.advance(1);
    await sleeping;
    expect(awake).toBe(true);
  });

  test('ends at once, and leaves no timer, when the signal is aborted', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const sleeping = sleep(clock, 1e9, controller.signal);
    controller.abort();
    await sleeping;
    await sleep(clock, 1e9, controller.signal);
    expect(clock.pending).toBe(0);
  });

  test('with the clock of the system', async () => {
    const before = systemClock.monotonic();
    await sleep(systemClock, 5);
    // Node's timers may be a millisecond early.
    expect(systemClock.monotonic() - before).toBeGreaterThanOrEqual(4);
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000);
    systemClock.after(0, () => {
      throw new Error('was cancelled');
    })();
  });
});
