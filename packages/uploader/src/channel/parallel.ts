import { endDate, leaveAlignment } from './alone.js';
import { dateOf, epochOf, wallOf } from './epoch.js';
import { isPast, siblings } from './partial.js';
import { hasLeft } from './source.js';
import type { ChannelState, Epoch, RenditionState, Slot, Turn } from './state.js';
import { inSlot, positionOf } from './timeline.js';

/**
 * Until when it is not known whether a slot on a new clock begins an epoch of the channel, milliseconds: its siblings may
 * follow, or go on with the clock they have. Undefined when it is known.
 */
export function clockKnownAt(state: ChannelState, rendition: RenditionState, slot: Slot): number | undefined {
  const previous = state.slots[positionOf(state, slot) - 1];
  if (slot.number !== undefined || !previous || previous.epoch === slot.epoch) return undefined;
  const open = siblings(state, rendition).filter(
    (other) =>
      !other.away &&
      !hasLeft(state, other.name) &&
      !inSlot(other.queue.items, slot) &&
      !isPast(state, other, slot),
  );
  if (open.length === 0) return undefined;
  return Math.max(...open.map(({ updatedMs }) => updatedMs)) + 1500 * (state.targetDuration ?? 0);
}

/**
 * A rendition goes on with its clock after others have begun a newer one: their encoders run beside each other, and those
 * on the newer clock count alone (DESIGN.md, "The timeline").
 */
export function partClocks(turn: Turn, rendition: RenditionState, clock: Epoch, wallMs: number): void {
  if (rendition.alone) return;
  const { state } = turn;
  for (const other of siblings(state, rendition)) {
    const newest = other.queue.last ?? other.entries.at(-1);
    const epoch = newest && newest.epoch > clock.id ? epochOf(state, newest.epoch) : undefined;
    if (!epoch || wallOf(epoch, epoch.clock.t0) >= wallMs) continue;
    redate(state, epoch, clock);
    leaveAlignment(turn, other, 'clock');
  }
}

/**
 * A new clock of a rendition begins where a sibling has gone on with the one they had for a target duration or more, as after an
 * outage, when one announces all it has before the other: it counts alone.
 */
export function partNewClock(turn: Turn, rendition: RenditionState, wallMs: number): void {
  const { state } = turn;
  if (rendition.alone) return;
  const goesOn = siblings(state, rendition).some(({ queue, entries }) => {
    const newest = queue.last ?? entries.findLast(({ gap }) => !gap);
    const epoch = newest && epochOf(state, newest.epoch);
    return (
      epoch !== undefined &&
      wallOf(epoch, epoch.clock.t0) <= wallMs &&
      wallOf(epoch, newest!.start) >= wallMs + 1000 * state.target!
    );
  });
  if (goesOn) leaveAlignment(turn, rendition, 'clock');
}

/** A clock that runs beside another is dated as that one is, unless that is published already. */
function redate({ renditions }: ChannelState, epoch: Epoch, beside: Epoch): void {
  const all = Object.values(renditions);
  if (all.some(({ entries }) => entries.some((entry) => entry.epoch === epoch.id))) return;
  const tails = all.flatMap(({ queue, entries }) => {
    const tail = entries.at(-1);
    return queue.last?.epoch === epoch.id && tail && !tail.gap ? [endDate(tail)] : [];
  });
  const date = besideDate(beside, wallOf(epoch, epoch.clock.t0));
  epoch.clock.date0Ms = Math.ceil(Math.max(date, ...tails));
}

/** The date that a running clock has at a wall clock. */
export function besideDate({ clock, seen }: Epoch, wallMs: number): number {
  return dateOf(clock, seen.t0) + wallMs - seen.date0Ms;
}
