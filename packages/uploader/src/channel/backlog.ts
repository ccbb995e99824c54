import { windowStart } from '@hls-uplink/hls';
import { MOST_ARREARS } from './arrears.js';
import { hasRecordings } from './catch-up.js';
import { carryDateRanges } from './date-range.js';
import { fixNumbers } from './discontinuity.js';
import { jumpTo, leave } from './retention.js';
import { withdraw } from './item.js';
import { isPublished } from './partial.js';
import { hasSkipped, liveWindow } from './rendition.js';
import { answer, sourcesOf } from './source.js';
import { isSilent } from './spare.js';
import type { ChannelState, Entry, Item, RenditionState, Slot, Turn } from './state.js';
import { TICKS_PER_SECOND } from './ticks.js';
import { inSlot, nextSlot, positionOf, slotAbove, slotOf } from './timeline.js';
import { listUnseen, listUnseenAlone } from './unseen.js';

/** So many windows may wait to be published: they catch up in order. Of more only the last one is published. */
const MOST_WINDOWS = 2;

/**
 * After an outage the live tail skips to the live edge (DESIGN.md, "Each playlist has its own tail"): what would have left
 * the window by now, had it been published in time, is dropped. Its numbers count as listed and removed.
 */
export function skipBacklog(turn: Turn, rendition: RenditionState): void {
  skipBeyond(turn, rendition, MOST_WINDOWS);
}

/**
 * The store takes writes again. A skip that viewers have not seen any of leaves them a hole in any case, so it goes as far as it
 * can: what came since it was decided would hold back the live edge, and could soon be two windows again, for a second hole.
 */
export function skipAgain(turn: Turn, rendition: RenditionState): void {
  const { entries, tail, inFlight } = rendition;
  const isUnderWay = inFlight !== undefined && inFlight.tail >= (entries[0]?.number ?? tail + 1);
  if (hasSkipped(turn.state, rendition) && !isUnderWay) skipBeyond(turn, rendition, 1);
}

function skipBeyond(turn: Turn, rendition: RenditionState, windows: number): void {
  const { state, at } = turn;
  const waiting = rendition.alone ? waitingAlone(rendition) : waitingSlots(state, rendition);
  if (waiting.length <= windows * state.settings.window) return;
  const first = windowStart(
    waiting.map(({ start, end }) => ({ duration90k: end - start })),
    liveWindow(state),
  );
  if (first <= (windows - 1) * (waiting.length - first)) return;
  if (!rendition.alone && mayBring(turn, rendition, waiting.slice(0, first) as Slot[])) return;
  if (rendition.alone) skipAlone(turn, rendition, first);
  else skipTo(turn, rendition, waiting[first] as Slot);
  if (rendition.queue.length === 0 && isOverdue(state, rendition, at))
    rendition.away = isSilent(state, rendition, at);
  rendition.updatedMs = at;
  turn.effects.push({
    type: 'report',
    level: 'warn',
    message: hasRecordings(state, rendition)
      ? 'more waits to be published than two windows; dvr and event catch up'
      : 'more waits to be published than two windows; all but the last is dropped',
    fields: {
      rendition: rendition.name,
      segments: first,
      seconds: Math.round(waiting.slice(0, first).reduce(addTicks, 0) / TICKS_PER_SECOND),
    },
  });
}

/**
 * Recordings are to have what is skipped, and some of it may not have been announced yet: its source is away, or comes after its
 * siblings when the uploader is there again. It is lost when it does not come by its deadline, which is counted as ever.
 */
function mayBring({ state, at }: Turn, rendition: RenditionState, skipped: readonly Slot[]): boolean {
  if (!hasRecordings(state, rendition) || skipped.length > MOST_ARREARS) return false;
  const { name, queue, entries } = rendition;
  const overdue = isOverdue(state, rendition, at);
  // What was announced before a leave comes again with it, and what it began anew with behind it.
  const isGone = sourcesOf(state, name).every(({ connected, gone }) => !connected && gone);
  const isAwaited = (slot: Slot): boolean =>
    !inSlot(queue.items, slot) && !inSlot(entries, slot) && !(overdue && isPublished(state, rendition, slot));
  return (!isGone || at < state.openedMs + patienceMs(state)) && skipped.some(isAwaited);
}

const patienceMs = ({ targetDuration }: ChannelState): number => 1500 * targetDuration!;

const isOverdue = (state: ChannelState, { away, updatedMs }: RenditionState, at: number): boolean =>
  away || at >= updatedMs + patienceMs(state);

const addTicks = (sum: number, { start, end }: { start: number; end: number }): number => sum + end - start;

/** From the first slot that neither a stored version lists nor one that is on its way. */
function waitingSlots(state: ChannelState, rendition: RenditionState): Slot[] {
  const built = rendition.entries[listed(rendition)];
  const first = built ? slotAbove(state, built.number - 1) : nextSlot(state, rendition);
  return first ? state.slots.slice(positionOf(state, first)) : [];
}

const waitingAlone = (rendition: RenditionState): (Entry | Item)[] => [
  ...rendition.entries.slice(listed(rendition)),
  ...rendition.queue.items,
];

/** How many of the entries a stored version lists, or one that is on its way. */
function listed({ entries, storedTail, inFlight }: RenditionState): number {
  const first = entries.findIndex(({ number }) => number > Math.max(storedTail, inFlight?.tail ?? -1));
  return first === -1 ? entries.length : first;
}

/** The playlist goes on with this slot. */
function skipTo(turn: Turn, rendition: RenditionState, kept: Slot): void {
  const { state } = turn;
  const position = positionOf(state, kept);
  if (hasRecordings(state, rendition)) listUnseen(turn, rendition, kept);
  const isBefore = (item: Item): boolean => positionOf(state, slotOf(state, item)!) < position;
  dropItems(turn, rendition, rendition.queue.items.filter(isBefore));
  const left = rendition.entries.findIndex(({ number }) => number >= (kept.number ?? Infinity));
  dropEntries(turn, rendition, left === -1 ? rendition.entries.length : left);
  if (rendition.tail < state.firstNumber || rendition.entries.length > 0) return;
  const before = state.slots[position - 1]!;
  fixNumbers(state, before);
  jumpTo(rendition, before.number!);
}

/** The playlist goes on after so many that wait. */
function skipAlone(turn: Turn, rendition: RenditionState, count: number): void {
  const before = listed(rendition);
  const built = Math.min(count, rendition.entries.length - before);
  if (built < count && hasRecordings(turn.state, rendition)) {
    listUnseenAlone(turn, rendition, rendition.queue.items[count - built]!);
    return dropEntries(turn, rendition, rendition.entries.length);
  }
  dropEntries(turn, rendition, before + built);
  const items = rendition.queue.items.slice(0, count - built);
  dropItems(turn, rendition, items);
  if (rendition.tail >= turn.state.firstNumber) jumpTo(rendition, rendition.tail + items.length);
}

function dropItems(turn: Turn, rendition: RenditionState, items: readonly Item[]): void {
  for (const item of items) {
    rendition.queue = rendition.queue.without(item.id);
    if (!item.answered) answer(turn, item.id, { type: 'dropped', code: 'backlog' });
    withdraw(turn, rendition, item);
  }
}

/** The first of what is built; the stored version may list it, or one that is on its way. */
export function dropEntries(turn: Turn, rendition: RenditionState, count: number): void {
  const removed = leave(turn.state, rendition, count);
  rendition.arrearsMs = turn.at;
  const { arrears } = rendition;
  for (const { id } of removed)
    if (id && !arrears.find(id)) answer(turn, id, { type: 'dropped', code: 'backlog' });
  carryDateRanges(turn.state, rendition, removed);
}
