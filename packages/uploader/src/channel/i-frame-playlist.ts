import { renderIFramePlaylist } from '@hls-uplink/hls';
import { hasIFrames, iFramesKey, iFramesOf } from './i-frame.js';
import { ownerComments } from './ownership.js';
import { PLAYLIST_VERSION } from './rendition.js';
import { deleteDue } from './retention.js';
import type { ChannelState, RenditionState, Turn } from './state.js';

/** Makes the I-frame playlist of a version that is built; it is put when that is stored, so that it is never ahead of it. */
export function buildIFrames(state: ChannelState, rendition: RenditionState): void {
  if (!hasIFrames(state, rendition)) return;
  rendition.iFrames.built = {
    version: rendition.version,
    text: renderIFramePlaylist({
      version: PLAYLIST_VERSION,
      targetDuration: state.targetDuration!,
      mediaSequence: rendition.iFrames.sequence,
      discontinuitySequence: rendition.discontinuitySequence,
      segments: rendition.entries.flatMap(iFramesOf),
      endList: rendition.endList,
      comments: ownerComments(state),
    }),
  };
}

/** Puts the I-frame playlist of the version that was stored last, when it is not there yet and none is in flight. */
export function putIFrames({ state, effects }: Turn, rendition: RenditionState): void {
  const { iFrames, storedVersion } = rendition;
  const { version, text } = iFrames.built ?? { version: Infinity, text: '' };
  if (iFrames.inFlight !== undefined || version > storedVersion || version <= iFrames.storedVersion) return;
  iFrames.inFlight = version;
  effects.push({
    type: 'put-playlist',
    view: 'i-frames',
    rendition: rendition.name,
    key: iFramesKey(rendition),
    version,
    maxAgeSeconds: Math.floor(state.targetDuration! / 2),
    text,
  });
}

/** The store has not the newest one that is built, as far as is known: one of an uploader before this is not read back. */
export function lacksIFrames(state: ChannelState, rendition: RenditionState): boolean {
  const { built, storedVersion } = rendition.iFrames;
  return hasIFrames(state, rendition) && built !== undefined && built.version > storedVersion;
}

export function iFramesStored(turn: Turn, rendition: RenditionState, version: number): void {
  const { iFrames } = rendition;
  if (iFrames.inFlight !== version) return;
  delete iFrames.inFlight;
  iFrames.storedVersion = version;
  iFrames.isThere = true;
  deleteDue(turn, rendition);
}

export function iFramesFailed({ iFrames }: RenditionState, version: number): void {
  if (iFrames.inFlight === version) delete iFrames.inFlight;
}
