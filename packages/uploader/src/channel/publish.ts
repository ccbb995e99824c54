import { listNextAlone } from './alone.js';
import { endsApart, giveUpLast } from './catch-up.js';
import { dropEntries } from './backlog.js';
import { fixNumbers, isTold, tolerance } from './discontinuity.js';
import { isOtherEncode } from './encode.js';
import { appendSegment, joinSequence } from './entry.js';
import { lose } from './item.js';
import { listAwaited, listGap, listLost, listMissing } from './lost.js';
import { decidePartial, leavesHole } from './partial.js';
import { clockKnownAt } from './parallel.js';
import { lostAt } from './rendition.js';
import { jumpTo } from './retention.js';
import { hasChanged } from './source.js';
import { hasGone } from './spare.js';
import { useSpares } from './take-over.js';
import type { Item, RenditionState, Slot, Turn } from './state.js';
import { inSlot, nextSlot } from './timeline.js';

/** Appends to the playlist whatever may be listed now; false when that was nothing. */
export function advance(turn: Turn, rendition: RenditionState): boolean {
  let listed = false;
  while (rendition.alone ? listNextAlone(turn, rendition) : listNext(turn, rendition)) listed = true;
  // A partial one that is dropped before the first entry lists nothing.
  if (listed && rendition.entries.length > 0) rendition.dirty = true;
  return listed;
}

/** One step; false when nothing can be listed now. */
function listNext(turn: Turn, rendition: RenditionState): boolean {
  const { state } = turn;
  const slot = nextSlot(state, rendition);
  if (!slot) return false;
  if (rendition.entries.length > 0 && slot.number !== undefined && slot.number > rendition.tail + 1) {
    // Its source may yet bring it.
    if (rendition.queue.length === 0 && isExpected(turn, rendition)) return false;
    // What lies between has left every sibling's window and nobody knows its lengths any more: the playlist goes on where
    // theirs do (DESIGN.md, "Each playlist has its own tail").
    dropEntries(turn, rendition, rendition.entries.length);
    jumpTo(rendition, slot.number - 1);
  }
  const queued = inSlot(rendition.queue.items, slot);
  if (!queued) return listMissing(turn, rendition, slot);
  const item = queued.state === 'undecided' ? decidePartial(turn, rendition, slot, queued) : queued;
  if (item.state === 'lost' && useSpares(turn, rendition)) return listNext(turn, rendition);
  switch (item.state) {
    case 'awaiting':
      return listAwaited(turn, rendition, slot, item);
    case 'undecided':
    case 'uploading':
      return false;
    case 'lost':
      return listLost(turn, rendition, slot, item);
    case 'stored': {
      if (turn.at < (clockKnownAt(state, rendition, slot) ?? 0)) return false;
      // More of the slot may have come since its upload began.
      if (leavesHole(turn.state, rendition, slot, item)) {
        lose(turn, rendition, item, 'partial');
        return listNext(turn, rendition);
      }
      return listStored(turn, rendition, slot, item);
    }
  }
}

function isExpected({ state, at }: Turn, rendition: RenditionState): boolean {
  return !rendition.away && !hasGone(state, rendition, at) && at < lostAt(state, rendition);
}

function listStored(turn: Turn, rendition: RenditionState, slot: Slot, item: Item): boolean {
  if (!fits(turn, rendition, slot, item)) {
    lose(turn, rendition, item, 'late');
    return listGap(turn, rendition, slot);
  }
  appendSegment(turn, rendition, item, { number: slot.number!, discontinuity: slot.discontinuity });
  return true;
}

/** Gives the slot its number; false when what must be said before the item cannot be any more. */
export function fits(turn: Turn, rendition: RenditionState, slot: Slot, item: Item): boolean {
  const { state } = turn;
  const previous = rendition.tail >= state.firstNumber ? rendition.entries.at(-1) : undefined;
  const hole =
    previous?.epoch === item.epoch &&
    Math.abs(item.start - previous.end) > tolerance(rendition, previous.gap);
  const isOther = hasChanged(state, item) || isOtherEncode(state, rendition, item);
  const changed = isOther && !isTold(rendition);
  const broken = previous === undefined && endsApart(turn, rendition, item);
  if (slot.number === undefined) slot.discontinuity ||= hole || changed || broken;
  fixNumbers(state, slot);
  if (previous === undefined) joinSequence(rendition, slot);
  if (broken && !slot.discontinuity) giveUpLast(turn, rendition);
  if (slot.discontinuity || previous === undefined || !(hole || changed)) return true;
  // What changed must be said once; else all that follows would come too late as well.
  if (changed) state.breakNext = true;
  return false;
}
