import { deadline, namedKeys, openChannel, reduce, sessionProgress } from './channel/reduce.js';

/** The channel's pure decisions, as the worker uses them; tests put a small one in their place. */
export interface ChannelLogic {
  openChannel: typeof openChannel;
  reduce: typeof reduce;
  deadline: typeof deadline;
  namedKeys: typeof namedKeys;
  sessionProgress: typeof sessionProgress;
}

export const channelLogic: ChannelLogic = { openChannel, reduce, deadline, namedKeys, sessionProgress };
