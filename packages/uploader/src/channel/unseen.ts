import { listAlone } from './alone.js';
import { dropEntries } from './backlog.js';
import { appendSegment, appendSlotGap } from './entry.js';
import { lose, putSegment, withdraw } from './item.js';
import { forget } from './lost.js';
import { isLess } from './partial.js';
import { fits } from './publish.js';
import type { Item, RenditionState, Slot, Turn } from './state.js';
import { inSlot, nextSlot, positionOf } from './timeline.js';

/** Entries that what is listed next is measured by. */
const LOOKED_BACK = 8;

/** Lists what the live playlist skips as if all of it were stored, up to the slot that it goes on with: recordings are to have it. */
export function listUnseen(turn: Turn, rendition: RenditionState, kept: Slot): void {
  const { state } = turn;
  const isBefore = (slot: Slot): boolean => positionOf(state, slot) < positionOf(state, kept);
  for (let slot = nextSlot(state, rendition); slot && isBefore(slot); slot = nextSlot(state, rendition)) {
    listSlot(turn, rendition, slot);
    shed(turn, rendition);
  }
}

/** What is listed is recorded from: only the last of it says how the next must be listed. */
function shed(turn: Turn, rendition: RenditionState): void {
  const { length } = rendition.entries;
  if (length >= 4 * LOOKED_BACK) dropEntries(turn, rendition, length - LOOKED_BACK);
}

function listSlot(turn: Turn, rendition: RenditionState, slot: Slot): void {
  const item = inSlot(rendition.queue.items, slot);
  if (!item) return appendSlotGap(turn, rendition, slot);
  if (item.state === 'lost') return listLost(turn, rendition, slot, item);
  const isPartial = isLess(turn.state, rendition, slot, item);
  if (isPartial || !fits(turn, rendition, slot, item)) {
    withdraw(turn, rendition, item);
    return listLost(turn, rendition, slot, lose(turn, rendition, item, isPartial ? 'partial' : 'late'));
  }
  putBehind(turn, rendition, item);
  appendSegment(turn, rendition, item, { number: slot.number!, discontinuity: slot.discontinuity });
}

function listLost(turn: Turn, rendition: RenditionState, slot: Slot, item: Item): void {
  if (rendition.tail < turn.state.firstNumber) forget(turn, rendition, slot, item, 'partial');
  else appendSlotGap(turn, rendition, slot);
}

/** As `listUnseen`, in a rendition that counts alone. */
export function listUnseenAlone(turn: Turn, rendition: RenditionState, kept: Item): void {
  for (let { first } = rendition.queue; first && first.id !== kept.id; { first } = rendition.queue) {
    const { id } = first;
    listAlone(turn, rendition, first);
    const isListed = !rendition.queue.find(id);
    if (isListed && first.state !== 'lost') putBehind(turn, rendition, first);
    shed(turn, rendition);
  }
}

/** What the live playlist is to list goes first. */
function putBehind(turn: Turn, rendition: RenditionState, { state, id, announcement }: Item): void {
  if (state === 'uploading') turn.effects.push({ type: 'cancel-segment', id });
  if ((state === 'uploading' || state === 'undecided') && announcement.type === 'segment')
    putSegment(turn, rendition, announcement, { isBehind: true });
}
