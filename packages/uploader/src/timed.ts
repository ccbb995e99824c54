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
  const timeout = new AbortController();
  const cancel = clock.after(ms, () => timeout.abort());
  try {
    return await operation(AbortSignal.any([signal, timeout.signal]));
  } catch (error) {
    if (!timeout.signal.aborted || signal.aborted) throw error;
    throw new StoreError('unreachable', `${doing}: not done after ${Math.round(ms / 1000)} s`, {
      cause: error,
    });
  } finally {
    cancel();
  }
}
