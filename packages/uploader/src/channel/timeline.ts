import { dateOf, epochOf } from './epoch.js';
import { hasVideo } from './rendition.js';
import type { ChannelState, Epoch, Item, RenditionState, Slot } from './state.js';
import { placeOf, TICKS_PER_MS, TICKS_PER_SECOND } from './ticks.js';

/** Pictures further apart than this have a hole between them that no rendition covers. */
export const CHANNEL_HOLE_90K = TICKS_PER_SECOND / 2;
/** Slots behind every rendition's tail that are kept for late announcements. */
const KEPT_SLOTS = 32;
/** Epochs that are remembered, so that what comes late from one is not taken for a new clock. */
const KEPT_EPOCHS = 16;

/** Where on the channel's clocks an announcement lies, unwrapped ticks. */
export interface Position {
  epoch: number;
  start: number;
  end: number;
  /** Starts where the source's last announcement ended. */
  contiguous: boolean;
}

/** What the rendition lists last goes beyond the start of this. */
export function isBehind(
  state: ChannelState,
  rendition: RenditionState,
  { epoch, start }: Position,
): boolean {
  const tail = rendition.tail >= state.firstNumber ? rendition.entries.at(-1) : undefined;
  if (!tail || epoch > tail.epoch) return false;
  if (epoch < tail.epoch) return true;
  return tail.gap && !rendition.alone
    ? placeOf(start, state.target!) <= tail.place
    : start < tail.end - rendition.frame;
}

type Place = Pick<Slot, 'epoch' | 'place'>;

function compare(a: Place & { start: number }, b: Place & { start: number }): number {
  return a.epoch - b.epoch || a.place - b.place || a.start - b.start;
}

/** Index of the first for which it holds, in a list whose later ones it holds for as well. */
export function firstIndex<T>(list: readonly T[], holds: (one: T) => boolean): number {
  let from = 0;
  let to = list.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (holds(list[middle]!)) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** Those of a list in the order of the timeline that have this place. */
function inPlace<T extends Place>(list: readonly T[], { epoch, place }: Place): T[] {
  const order = (one: Place): number => one.epoch - epoch || one.place - place;
  const from = firstIndex(list, (one) => order(one) >= 0);
  const to = firstIndex(list, (one) => order(one) > 0);
  return list.slice(from, to);
}

/** The slot of a queued segment; none in a rendition that counts alone. */
export function slotOf(state: ChannelState, item: Item): Slot | undefined {
  return inPlace(state.slots, item).find(({ id }) => id === item.slot);
}

/** What the rendition has queued, or listed, for a slot. */
export function inSlot<T extends Place & { slot?: number }>(list: readonly T[], slot: Slot): T | undefined {
  return inPlace(list, slot).find((one) => one.slot === slot.id);
}

/** Where the slot stands among the slots. */
export function positionOf(state: ChannelState, slot: Slot): number {
  return firstIndex(state.slots, (one) => compare(one, slot) >= 0);
}

/** The first slot above a media sequence number, numbered or not yet. */
export function slotAbove(state: ChannelState, number: number): Slot | undefined {
  return state.slots[firstIndex(state.slots, (slot) => (slot.number ?? Infinity) > number)];
}

/**
 * The slot a segment of this rendition belongs to, made when it is new; one that the rendition has filled already when
 * the segment is no second one in its place (a forced cut's); undefined when its place has gone by: later slots have
 * their numbers already, and which it had is not known.
 */
export function claimSlot(
  state: ChannelState,
  rendition: RenditionState,
  { epoch, start, end }: Position,
): Slot | undefined {
  const place = placeOf(start, state.target!);
  const own = [
    ...inPlace(rendition.queue.items, { epoch, place }),
    ...inPlace(rendition.entries, { epoch, place }),
  ];
  const here = inPlace(state.slots, { epoch, place });
  const taken = here.filter((slot) => own.some((one) => one.slot === slot.id));
  const second = own.some(
    (one) => taken.some(({ id }) => one.slot === id) && one.end <= start + rendition.frame,
  );
  const found =
    here.find((slot) => Math.abs(slot.start - start) <= rendition.frame) ??
    (taken.length === 0 ? (here.findLast((slot) => slot.start <= start) ?? here[0]) : undefined) ??
    (second ? undefined : taken.at(-1));
  if (found) return found;
  const video = hasVideo(rendition);
  const fresh: Slot = { id: state.nextSlotId, epoch, place, start, end, video, discontinuity: false };
  const at = positionOf(state, fresh);
  const [before, after] = [state.slots[at - 1], state.slots[at]];
  if (
    after?.number !== undefined &&
    !recall(fresh, before, after) &&
    !recallRecorded(state, rendition, fresh, before, after)
  )
    return undefined;
  state.nextSlotId++;
  state.slots.splice(at, 0, fresh);
  return fresh;
}

/**
 * Between two slots that have their numbers it has the one that stood there, when each place between them had one and none began a
 * discontinuity: nobody lists it any more, and a rendition that is not so far yet still may. False when that is not known.
 */
function recall(fresh: Slot, before: Slot | undefined, after: Slot): boolean {
  if (before?.number === undefined || before.epoch !== fresh.epoch || after.epoch !== fresh.epoch)
    return false;
  const isEven = after.number! - before.number === after.place - before.place;
  const sequence = after.discontinuitySequence! - (after.discontinuity ? 1 : 0);
  if (!isEven || before.discontinuitySequence !== sequence) return false;
  if (fresh.place <= before.place || fresh.place >= after.place) return false;
  fresh.number = before.number + fresh.place - before.place;
  fresh.discontinuitySequence = sequence;
  return true;
}

/** The dvr or event playlist of a rendition that was further on lists what stood there. */
function recallRecorded(
  state: ChannelState,
  { frame }: RenditionState,
  fresh: Slot,
  before: Slot | undefined,
  after: Slot,
): boolean {
  const { clock } = epochOf(state, fresh.epoch)!;
  const dateMs = dateOf(clock, fresh.start);
  for (const { alone, recordings } of Object.values(state.renditions)) {
    for (const recording of alone ? [] : Object.values(recordings)) {
      if (recording.life !== state.life) continue;
      const entry = recording.entries.dated(dateMs, frame / TICKS_PER_MS);
      if (!entry || entry.number <= (before?.number ?? -1) || entry.number >= after.number!) continue;
      const { number, discontinuity, sequence } = entry;
      Object.assign(fresh, {
        number,
        discontinuity,
        discontinuitySequence: sequence,
      } satisfies Partial<Slot>);
      return true;
    }
  }
  return false;
}

/** The slots around a place that has none. */
export function neighbours(
  state: ChannelState,
  { epoch, start }: Position,
): [Slot | undefined, Slot | undefined] {
  const here = { epoch, place: placeOf(start, state.target!), start };
  const at = firstIndex(state.slots, (slot) => compare(slot, here) > 0);
  return [state.slots[at - 1], state.slots[at]];
}

/**
 * Its place lies before the oldest slot that is known, or between two whose numbers do not follow each other: what stood
 * there has left every playlist.
 */
export function isForgotten(state: ChannelState, position: Position): boolean {
  const [before, after] = neighbours(state, position);
  return after?.number !== undefined && after.number > (before?.number ?? -Infinity) + 1;
}

/**
 * Until it has its number a slot is as long as the longest that is there of it, a picture's before sound's; what is lost
 * counts where nothing else is.
 */
export function measureSlot(state: ChannelState, slot: Slot): void {
  if (slot.number !== undefined) return;
  const rank = (item: Item, video: boolean): number[] => [
    +(item.state !== 'lost'),
    +video,
    item.end - item.start,
  ];
  let best: number[] | undefined;
  for (const rendition of Object.values(state.renditions)) {
    const item = inSlot(rendition.queue.items, slot);
    if (!item) continue;
    const video = hasVideo(rendition);
    const found = rank(item, video);
    const first = best && found.findIndex((value, i) => value !== best![i]);
    if (best && (first === -1 || found[first!]! < best[first!]!)) continue;
    best = found;
    Object.assign(slot, { start: item.start, end: item.end, video });
  }
}

/**
 * It has no number yet, and the slot before covers it, or what a sibling has there does, which may have come when that had its
 * number: a sibling has both in one, so what stands there is no second one.
 */
export function isOverlapped(state: ChannelState, position: number): boolean {
  const [previous, slot] = [state.slots[position - 1], state.slots[position]];
  if (!previous || !slot || slot.number !== undefined || previous.epoch !== slot.epoch) return false;
  const end = reach(state, previous);
  const least = Math.min(CHANNEL_HOLE_90K, (slot.end - slot.start) / 2);
  return end - slot.start > least && end > slot.end - CHANNEL_HOLE_90K;
}

/**
 * A segment for this slot goes on into the next one of the same place, which has its number: a sibling was interrupted there and
 * has listed both parts, so that it cannot be listed as either.
 */
export function spansParts(state: ChannelState, slot: Slot, end: number): boolean {
  const next = state.slots[positionOf(state, slot) + 1];
  return (
    next?.number !== undefined &&
    next.epoch === slot.epoch &&
    next.place === slot.place &&
    end - next.start > CHANNEL_HOLE_90K
  );
}

/** How far any rendition goes in a slot. */
function reach(state: ChannelState, slot: Slot): number {
  if (slot.number === undefined) return slot.end;
  const ends = Object.values(state.renditions).map(
    ({ queue, entries }) => (inSlot(queue.items, slot) ?? inSlot(entries, slot))?.end ?? 0,
  );
  return Math.max(slot.end, ...ends);
}

/** Without what every rendition has behind it; undefined when all of it stays. */
export function keptTimeline(state: ChannelState): Pick<ChannelState, 'slots' | 'epochs'> | undefined {
  const slots = keptSlots(state);
  const epochs = keptEpochs(state);
  return slots === state.slots && epochs === state.epochs ? undefined : { slots, epochs };
}

function keptSlots(state: ChannelState): Slot[] {
  if (state.slots.length <= KEPT_SLOTS) return state.slots;
  const tails = Object.values(state.renditions)
    .filter((rendition) => !rendition.alone && rendition.tail >= state.firstNumber)
    .map((rendition) => rendition.tail);
  const behind = state.slots.findIndex(
    (slot) => slot.number === undefined || slot.number >= Math.min(...tails),
  );
  const waiting = Object.values(state.renditions).flatMap(({ queue }) => {
    const slot = queue.first && slotOf(state, queue.first);
    return slot ? [positionOf(state, slot)] : [];
  });
  const first = Math.min(behind === -1 ? Infinity : behind, ...waiting, state.slots.length);
  return first > KEPT_SLOTS ? state.slots.slice(first - KEPT_SLOTS) : state.slots;
}

/** Renditions that count alone stay on old clocks while others begin new ones. */
function keptEpochs({ epochs, renditions, slots }: ChannelState): Epoch[] {
  if (epochs.length <= KEPT_EPOCHS) return epochs;
  const used = new Set(
    [slots, ...Object.values(renditions).flatMap(({ queue, entries }) => [queue.items, entries])].flatMap(
      (list) => list.map(({ epoch }) => epoch),
    ),
  );
  const newest = epochs.at(-KEPT_EPOCHS)!.id;
  const kept = epochs.filter(({ id }) => id >= newest || used.has(id));
  return kept.length < epochs.length ? kept : epochs;
}

/** The slot that the rendition's next entry is for. */
export function nextSlot(state: ChannelState, rendition: RenditionState): Slot | undefined {
  if (rendition.alone) return undefined;
  if (rendition.tail < state.firstNumber)
    return rendition.queue.first && slotOf(state, rendition.queue.first);
  return slotAbove(state, rendition.tail);
}
