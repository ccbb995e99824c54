import { fitsTargetDuration } from '@hls-uplink/hls';
import type { DroppedCode, Segment } from '@hls-uplink/protocol';
import { remove } from './retention.js';
import { answer } from './source.js';
import type { ChannelState, Item, RenditionState, Turn } from './state.js';
import { TICKS_PER_SECOND } from './ticks.js';
import { measureSlot, slotOf } from './timeline.js';

export function segmentKey(
  channel: string,
  rendition: RenditionState,
  { session, index }: Item['id'],
): string {
  return `${channel}/${segmentName(rendition, { session, index })}`;
}

export function segmentName({ segmentPrefix }: RenditionState, { session, index }: Item['id']): string {
  return `${segmentPrefix}-${session}-${String(index).padStart(6, '0')}.ts`;
}

/** The key below the channel that a URI stands for, whatever the URL prefix was when it was listed. */
export function keyOf({ settings }: ChannelState, uri: string): string {
  return `${settings.channel}/${uri.slice(uri.lastIndexOf('/') + 1)}`;
}

export const gapUri = ({ urlPrefix, segmentPrefix }: RenditionState, number: number): string =>
  `${urlPrefix}${segmentPrefix}-gap-${number}.ts`;

/** As it is then; a gap has nothing to upload. */
export function upload(turn: Turn, rendition: RenditionState, item: Item): Item {
  if (item.announcement.type !== 'segment') return item;
  putSegment(turn, rendition, item.announcement);
  return change(rendition, item, { state: 'uploading' });
}

export function putSegment(
  { state, effects }: Turn,
  rendition: RenditionState,
  { session, index, path, bytes, crc32 }: Segment,
  behind: { isBehind?: true } = {},
): void {
  const id = { session, index };
  effects.push({
    type: 'put-segment',
    id,
    rendition: rendition.name,
    key: segmentKey(state.settings.channel, rendition, id),
    path,
    bytes,
    crc32,
    ...behind,
  });
}

/** It is not to be listed: it is not uploaded, and what is uploaded of it is deleted. */
export function withdraw({ state, effects }: Turn, rendition: RenditionState, item: Item): void {
  if (item.state === 'uploading') effects.push({ type: 'cancel-segment', id: item.id });
  if (item.state === 'uploading' || item.state === 'stored')
    remove(rendition, [{ key: segmentKey(state.settings.channel, rendition, item.id), keepMs: 0 }]);
}

/** It has its final answer and nothing to list; as it is then. */
export function lose(turn: Turn, rendition: RenditionState, item: Item, code: DroppedCode): Item {
  answer(turn, item.id, { type: 'dropped', code });
  const lost = change(rendition, item, { state: 'lost', answered: true });
  const slot = slotOf(turn.state, item);
  if (slot) measureSlot(turn.state, slot);
  return lost;
}

/** As it is then. */
export function change(
  rendition: RenditionState,
  item: Item,
  to: Partial<Pick<Item, 'state' | 'answered' | 'encryption'>>,
): Item {
  const changed = { ...item, ...to };
  rendition.queue = rendition.queue.replaced(changed);
  return changed;
}

/**
 * A segment whose EXTINF would round above the target duration can never be listed (HLS-RULES 1).
 * @returns as it is then
 */
export function checkLength(turn: Turn, rendition: RenditionState, item: Item): Item {
  const { targetDuration } = turn.state;
  if (targetDuration === undefined || item.state === 'lost') return item;
  const ticks = item.end - item.start;
  if (fitsTargetDuration(ticks, targetDuration)) return item;
  const lost = lose(turn, rendition, item, 'too-long');
  const seconds = (ticks / TICKS_PER_SECOND).toFixed(3);
  turn.effects.push({
    type: 'report',
    level: 'warn',
    message: `segment of ${seconds} s is longer than the channel's target duration of ${targetDuration} s; set --target-duration, or shorten the encoder's GOP`,
    fields: { rendition: rendition.name, ...item.id },
  });
  return lost;
}

/** The target duration is known now: what is too long for it is out before it can be listed. */
export function checkLengths(turn: Turn): void {
  for (const rendition of Object.values(turn.state.renditions)) {
    for (const item of rendition.queue.items) checkLength(turn, rendition, item);
  }
}
