import { breaksBefore } from './discontinuity.js';
import { lose, upload } from './item.js';
import { hasVideo, lostAt } from './rendition.js';
import { hasLeft } from './source.js';
import { mayCome } from './spare.js';
import type { ChannelState, Item, RenditionState, Slot, Turn } from './state.js';
import { CHANNEL_HOLE_90K, inSlot, positionOf, slotOf } from './timeline.js';

/** The others on the same timeline that list or bring anything in this life. */
export function siblings(state: ChannelState, rendition: RenditionState): RenditionState[] {
  return Object.values(state.renditions).filter(
    (other) =>
      other.name !== rendition.name &&
      !other.alone &&
      (other.tail >= state.firstNumber || other.queue.length > 0),
  );
}

/** Those whose segments say how much there is of a slot: sound, which is cut at other instants, does not of pictures. */
function rivals(state: ChannelState, rendition: RenditionState): RenditionState[] {
  return siblings(state, rendition).filter((other) => !hasVideo(rendition) || hasVideo(other));
}

/** A sibling's stored version lists the slot. */
export function isPublished(state: ChannelState, rendition: RenditionState, { number }: Slot): boolean {
  if (number === undefined) return false;
  return siblings(state, rendition).some(
    (other) => other.tail >= state.firstNumber && other.storedTail >= number,
  );
}

/**
 * How much of a slot a rendition has, in its queue or its playlist: undefined when nothing, or when it is lost there. What
 * has left its window is taken for all of the slot.
 */
export function holding(
  rendition: RenditionState,
  slot: Slot,
): { start: number; end: number; whole: boolean } | undefined {
  const item = inSlot(rendition.queue.items, slot);
  if (item && item.state !== 'lost')
    return { start: item.start, end: item.end, whole: item.fromStart && item.toCut };
  if (slot.number !== undefined && slot.number < (rendition.entries[0]?.number ?? rendition.tail + 1))
    return { start: slot.start, end: slot.end, whole: true };
  const listed = inSlot(rendition.entries, slot);
  const entry = listed?.gap === false ? listed : undefined;
  return (
    entry && { start: entry.start, end: entry.end, whole: entry.end >= slot.end && entry.start <= slot.start }
  );
}

/** No sibling can bring more of the slot. */
export function isKnown(state: ChannelState, rendition: RenditionState, slot: Slot): boolean {
  return siblings(state, rendition).every(
    (other) =>
      inSlot(other.queue.items, slot) !== undefined ||
      isPast(state, other, slot) ||
      hasLeft(state, other.name),
  );
}

/** It lists the slot, or has later ones already. */
export function isPast(state: ChannelState, rendition: RenditionState, slot: Slot): boolean {
  if (slot.number !== undefined && slot.number <= rendition.tail) return true;
  const last = rendition.queue.last;
  const lastSlot = last && slotOf(state, last);
  return lastSlot !== undefined && positionOf(state, lastSlot) > positionOf(state, slot);
}

/** Whether a segment that may be partial is published, waits, or is dropped (DESIGN.md, "Whole and partial"); as it is then. */
export function decidePartial(turn: Turn, rendition: RenditionState, slot: Slot, item: Item): Item {
  const { state, at } = turn;
  const longer = longerThan(state, rendition, slot, item);
  const { begins, stops } = bounds(state, rendition, slot, item);
  const known = isKnown(state, rendition, slot);
  const overdue = at >= lostAt(state, rendition);
  if (!overdue && mayCome(state, rendition, slot, at)) return item;
  const fits = (item.fromStart || begins) && (item.toCut || stops);
  // A sibling lists more of it, if only as a gap.
  const short = slot.number !== undefined && leavesHole(state, rendition, slot, item);
  if ((fits && known) || (longer.length === 0 && !short && (known || overdue))) {
    return upload(turn, rendition, item);
  }
  if (short || longer.some((held) => held.whole) || (longer.length > 0 && overdue)) {
    return lose(turn, rendition, item, 'partial');
  }
  return item;
}

/** What siblings have of the slot that is longer. */
function longerThan(
  state: ChannelState,
  rendition: RenditionState,
  slot: Slot,
  { start, end }: Item,
): NonNullable<ReturnType<typeof holding>>[] {
  return rivals(state, rendition)
    .map((other) => holding(other, slot))
    .filter((held) => held !== undefined)
    .filter((held) => held.end - held.start > end - start + rendition.frame);
}

/** It is partial, and not the most there is of the slot. */
export function isLess(state: ChannelState, rendition: RenditionState, slot: Slot, item: Item): boolean {
  if (item.fromStart && item.toCut) return false;
  return leavesHole(state, rendition, slot, item) || longerThan(state, rendition, slot, item).length > 0;
}

/** The channel begins with the slot, or stops where the item does, as far as that is known. */
function bounds(
  state: ChannelState,
  rendition: RenditionState,
  slot: Slot,
  item: Item,
): { begins: boolean; stops: boolean } {
  const sound = !hasVideo(rendition);
  const next = state.slots.slice(positionOf(state, slot) + 1).find(({ video }) => sound || video);
  const all = Object.values(state.renditions).filter((one) => sound || hasVideo(one));
  const stops = next ? breaksBefore(state, next) : all.every(({ name }) => hasLeft(state, name));
  return { begins: breaksBefore(state, slot), stops: stops && !goesOn(state, rendition, slot, item) };
}

/** A sibling's segment went on to its cut, so far behind the item that what comes after could not follow it. */
function goesOn(state: ChannelState, rendition: RenditionState, slot: Slot, { end }: Item): boolean {
  return rivals(state, rendition).some(({ queue, entries }) => {
    const item = inSlot(queue.items, slot);
    const one = item && item.state !== 'lost' ? item : inSlot(entries, slot);
    return one?.toCut === true && one.end - end > CHANNEL_HOLE_90K;
  });
}

/**
 * It is partial, and leaves a hole in a slot that is longer now. Sound is not measured by pictures, it is cut up to a slot away; pictures
 * that go nearly as far as sound leave none that a gap could not bridge.
 */
export function leavesHole(state: ChannelState, rendition: RenditionState, slot: Slot, item: Item): boolean {
  if (item.fromStart && item.toCut) return false;
  const sound = !hasVideo(rendition);
  if (slot.video && sound) return false;
  const isMixed = !slot.video && !sound;
  const { begins, stops } = bounds(state, rendition, slot, item);
  const { frame } = rendition;
  const isLate = item.start - slot.start > frame && !(isMixed && item.fromStart);
  const isShort = slot.end - item.end > (isMixed ? CHANNEL_HOLE_90K : frame);
  return (isLate && !begins) || (isShort && !stops);
}
