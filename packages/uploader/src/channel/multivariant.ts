import { renderMultivariantPlaylist, type IFrameVariant, type Variant } from '@hls-uplink/hls';
import { captionsOf } from './captions.js';
import type { MultivariantView } from './event.js';
import { hasIFrames, iFramesKey } from './i-frame.js';
import { owned, ownerComments } from './ownership.js';
import { multivariantKeyOf, recordingKey } from './playlist-keys.js';
import { RECORDING_VIEWS } from './recording.js';
import { lostAt } from './rendition.js';
import { hasLeft } from './source.js';
import type { ChannelState, MultivariantState, RenditionState, Turn } from './state.js';
import { TICKS_PER_SECOND } from './ticks.js';

/**
 * The stated average follows the measured one, each time in a new version, only when it is so far above or below: players
 * are told less than a tenth wrong, and what goes up and down while a stream is young is not followed back and forth.
 */
const AVERAGE_TOLERANCE = { above: 0.05, below: 0.1 };

/**
 * Media playlists go first, then the multivariant; it is put again only when what it says has changed. It waits for the
 * first version of each rendition that delivers, up to its deadline.
 */
export function putMultivariants(turn: Turn): void {
  const { state, at } = turn;
  if (state.phase !== 'live' && state.phase !== 'ended') return;
  const all = Object.values(state.renditions);
  const renditions = all.filter((one) => one.tail >= state.firstNumber);
  if (renditions.length === 0) return;
  if (renditions.some((one) => one.storedTail < state.firstNumber)) return;
  const late = all.filter((one) => one.tail < state.firstNumber && !hasLeft(state, one.name));
  if (late.some((one) => !one.failing && at < lostAt(state, one))) return;
  if (state.multivariant.inFlight) return;
  for (const rendition of renditions) stateBandwidth(rendition);
  put(turn, 'live', state.multivariant, multivariantText(state, renditions));
  // Who takes over reads only the live one back: what it says the others may say.
  if (state.multivariant.inFlight) return;
  for (const view of RECORDING_VIEWS) {
    const isThere = ({ recordings }: RenditionState): boolean =>
      recordings[view]?.life === state.life && recordings[view].storedTail >= 0;
    if (!renditions.every((one) => isThere(one) && one.stated)) continue;
    const text = multivariantText(state, renditions, { keyOf: (one) => recordingKey(one, view) });
    put(turn, view, multivariantOf(state, view), text);
  }
}

/** Puts it when it differs and none is in flight. */
export function put(
  { state, effects }: Turn,
  view: MultivariantView,
  multivariant: MultivariantState,
  text: string,
): void {
  if (multivariant.inFlight || text === multivariant.storedText) return;
  const version = ++multivariant.version;
  multivariant.inFlight = { version, text };
  effects.push({
    type: 'put-multivariant',
    view,
    key: multivariantKeyOf(state.settings.channel, view, state.vod?.stamp),
    text,
    version,
    maxAgeSeconds: Math.floor((state.targetDuration ?? 0) / 2),
  });
}

export function multivariantOf(state: ChannelState, view: MultivariantView): MultivariantState {
  if (view === 'live') return state.multivariant;
  state.multivariants[view] ??= { version: 0, storedText: '' };
  return state.multivariants[view];
}

/** @param of another kind than the live one: the keys of its media playlists, and what it says of their bit rates */
export function multivariantText(
  state: ChannelState,
  renditions: readonly RenditionState[],
  of?: {
    keyOf: (rendition: RenditionState) => string;
    statedOf?: (rendition: RenditionState) => RenditionState['stated'];
  },
): string {
  const keyOf = of?.keyOf ?? ((one: RenditionState) => one.playlistKey);
  const statedOf = of?.statedOf ?? ((one: RenditionState) => one.stated);
  const { media, closedCaptions } = captionsOf(renditions);
  const sorted = renditions.toSorted(bySize);
  return renderMultivariantPlaylist({
    independentSegments: renditions.every((one) => one.independent),
    ...(media.length > 0 && { closedCaptions: media }),
    variants: sorted.map((rendition) => ({
      ...variant(rendition, below(state, keyOf(rendition)), statedOf(rendition)!),
      ...(closedCaptions !== undefined && { closedCaptions }),
    })),
    // They show what the live playlists list.
    iFrameVariants: sorted
      .filter((rendition) => !of && hasIFrames(state, rendition) && isMeasured(rendition))
      .map((rendition) => iFrameVariant(state, rendition)),
    comments: ownerComments(state),
  });
}

/** Its I-frame playlist is there, and long enough for a peak bit rate: any other would be wrong. */
const isMeasured = ({ iFrames }: RenditionState): boolean => iFrames.isThere && iFrames.peakBandwidth > 0;

/** The URI of an object beside the playlists that name it. */
export const below = ({ settings }: ChannelState, key: string): string =>
  key.slice(`${settings.channel}/`.length);

export function multivariantKey(state: ChannelState): string {
  return multivariantKeyOf(state.settings.channel, 'live');
}

export function multivariantStored({ state }: Turn, view: MultivariantView, version: number): void {
  const multivariant = multivariantOf(state, view);
  if (multivariant.inFlight?.version !== version) return;
  multivariant.storedText = multivariant.inFlight.text;
  delete multivariant.inFlight;
  if (view === 'live') owned(state);
}

export function multivariantFailed({ state }: Turn, view: MultivariantView, version: number): void {
  const multivariant = multivariantOf(state, view);
  if (multivariant.inFlight?.version === version) delete multivariant.inFlight;
}

/** BANDWIDTH is the larger of the declared and the measured peak and only rises. */
function stateBandwidth(rendition: RenditionState): void {
  // Nothing has been measured since it was stated, perhaps by a forerunner, and of more than is read back.
  if (rendition.stated && rendition.entries.at(-1)?.bytes === undefined) return;
  const measured = Math.round(
    (rendition.totalBytes * 8 * TICKS_PER_SECOND) / Math.max(1, rendition.total90k),
  );
  const peak = rendition.peakBandwidth || measured;
  const { stated } = rendition;
  const isNear = (average: number): boolean =>
    measured <= average * (1 + AVERAGE_TOLERANCE.above) &&
    measured >= average * (1 - AVERAGE_TOLERANCE.below);
  const average = stated && isNear(stated.average) ? stated.average : measured;
  const bandwidth = Math.max(stated?.bandwidth ?? 0, rendition.declaredBandwidth ?? 0, peak, average, 1);
  rendition.stated = { bandwidth, average: Math.max(1, average) };
}

function variant(
  rendition: RenditionState,
  uri: string,
  stated: NonNullable<RenditionState['stated']>,
): Variant {
  const video = rendition.tracks.find((track) => track.kind === 'video');
  // A list that lacks one is worse than none: players choose by it what they decode.
  const media = rendition.tracks.filter(({ kind }) => kind === 'video' || kind === 'audio');
  const codecs = media.every(({ codec }) => codec !== undefined) ? media.map(({ codec }) => codec!) : [];
  return {
    uri,
    bandwidth: stated.bandwidth,
    averageBandwidth: stated.average,
    codecs: [...new Set(codecs)],
    ...(video?.width !== undefined &&
      video.height !== undefined && { resolution: { width: video.width, height: video.height } }),
    ...(video?.frameRate !== undefined && { frameRate: video.frameRate }),
  };
}

function iFrameVariant(state: ChannelState, rendition: RenditionState): IFrameVariant {
  const uri = below(state, iFramesKey(rendition));
  const { resolution } = variant(rendition, uri, rendition.stated!);
  const codec = rendition.tracks.find(({ kind }) => kind === 'video')?.codec;
  return {
    uri,
    bandwidth: rendition.iFrames.peakBandwidth,
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
