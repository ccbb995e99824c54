import { renderMultivariantPlaylist, type IFrameVariant, type Variant } from '@hls-uplink/hls';
import { captionsOf } from './captions.js';
import { hasIFrames, iFramesKey } from './i-frame.js';
import { owned, ownerComments } from './ownership.js';
import { lostAt } from './rendition.js';
import { hasLeft } from './source.js';
import type { ChannelState, RenditionState, Turn } from './state.js';
import { TICKS_PER_SECOND } from './ticks.js';

/** The stated average follows the measured one only when it is this far off; each change is a new version. */
const AVERAGE_TOLERANCE = 0.05;

/**
 * Media playlists go first, then the multivariant; it is put again only when what it says has changed. It waits for the
 * first version of each rendition that delivers, up to its deadline.
 */
export function putMultivariant({ state, effects, at }: Turn): void {
  if (state.phase !== 'live' && state.phase !== 'ended') return;
  const all = Object.values(state.renditions);
  const renditions = all.filter((one) => one.tail >= state.firstNumber);
  if (renditions.length === 0 || state.multivariant.inFlight) return;
  if (renditions.some((one) => one.storedTail < state.firstNumber)) return;
  const late = all.filter((one) => one.tail < state.firstNumber && !hasLeft(state, one.name));
  if (late.some((one) => !one.failing && at < lostAt(state, one))) return;
  for (const rendition of renditions) stateBandwidth(rendition);
  const { media, closedCaptions } = captionsOf(renditions);
  const text = renderMultivariantPlaylist({
    independentSegments: renditions.every((one) => one.independent),
    ...(media.length > 0 && { closedCaptions: media }),
    variants: renditions.sort(bySize).map((rendition) => ({
      ...variant(state, rendition),
      ...(closedCaptions !== undefined && { closedCaptions }),
    })),
    iFrameVariants: renditions
      .filter((rendition) => hasIFrames(state, rendition) && rendition.iFrames.isThere)
      .map((rendition) => iFrameVariant(state, rendition)),
    comments: ownerComments(state),
  });
  if (text === state.multivariant.storedText) return;
  const version = ++state.multivariant.version;
  state.multivariant.inFlight = { version, text };
  effects.push({
    type: 'put-multivariant',
    key: multivariantKey(state),
    text,
    version,
    maxAgeSeconds: Math.floor(state.targetDuration! / 2),
  });
}

export function multivariantKey(state: ChannelState): string {
  return `${state.settings.channel}/index.m3u8`;
}

export function multivariantStored({ state }: Turn, version: number): void {
  const { inFlight } = state.multivariant;
  if (inFlight?.version !== version) return;
  state.multivariant.storedText = inFlight.text;
  delete state.multivariant.inFlight;
  owned(state);
}

export function multivariantFailed({ state }: Turn, version: number): void {
  if (state.multivariant.inFlight?.version === version) delete state.multivariant.inFlight;
}

/** BANDWIDTH is the larger of the declared and the measured peak and only rises. */
function stateBandwidth(rendition: RenditionState): void {
  const measured = Math.round(
    (rendition.totalBytes * 8 * TICKS_PER_SECOND) / Math.max(1, rendition.total90k),
  );
  const peak = rendition.peakBandwidth || measured;
  const { stated } = rendition;
  const average =
    stated && Math.abs(measured - stated.average) <= stated.average * AVERAGE_TOLERANCE
      ? stated.average
      : measured;
  const bandwidth = Math.max(stated?.bandwidth ?? 0, rendition.declaredBandwidth ?? 0, peak, average, 1);
  rendition.stated = { bandwidth, average: Math.max(1, average) };
}

function variant(state: ChannelState, rendition: RenditionState): Variant {
  const video = rendition.tracks.find((track) => track.kind === 'video');
  // A list that lacks one is worse than none: players choose by it what they decode.
  const media = rendition.tracks.filter(({ kind }) => kind === 'video' || kind === 'audio');
  const codecs = media.every(({ codec }) => codec !== undefined) ? media.map(({ codec }) => codec!) : [];
  return {
    uri: rendition.playlistKey.slice(`${state.settings.channel}/`.length),
    bandwidth: rendition.stated!.bandwidth,
    averageBandwidth: rendition.stated!.average,
    codecs: [...new Set(codecs)],
    ...(video?.width !== undefined &&
      video.height !== undefined && { resolution: { width: video.width, height: video.height } }),
    ...(video?.frameRate !== undefined && { frameRate: video.frameRate }),
  };
}

function iFrameVariant(state: ChannelState, rendition: RenditionState): IFrameVariant {
  const { resolution } = variant(state, rendition);
  const codec = rendition.tracks.find(({ kind }) => kind === 'video')?.codec;
  return {
    uri: iFramesKey(rendition).slice(`${state.settings.channel}/`.length),
    bandwidth: Math.max(1, rendition.iFrames.peakBandwidth),
    codecs: codec === undefined ? [] : [codec],
    ...(resolution && { resolution }),
  };
}

const area = ({ tracks }: RenditionState): number => {
  const video = tracks.find((track) => track.kind === 'video');
  return (video?.width ?? 0) * (video?.height ?? 0);
};

/** The order of the variants. */
export function bySize(a: RenditionState, b: RenditionState): number {
  return area(a) - area(b) || (a.name < b.name ? -1 : 1);
}
