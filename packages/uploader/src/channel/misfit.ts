import { leaveAlignment } from './alone.js';
import { siblings } from './partial.js';
import { hasVideo } from './rendition.js';
import type { ChannelState, Item, RenditionState, Slot, Turn } from './state.js';
import { TICKS_PER_MS } from './ticks.js';
import { CHANNEL_HOLE_90K, inSlot } from './timeline.js';

/** Why a rendition does not align: its encoder's clock, the distance of its key pictures, or where they lie. */
export interface Misfit {
  why: 'clock' | 'gop' | 'offset';
  /** What mends it. */
  remedy: string;
}

/** Timestamps this near each other are the same, ticks: of a time base of milliseconds. */
const SAME_TICKS = TICKS_PER_MS;
/** So many segments in a row: one alone may have lost its key picture. */
const TOLD_AFTER = 3;

/** Why renditions do not align, and what the operator can do about it; docs/operations.md has the commands. */
export const MISFITS: Record<Misfit['why'], Misfit> = {
  clock: {
    why: 'clock',
    remedy:
      'its encoder runs on a clock of its own, or was restarted alone: make all renditions with one ffmpeg, or give all encoders one source with -copyts and -force_key_frames source',
  },
  gop: {
    why: 'gop',
    remedy:
      'its key pictures are at other distances: the same -r, -g, -keyint_min and -sc_threshold 0 for all, -g a divisor of the segment duration',
  },
  offset: {
    why: 'offset',
    remedy:
      'its key pictures lie beside those of the others: the same -bf for all, or -avoid_negative_ts disabled, and encoders that begin together',
  },
};

/** Why its boundaries are its own: its key pictures have other distances, or lie beside the others'. */
export function whyMisaligned(state: ChannelState, rendition: RenditionState): 'gop' | 'offset' {
  const others = Object.values(state.renditions).filter(({ gop }) => gop > 0);
  return others.some(({ gop }) => Math.abs(gop - rendition.gop) > SAME_TICKS) ? 'gop' : 'offset';
}

/**
 * Whether segment after segment begins beside those that its siblings have for the same slots: the operator is told, and a
 * rendition that is further off than gaps can bridge counts alone.
 */
export function checkOffset(turn: Turn, rendition: RenditionState, slot: Slot, item: Item): void {
  const apart = apartFrom(turn.state, rendition, slot, item);
  if (apart === undefined) return;
  rendition.beside = apart > SAME_TICKS ? rendition.beside + 1 : 0;
  if (rendition.beside < TOLD_AFTER) return;
  const why = whyMisaligned(turn.state, rendition);
  if (apart > CHANNEL_HOLE_90K) leaveAlignment(turn, rendition, why);
  else tellMisfit(turn, rendition, MISFITS[why], apart);
}

/** From the start of a sibling's segment for the slot, ticks; undefined when no whole ones are there to compare. */
function apartFrom(
  state: ChannelState,
  rendition: RenditionState,
  slot: Slot,
  item: Item,
): number | undefined {
  if (!item.fromStart || !item.toCut || !hasVideo(rendition)) return undefined;
  const starts = siblings(state, rendition)
    .filter(hasVideo)
    .flatMap((other) => {
      const queued = inSlot(other.queue.items, slot);
      if (queued) return queued.fromStart && queued.toCut ? [queued.start] : [];
      const listed = inSlot(other.entries, slot);
      return listed && !listed.gap ? [listed.start] : [];
    });
  return starts.length > 0 ? Math.min(...starts.map((start) => Math.abs(start - item.start))) : undefined;
}

/** Once for each reason. */
export function tellMisfit(turn: Turn, rendition: RenditionState, misfit: Misfit, apart90k?: number): void {
  if (rendition.misfit?.why === misfit.why) return;
  rendition.misfit = misfit;
  const numbered = rendition.alone ? ', so this one is numbered alone' : '';
  turn.effects.push({
    type: 'report',
    level: 'warn',
    message: `segment boundaries do not align with the other renditions${numbered}: ${misfit.remedy}`,
    fields: {
      rendition: rendition.name,
      why: misfit.why,
      ...(apart90k !== undefined && { milliseconds: Math.round(apart90k / TICKS_PER_MS) }),
    },
  });
}
