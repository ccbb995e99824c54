import type { Clock } from '@hls-uplink/runtime';
import { StoreError } from '@hls-uplink/store';

/**
 * Runs an operation on a store, aborted by `signal`, or after `ms`: then it fails as retryable.
 * @param doing for the message: `put live/index.m3u8`
 */
export async function timed<T>(
  { clock, ms, signal, doing }: { clock: Clock; ms: number; signal: AbortSignal; doing: string },
  operation: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  // Not AbortSignal.any: what that makes lives as long as `signal` when anything still listens to it.
  const own = new AbortController();
  const abort = (): void => own.abort(signal.reason);
  let isLate = false;
  const cancel = clock.after(ms, () => {
    isLate = true;
    own.abort();
  });
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await operation(own.signal);
  } catch (error) {
    if (!isLate || signal.aborted) throw error;
    throw new StoreError('unreachable', `${doing}: not done after ${Math.round(ms / 1000)} s`, {
      cause: error,
    });
  } finally {
    cancel();
    signal.removeEventListener('abort', abort);
  }
}
