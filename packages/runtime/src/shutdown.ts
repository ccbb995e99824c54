import { constants } from 'node:os';

export type ShutdownSignalName = 'SIGTERM' | 'SIGINT';

/** Why the process was asked to stop; the reason of the abort signal. */
export class ShutdownError extends Error {
  override readonly name = 'ShutdownError';
  readonly code = 'shutdown';

  constructor(readonly signalName: ShutdownSignalName) {
    super(`stopped by ${signalName}`);
  }
}

export interface Shutdown {
  /** Aborted, with a `ShutdownError`, by the first signal. */
  readonly signal: AbortSignal;
  /** Listens no longer: the next signal kills as by default. */
  dispose(): void;
}

/** What of `process` a shutdown needs. */
export interface SignalSource {
  on(signal: ShutdownSignalName, listener: () => void): unknown;
  off(signal: ShutdownSignalName, listener: () => void): unknown;
  exit(code: number): void;
}

/**
 * The first SIGTERM or SIGINT asks politely: the returned signal is aborted, and the process has its time to drain.
 * The second one, of either kind, exits at once with 128 + its number, as shells report it.
 */
export function onShutdown(source: SignalSource = process): Shutdown {
  const controller = new AbortController();
  const listeners = (['SIGTERM', 'SIGINT'] as const).map((name) => {
    const listener = (): void => {
      if (controller.signal.aborted) source.exit(128 + constants.signals[name]);
      else controller.abort(new ShutdownError(name));
    };
    source.on(name, listener);
    return { name, listener };
  });
  return {
    signal: controller.signal,
    dispose() {
      for (const { name, listener } of listeners) source.off(name, listener);
    },
  };
}

/** Which signal aborted it, if one did. */
export function shutdownSignalOf(signal: AbortSignal): ShutdownSignalName | undefined {
  const reason: unknown = signal.reason;
  return reason instanceof ShutdownError ? reason.signalName : undefined;
}
