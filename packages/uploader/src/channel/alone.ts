import { appendGap, appendSegment } from './entry.js';
import { upload } from './item.js';
import { hasChanged } from './source.js';
import type { ChannelState, RenditionState, Turn } from './state.js';
import { neighbours, type Position } from './timeline.js';

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

/** Its boundaries fall between those its siblings have published: from here on it counts alone. */
export function leaveAlignment({ effects }: Turn, rendition: RenditionState): void {
  rendition.alone = true;
  rendition.queue = rendition.queue.map(({ slot: _, ...item }) => item);
  effects.push({
    type: 'report',
    level: 'warn',
    message:
      'segment boundaries do not align with the other renditions, so this one is numbered alone; encode all with the same frame rate, -g, -keyint_min, -sc_threshold 0, -bf and one common clock',
    fields: { rendition: rendition.name },
  });
}

/** The rendition's boundaries are its own: number after number, a discontinuity where its own media breaks. */
export function listNextAlone(turn: Turn, rendition: RenditionState): boolean {
  const { state } = turn;
  const item = rendition.queue.first;
  if (!item) return false;
  if (item.state === 'undecided') upload(turn, rendition, item);
  if (item.state !== 'stored' && item.state !== 'lost') return false;
  const previous = rendition.entries.at(-1);
  const number = Math.max(rendition.tail + 1, state.firstNumber);
  const discontinuity =
    hasChanged(state, item) ||
    (previous === undefined && (state.firstNumber > 0 || rendition.tail >= state.firstNumber)) ||
    (previous !== undefined &&
      (previous.epoch !== item.epoch || Math.abs(item.start - previous.end) > rendition.frame));
  if (item.state === 'stored') appendSegment(turn, rendition, item, { number, discontinuity });
  else
    appendGap(
      turn,
      rendition,
      { number, discontinuity, epoch: item.epoch, place: item.place, start: item.start, end: item.end },
      item,
    );
  return true;
}
