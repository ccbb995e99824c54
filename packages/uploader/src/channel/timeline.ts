import { ptsDuration, type Gap, type Segment } from '@hls-uplink/protocol';
import type { ChannelClock, ChannelState, Epoch, Item, RenditionState, Slot, SourceState } from './state.js';
import { placeOf, TICKS_PER_MS, TICKS_PER_SECOND, unwrapNear } from './ticks.js';

/** Pictures further apart than this have a hole between them that no rendition covers. */
export const CHANNEL_HOLE_90K = TICKS_PER_SECOND / 2;
/** Slots behind every rendition's tail that are kept for late announcements. */
const KEPT_SLOTS = 32;
/** Epochs that are remembered, so that what comes late from one is not taken for a new clock. */
const KEPT_EPOCHS = 16;

/** The date of an unwrapped timestamp, milliseconds since 1970. */
export function dateOf(clock: ChannelClock, ticks: number): number {
  return clock.date0Ms + (ticks - clock.t0) / TICKS_PER_MS;
}

export function epochOf(state: ChannelState, id: number): Epoch | undefined {
  return state.epochs.find((epoch) => epoch.id === id);
}

export interface Position {
  epoch: number;
  start: number;
  end: number;
  /** Starts where the source's last announcement ended. */
  contiguous: boolean;
}

/**
 * Puts an announcement on a clock (DESIGN.md, "Clocks and epochs"): its source's own where it goes on, else an epoch's
 * to which its wall clock maps within one target duration, else a new one, which begins an epoch. So does a known one
 * when later slots on another have their numbers already. Undefined when it is of the life before.
 */
export function locate(
  state: ChannelState,
  source: SourceState,
  rendition: RenditionState,
  announcement: Segment | Gap,
): Position | undefined {
  const { startPts, endPts, discontinuity } = announcement;
  const duration = ptsDuration(startPts, endPts);
  const wallMs = Date.parse(announcement.wallClock);
  const known =
    goOn(state, source, announcement, rendition.frame) ??
    recognise(state, source, announcement, rendition.frame);
  if (!known) {
    const epoch = beginEpoch(state, { t0: startPts, date0Ms: wallMs }, wallMs);
    return { epoch, start: startPts, end: startPts + duration, contiguous: false };
  }
  const { epoch, start, touches } = known;
  const ofLifeBefore = epoch.id < state.firstEpoch;
  if (ofLifeBefore && dateOf(epoch.clock, start) < state.lifeStartMs - 1) return undefined;
  const over = ofLifeBefore || isOver(state, rendition, epoch, wallMs);
  const id = over ? beginEpoch(state, { t0: start, date0Ms: dateOf(epoch.clock, start) }, wallMs) : epoch.id;
  if (touches) epochOf(state, id)!.seen = { t0: start, date0Ms: wallMs };
  return { epoch: id, start, end: start + duration, contiguous: touches && discontinuity === undefined };
}

interface Known {
  epoch: Epoch;
  /** Unwrapped. */
  start: number;
  /** Where its source's last announcement ended. */
  touches: boolean;
}

/** On the clock of its source's last announcement, where that ended. */
function goOn(
  state: ChannelState,
  { last }: SourceState,
  { startPts, discontinuity, index }: Segment | Gap,
  frame: number,
): Known | undefined {
  if (last?.end === undefined || last.epoch === undefined || last.index + 1 !== index) return undefined;
  const start = unwrapNear(startPts, last.end);
  const epoch = last.epoch >= state.firstEpoch ? epochOf(state, last.epoch) : undefined;
  const touches = Math.abs(start - last.end) <= frame && discontinuity !== 'timestamps';
  return touches && epoch ? { epoch, start, touches } : undefined;
}

/** On the newest clock to which its wall clock maps, unless it would go back on its own. */
function recognise(
  state: ChannelState,
  { last }: SourceState,
  { startPts, discontinuity, wallClock }: Segment | Gap,
  frame: number,
): Known | undefined {
  const within = (state.target ?? 0) * TICKS_PER_SECOND;
  for (const epoch of state.epochs.toReversed()) {
    const expected = epoch.seen.t0 + (Date.parse(wallClock) - epoch.seen.date0Ms) * TICKS_PER_MS;
    const start = unwrapNear(startPts, expected);
    if (Math.abs(start - expected) > within) continue;
    const own = last?.end !== undefined && last.epoch === epoch.id && epoch.id >= state.firstEpoch;
    if (own && (discontinuity === 'timestamps' || start < last.end! - frame)) continue;
    return { epoch, start, touches: false };
  }
  return undefined;
}

/** Later slots, or the rendition's own later entries, are on another clock, and this comes after them. */
function isOver(state: ChannelState, { entries }: RenditionState, epoch: Epoch, wallMs: number): boolean {
  const numbered = state.slots[firstIndex(state.slots, (slot) => slot.number === undefined) - 1];
  return [numbered, entries.at(-1)].some((one) => {
    const newer = one && one.epoch > epoch.id ? epochOf(state, one.epoch) : undefined;
    return newer !== undefined && wallMs >= wallOf(newer, one!.end);
  });
}

/** The wall clock at an unwrapped timestamp, as its source shows it. */
function wallOf({ seen }: Epoch, ticks: number): number {
  return seen.date0Ms + (ticks - seen.t0) / TICKS_PER_MS;
}

/**
 * Begins an epoch, dated after all that is before it. What no rendition has published yet and began later by its wall
 * clock stays after it.
 */
function beginEpoch(state: ChannelState, clock: ChannelClock, wallMs: number): number {
  const open = state.slots.findIndex((slot) => slot.number === undefined);
  const published = Math.max(
    state.slots[(open === -1 ? state.slots.length : open) - 1]?.epoch ?? 0,
    ...Object.values(state.renditions).map(({ entries }) => entries.at(-1)?.epoch ?? 0),
  );
  const later = state.slots.find(
    (slot) => slot.epoch > published && wallOf(epochOf(state, slot.epoch)!, slot.start) > wallMs,
  );
  const id = later?.epoch ?? Math.max((state.epochs.at(-1)?.id ?? 0) + 1, state.firstEpoch);
  if (later) shiftEpochs(state, id);
  const before = state.slots.findLast((slot) => slot.epoch < id);
  const clockBefore = before && epochOf(state, before.epoch)?.clock;
  const notBefore = before && clockBefore ? dateOf(clockBefore, before.end) : state.lifeStartMs;
  state.epochs.push({
    id,
    clock: { t0: clock.t0, date0Ms: Math.max(clock.date0Ms, Math.ceil(notBefore)) },
    seen: { t0: clock.t0, date0Ms: wallMs },
  });
  state.epochs.sort((a, b) => a.id - b.id);
  return id;
}

/** Makes room for an epoch before one that nobody has published. */
function shiftEpochs(state: ChannelState, from: number): void {
  const queued = Object.values(state.renditions).flatMap(({ queue }) => queue);
  const last = Object.values(state.sources).flatMap((source) => source.last ?? []);
  for (const one of [...state.slots, ...queued, ...last])
    if (one.epoch !== undefined && one.epoch >= from) one.epoch++;
  for (const epoch of state.epochs) if (epoch.id >= from) epoch.id++;
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
  return tail.gap ? placeOf(start, state.target!) <= tail.place : start < tail.end - rendition.frame;
}

type Place = Pick<Slot, 'epoch' | 'place'>;

function compare(a: Place & { start: number }, b: Place & { start: number }): number {
  return a.epoch - b.epoch || a.place - b.place || a.start - b.start;
}

/** Index of the first for which it holds, in a list whose later ones it holds for as well. */
function firstIndex<T>(list: readonly T[], holds: (one: T) => boolean): number {
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
 * their numbers already.
 */
export function claimSlot(
  state: ChannelState,
  rendition: RenditionState,
  { epoch, start, end }: Position,
  video: boolean,
): Slot | undefined {
  const place = placeOf(start, state.target!);
  const own = [
    ...inPlace(rendition.queue, { epoch, place }),
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
  if (found) {
    const better = video === found.video ? end - start > found.end - found.start : video;
    if (found.number === undefined && better) Object.assign(found, { start, end, video });
    return found;
  }
  const fresh: Slot = { id: state.nextSlotId, epoch, place, start, end, video, discontinuity: false };
  const at = positionOf(state, fresh);
  if (state.slots[at]?.number !== undefined) return undefined;
  state.nextSlotId++;
  state.slots.splice(at, 0, fresh);
  return fresh;
}

/** The slots around a place that has none. */
function neighbours(state: ChannelState, { epoch, start }: Position): [Slot | undefined, Slot | undefined] {
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

/** Nothing of the rendition is missing before it, and yet its siblings go on from one slot to the next where it would be. */
export function isMisaligned(
  state: ChannelState,
  { entries, queue, frame }: RenditionState,
  position: Position,
): boolean {
  const { epoch, start } = position;
  const [, after] = neighbours(state, position);
  if (after?.epoch !== epoch || after.discontinuity) return false;
  const own = [...entries.filter(({ gap }) => !gap), ...queue];
  const before = own.findLast((one) => one.epoch === epoch && one.start < start);
  return before !== undefined && Math.abs(start - before.end) <= frame;
}

/** It has no number yet, and the slot before covers it: a sibling has both in one, so what stands there is no second one. */
export function isOverlapped(state: ChannelState, position: number): boolean {
  const [previous, slot] = [state.slots[position - 1], state.slots[position]];
  if (!previous || !slot || slot.number !== undefined || previous.epoch !== slot.epoch) return false;
  return previous.end - slot.start > CHANNEL_HOLE_90K && previous.end > slot.end - CHANNEL_HOLE_90K;
}

export function hasVideo({ tracks }: RenditionState): boolean {
  return tracks.some((track) => track.kind === 'video');
}

/** No rendition covers what lies before this slot: it opens the life, an epoch, or comes after a hole. */
export function breaksBefore(state: ChannelState, slot: Slot): boolean {
  const previous = state.slots[positionOf(state, slot) - 1];
  if (!previous) return true;
  // Sound is cut at other instants than the picture, up to a slot away.
  const allowed = slot.video && previous.video ? CHANNEL_HOLE_90K : state.target! * TICKS_PER_SECOND;
  return slot.discontinuity || previous.epoch !== slot.epoch || slot.start - previous.end > allowed;
}

/** Numbers the slot and all before it, deciding for each whether a discontinuity stands before it. */
export function fixNumbers(state: ChannelState, upTo: Slot): void {
  const end = positionOf(state, upTo);
  for (let i = 0; i <= end; i++) {
    const slot = state.slots[i]!;
    if (slot.number !== undefined) continue;
    slot.number = state.nextNumber++;
    slot.discontinuity ||= state.breakNext || (i > 0 && breaksBefore(state, slot));
    state.breakNext = false;
    if (slot.discontinuity) state.discontinuitySequence++;
    slot.discontinuitySequence = state.discontinuitySequence;
  }
}

/** Forgets the slots that every rendition has behind it. */
export function pruneTimeline(state: ChannelState): void {
  const tails = Object.values(state.renditions)
    .filter((rendition) => !rendition.alone && rendition.tail >= state.firstNumber)
    .map((rendition) => rendition.tail);
  const behind = state.slots.findIndex(
    (slot) => slot.number === undefined || slot.number >= Math.min(...tails),
  );
  const waiting = Object.values(state.renditions).flatMap(({ queue }) => {
    const slot = queue[0] && slotOf(state, queue[0]);
    return slot ? [positionOf(state, slot)] : [];
  });
  const first = Math.min(behind === -1 ? Infinity : behind, ...waiting, state.slots.length);
  const drop = Math.max(0, first - KEPT_SLOTS);
  if (drop > 0) state.slots.splice(0, drop);
  if (state.epochs.length > KEPT_EPOCHS) {
    const used = Object.values(state.renditions).flatMap(({ queue, entries }) => [queue[0], entries[0]]);
    const oldest = Math.min(...used.flatMap((one) => one?.epoch ?? []), state.epochs.at(-KEPT_EPOCHS)!.id);
    if (state.epochs[0]!.id < oldest) state.epochs = state.epochs.filter(({ id }) => id >= oldest);
  }
}
