import type { Clock } from '@hls-uplink/runtime';

export interface SilenceOptions {
  clock: Clock;
  /** Longest wait for the next data; 0: for ever. */
  timeoutMs: number;
  /** Rises whenever what was handed on had data in it; left out: each chunk is data. */
  found?: () => number;
  /** Called when it has passed, and again each time it passes. */
  onSilence: () => void;
}

/**
 * Hands on what `input` gives, and tells when it gives no data for too long. Time that the reader takes does not count.
 * One timer runs, and is not set anew for each chunk.
 */
export async function* watchSilence(
  input: AsyncIterable<Uint8Array>,
  { clock, timeoutMs, found, onSilence }: SilenceOptions,
): AsyncGenerator<Uint8Array> {
  if (timeoutMs <= 0) {
    yield* input;
    return;
  }
  let waitingSince: number | undefined;
  /** Waited before that, for what was no data. */
  let waitedMs = 0;
  let before = found?.();
  const look = (): void => {
    const silent = waitedMs + (waitingSince === undefined ? 0 : clock.monotonic() - waitingSince);
    if (silent >= timeoutMs) {
      waitedMs = 0;
      if (waitingSince !== undefined) waitingSince = clock.monotonic();
      onSilence();
    }
    cancel = clock.after(silent >= timeoutMs ? timeoutMs : timeoutMs - silent, look);
  };
  let cancel = clock.after(timeoutMs, look);
  const iterator = input[Symbol.asyncIterator]();
  try {
    for (;;) {
      waitingSince = clock.monotonic();
      const result = await iterator.next();
      waitedMs += clock.monotonic() - waitingSince;
      waitingSince = undefined;
      if (result.done) return;
      if (!found) waitedMs = 0;
      yield result.value;
      const now = found?.();
      if (now !== before) waitedMs = 0;
      before = now;
    }
  } finally {
    cancel();
    await iterator.return?.();
  }
}
