import { fitsTargetDuration } from '@hls-uplink/hls';
import type { SegmentId } from '@hls-uplink/protocol';
import { isOtherEncode } from './encode.js';
import { dateOf, epochOf } from './epoch.js';
import { hasVideo } from './rendition.js';
import { leavesHole } from './partial.js';
import type { ChannelState, Item, RenditionState, Slot } from './state.js';
import { TICKS_PER_SECOND } from './ticks.js';
import { CHANNEL_HOLE_90K, firstIndex, inSlot, positionOf } from './timeline.js';

/** Discontinuities that are remembered, so that a rendition that counts alone finds those it has not listed yet. */
const KEPT_DISCONTINUITIES = 32;
/** What dates may be off by. */
const TOUCHING_90K = TICKS_PER_SECOND / 25;
/** Dates of different clocks this near each other are the same, milliseconds. */
const SAME_DATE_MS = 100;

/** No rendition covers what lies before this slot: it opens the life, an epoch, or comes after a hole. */
export function breaksBefore(state: ChannelState, slot: Slot): boolean {
  const previous = state.slots[positionOf(state, slot) - 1];
  if (!previous) return true;
  if (slot.discontinuity || previous.epoch !== slot.epoch) return true;
  const hole = slot.start - previous.end;
  // Sound is cut at other instants than the picture, up to a slot away.
  if (!slot.video || !previous.video) return hole > state.target! * TICKS_PER_SECOND;
  return hole > CHANNEL_HOLE_90K || (hole > TOUCHING_90K && !isBridged(state, previous, slot));
}

/** Who has lost the slot can list a gap over the hole and all of it. */
function isBridged({ targetDuration }: ChannelState, previous: Slot, slot: Slot): boolean {
  return targetDuration === undefined || fitsTargetDuration(slot.end - previous.end, targetDuration);
}

/** Whether a discontinuity stands before the slot, or would if it had its number now. */
export function begins(state: ChannelState, slot: Slot): boolean {
  return slot.number === undefined ? breaksBefore(state, slot) : slot.discontinuity;
}

/** Numbers the slot and all before it, deciding for each whether a discontinuity stands before it. */
export function fixNumbers(state: ChannelState, upTo: Slot): void {
  const end = positionOf(state, upTo);
  for (let i = firstIndex(state.slots, ({ number }) => number === undefined); i <= end; i++) {
    const slot = state.slots[i]!;
    const dateMs = dateOf(epochOf(state, slot.epoch)!.clock, slot.start);
    slot.number = state.nextNumber++;
    slot.discontinuity ||=
      state.breakNext ||
      (i > 0 && (breaksBefore(state, slot) || isWanted(state, state.slots[i - 1]!, slot))) ||
      isDue(state, state.discontinuitySequence, dateMs);
    state.breakNext = false;
    if (slot.discontinuity) note(state, ++state.discontinuitySequence, dateMs);
    slot.discontinuitySequence = state.discontinuitySequence;
  }
}

/** A rendition that is not the first to list the slot cannot list what it has of it without. */
function isWanted(state: ChannelState, previous: Slot, slot: Slot): boolean {
  return Object.values(state.renditions).some((rendition) => {
    const { queue, entries, tail } = rendition;
    const item = inSlot(queue.items, slot);
    const listed = inSlot(entries, previous);
    // What is partial goes where others have more of it.
    if (!item?.fromStart || item.state === 'lost') return false;
    const queued = inSlot(queue.items, previous);
    const stays =
      queued &&
      queued.state !== 'lost' &&
      queued.state !== 'undecided' &&
      !leavesHole(state, rendition, previous, queued);
    const before = stays ? queued : listed;
    if (!before && tail < state.firstNumber) return false;
    const end = before?.end ?? previous.end;
    const isGap = !stays && listed?.gap !== false;
    return (
      (previous.epoch === slot.epoch && Math.abs(item.start - end) > tolerance(rendition, isGap)) ||
      ((before ?? entries.at(-1)) !== undefined &&
        !isTold(rendition) &&
        (isFirstChanged(state, rendition, item) || isOtherEncode(state, rendition, item)))
    );
  });
}

/** Of what the rendition has queued it is the first behind a change that must be told. */
function isFirstChanged(state: ChannelState, { queue }: RenditionState, { id }: Item): boolean {
  const { changed = [] } = state.sources[id.session] ?? {};
  const isBetween = (from: number, one: SegmentId): boolean =>
    one.session === id.session && from <= one.index && one.index < id.index;
  return changed.some((from) => from <= id.index && !queue.items.some((one) => isBetween(from, one.id)));
}

/** How far apart an entry's end and the next start may be. A gap ends as its siblings' pictures do, sound where its own frames do. */
export function tolerance(rendition: RenditionState, gap: boolean): number {
  return gap && !hasVideo(rendition) ? CHANNEL_HOLE_90K : rendition.frame;
}

/** Players have begun anew since its last segment: gaps with a discontinuity stand behind it. */
export function isTold({ entries }: RenditionState): boolean {
  const last = entries.findLastIndex(({ gap }) => !gap);
  return entries.slice(last + 1).some(({ discontinuity }) => discontinuity);
}

/** The discontinuity sequence number of the last entry of the playlist as built. */
export function tailSequence({ discontinuitySequence, entries }: RenditionState): number {
  return discontinuitySequence + entries.filter(({ discontinuity }) => discontinuity).length;
}

/**
 * Whether the next entry of a rendition that counts alone begins a discontinuity: for reasons of its own, which makes it
 * one of the whole channel, or because the channel has one by that date (HLS-RULES 20).
 */
export function followSequence(
  state: ChannelState,
  rendition: RenditionState,
  dateMs: number,
  own: boolean,
): boolean {
  // Recordings go on where it was: they can be told by tags alone.
  if (rendition.entries.length === 0 && rendition.arrears.length === 0) {
    const before = sequenceAt(state, dateMs) - (own ? 1 : 0);
    rendition.discontinuitySequence = Math.max(rendition.discontinuitySequence, before);
  }
  const sequence = tailSequence(rendition);
  if (!own && !isDue(state, sequence, dateMs)) return false;
  note(state, sequence + 1, dateMs);
  return true;
}

/** The channel has a discontinuity behind that of this number, and it is not later than this date. */
function isDue({ discontinuities }: ChannelState, sequence: number, dateMs: number): boolean {
  return discontinuities.some((one) => one.sequence > sequence && one.dateMs <= dateMs + SAME_DATE_MS);
}

/** That of the channel at a date. */
function sequenceAt({ discontinuities, discontinuitySequence }: ChannelState, dateMs: number): number {
  const last = discontinuities.findLast((one) => one.dateMs <= dateMs + SAME_DATE_MS);
  if (last) return last.sequence;
  return discontinuities[0] ? discontinuities[0].sequence - 1 : discontinuitySequence;
}

/** Every rendition has it, at this date or with its first entry after; noted by the first that lists it. */
function note(state: ChannelState, sequence: number, dateMs: number): void {
  if (sequence <= (state.discontinuities.at(-1)?.sequence ?? -1)) return;
  state.discontinuities.push({ sequence, dateMs });
  state.discontinuities.splice(0, state.discontinuities.length - KEPT_DISCONTINUITIES);
}

/** Puts those of all playlists that were read back in order; the first that lists one has it earliest. */
export function recallDiscontinuities(state: ChannelState): void {
  const found = state.discontinuities.sort((a, b) => a.sequence - b.sequence || a.dateMs - b.dateMs);
  state.discontinuities = [];
  for (const { sequence, dateMs } of found) note(state, sequence, dateMs);
  const live = Object.values(state.renditions).filter(({ tail }) => tail >= state.firstNumber);
  if (live.every(({ alone }) => alone))
    state.discontinuitySequence = Math.max(state.discontinuitySequence, ...live.map(tailSequence));
}
