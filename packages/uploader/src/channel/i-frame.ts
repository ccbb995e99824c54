import type { IFrame } from '@hls-uplink/hls';
import { ptsDuration, type Segment } from '@hls-uplink/protocol';
import { derivedKey } from './playlist-keys.js';
import { hasVideo } from './rendition.js';
import type { ChannelState, Entry, RenditionState } from './state.js';
import { TICKS_PER_MS, TICKS_PER_SECOND } from './ticks.js';

/** Nearer than this to the one before a picture is of no use to who winds, and an all-intra stream has hundreds. */
const LEAST_DISTANCE_90K = TICKS_PER_SECOND;
/** PAT and PMT, a packet each, where the first picture does not follow them. */
const TABLE_BYTES = 376;

/** A key picture within its segment: offset and length in bytes, and ticks from the segment's start. */
export type KeyPlace = readonly [offset: number, length: number, ticks: number];

/**
 * Where a segment has the pictures that can be shown by themselves, in order, a second apart at least; what cannot be true
 * is left out.
 */
export function keyPlaces({ keyPictures, startPts, endPts, bytes }: Segment): KeyPlace[] {
  const places: KeyPlace[] = [];
  const duration = ptsDuration(startPts, endPts);
  for (const picture of keyPictures) {
    const ticks = ptsDuration(startPts, picture.pts);
    const [offset, length, before] = places.at(-1) ?? [0, 0, -LEAST_DISTANCE_90K];
    const fits = picture.offset >= offset + length && picture.offset + picture.bytes <= bytes;
    if (fits && ticks - before >= LEAST_DISTANCE_90K && ticks < duration)
      places.push([picture.offset, picture.bytes, ticks]);
  }
  return places;
}

/** An entry as the I-frame playlist has it: its pictures, and a gap where it has none. */
export function iFramesOf({ uri, start, end, dateMs, discontinuity, gap, keys = [] }: Entry): IFrame[] {
  const duration = end - start;
  const frame = (from: number, to: number): Omit<IFrame, 'gap'> => ({
    uri,
    duration90k: to - from,
    programDateTimeMs: dateMs + from / TICKS_PER_MS,
    discontinuity: discontinuity && from === 0,
  });
  const [first] = keys;
  if (gap || !first) return [{ ...frame(0, duration), gap: true }];
  const [offset, , lead] = first;
  const map = { length: lead === 0 ? offset : TABLE_BYTES, offset: 0 };
  return [
    ...(lead > 0 ? [{ ...frame(0, lead), gap: true }] : []),
    ...keys.map(([at, length, ticks], i) => ({
      ...frame(ticks, keys[i + 1]?.[2] ?? duration),
      gap: false,
      byteRange: { length, offset: at },
      ...(i === 0 && { map }),
    })),
  ];
}

/** How many entries of the I-frame playlist that makes. */
export function iFrameCount({ gap, keys = [] }: Pick<Entry, 'gap' | 'keys'>): number {
  const [first] = keys;
  if (gap || !first) return 1;
  return keys.length + (first[2] > 0 ? 1 : 0);
}

/** Of an entry's pictures alone; undefined in a gap, and where none is known. */
export function iFrameBytes({ keys = [] }: Entry): number | undefined {
  return keys.length === 0 ? undefined : keys.reduce((sum, [, length]) => sum + length, 0);
}

/** Whether the rendition has an I-frame playlist: what leaves it leaves that, too. */
export function hasIFrames({ settings }: ChannelState, rendition: RenditionState): boolean {
  return settings.iFrames && (rendition.iFrames.isThere || hasVideo(rendition));
}

export function iFramesKey({ playlistKey }: Pick<RenditionState, 'playlistKey'>): string {
  return derivedKey(playlistKey, 'iframes');
}
