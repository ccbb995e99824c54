import { fitsTargetDuration } from '@hls-uplink/hls';
import { dueDateRanges } from './date-range.js';
import { begins, fixNumbers, isTold } from './discontinuity.js';
import { encryptedBytes, keyAfter } from './encryption.js';
import { isAlike } from './encode.js';
import { dateOf, epochOf } from './epoch.js';
import { iFrameBytes, keyPlaces } from './i-frame.js';
import { gapUri, segmentKey, segmentName } from './item.js';
import { keepChanges, sourcesOf } from './source.js';
import type { ChannelState, Entry, Item, RenditionState, Slot, SourceState, Turn } from './state.js';
import { TICKS_PER_SECOND } from './ticks.js';
import { CHANNEL_HOLE_90K, inSlot } from './timeline.js';

/** Lists a segment that is stored, or that is for recordings once it is. */
export function appendSegment(
  { state }: Turn,
  rendition: RenditionState,
  item: Item,
  { number, discontinuity }: { number: number; discontinuity: boolean },
): void {
  if (item.announcement.type !== 'segment') throw new Error('only a segment can be stored');
  const { independent } = item.announcement;
  const bytes = item.encryption ? encryptedBytes(item.announcement.bytes) : item.announcement.bytes;
  const encryption = keyAfter(rendition, item.encryption);
  rendition.queue = rendition.queue.without(item.id);
  const told = discontinuity || isTold(rendition);
  push(state, rendition, {
    number,
    uri: rendition.urlPrefix + segmentName(rendition, item.id),
    key: segmentKey(state.settings.channel, rendition, item.id),
    id: item.id,
    ...(item.slot !== undefined && { slot: item.slot }),
    epoch: item.epoch,
    place: item.place,
    start: item.start,
    end: item.end,
    ...(item.toCut && { toCut: true }),
    bytes,
    // A picture cannot be decrypted alone.
    keys: item.encryption ? [] : keyPlaces(item.announcement),
    dateMs: Math.round(dateOf(epochOf(state, item.epoch)!.clock, item.start)),
    discontinuity,
    gap: false,
    ...(item.state !== 'stored' && { waits: item.state === 'awaiting' ? 'bytes' : 'upload' }),
    ...(encryption && { encryption }),
  });
  rendition.counts.published++;
  if (!independent) rendition.independent = false;
  const source = state.sources[item.id.session];
  // Where nothing is listed before it, a player begins anew anyway.
  if ((told || rendition.entries.length === 1) && source) tellChange(state, rendition, source, item.id.index);
  rendition.listedBy = item.id.session;
  if (source) source.published++;
  if (source) source.listed = { index: item.id.index, epoch: item.epoch, end: item.end };
  rendition.totalBytes += bytes;
  rendition.total90k += item.end - item.start;
  const peakOf = (size: (entry: Entry) => number | undefined): number =>
    newestPeak(rendition.entries, state.targetDuration! * TICKS_PER_SECOND, size);
  const { iFrames } = rendition;
  rendition.peakBandwidth = Math.max(
    rendition.peakBandwidth,
    peakOf((entry) => entry.bytes),
  );
  iFrames.peakBandwidth = Math.max(iFrames.peakBandwidth, peakOf(iFrameBytes));
}

/** What has changed is said: for the same encode's other sources, too, but for what of theirs is yet to come. */
function tellChange(
  state: ChannelState,
  rendition: RenditionState,
  source: SourceState,
  listed: number,
): void {
  const alike = isAlike(state, rendition, source)
    ? sourcesOf(state, rendition.name).filter((other) => other !== source && isAlike(state, rendition, other))
    : [];
  for (const other of alike) {
    const { session } = other.facts;
    keepChanges(other, (index) => rendition.queue.find({ session, index }) !== undefined);
  }
  keepChanges(source, (index) => index > listed);
}

/**
 * Bits a second: the largest rate of the contiguous sets that end with the newest entry and last 0.5 to 1.5 target
 * durations (RFC 8216 §4.1, peak segment bit rate); 0 without one.
 */
function newestPeak(
  entries: readonly Entry[],
  target90k: number,
  sizeOf: (entry: Entry) => number | undefined,
): number {
  let peak = 0;
  let [size, ticks] = [0, 0];
  for (const entry of entries.toReversed()) {
    const bytes = sizeOf(entry);
    ticks += entry.end - entry.start;
    if (bytes === undefined || ticks > 1.5 * target90k) break;
    size += bytes;
    if (ticks >= 0.5 * target90k) peak = Math.max(peak, (size * 8 * TICKS_PER_SECOND) / ticks);
  }
  return Math.ceil(peak);
}

/** Lists a gap for a slot, from where the entry before ends when that may be so long. */
export function appendSlotGap(turn: Turn, rendition: RenditionState, slot: Slot): void {
  fixNumbers(turn.state, slot);
  if (rendition.entries.length === 0) joinSequence(rendition, slot);
  const item = inSlot(rendition.queue.items, slot);
  const start = gapStart(turn.state, rendition, slot) ?? slot.start;
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

/** Where the entry before ends, when a gap for the slot may begin there; undefined when it may not. */
function gapStart(state: ChannelState, { entries }: RenditionState, slot: Slot): number | undefined {
  const previous = entries.at(-1);
  if (previous?.epoch !== slot.epoch || slot.discontinuity) return undefined;
  const ticks = slot.end - previous.end;
  return ticks > 0 &&
    fitsTargetDuration(ticks, state.targetDuration!) &&
    slot.start - previous.end <= CHANNEL_HOLE_90K
    ? previous.end
    : undefined;
}

/** How far a gap for the slot would begin from the end of the entry before it, ticks; 0 where it may begin there, or anywhere. */
export function distance(state: ChannelState, rendition: RenditionState, slot: Slot): number {
  const previous = rendition.entries.at(-1);
  if (previous?.epoch !== slot.epoch || begins(state, slot)) return 0;
  return gapStart(state, rendition, slot) === undefined ? slot.start - previous.end : 0;
}

/** Lists a gap; the final answer of what it stands for, when it has none yet, waits for the version as a segment's does. */
export function appendGap(
  turn: Turn,
  rendition: RenditionState,
  place: Pick<Entry, 'number' | 'discontinuity' | 'slot' | 'epoch' | 'place' | 'start' | 'end'>,
  item: Item | undefined,
): void {
  const { state, effects } = turn;
  if (item) rendition.queue = rendition.queue.without(item.id);
  push(state, rendition, {
    ...place,
    uri: gapUri(rendition, place.number),
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

function push(state: ChannelState, rendition: RenditionState, entry: Omit<Entry, 'longestMs'>): void {
  const dateRanges = dueDateRanges(state, rendition, entry.dateMs);
  rendition.entries.push({ ...entry, ...(dateRanges.length > 0 && { dateRanges }), longestMs: 0 });
  rendition.tail = entry.number;
  if (entry.discontinuity) rendition.counts.discontinuities++;
}

/** A rendition that begins among others has the discontinuity sequence that they have there (HLS-RULES 20). */
export function joinSequence(
  rendition: RenditionState,
  { discontinuity, discontinuitySequence }: Slot,
): void {
  const before = discontinuitySequence! - (discontinuity ? 1 : 0);
  rendition.discontinuitySequence = Math.max(rendition.discontinuitySequence, before);
}
