import { joinMediaPlaylist } from '@hls-uplink/hls';
import type { RecordingView } from './event.js';
import { hasIFrames } from './i-frame.js';
import { below } from './multivariant.js';
import { recordingKey } from './playlist-keys.js';
import { RECORDING_VIEWS } from './recording.js';
import { writeRecordingLine } from './recording-line.js';
import { PLAYLIST_VERSION } from './rendition.js';
import type { Recording } from './recording-state.js';
import type { ChannelState, RenditionState, Turn } from './state.js';
import { TICKS_PER_MS, TICKS_PER_SECOND } from './ticks.js';

/** Puts the newest version of each recording, when there is one that differs and none is in flight. */
export function putRecordings(turn: Turn, rendition: RenditionState): void {
  for (const view of RECORDING_VIEWS) {
    const recording = rendition.recordings[view];
    if (recording && mayPut(rendition, view, recording)) putRecording(turn, rendition, view, recording);
  }
}

function mayPut({ recordings }: RenditionState, view: RecordingView, recording: Recording): boolean {
  if (!recording.dirty || recording.inFlight || recording.entries.count === 0 || isTooShort(recording))
    return false;
  const { dvr } = recordings;
  if (view === 'dvr' || !dvr || recording.storedTail >= 0) return true;
  // A dvr playlist of the life before must not be read back once nothing says which of its segments a VOD has.
  return dvr.life > recording.life || (dvr.life === recording.life && dvr.storedTail >= 0);
}

/** Where a window begins anew, as much of it comes in one version as players need, as after a skip of the live tail. */
function isTooShort({ entries, storedTail, endList, targetDuration }: Recording): boolean {
  const isAnew = storedTail >= 0 && entries.first!.number > storedTail + 1;
  return isAnew && !endList && entries.duration90k < 3 * targetDuration * TICKS_PER_SECOND;
}

function putRecording(
  { state, effects }: Turn,
  rendition: RenditionState,
  view: RecordingView,
  recording: Recording,
): void {
  recording.version++;
  recording.dirty = false;
  recording.longestMs = Math.max(recording.longestMs, recording.entries.duration90k / TICKS_PER_MS);
  const { version, endList } = recording;
  recording.inFlight = { version, tail: recording.entries.tail, endList };
  const left = recording.left.runs(`${state.settings.channel}/`);
  effects.push({
    type: 'put-playlist',
    view,
    rendition: rendition.name,
    key: recordingKey(rendition, view),
    version,
    maxAgeSeconds: Math.floor(recording.targetDuration / 2),
    text: recordingText(recording, {
      ...(view === 'event' && { playlistType: 'EVENT' as const }),
      endList,
      comments: [writeRecordingLine(state, view, rendition, recording, left)],
    }),
  });
}

/** The entries are joined, not formatted. */
export function recordingText(
  { entries, targetDuration, startOffset, independent, dateRanges }: Recording,
  more: { playlistType?: 'EVENT' | 'VOD'; endList: boolean; comments: string[] },
): string {
  return joinMediaPlaylist(
    {
      version: PLAYLIST_VERSION,
      targetDuration,
      mediaSequence: entries.first!.number,
      discontinuitySequence: entries.discontinuitySequence,
      independentSegments: independent,
      ...(startOffset !== undefined && { startOffset }),
      ...more,
    },
    entries.texts(),
    dateRanges,
  );
}

export function recordingStored(
  turn: Turn,
  rendition: RenditionState,
  view: RecordingView,
  version: number,
): void {
  const recording = rendition.recordings[view];
  if (recording?.inFlight?.version !== version) return;
  const { tail, endList } = recording.inFlight;
  delete recording.inFlight;
  recording.storedVersion = version;
  recording.isThere = true;
  recording.storedTail = tail;
  recording.storedEnd = endList;
  deleteDeparted(turn, rendition, recording);
}

/** What stands in the store of playlists that are not wanted any more, and the multivariant playlist does not offer. */
export function deleteUnwanted({ state, effects }: Turn): void {
  const { storedText } = state.multivariant;
  const keys = state.unwanted.filter((key) => !storedText.includes(`URI="${below(state, key)}"`));
  if (keys.length === 0) return;
  effects.push({ type: 'delete', keys: [...new Set(keys)] });
  state.unwanted = state.unwanted.filter((key) => !keys.includes(key));
}

export function recordingFailed({ recordings }: RenditionState, view: RecordingView, version: number): void {
  const recording = recordings[view];
  if (recording?.inFlight?.version !== version) return;
  delete recording.inFlight;
  recording.dirty = true;
}

/** What has left every stored playlist long enough ago is deleted. */
function deleteDeparted({ state, at, effects }: Turn, rendition: RenditionState, recording: Recording): void {
  const { retention = 0 } = state.settings;
  if (retention === 'keep') return;
  const { due, kept } = recording.left.sorted(
    at,
    { version: recording.storedVersion, liveVersion: storedLive(state, rendition) },
    retention,
  );
  recording.left = kept;
  if (due.length > 0) effects.push({ type: 'delete', keys: due });
}

/** The newest version that the live playlist and that of its pictures are both at. */
function storedLive(state: ChannelState, rendition: RenditionState): number {
  const { storedVersion, iFrames } = rendition;
  return hasIFrames(state, rendition) ? Math.min(storedVersion, iFrames.storedVersion) : storedVersion;
}
