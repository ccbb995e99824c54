import { followSequence } from './discontinuity.js';
import { appendGap, appendSegment } from './entry.js';
import { endsApart, giveUpLast } from './catch-up.js';
import { isOtherEncode } from './encode.js';
import { dateOf, epochOf } from './epoch.js';
import { lose, upload, withdraw } from './item.js';
import { MISFITS, tellMisfit, type Misfit } from './misfit.js';
import { hasSkipped, lostAt } from './rendition.js';
import { answer, hasChanged } from './source.js';
import { hasGone } from './spare.js';
import type { ChannelState, Entry, Item, RenditionState, Turn } from './state.js';
import { placeOf, TICKS_PER_MS, TICKS_PER_SECOND } from './ticks.js';
import { CHANNEL_HOLE_90K, inSlot, measureSlot, neighbours, type Position } from './timeline.js';

/** By so much an entry of another clock may begin before the end of the one before it. */
const OVERLAP_MS = 500;

/** Nothing of the rendition is missing before it, and yet its siblings go on from one slot to the next where it would be. */
export function isMisaligned(
  state: ChannelState,
  { entries, queue, frame }: RenditionState,
  position: Position,
): boolean {
  const { epoch, start } = position;
  const [, after] = neighbours(state, position);
  if (after?.epoch !== epoch || after.discontinuity) return false;
  const own = [...entries.filter(({ gap }) => !gap), ...queue.items];
  const before = own.findLast((one) => one.epoch === epoch && one.start < start);
  return before !== undefined && Math.abs(start - before.end) <= frame;
}

/** Its boundaries or its clock are not those of its siblings: from here on it counts alone. */
export function leaveAlignment(turn: Turn, rendition: RenditionState, why: Misfit['why']): void {
  const { state } = turn;
  rendition.alone = true;
  rendition.queue = rendition.queue.map(({ slot: _, ...item }) => item);
  const others = Object.values(state.renditions).filter((other) => !other.alone);
  state.slots = state.slots.filter((slot) => {
    const isOwn = slot.number === undefined && !others.some((other) => inSlot(other.queue.items, slot));
    if (!isOwn) measureSlot(state, slot);
    return !isOwn;
  });
  for (const item of rendition.queue.items) if (item.state === 'undecided') upload(turn, rendition, item);
  tellMisfit(turn, rendition, MISFITS[why]);
}

/** The rendition's boundaries are its own: number after number, with the discontinuities of the channel. */
export function listNextAlone(turn: Turn, rendition: RenditionState): boolean {
  const first = rendition.queue.first;
  if (!first) return listAway(turn, rendition);
  const item = isOverdue(turn, rendition, first) ? lose(turn, rendition, first, 'late') : first;
  if (item.state === 'undecided') upload(turn, rendition, item);
  if (item.state !== 'stored' && item.state !== 'lost') return false;
  listAlone(turn, rendition, item);
  return true;
}

/** The first that is queued, or gaps before it. */
export function listAlone(turn: Turn, rendition: RenditionState, item: Item): void {
  const { state } = turn;
  const previous = rendition.entries.at(-1);
  const dateMs = dateOf(epochOf(state, item.epoch)!.clock, item.start);
  if (previous && listHole(turn, rendition, previous, item, dateMs)) return;
  if (previous && previous.epoch !== item.epoch && dateMs < endDate(previous) - OVERLAP_MS)
    return dropOverlapping(turn, rendition, previous, item);
  const discontinuity = followSequence(
    state,
    rendition,
    dateMs,
    hasChanged(state, item) || isOtherEncode(state, rendition, item) || isBroken(state, rendition, item),
  );
  const number = nextNumber(state, rendition);
  if (!previous && !discontinuity && endsApart(turn, rendition, item)) giveUpLast(turn, rendition);
  if (item.state !== 'lost') appendSegment(turn, rendition, item, { number, discontinuity });
  else
    appendGap(
      turn,
      rendition,
      { number, discontinuity, epoch: item.epoch, place: item.place, start: item.start, end: item.end },
      item,
    );
}

/**
 * Gaps stand for its beginning already; one more goes to its end, where the next begins. That has its time anew, or gaps
 * would overtake it again.
 */
function dropOverlapping(turn: Turn, rendition: RenditionState, previous: Entry, item: Item): void {
  const { state, at } = turn;
  rendition.queue = rendition.queue.without(item.id);
  rendition.updatedMs = at;
  if (!item.answered) answer(turn, item.id, { type: 'dropped', code: 'late' });
  withdraw(turn, rendition, item);
  const restMs = dateOf(epochOf(state, item.epoch)!.clock, item.end) - endDate(previous);
  if (restMs > OVERLAP_MS) listGap(turn, rendition, previous, Math.round(restMs * TICKS_PER_MS));
}

/** Where it begins among others their numbers are near. */
function nextNumber({ firstNumber, nextNumber }: ChannelState, { tail }: RenditionState): number {
  return tail < firstNumber ? Math.max(firstNumber, nextNumber - 1) : tail + 1;
}

/** It does not go on where the entry before it ended. */
function isBroken(state: ChannelState, { entries, tail, frame }: RenditionState, item: Item): boolean {
  const previous = entries.at(-1);
  if (previous) return previous.epoch !== item.epoch || Math.abs(item.start - previous.end) > frame;
  if (tail < state.firstNumber) return state.firstNumber > 0;
  // After a skip: as if all that was skipped had been listed.
  return state.sources[item.id.session]?.listed?.epoch !== item.epoch;
}

/** Where an entry ends, milliseconds since 1970. */
export const endDate = ({ dateMs, start, end }: Entry): number => dateMs + (end - start) / TICKS_PER_MS;

/** Gaps for what it lacks before this item, while its siblings went on (DESIGN.md, "Slots"); of a whole channel's absence none. */
function listHole(
  turn: Turn,
  rendition: RenditionState,
  previous: Entry,
  item: Item,
  dateMs: number,
): boolean {
  const { state } = turn;
  const hole =
    previous.epoch === item.epoch
      ? item.start - previous.end
      : Math.round((dateMs - endDate(previous)) * TICKS_PER_MS);
  const target = state.target! * TICKS_PER_SECOND;
  if (hole <= CHANNEL_HOLE_90K || hole > longestAbsence(state)) return false;
  const covered = Object.values(state.renditions).some(
    (other) =>
      other !== rendition && other.entries.some((entry) => !entry.gap && liesWithin(entry, previous, dateMs)),
  );
  if (!covered) return false;
  listGap(turn, rendition, previous, Math.round(hole / Math.ceil(hole / target)));
  return true;
}

const liesWithin = (entry: Entry, after: Entry, beforeMs: number): boolean =>
  endDate(entry) > endDate(after) + 500 && entry.dateMs < beforeMs - 500;

/** What is longer is no absence of one rendition any more, ticks: two windows. */
function longestAbsence({ settings, target }: ChannelState): number {
  return 2 * settings.window * target! * TICKS_PER_SECOND;
}

/** Its source is away and its siblings go on: a gap for each target duration that they are ahead (HLS-RULES 6). */
function listAway(turn: Turn, rendition: RenditionState): boolean {
  const { state, at } = turn;
  const ticks = Math.round(state.target! * TICKS_PER_SECOND);
  const ahead = overtakenBy(state, rendition);
  if (ahead < ticks) return false;
  if (!rendition.away && !hasGone(state, rendition, at)) {
    if (at < lostAt(state, rendition)) return false;
    rendition.away = true;
  }
  const { epoch, end } = rendition.entries.at(-1)!;
  // Nobody knows any more what was there: it goes on where they are.
  const lost = ahead > longestAbsence(state);
  listGap(turn, rendition, { epoch, end: lost ? end + ahead - ticks : end }, ticks, lost);
  return true;
}

/** Its bytes are not here, and its siblings have published what is of this time. */
function isOverdue({ state, at }: Turn, rendition: RenditionState, item: Item): boolean {
  if (item.state !== 'awaiting' || hasSkipped(state, rendition)) return false;
  return overtakenBy(state, rendition) >= state.target! * TICKS_PER_SECOND && at >= lostAt(state, rendition);
}

/** How far a sibling's published entries go further, ticks; 0 while anything is queued whose bytes are here. */
export function overtakenBy(state: ChannelState, rendition: RenditionState): number {
  const last = rendition.entries.at(-1);
  if (!last || rendition.queue.items.some((item) => item.state !== 'awaiting')) return 0;
  const edges = Object.values(state.renditions).flatMap(({ name, entries, storedTail }) => {
    const edge = entries.findLast(({ number, gap }) => number <= storedTail && !gap);
    return edge && name !== rendition.name ? [endDate(edge)] : [];
  });
  return Math.max(0, ...edges.map((edge) => Math.round((edge - endDate(last)) * TICKS_PER_MS)));
}

function listGap(
  turn: Turn,
  rendition: RenditionState,
  { epoch, end }: Pick<Entry, 'epoch' | 'end'>,
  ticks: number,
  broken = false,
): void {
  const { state } = turn;
  const dateMs = dateOf(epochOf(state, epoch)!.clock, end);
  const discontinuity = followSequence(state, rendition, dateMs, broken);
  const [number, place] = [nextNumber(state, rendition), placeOf(end, state.target!)];
  appendGap(
    turn,
    rendition,
    { number, discontinuity, epoch, place, start: end, end: end + ticks },
    undefined,
  );
}
