import type { Track, Tracks } from '@hls-uplink/protocol';
import { keepCaptions } from './captions.js';
import { isSpare } from './encode.js';
import { renditionOf } from './rendition.js';
import type { ChannelState, RenditionState, Turn } from './state.js';
import { TICKS_PER_SECOND } from './ticks.js';

/**
 * Tracks hold for the segments from their `index` on, and are taken at once, though older ones may still be queued: so the
 * multivariant playlist names new codecs early, by what is queued. It can't name them exactly anyway, since the window
 * lists old segments beside new ones, and players go by what the media says after a discontinuity; what is announced from
 * now on is measured by them, and that is never older.
 */
export function takeTracks({ state }: Turn, { session, tracks, gop }: Tracks): void {
  const rendition = renditionOf(state, session);
  if (!rendition) return;
  const source = state.sources[session]!;
  source.tracks = tracks;
  if (!isSpare(state, rendition, source)) stateTracks(state, rendition, tracks);
  if (gop !== undefined) stateGop(rendition, gop, state.target!);
}

/** What the active source's segments hold. */
export function stateTracks(state: ChannelState, rendition: RenditionState, tracks: Track[]): void {
  rendition.tracks = state.phase === 'ended' ? tracks : keepCaptions(rendition.tracks, tracks);
  const rate = tracks.find((track) => track.kind === 'video')?.frameRate;
  if (rate !== undefined) rendition.frame = Math.ceil(TICKS_PER_SECOND / rate) + 1;
}

/** A steady GOP g gives segments of at most g·⌈target/g⌉. */
export function stateGop(rendition: RenditionState, gop: number, target: number): void {
  rendition.longest = Math.max(rendition.longest, gop * Math.ceil((target * TICKS_PER_SECOND) / gop));
}
