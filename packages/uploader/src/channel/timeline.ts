import { ptsDuration, type Gap, type Segment } from '@hls-uplink/protocol';
import type { ChannelClock, ChannelState, Epoch, RenditionState, Slot, SourceState } from './state.js';
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
 * to which its wall clock maps within one target duration, else a new one, which begins an epoch. Undefined when it is
 * of the life before.
 */
export function locate(
  state: ChannelState,
  source: SourceState,
  announcement: Segment | Gap,
  frame: number,
): Position | undefined {
  const { startPts, endPts, discontinuity, index } = announcement;
  const { last } = source;
  const duration = ptsDuration(startPts, endPts);
  if (last?.end !== undefined && last.epoch !== undefined && last.index + 1 === index) {
    const start = unwrapNear(startPts, last.end);
    const touches = Math.abs(start - last.end) <= frame;
    const epoch = last.epoch >= state.firstEpoch ? epochOf(state, last.epoch) : undefined;
    if (touches && epoch && discontinuity !== 'timestamps') {
      epoch.seen = { t0: start, date0Ms: Date.parse(announcement.wallClock) };
      return { epoch: last.epoch, start, end: start + duration, contiguous: discontinuity === undefined };
    }
  }
  const wallMs = Date.parse(announcement.wallClock);
  const within = (state.target ?? 0) * TICKS_PER_SECOND;
  for (const epoch of state.epochs.toReversed()) {
    const expected = epoch.seen.t0 + (wallMs - epoch.seen.date0Ms) * TICKS_PER_MS;
    const start = unwrapNear(startPts, expected);
    if (Math.abs(start - expected) > within) continue;
    const own = last?.epoch !== undefined && last.end !== undefined && last.epoch === epoch.id;
    if (epoch.id < state.firstEpoch) {
      if (dateOf(epoch.clock, start) < state.lifeStartMs - 1) return undefined;
      return {
        epoch: beginEpoch(state, epoch.clock, epoch.seen),
        start,
        end: start + duration,
        contiguous: false,
      };
    }
    if (own && (discontinuity === 'timestamps' || start < last.end! - frame)) continue;
    return { epoch: epoch.id, start, end: start + duration, contiguous: false };
  }
  const latest = state.slots.at(-1);
  const latestClock = latest && epochOf(state, latest.epoch)?.clock;
  const notBefore = latest && latestClock ? dateOf(latestClock, latest.end) : state.lifeStartMs;
  const clock = { t0: startPts, date0Ms: Math.max(wallMs, Math.ceil(notBefore)) };
  const seen = { t0: startPts, date0Ms: wallMs };
  return {
    epoch: beginEpoch(state, clock, seen),
    start: startPts,
    end: startPts + duration,
    contiguous: false,
  };
}

function beginEpoch(state: ChannelState, clock: ChannelClock, seen: ChannelClock): number {
  const id = Math.max((state.epochs.at(-1)?.id ?? 0) + 1, state.firstEpoch);
  state.epochs.push({ id, clock: { ...clock }, seen: { ...seen } });
  return id;
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

export function slotById(state: ChannelState, id: number | undefined): Slot | undefined {
  return id === undefined ? undefined : state.slots.findLast((slot) => slot.id === id);
}

function compare(
  a: Pick<Slot, 'epoch' | 'place' | 'start'>,
  b: Pick<Slot, 'epoch' | 'place' | 'start'>,
): number {
  return a.epoch - b.epoch || a.place - b.place || a.start - b.start;
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
  const own = [...rendition.queue, ...rendition.entries];
  const here = state.slots.filter((slot) => slot.epoch === epoch && slot.place === place);
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
  const at = state.slots.findIndex((slot) => compare(fresh, slot) < 0);
  const insertAt = at === -1 ? state.slots.length : at;
  if (state.slots.slice(insertAt).some((slot) => slot.number !== undefined)) return undefined;
  state.nextSlotId++;
  state.slots.splice(insertAt, 0, fresh);
  return fresh;
}

/** The slots around a place that has none. */
function neighbours(state: ChannelState, { epoch, start }: Position): [Slot | undefined, Slot | undefined] {
  const here = { epoch, place: placeOf(start, state.target!), start };
  const after = state.slots.findIndex((slot) => compare(here, slot) < 0);
  const at = after === -1 ? state.slots.length : after;
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

/** Slots without number that the one before covers: a sibling has both in one, so what stands there is no second one. */
export function overlappedSlots(state: ChannelState): Slot[] {
  const overlapped: Slot[] = [];
  for (let i = state.slots.length - 1; i > 0 && state.slots[i]!.number === undefined; i--) {
    const slot = state.slots[i]!;
    const previous = state.slots[i - 1]!;
    const covered =
      previous.end - slot.start > CHANNEL_HOLE_90K && previous.end > slot.end - CHANNEL_HOLE_90K;
    if (previous.epoch === slot.epoch && covered) overlapped.push(slot);
  }
  return overlapped;
}

export function hasVideo({ tracks }: RenditionState): boolean {
  return tracks.some((track) => track.kind === 'video');
}

/** No rendition covers what lies before this slot: it opens the life, an epoch, or comes after a hole. */
export function breaksBefore(state: ChannelState, slot: Slot): boolean {
  const previous = state.slots[state.slots.indexOf(slot) - 1];
  if (!previous) return true;
  // Sound is cut at other instants than the picture, up to a slot away.
  const allowed = slot.video && previous.video ? CHANNEL_HOLE_90K : state.target! * TICKS_PER_SECOND;
  return slot.discontinuity || previous.epoch !== slot.epoch || slot.start - previous.end > allowed;
}

/** Numbers the slot and all before it, deciding for each whether a discontinuity stands before it. */
export function fixNumbers(state: ChannelState, upTo: Slot): void {
  const end = state.slots.indexOf(upTo);
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
  const waiting = new Set(
    Object.values(state.renditions).flatMap(({ queue }) => queue.map((item) => item.slot)),
  );
  const wanted = state.slots.findIndex((slot) => waiting.has(slot.id));
  const first = Math.min(...[behind, wanted].filter((at) => at !== -1), state.slots.length);
  const drop = Math.max(0, first - KEPT_SLOTS);
  if (drop > 0) state.slots.splice(0, drop);
  if (state.epochs.length > KEPT_EPOCHS) {
    const used = Object.values(state.renditions).flatMap(({ queue, entries }) => [...queue, ...entries]);
    const oldest = Math.min(...used.map(({ epoch }) => epoch), state.epochs.at(-KEPT_EPOCHS)!.id);
    if (state.epochs[0]!.id < oldest) state.epochs = state.epochs.filter(({ id }) => id >= oldest);
  }
}
