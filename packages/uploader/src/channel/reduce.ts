import type { ChannelEvent, Effect } from './event.js';
import type { ChannelSettings, ChannelState } from './state.js';

export interface Reduction {
  state: ChannelState;
  effects: Effect[];
}

export function openChannel(_settings: ChannelSettings): ChannelState {
  throw new Error('being written');
}

export function reduce(_state: ChannelState, _event: ChannelEvent): Reduction {
  throw new Error('being written');
}

/** When the next `tick` is due, milliseconds since 1970, or undefined when only an event can change anything. */
export function deadline(_state: ChannelState): number | undefined {
  throw new Error('being written');
}

/** Every object key that a playlist, the state line or a waiting segment names; the sweep of orphans spares them. */
export function namedKeys(_state: ChannelState): Set<string> {
  throw new Error('being written');
}

/** Of this session: what `welcome` says. */
export function sessionProgress(
  _state: ChannelState,
  _session: string,
): { settled?: number; accepted: number[] } {
  throw new Error('being written');
}
