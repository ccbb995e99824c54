import { errorText, type Logger } from '@hls-uplink/runtime';
import type { ObjectStore } from '@hls-uplink/store';
import type { ChannelSettings } from './channel/state.js';
import { findOrphans } from './orphans.js';
import type { SteadyClock } from './steady-clock.js';

const SWEEP_MS = 6 * 60 * 60 * 1000;

export interface SweepOptions {
  store: ObjectStore;
  settings: Pick<ChannelSettings, 'channel' | 'retention'>;
  clock: SteadyClock;
  logger: Logger;
  signal: AbortSignal;
  /** Keys that are not to go. */
  named: () => Set<string>;
  remove: (keys: string[]) => void;
}

/** Looks for what crashes left of one channel, and removes it. */
export class Sweep {
  #sweptMs = -Infinity;

  constructor(private readonly options: SweepOptions) {}

  /** To be called after an own playlist write; looks at most every six hours. */
  async run(): Promise<void> {
    const { store, settings, clock, logger, signal, named, remove } = this.options;
    const { channel, retention } = settings;
    if (retention === 'keep' || !store.capabilities.list) return;
    if (clock.at() - this.#sweptMs < SWEEP_MS) return;
    this.#sweptMs = clock.at();
    try {
      const orphans = await findOrphans(store, channel, named(), signal, retention);
      // Named meanwhile: a segment that was announced again after long.
      const now = named();
      const keys = orphans.filter((key) => !now.has(key));
      if (keys.length === 0) return;
      logger.info('objects that nothing names are deleted', { keys: keys.length });
      remove(keys);
    } catch (error) {
      if (signal.aborted) return;
      logger.warn('left-over objects could not be looked for', { error: errorText(error) });
    }
  }
}
