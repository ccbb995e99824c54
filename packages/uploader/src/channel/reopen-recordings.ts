import { parseMediaPlaylist, type MediaSegment } from '@hls-uplink/hls';
import { errorText } from '@hls-uplink/runtime';
import { isOwed } from './catch-up.js';
import { DepartedKeys } from './departed-keys.js';
import type { RecordingView } from './event.js';
import { multivariantKeyOf, recordingKey, recordingOf } from './playlist-keys.js';
import { RecordedEntries } from './recorded-entries.js';
import { newRecording, record, RECORDING_VIEWS } from './recording.js';
import { readRecordingLine } from './recording-line.js';
import type { ReadBack } from './reopen.js';
import { settleBut, sourcesOf } from './source.js';
import type { Recording } from './recording-state.js';
import type { ChannelState, RenditionState, Turn } from './state.js';

/** Goes on with the `dvr` and `event` playlists that are in the store; the live ones have been read back. */
export function reopenRecordings(turn: Turn, playlists: readonly ReadBack[]): void {
  const { state } = turn;
  const { dvr, retention } = state.settings;
  for (const { key, text } of playlists) {
    const view = recordingOf(key);
    const rendition = Object.values(state.renditions).find((one) => view && recordingKey(one, view) === key);
    if (!view || !rendition) continue;
    const read = readRecording(turn, rendition, view, key, text);
    const recording = read?.recording;
    if (read?.recording.life === state.life) recorded(rendition, read);
    if (view === 'dvr' && !dvr) {
      // Not wanted any more: its segments go with the sweep of what no playlist names.
      if (recording && retention !== 'keep')
        state.unwanted.push(key, multivariantKeyOf(state.settings.channel, 'dvr'));
    } else if (recording) rendition.recordings[view] = recording;
  }
  for (const rendition of Object.values(state.renditions)) {
    const names = new Set(
      RECORDING_VIEWS.flatMap((view) => [...(rendition.recordings[view]?.entries ?? [])]).map(
        ({ name }) => name,
      ),
    );
    rendition.previous = rendition.previous.filter(
      ({ key }) => !names.has(key.slice(key.lastIndexOf('/') + 1)),
    );
  }
  for (const rendition of Object.values(state.renditions)) {
    reopenArrears(state, rendition);
    record(turn, rendition);
  }
}

/** One recording may list what another one waits for: there it is as it must be everywhere. */
function recorded(rendition: RenditionState, { recording, segments }: Read): void {
  for (const one of rendition.arrears.all) {
    const { number, sequence, id } = one;
    const segment = segments[number - recording.entries.first!.number];
    if (segment)
      rendition.arrears = rendition.arrears.replaced({ number, sequence, segment, ...(id && { id }) });
  }
}

/** What recordings have by now is waited for no more; what they wait for has no final answer. */
function reopenArrears(state: ChannelState, rendition: RenditionState): void {
  rendition.arrears = rendition.arrears.filter(({ number }) => isOwed(state, rendition, number));
  for (const source of sourcesOf(state, rendition.name)) {
    const { settled } = source;
    const open = rendition.arrears.runsOf(source.facts.session);
    const first = Math.min(...open.map(([from]) => from));
    if (first > settled) continue;
    source.settled = first - 1;
    settleBut(source, first, settled, open);
  }
}

interface Read {
  recording: Recording;
  segments: readonly MediaSegment[];
}

/** Undefined when it cannot be gone on with; then another is begun in its place. */
function readRecording(
  { state, effects }: Turn,
  rendition: RenditionState,
  view: RecordingView,
  key: string,
  text: string,
): Read | undefined {
  try {
    const playlist = parseMediaPlaylist(text);
    const { mediaSequence, discontinuitySequence, segments, endList } = playlist;
    const line = readRecordingLine(playlist);
    if (line?.view !== view || line.rendition !== rendition.name)
      throw new Error('it has no state line of its own');
    const { targetDuration, startOffset, independentSegments } = playlist;
    const entries = RecordedEntries.read(mediaSequence, discontinuitySequence, segments);
    if (line.life > state.life || entries.count === 0 || entries.tail > rendition.storedTail)
      throw new Error('it lists what the live playlist does not know of');
    const { life, longestMs, stated, closed = endList, left } = line;
    const recording: Recording = {
      ...newRecording({ life, targetDuration, ...(startOffset !== undefined && { startOffset }) }, view, 0),
      independent: independentSegments,
      entries,
      dateRanges: segments.flatMap(({ dateRanges = [] }) => dateRanges),
      // What has left the live one may not have been told to this one before a crash.
      longestMs: Math.max(longestMs, ...rendition.entries.map((entry) => entry.longestMs)),
      ...(stated && { stated: { bandwidth: stated[0], average: stated[1] } }),
      closed,
      vodStored: endList,
      endList,
      isThere: true,
      storedTail: entries.tail,
      storedEnd: endList,
      left: DepartedKeys.read(`${state.settings.channel}/`, left),
    };
    return { recording, segments };
  } catch (error) {
    effects.push({
      type: 'report',
      level: 'warn',
      message: 'this playlist cannot be gone on with; another is begun in its place',
      fields: { key, error: errorText(error) },
    });
    return undefined;
  }
}
