import type { WindowOptions } from '@hls-uplink/hls';
import type { SourceFacts } from './event.js';
import { playlistKeyOf } from './playlist-keys.js';
import { Arrears } from './arrears.js';
import { Queue } from './queue.js';
import type { ChannelState, RenditionState } from './state.js';
import { TICKS_PER_SECOND } from './ticks.js';

/** EXT-X-VERSION: sliding playlists are 8 from birth, for EXT-X-GAP (HLS-RULES 13). */
export const PLAYLIST_VERSION = 8;
/** Longest distance that still counts as touching while no frame rate is known: one MPEG audio or AAC frame, one picture at 10 Hz. */
const UNKNOWN_FRAME_90K = TICKS_PER_SECOND / 10;

export function newRendition(
  state: ChannelState,
  name: string,
  names: SourceFacts['names'] = {},
): RenditionState {
  return {
    name,
    playlistKey: playlistKeyOf(state.settings.channel, { rendition: name, names }),
    segmentPrefix: names.segmentPrefix ?? name,
    urlPrefix: names.urlPrefix ?? '',
    tracks: [],
    longest: 0,
    gop: 0,
    frame: UNKNOWN_FRAME_90K,
    queue: Queue.empty,
    spares: [],
    entries: [],
    previous: [],
    tail: -1,
    alone: false,
    beside: 0,
    discontinuitySequence: 0,
    independent: true,
    endList: false,
    dirty: false,
    version: 0,
    storedVersion: 0,
    storedTail: -1,
    storedEnd: false,
    failing: false,
    updatedMs: 0,
    putMs: 0,
    away: false,
    left: [],
    recordings: {},
    arrears: Arrears.empty,
    arrearsMs: 0,
    caughtUp: 0,
    iFrames: { sequence: 0, storedVersion: 0, isThere: false, wasThere: false, peakBandwidth: 0 },
    peakBandwidth: 0,
    totalBytes: 0,
    total90k: 0,
    counts: { published: 0, gaps: 0, discontinuities: 0, caughtUp: 0, switches: 0, dropped: {} },
  };
}

export function renditionOf(state: ChannelState, session: string): RenditionState | undefined {
  const source = state.sources[session];
  return source && state.renditions[source.facts.rendition];
}

export function hasVideo({ tracks }: RenditionState): boolean {
  return tracks.some((track) => track.kind === 'video');
}

/** When a slot that a sibling has published and this rendition has not is lost, milliseconds (DESIGN.md, "Lost"). */
export function lostAt(state: ChannelState, rendition: RenditionState): number {
  const { failing, inFlight, tail, storedTail, updatedMs, putMs } = rendition;
  if (failing || inFlight || (tail > storedTail && !hasSkipped(state, rendition))) return Infinity;
  const targetMs = 1000 * (state.targetDuration ?? 0);
  return updatedMs + 1.5 * targetMs - Math.min(putMs, targetMs / 4);
}

/** What the live window must hold. */
export function liveWindow({ settings, targetDuration }: ChannelState): WindowOptions {
  const { window: minSegments, windowSeconds: minSeconds = 0 } = settings;
  return { minSegments, minSeconds, targetDuration: targetDuration! };
}

/** What is built next does not follow what viewers have, or is not where the stream began: the live tail has skipped to the live edge. */
export function hasSkipped(
  { firstNumber }: ChannelState,
  { entries, tail, storedTail, arrears }: RenditionState,
): boolean {
  const first = entries[0]?.number ?? tail + 1;
  if (storedTail >= firstNumber) return first > storedTail + 1;
  return tail >= firstNumber && (entries.length === 0 || arrears.length > 0);
}
