import { errorText, type Logger } from '@hls-uplink/runtime';
import type { ChannelState } from './channel/state.js';
import type { Journal } from './journal.js';

/**
 * Keeps in the journal whether one channel is live, when there is a `--away-timeout`: else, started anew after its
 * sources went for good, the uploader would not know of it and never end it.
 */
export class LiveMark {
  #writing = false;

  constructor(
    private readonly channel: string,
    private readonly journal: Journal,
    private readonly logger: Logger,
  ) {}

  /** To be called after each event; what could not be written is tried again with the next. */
  update(state: ChannelState): void {
    if (state.phase === 'opening' || this.#writing) return;
    const isLive = state.settings.awayTimeoutMs !== undefined && isOpenEnded(state);
    if (isLive === this.journal.live.has(this.channel)) return;
    this.#writing = true;
    this.journal
      .setLive(this.channel, isLive)
      .catch((error: unknown) => {
        this.logger.debug('the journal does not say yet whether the channel is live', {
          error: errorText(error),
        });
      })
      .finally(() => (this.#writing = false));
  }
}

/** Viewers have playlists of it without ENDLIST. */
function isOpenEnded({ phase, renditions }: ChannelState): boolean {
  const isEnding =
    phase === 'ended' && Object.values(renditions).some((one) => one.endList && !one.storedEnd);
  return phase === 'live' || isEnding;
}
