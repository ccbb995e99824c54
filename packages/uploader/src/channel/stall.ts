import type { ChannelState, Turn } from './state.js';

/** So long without any delivery, in target durations, a playlist may stay as it is (HLS-RULES 5). */
const STALLED_TARGETS = 1.5;
/** A source that is away is waited for so long in any case (DESIGN.md, "Leave and end are different"). */
const WAITED_TARGETS = 3;

const targetMs = (state: ChannelState): number => 1000 * (state.targetDuration ?? 0);

/** Nobody could deliver before the uploader began, nor while it took nothing in: from there it is counted anew. */
const silentSince = ({ deliveredMs, openedMs, heldUpMs }: ChannelState): number =>
  Math.max(deliveredMs, openedMs, heldUpMs);

/** When the channel is stalled unless a source delivers, milliseconds; undefined when it is or cannot be. */
export function stallAt(state: ChannelState): number | undefined {
  if (state.phase !== 'live' || state.stalledSinceMs !== undefined) return undefined;
  return silentSince(state) + STALLED_TARGETS * targetMs(state);
}

/** When the stream ends unless a source delivers (`--away-timeout`), milliseconds; undefined: never. */
export function awayEndAt(state: ChannelState): number | undefined {
  const { awayTimeoutMs } = state.settings;
  if (state.phase !== 'live' || awayTimeoutMs === undefined) return undefined;
  return silentSince(state) + Math.max(awayTimeoutMs, WAITED_TARGETS * targetMs(state));
}

/** Notes that no source of a live channel delivers any more; `unstall` takes it back. */
export function stall({ state, at, effects }: Turn): void {
  if (at < (stallAt(state) ?? Infinity)) return;
  state.stalledSinceMs = silentSince(state);
  effects.push({
    type: 'report',
    level: 'warn',
    message: 'no source of the channel delivers: it is stalled',
    fields: { since: new Date(state.stalledSinceMs).toISOString() },
  });
}

/** A source has delivered. */
export function unstall({ state, at, effects }: Turn): void {
  if (state.stalledSinceMs === undefined) return;
  effects.push({
    type: 'report',
    level: 'info',
    message: 'a source of the channel delivers again',
    fields: { seconds: Math.round((at - state.stalledSinceMs) / 1000) },
  });
  delete state.stalledSinceMs;
}
