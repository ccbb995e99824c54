import { renderIFramePlaylist } from '@hls-uplink/hls';
import { hasIFrames, iFramesKey, iFramesOf } from './i-frame.js';
import { deleteDue } from './retention.js';
import type { RenditionState, Turn } from './state.js';
import { PLAYLIST_VERSION } from './version.js';

/** Puts the I-frame playlist, when it shows less than the newest stored version and none is in flight. */
export function putIFrames({ state, effects }: Turn, rendition: RenditionState): void {
  const { iFrames, entries, storedVersion: version } = rendition;
  if (!hasIFrames(state, rendition) || entries.length === 0) return;
  if (iFrames.inFlight !== undefined || iFrames.storedVersion >= version) return;
  iFrames.inFlight = version;
  effects.push({
    type: 'put-playlist',
    view: 'i-frames',
    rendition: rendition.name,
    key: iFramesKey(rendition),
    version,
    maxAgeSeconds: Math.floor(state.targetDuration! / 2),
    text: renderIFramePlaylist({
      version: PLAYLIST_VERSION,
      targetDuration: state.targetDuration!,
      mediaSequence: iFrames.sequence,
      discontinuitySequence: rendition.discontinuitySequence,
      segments: entries.flatMap(iFramesOf),
      endList: rendition.storedEnd,
    }),
  });
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
