import { lacksIFrames } from './i-frame-playlist.js';
import type { ChannelState } from './state.js';

/** The life has ended, and all that viewers have of it says so: each kind of playlist has its ENDLIST in the store. */
export function isClosed(state: ChannelState): boolean {
  if (state.phase !== 'ended') return false;
  return Object.values(state.renditions)
    .filter(({ endList }) => endList)
    .every((one) => {
      const recordings = Object.values(one.recordings).filter(({ life }) => life === state.life);
      return one.storedEnd && !lacksIFrames(state, one) && recordings.every(({ storedEnd }) => storedEnd);
    });
}
