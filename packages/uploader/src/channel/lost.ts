import { fitsTargetDuration } from '@hls-uplink/hls';
import { leaveAlignment, listNextAlone, overtakenBy } from './alone.js';
import { appendSlotGap, distance } from './entry.js';
import { lose } from './item.js';
import { whyMisaligned } from './misfit.js';
import { clockKnownAt } from './parallel.js';
import { hasOvertaken } from './pending.js';
import { holding, isKnown, isPublished, siblings } from './partial.js';
import { hasSkipped, lostAt } from './rendition.js';
import { answer } from './source.js';
import { hasGone, isSilent, mayCome } from './spare.js';
import type { ChannelState, Item, RenditionState, Slot, Turn } from './state.js';
import { TICKS_PER_SECOND } from './ticks.js';
import { CHANNEL_HOLE_90K, inSlot, nextSlot, positionOf } from './timeline.js';

/** When time alone decides what is next for this rendition, milliseconds since 1970. */
export function waitsUntil(state: ChannelState, rendition: RenditionState): number | undefined {
  if (rendition.alone) {
    const overtaken = overtakenBy(state, rendition) >= state.target! * TICKS_PER_SECOND;
    return overtaken ? lostAt(state, rendition) : undefined;
  }
  const slot = nextSlot(state, rendition);
  if (!slot) return undefined;
  const item = inSlot(rendition.queue.items, slot);
  if (item?.state === 'stored') return clockKnownAt(state, rendition, slot);
  const open = item
    ? item.state === 'awaiting' || item.state === 'undecided' || item.state === 'lost'
    : rendition.queue.length > 0 || isPublished(state, rendition, slot);
  return open ? lostAt(state, rendition) : undefined;
}

/** A gap for what was announced and lost; nothing before the first entry, nor where it would be too long. */
export function listLost(turn: Turn, rendition: RenditionState, slot: Slot, item: Item): boolean {
  const { state, at } = turn;
  // How long the slot is, who has it may know better than who lost it.
  const open = slot.number === undefined && !isKnown(state, rendition, slot);
  const awaited = open || mayCome(state, rendition, slot, at);
  if (awaited && at < lostAt(state, rendition)) return false;
  const first = rendition.tail < state.firstNumber;
  const tooLong = !fitsTargetDuration(slot.end - slot.start, state.targetDuration!);
  if (!first && !tooLong) return listGap(turn, rendition, slot);
  const isGone = forget(turn, rendition, slot, item, first ? 'partial' : 'too-long');
  return isGone || first || listGap(turn, rendition, slot);
}

/** It leaves no gap. @returns whether the slot, which nobody else has anything of, has gone with it */
export function forget(
  turn: Turn,
  rendition: RenditionState,
  slot: Slot,
  item: Item,
  code: 'partial' | 'too-long',
): boolean {
  const { state } = turn;
  rendition.queue = rendition.queue.without(item.id);
  if (!item.answered) answer(turn, item.id, { type: 'dropped', code });
  const isShared = siblings(state, rendition).some((other) => inSlot(other.queue.items, slot));
  const isGone = slot.number === undefined && !isShared;
  if (isGone) state.slots.splice(positionOf(state, slot), 1);
  return isGone;
}

/**
 * Its bytes are not here: it is lost as if nothing of it were, but after a skip, for what a skip has left comes in one version,
 * and what does not come in time is skipped in its turn.
 */
export function listAwaited(turn: Turn, rendition: RenditionState, slot: Slot, item: Item): boolean {
  const { state, at } = turn;
  if (hasSkipped(state, rendition) || !isPublished(state, rendition, slot)) return false;
  if (at < lostAt(state, rendition)) return false;
  return listLost(turn, rendition, slot, lose(turn, rendition, item, 'late'));
}

/** Nothing of this rendition is there for the slot: is it lost? */
export function listMissing(turn: Turn, rendition: RenditionState, slot: Slot): boolean {
  const { state, at } = turn;
  const published = isPublished(state, rendition, slot);
  const next = rendition.queue.first;
  if (next) {
    const last = rendition.entries.at(-1);
    if (
      last &&
      !last.gap &&
      last.epoch === next.epoch &&
      Math.abs(next.start - last.end) <= rendition.frame
    ) {
      leaveAlignment(turn, rendition, whyMisaligned(state, rendition));
      return listNextAlone(turn, rendition);
    }
    const covered = siblings(state, rendition).some((other) => holding(other, slot)?.whole);
    // A gap gives no number while a sibling may yet bring what stands before.
    const open = slot.number === undefined && !isKnown(state, rendition, slot);
    const awaited =
      open ||
      (!published && !covered) ||
      hasOvertaken(state, rendition, next) ||
      mayCome(state, rendition, slot, at);
    if (awaited && at < lostAt(state, rendition)) return false;
  } else {
    if (!published) return false;
    if (!rendition.away && !hasGone(state, rendition, at)) {
      if (at < lostAt(state, rendition)) return false;
      rendition.away = isSilent(state, rendition, at);
    }
  }
  return listGap(turn, rendition, slot);
}

/** A gap for the slot, unless the rendition's boundaries are its own: what is partial leaves holes, too. */
export function listGap(turn: Turn, rendition: RenditionState, slot: Slot): boolean {
  const { state } = turn;
  const ticks = distance(state, rendition, slot);
  const why = whyMisaligned(state, rendition);
  if (ticks < -CHANNEL_HOLE_90K || (ticks > CHANNEL_HOLE_90K && (rendition.beside > 0 || why === 'gop'))) {
    leaveAlignment(turn, rendition, why);
    return listNextAlone(turn, rendition);
  }
  appendSlotGap(turn, rendition, slot);
  return true;
}
