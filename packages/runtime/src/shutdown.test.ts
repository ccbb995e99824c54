import { EventEmitter } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { onShutdown, ShutdownError, shutdownSignalOf, type ShutdownSignalName } from './shutdown.js';

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

describe('onShutdown', () => {
  test.each<[ShutdownSignalName, ShutdownSignalName, number]>([
    ['SIGTERM', 'SIGTERM', 143],
    ['SIGINT', 'SIGINT', 130],
    ['SIGINT', 'SIGTERM', 143],
  ])('%s aborts, %s after it exits with %i', (first, second, code) => {
    const source = new FakeProcess();
    const { signal } = onShutdown(source);
    expect(signal.aborted).toBe(false);
    expect(shutdownSignalOf(signal)).toBeUndefined();
    source.emit(first);
    expect(signal.reason).toBeInstanceOf(ShutdownError);
    expect(signal.reason).toMatchObject({ code: 'shutdown', message: `stopped by ${first}` });
    expect(shutdownSignalOf(signal)).toBe(first);
    expect(source.exits).toEqual([]);
    source.emit(second);
    expect(source.exits).toEqual([code]);
  });

  test('dispose takes the listeners away', () => {
    const source = new FakeProcess();
    const shutdown = onShutdown(source);
    shutdown.dispose();
    expect(source.eventNames()).toEqual([]);
  });

  test('another reason is no signal', () => {
    expect(shutdownSignalOf(AbortSignal.abort())).toBeUndefined();
  });
});
