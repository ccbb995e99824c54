import { checkLength, leaveAlignment, segmentName, upload } from './announce.js';
import { answer, hasLeft } from './source.js';
import { leaving } from './leaving.js';
import type { ChannelState, Entry, Item, RenditionState, Slot, Turn } from './state.js';
import { TICKS_PER_SECOND } from './ticks.js';
import {
  breaksBefore,
  CHANNEL_HOLE_90K,
  dateOf,
  epochOf,
  fixNumbers,
  hasVideo,
  inSlot,
  positionOf,
  slotAbove,
  slotOf,
} from './timeline.js';

/** When a slot that a sibling has published and this rendition has not is lost, milliseconds (DESIGN.md, "Lost"). */
export function lostAt(state: ChannelState, rendition: RenditionState): number {
  const { failing, tail, storedTail, updatedMs, putMs } = rendition;
  if (failing || tail > storedTail) return Infinity;
  const targetMs = 1000 * (state.targetDuration ?? 0);
  return updatedMs + 1.5 * targetMs - Math.min(putMs, targetMs / 4);
}

/** Appends to the playlist whatever may be listed now; false when that was nothing. */
export function advance(turn: Turn, rendition: RenditionState): boolean {
  let listed = false;
  while (rendition.alone ? listNextAlone(turn, rendition) : listNext(turn, rendition)) listed = true;
  // A partial one that is dropped before the first entry lists nothing.
  if (listed && rendition.entries.length > 0) rendition.dirty = true;
  return listed;
}

/** When time alone decides what is next for this rendition, milliseconds since 1970. */
export function waitsUntil(state: ChannelState, rendition: RenditionState): number | undefined {
  const slot = nextSlot(state, rendition);
  if (!slot || rendition.alone) return undefined;
  const item = inSlot(rendition.queue, slot);
  const open = item
    ? item.state === 'undecided' || item.state === 'lost'
    : rendition.queue.length > 0 || isPublished(state, rendition, slot);
  return open ? lostAt(state, rendition) : undefined;
}

/** A sibling's stored version lists the slot. */
function isPublished(state: ChannelState, rendition: RenditionState, { number }: Slot): boolean {
  if (number === undefined) return false;
  return siblings(state, rendition).some(
    (other) => other.tail >= state.firstNumber && other.storedTail >= number,
  );
}

/** The slot that the rendition's next entry is for. */
export function nextSlot(state: ChannelState, rendition: RenditionState): Slot | undefined {
  if (rendition.alone) return undefined;
  if (rendition.tail < state.firstNumber) return rendition.queue[0] && slotOf(state, rendition.queue[0]);
  return slotAbove(state, rendition.tail);
}

/** One step; false when nothing can be listed now. */
function listNext(turn: Turn, rendition: RenditionState): boolean {
  const { state } = turn;
  const slot = nextSlot(state, rendition);
  if (!slot) return false;
  if (rendition.entries.length > 0 && slot.number !== undefined && slot.number > rendition.tail + 1) {
    skip(rendition);
  }
  const item = inSlot(rendition.queue, slot);
  if (!item) return listMissing(turn, rendition, slot);
  if (item.state === 'undecided') decidePartial(turn, rendition, slot, item);
  switch (item.state) {
    case 'undecided':
    case 'uploading':
      return false;
    case 'lost':
      return listLost(turn, rendition, slot, item);
    case 'stored':
      return listStored(turn, rendition, slot, item);
  }
}

/**
 * What lies between has left every sibling's window and nobody knows its lengths any more: the playlist goes on where
 * theirs do (DESIGN.md, "Each playlist has its own tail").
 */
function skip(rendition: RenditionState): void {
  rendition.previous.push(...leaving(rendition.entries));
  rendition.discontinuitySequence += rendition.entries.filter((entry) => entry.discontinuity).length;
  rendition.entries = [];
}

function siblings(state: ChannelState, rendition: RenditionState): RenditionState[] {
  return Object.values(state.renditions).filter(
    (other) =>
      other.name !== rendition.name &&
      !other.alone &&
      (other.tail >= state.firstNumber || other.queue.length > 0),
  );
}

/** What a rendition has for a slot: queued, listed, or gone from its window, and then as long as the slot. */
function holding(
  rendition: RenditionState,
  slot: Slot,
): { start: number; end: number; whole: boolean } | undefined {
  const item = inSlot(rendition.queue, slot);
  if (item && item.state !== 'lost')
    return { start: item.start, end: item.end, whole: item.fromStart && item.toCut };
  if (slot.number !== undefined && slot.number < (rendition.entries[0]?.number ?? -1))
    return { start: slot.start, end: slot.end, whole: true };
  const listed = inSlot(rendition.entries, slot);
  const entry = listed?.gap === false ? listed : undefined;
  return (
    entry && { start: entry.start, end: entry.end, whole: entry.end >= slot.end && entry.start <= slot.start }
  );
}

function isPast(state: ChannelState, rendition: RenditionState, slot: Slot): boolean {
  if (slot.number !== undefined && slot.number <= rendition.tail) return true;
  const last = rendition.queue.at(-1);
  const lastSlot = last && slotOf(state, last);
  return lastSlot !== undefined && positionOf(state, lastSlot) > positionOf(state, slot);
}

/** No sibling can bring more of the slot. */
function isKnown(state: ChannelState, rendition: RenditionState, slot: Slot): boolean {
  return siblings(state, rendition).every(
    (other) =>
      inSlot(other.queue, slot) !== undefined || isPast(state, other, slot) || hasLeft(state, other.name),
  );
}

/** DESIGN.md, "Whole and partial". */
function decidePartial(turn: Turn, rendition: RenditionState, slot: Slot, item: Item): void {
  const { state, at } = turn;
  const others = siblings(state, rendition);
  const longer = others
    .map((other) => holding(other, slot))
    .filter((held) => held !== undefined)
    .filter((held) => held.end - held.start > item.end - item.start + rendition.frame);
  const next = state.slots[positionOf(state, slot) + 1];
  const begins = breaksBefore(state, slot);
  const stops = next
    ? breaksBefore(state, next)
    : Object.keys(state.renditions).every((name) => hasLeft(state, name));
  const known = isKnown(state, rendition, slot);
  const overdue = at >= lostAt(state, rendition);
  const fits = (item.fromStart || begins) && (item.toCut || stops);
  // A sibling lists more of it, if only as a gap.
  const short =
    slot.number !== undefined &&
    ((item.start - slot.start > rendition.frame && !begins) ||
      (slot.end - item.end > rendition.frame && !stops));
  if ((fits && known) || (longer.length === 0 && !short && (known || overdue))) {
    upload(turn, rendition, item);
  } else if (short || longer.some((held) => held.whole) || (longer.length > 0 && overdue)) {
    item.state = 'lost';
    item.answered = true;
    answer(turn, item.id, { type: 'dropped', code: 'partial' });
  }
}

function listLost(turn: Turn, rendition: RenditionState, slot: Slot, item: Item): boolean {
  const { state, at } = turn;
  // How long the slot is, who has it may know better than who lost it.
  const open = slot.number === undefined && !isKnown(state, rendition, slot);
  if (open && at < lostAt(state, rendition)) return false;
  const first = rendition.tail < state.firstNumber;
  const tooLong = Math.round((slot.end - slot.start) / TICKS_PER_SECOND) > state.targetDuration!;
  if (!first && !tooLong) {
    listGap(turn, rendition, slot);
    return true;
  }
  removeItem(rendition, item);
  if (!item.answered) answer(turn, item.id, { type: 'dropped', code: first ? 'partial' : 'too-long' });
  const shared = siblings(state, rendition).some((other) => inSlot(other.queue, slot));
  if (slot.number === undefined && !shared) state.slots.splice(positionOf(state, slot), 1);
  else if (!first) listGap(turn, rendition, slot);
  return true;
}

function listStored(turn: Turn, rendition: RenditionState, slot: Slot, item: Item): boolean {
  const { state } = turn;
  const previous = rendition.tail >= state.firstNumber ? rendition.entries.at(-1) : undefined;
  const hole =
    previous?.epoch === item.epoch && Math.abs(item.start - previous.end) > tolerance(rendition, previous);
  const changed = hasChanged(state, item);
  if (slot.number === undefined) slot.discontinuity ||= hole || changed;
  fixNumbers(state, slot);
  if (previous === undefined) joinSequence(rendition, slot);
  if (!slot.discontinuity && previous !== undefined && (hole || changed)) {
    item.state = 'lost';
    item.answered = true;
    answer(turn, item.id, { type: 'dropped', code: 'late' });
    listGap(turn, rendition, slot);
    return true;
  }
  append(turn, rendition, item, { number: slot.number!, discontinuity: slot.discontinuity });
  return true;
}

/** A rendition that begins among others has the discontinuity sequence that they have there (HLS-RULES 20). */
function joinSequence(rendition: RenditionState, { discontinuity, discontinuitySequence }: Slot): void {
  const before = discontinuitySequence! - (discontinuity ? 1 : 0);
  rendition.discontinuitySequence = Math.max(rendition.discontinuitySequence, before);
}

/** Since the last discontinuity its source has said that tracks, parameters or timestamps changed, listed or lost. */
function hasChanged(state: ChannelState, { id }: Item): boolean {
  return (state.sources[id.session]?.changed ?? Infinity) <= id.index;
}

/** How far apart an entry's end and the next start may be. A gap ends as its siblings' pictures do, sound where its own frames do. */
function tolerance(rendition: RenditionState, { gap }: Entry): number {
  return gap && !hasVideo(rendition) ? CHANNEL_HOLE_90K : rendition.frame;
}

/** Nothing of this rendition is there for the slot: is it lost? */
function listMissing(turn: Turn, rendition: RenditionState, slot: Slot): boolean {
  const { state, at } = turn;
  const published = isPublished(state, rendition, slot);
  const next = rendition.queue[0];
  if (next) {
    const last = rendition.entries.at(-1);
    if (
      last &&
      !last.gap &&
      last.epoch === next.epoch &&
      Math.abs(next.start - last.end) <= rendition.frame
    ) {
      leaveAlignment(turn, rendition);
      return listNextAlone(turn, rendition);
    }
    const covered = siblings(state, rendition).some((other) => holding(other, slot)?.whole);
    if (!published && !covered && at < lostAt(state, rendition)) return false;
  } else {
    if (!published) return false;
    if (!rendition.away && !hasLeft(state, rendition.name)) {
      if (at < lostAt(state, rendition)) return false;
      rendition.away = true;
    }
  }
  listGap(turn, rendition, slot);
  return true;
}

/** The rendition's boundaries are its own: number after number, a discontinuity where its own media breaks. */
function listNextAlone(turn: Turn, rendition: RenditionState): boolean {
  const { state } = turn;
  const item = rendition.queue[0];
  if (!item) return false;
  if (item.state === 'undecided') upload(turn, rendition, item);
  if (item.state === 'uploading' || item.state === 'undecided') return false;
  const previous = rendition.entries.at(-1);
  const number = Math.max(rendition.tail + 1, state.firstNumber);
  const discontinuity =
    hasChanged(state, item) ||
    (previous === undefined && state.firstNumber > 0) ||
    (previous !== undefined &&
      (previous.epoch !== item.epoch || Math.abs(item.start - previous.end) > rendition.frame));
  if (item.state === 'stored') append(turn, rendition, item, { number, discontinuity });
  else
    appendGap(
      turn,
      rendition,
      { number, discontinuity, epoch: item.epoch, place: item.place, start: item.start, end: item.end },
      item,
    );
  return true;
}

function listGap(turn: Turn, rendition: RenditionState, slot: Slot): void {
  fixNumbers(turn.state, slot);
  if (rendition.entries.length === 0) joinSequence(rendition, slot);
  const item = inSlot(rendition.queue, slot);
  const previous = rendition.entries.at(-1);
  const near = previous?.epoch === slot.epoch && Math.abs(slot.start - previous.end) <= CHANNEL_HOLE_90K;
  const seconds = near && !slot.discontinuity ? (slot.end - previous.end) / TICKS_PER_SECOND : 0;
  const fits = seconds > 0 && Math.round(seconds) <= turn.state.targetDuration!;
  const start = near && fits ? previous.end : slot.start;
  appendGap(
    turn,
    rendition,
    {
      number: slot.number!,
      discontinuity: slot.discontinuity,
      slot: slot.id,
      epoch: slot.epoch,
      place: slot.place,
      start,
      end: slot.end,
    },
    item,
  );
}

function appendGap(
  turn: Turn,
  rendition: RenditionState,
  place: Pick<Entry, 'number' | 'discontinuity' | 'slot' | 'epoch' | 'place' | 'start' | 'end'>,
  item: Item | undefined,
): void {
  const { state, effects } = turn;
  if (item) removeItem(rendition, item);
  push(rendition, {
    ...place,
    uri: `${rendition.urlPrefix}${rendition.segmentPrefix}-gap-${place.number}.ts`,
    ...(item && !item.answered && { id: item.id }),
    dateMs: Math.round(dateOf(epochOf(state, place.epoch)!.clock, place.start)),
    gap: true,
  });
  rendition.counts.gaps++;
  effects.push({
    type: 'report',
    level: 'warn',
    message: 'a segment is lost; a gap stands for it',
    fields: {
      rendition: rendition.name,
      number: place.number,
      seconds: (place.end - place.start) / TICKS_PER_SECOND,
    },
  });
}

function append(
  { state }: Turn,
  rendition: RenditionState,
  item: Item,
  { number, discontinuity }: { number: number; discontinuity: boolean },
): void {
  if (item.announcement.type !== 'segment') throw new Error('only a segment can be stored');
  const { bytes, independent } = item.announcement;
  removeItem(rendition, item);
  const name = segmentName(rendition, item.id);
  push(rendition, {
    number,
    uri: rendition.urlPrefix + name,
    key: `${state.settings.channel}/${name}`,
    id: item.id,
    ...(item.slot !== undefined && { slot: item.slot }),
    epoch: item.epoch,
    place: item.place,
    start: item.start,
    end: item.end,
    dateMs: Math.round(dateOf(epochOf(state, item.epoch)!.clock, item.start)),
    discontinuity,
    gap: false,
  });
  rendition.counts.published++;
  if (!independent) rendition.independent = false;
  const source = state.sources[item.id.session];
  if (discontinuity && source) delete source.changed;
  if (source) source.listed = { index: item.id.index, epoch: item.epoch, end: item.end };
  const ticks = item.end - item.start;
  rendition.totalBytes += bytes;
  rendition.total90k += ticks;
  const full = ticks >= (state.targetDuration! * TICKS_PER_SECOND) / 2;
  if (full)
    rendition.peakBandwidth = Math.max(
      rendition.peakBandwidth,
      Math.ceil((bytes * 8 * TICKS_PER_SECOND) / ticks),
    );
}

function push(rendition: RenditionState, entry: Omit<Entry, 'longestMs'>): void {
  rendition.entries.push({ ...entry, longestMs: 0 });
  rendition.tail = entry.number;
  if (entry.discontinuity) rendition.counts.discontinuities++;
}

function removeItem(rendition: RenditionState, item: Item): void {
  rendition.queue.splice(rendition.queue.indexOf(item), 1);
}

/** The target duration is known now: what is too long for it is out before it can be listed. */
export function checkLengths(turn: Turn): void {
  for (const rendition of Object.values(turn.state.renditions)) {
    for (const item of rendition.queue) checkLength(turn, rendition, item);
  }
}
