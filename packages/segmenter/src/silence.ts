import type { Clock } from '@hls-uplink/runtime';

export interface SilenceOptions {
  clock: Clock;
  /** Longest wait for the next chunk; 0: for ever. */
  timeoutMs: number;
  /** Called when it has passed, and again each time it passes. */
  onSilence: () => void;
}

/**
 * Hands on what `input` gives, and tells when it gives nothing for too long. Time that the reader takes does not count.
 * One timer runs, and is not set anew for each chunk.
 */
export async function* watchSilence(
  input: AsyncIterable<Uint8Array>,
  { clock, timeoutMs, onSilence }: SilenceOptions,
): AsyncGenerator<Uint8Array> {
  if (timeoutMs <= 0) {
    yield* input;
    return;
  }
  let waitingSince: number | undefined;
  const look = (): void => {
    const silent = waitingSince === undefined ? 0 : clock.monotonic() - waitingSince;
    if (silent >= timeoutMs) {
      waitingSince = clock.monotonic();
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
      waitingSince = undefined;
      if (result.done) return;
      yield result.value;
    }
  } finally {
    cancel();
    await iterator.return?.();
  }
}
