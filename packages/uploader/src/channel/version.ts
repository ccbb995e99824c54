import { joinMediaPlaylist, playlistDuration90k, renderMediaSegment, windowStart } from '@hls-uplink/hls';
import { fitAdopted, sequencesOf, slideAdopted } from './adopted.js';
import { writableArrears } from './catch-up.js';
import { carryDateRanges } from './date-range.js';
import { buildIFrames } from './i-frame-playlist.js';
import { mediaSegment, record } from './recording.js';
import { deleteDue, leave, MOST_LEFT_KEYS } from './retention.js';
import { hasSkipped, liveWindow, PLAYLIST_VERSION } from './rendition.js';
import { answer } from './source.js';
import { writeStateLine } from './state-line.js';
import type { ChannelState, RenditionState, Turn } from './state.js';
import { TICKS_PER_MS, TICKS_PER_SECOND } from './ticks.js';

/** Puts the newest version, when there is one that differs and none is in flight. */
export function putVersion(turn: Turn, rendition: RenditionState): void {
  const { state, effects } = turn;
  // After a skip nothing may be there yet.
  if (!rendition.dirty || rendition.inFlight || rendition.entries.length === 0) return;
  slideWindow(state, rendition);
  if (isTooShort(state, rendition)) return;
  const adopted = rendition.adopted?.entries ?? [];
  const durationMs = playlistDuration90k([...adopted, ...rendition.entries.map(mediaSegment)]) / TICKS_PER_MS;
  for (const entry of rendition.entries) entry.longestMs = Math.max(entry.longestMs, durationMs);
  const arrears = writableArrears(turn, rendition);
  rendition.left.push(...rendition.previous);
  const forgotten = state.settings.retention === 'keep' ? Infinity : rendition.left.length - MOST_LEFT_KEYS;
  rendition.left.splice(0, Math.max(0, forgotten));
  rendition.previous = [];
  rendition.version++;
  for (const left of rendition.left) left.version ??= rendition.version;
  rendition.dirty = false;
  const { version, tail, endList, entries } = rendition;
  rendition.inFlight = { version, first: entries[0]!.number, tail, endList };
  buildIFrames(state, rendition);
  effects.push({
    type: 'put-playlist',
    view: 'live',
    rendition: rendition.name,
    key: rendition.playlistKey,
    version: rendition.version,
    maxAgeSeconds: Math.floor(state.targetDuration! / 2),
    text: joinMediaPlaylist(
      {
        version: PLAYLIST_VERSION,
        targetDuration: state.targetDuration!,
        ...sequencesOf(rendition),
        independentSegments: rendition.independent,
        ...(state.startOffset !== undefined && { startOffset: state.startOffset }),
        endList: rendition.endList,
        comments: [writeStateLine(state, rendition, arrears)],
      },
      [
        ...adopted.map(({ text }) => text),
        ...rendition.entries.map((one) => renderMediaSegment(mediaSegment(one))),
      ],
    ),
  });
}

/** After a skip a whole window comes in one version (DESIGN.md, "Each playlist has its own tail"). */
function isTooShort(state: ChannelState, rendition: RenditionState): boolean {
  const { entries, endList } = rendition;
  const duration90k = entries.reduce((sum, entry) => sum + entry.end - entry.start, 0);
  return (
    hasSkipped(state, rendition) && !endList && duration90k < 3 * state.targetDuration! * TICKS_PER_SECOND
  );
}

/** Only what a stored version has listed may leave (DESIGN.md, "Each playlist has its own tail"). */
function slideWindow(state: ChannelState, rendition: RenditionState): void {
  const { entries } = rendition;
  const adopted = fitAdopted(rendition);
  const unlisted = entries.findIndex((entry) => entry.number > rendition.storedTail);
  const first = windowStart([...adopted, ...entries.map(mediaSegment)], liveWindow(state));
  slideAdopted(rendition, first);
  const wanted = Math.max(0, first - adopted.length);
  const removed = leave(state, rendition, unlisted === -1 ? wanted : Math.min(wanted, unlisted));
  carryDateRanges(state, rendition, removed);
}

/** Viewers have it: the entries' final answers go out, and what is due is deleted. */
export function versionStored(turn: Turn, rendition: RenditionState, version: number, tookMs: number): void {
  const { at } = turn;
  const { inFlight } = rendition;
  if (inFlight?.version !== version) return;
  delete rendition.inFlight;
  rendition.storedFirst = inFlight.first;
  rendition.storedTail = Math.max(rendition.storedTail, inFlight.tail);
  rendition.storedEnd = inFlight.endList;
  rendition.failing = false;
  rendition.updatedMs = at;
  rendition.putMs = rendition.putMs === 0 ? tookMs : (3 * rendition.putMs + tookMs) / 4;
  for (const entry of rendition.entries) {
    if (entry.number > inFlight.tail || !entry.id) continue;
    answer(turn, entry.id, { type: 'published' });
    delete entry.id;
  }
  rendition.storedVersion = version;
  record(turn, rendition);
  deleteDue(turn, rendition);
}

export function versionFailed(rendition: RenditionState, version: number): void {
  if (rendition.inFlight?.version !== version) return;
  delete rendition.inFlight;
  rendition.dirty = true;
  rendition.failing = true;
}
