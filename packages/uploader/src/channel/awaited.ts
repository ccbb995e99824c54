import { renditionOf } from './rendition.js';
import { answer } from './source.js';
import type { ChannelState, Item, RenditionState, SourceState, Turn } from './state.js';
import { inSlot, measureSlot, positionOf, slotOf } from './timeline.js';

/** The connection is gone over which the bytes were to come: as if nothing had been announced, for it will be again. */
export function forgetAwaited(state: ChannelState, session: string): void {
  const source = state.sources[session];
  if (source) takeAwaited(state, source);
}

/** Nothing more of this session is taken. */
export function dropAwaited(turn: Turn, source: SourceState): void {
  for (const { id } of takeAwaited(turn.state, source)) answer(turn, id, { type: 'dropped', code: 'late' });
}

function takeAwaited(state: ChannelState, source: SourceState): Item[] {
  delete source.told;
  const { session } = source.facts;
  const rendition = renditionOf(state, session);
  if (!rendition) return [];
  const awaited = rendition.queue.items.filter(
    (item) => item.state === 'awaiting' && item.id.session === session,
  );
  for (const item of awaited) leaveSlot(state, rendition, item);
  return awaited;
}

/** A slot that nobody else is in is none, unless it has its number. */
export function leaveSlot(state: ChannelState, rendition: RenditionState, item: Item): void {
  const slot = slotOf(state, item);
  rendition.queue = rendition.queue.without(item.id);
  if (!slot || slot.number !== undefined) return;
  const isShared = Object.values(state.renditions).some((one) => inSlot(one.queue.items, slot));
  if (isShared) measureSlot(state, slot);
  else state.slots.splice(positionOf(state, slot), 1);
}
