import type { DateRange, MediaSegment } from '@hls-uplink/hls';
import { endDate } from './alone.js';
import { dateRangeKey, mapsTo } from './date-range.js';
import type { Listed } from './arrears.js';
import { drop, giveUpAll, settleArrears, trimArrears } from './catch-up.js';
import { DepartedKeys, type DepartedKey } from './departed-keys.js';
import type { RecordingView } from './event.js';
import { gapUri } from './item.js';
import { RecordedEntries } from './recorded-entries.js';
import type { Recording } from './recording-state.js';
import type { ChannelState, Entry, RenditionState, Turn } from './state.js';
import { TICKS_PER_MS, TICKS_PER_SECOND } from './ticks.js';

/** What is read back must be able to hold it, and players to load it. */
const MOST_ENTRIES = 50_000;
const MOST_CHARACTERS = 12 * 1024 * 1024;
const MOST_DATE_RANGES = 5000;

export const RECORDING_VIEWS: readonly RecordingView[] = ['dvr', 'event'];

/** An entry as media playlists write it. */
export const mediaSegment = (entry: Entry): MediaSegment => ({
  uri: entry.uri,
  duration90k: entry.end - entry.start,
  programDateTimeMs: entry.dateMs,
  discontinuity: entry.discontinuity,
  gap: entry.gap,
  ...(entry.encryption && { key: entry.encryption }),
  ...(entry.dateRanges && { dateRanges: entry.dateRanges }),
});

export function newRecording(
  { life, targetDuration, startOffset }: Pick<ChannelState, 'life' | 'targetDuration' | 'startOffset'>,
  view: RecordingView,
  sequence: number,
): Recording {
  return {
    life,
    targetDuration: targetDuration!,
    // From the start of a window that slides it would mean nothing, and of an event all is to be seen.
    ...(view === 'dvr' && startOffset !== undefined && startOffset < 0 && { startOffset }),
    independent: true,
    entries: RecordedEntries.from(sequence),
    dateRanges: [],
    longestMs: 0,
    closed: false,
    vodStored: false,
    endList: false,
    dirty: false,
    version: 0,
    storedVersion: 0,
    isThere: false,
    storedTail: -1,
    storedEnd: false,
    vodInFlight: false,
    left: DepartedKeys.empty,
  };
}

/** What has left the live playlist with this number is in another, or will be. */
export function isRecorded({ recordings }: RenditionState, life: number, number: number): boolean {
  return RECORDING_VIEWS.some((view) => {
    const recording = recordings[view];
    if (!recording) return false;
    const isDue = recording.life === life && !recording.closed && number > recording.entries.tail;
    return isDue || recording.entries.has(number);
  });
}

/**
 * Takes over what the live playlist has in the store by now, and what it skipped before: `dvr` and `event` have the same entries
 * under the same numbers, and are never ahead of it, so that who reads them back finds no number that stands for two things.
 * Each goes as far as all that is before is there: what is late is never put in later.
 */
export function record(turn: Turn, rendition: RenditionState): void {
  const { state } = turn;
  if (rendition.storedTail < state.firstNumber) return;
  trimArrears(turn, rendition);
  const isStored = ({ number }: Listed): boolean => number <= rendition.storedTail;
  const all = [...rendition.arrears.all.filter(isStored), ...storedEntries(rendition)];
  const waiting = all.findIndex(({ waits }) => waits);
  const listed = waiting === -1 ? all : all.slice(0, waiting);
  for (const view of RECORDING_VIEWS) {
    const recording = recordingOfLife(turn, rendition, view, all[0]);
    if (!recording || recording.closed) continue;
    recording.independent &&= rendition.independent;
    if (rendition.stated) recording.stated = { ...rendition.stated };
    for (const one of listed) append(turn, rendition, view, recording, one);
    if (view === 'dvr' && rendition.storedEnd && waiting === -1) {
      recording.dirty ||= !recording.endList;
      recording.closed = true;
      recording.endList = true;
    }
    trim(turn, rendition, view, recording);
  }
  settleArrears(turn, rendition);
}

/** The next life begins: recordings of this one go on without what has not come by now. */
export function abandonArrears(turn: Turn, rendition: RenditionState): void {
  if (rendition.arrears.length === 0) return;
  giveUpAll(turn, rendition);
  record(turn, rendition);
  drop(turn, rendition, rendition.arrears.all, 'the next stream begins');
}

/** What a stored version lists, each with the discontinuity sequence number before its own tag. */
function storedEntries(rendition: RenditionState): Listed[] {
  let sequence = rendition.discontinuitySequence;
  const listed: Listed[] = [];
  for (const entry of rendition.entries) {
    if (entry.number > rendition.storedTail) break;
    listed.push({ number: entry.number, segment: mediaSegment(entry), sequence });
    if (entry.discontinuity) sequence++;
  }
  return listed;
}

/** The one that is there, or one begun with the first that is listed; undefined when none is wanted, or its time is not yet. */
function recordingOfLife(
  turn: Turn,
  rendition: RenditionState,
  view: RecordingView,
  first: Listed | undefined,
): Recording | undefined {
  const { state } = turn;
  const { settings, life } = state;
  const before = rendition.recordings[view];
  if (before?.life === life) return before;
  const isWanted = view === 'dvr' ? settings.dvr !== undefined : settings.eventSeconds !== undefined;
  // Those of the life before must be closed, with their VOD; and when those of this one are closed, there is none to be with.
  const isInTheWay = ({ recordings: { event } }: RenditionState): boolean =>
    event !== undefined && (event.life === life ? event.closed : !event.storedEnd);
  const isBusy = view === 'event' && Object.values(state.renditions).some(isInTheWay);
  if (!isWanted || isBusy || !first) return undefined;
  const begun = newRecording(state, view, first.sequence);
  if (before) {
    const { version, storedVersion, isThere, left, longestMs, inFlight } = before;
    Object.assign(begun, { version, storedVersion, isThere, left, longestMs });
    // What is on its way lists nothing of this life.
    if (inFlight) begun.inFlight = { version: inFlight.version, tail: -1, endList: false };
    if (view === 'dvr') depart(turn, rendition, begun, [...before.entries]);
  }
  rendition.recordings[view] = begun;
  return rendition.recordings[view];
}

function append(
  turn: Turn,
  rendition: RenditionState,
  view: RecordingView,
  recording: Recording,
  listed: Listed,
): void {
  const { tail, last } = recording.entries;
  const { number, segment, sequence } = listed;
  if (last && number <= tail) return;
  if (!last) recording.entries = RecordedEntries.from(sequence);
  if (last && number > tail + 1) bridge(turn, rendition, view, recording, listed);
  if (view === 'event' && isFull(turn.state, recording)) return;
  recording.entries = recording.entries.with(number, segment);
  recording.dirty = true;
  const known = new Set(recording.dateRanges.map(dateRangeKey));
  for (const range of segment.dateRanges ?? []) {
    if (!known.has(dateRangeKey(range)) && recording.dateRanges.length < MOST_DATE_RANGES)
      recording.dateRanges.push({ ...range });
  }
}

/**
 * Gaps for what the live playlist skipped, of which only the numbers are known any more: as long as the time allows, and with
 * as many discontinuities as there were. A window that would hold nothing but gaps, or none of what is before them, begins anew.
 */
function bridge(
  turn: Turn,
  rendition: RenditionState,
  view: RecordingView,
  recording: Recording,
  { number, segment, sequence }: Listed,
): void {
  const { state } = turn;
  const last = recording.entries.last!;
  const count = number - last.number - 1;
  const dateMs = segment.programDateTimeMs ?? 0;
  const tags = sequence - recording.entries.lastSequence;
  const fromMs = last.dateMs + last.duration90k / TICKS_PER_MS;
  const evenMs = (dateMs - fromMs) / count;
  const isEven = evenMs > 0 && Math.round(evenMs / 1000) <= recording.targetDuration;
  const durationMs = isEven ? evenMs : recording.targetDuration * 1000;
  if (
    view === 'dvr' &&
    (isWindow(state, count, count * durationMs) || fillsWindow(state, rendition, number, dateMs))
  ) {
    depart(turn, rendition, recording, [...recording.entries]);
    recording.entries = RecordedEntries.from(sequence);
    return;
  }
  const firstMs = isEven || tags <= 0 ? fromMs : dateMs - count * durationMs;
  for (let i = 0; i < count && !(view === 'event' && isFull(state, recording)); i++) {
    const missing = last.number + 1 + i;
    recording.entries = recording.entries.with(missing, {
      uri: gapUri(rendition, missing),
      duration90k: Math.round(durationMs * TICKS_PER_MS),
      programDateTimeMs: Math.round(firstMs + i * durationMs),
      discontinuity: i < tags,
      gap: true,
    });
  }
}

function isWindow({ settings: { dvr } }: ChannelState, count: number, ms: number): boolean {
  return dvr !== undefined && count >= dvr.segments && ms >= dvr.seconds * 1000;
}

/** From this entry to where the live playlist is by now there is a whole dvr window. */
function fillsWindow(
  state: ChannelState,
  { entries }: RenditionState,
  number: number,
  dateMs: number,
): boolean {
  const last = entries.at(-1);
  // Dates are rounded.
  return last !== undefined && isWindow(state, last.number - number + 1, endDate(last) - dateMs + 1);
}

/** What neither its window nor the live playlist needs leaves; only what a stored version has listed. */
function trim(turn: Turn, rendition: RenditionState, view: RecordingView, recording: Recording): void {
  const { dvr } = turn.state.settings;
  if (view !== 'dvr' || !dvr) return;
  const live = rendition.entries[0]?.number ?? -1;
  const removed: ReturnType<typeof takeFirst>[] = [];
  for (let { first } = recording.entries; first; { first } = recording.entries) {
    const { count, duration90k } = recording.entries;
    const isOver = count > dvr.segments && duration90k - first.duration90k >= dvr.seconds * TICKS_PER_SECOND;
    const mayLeave = first.number < live && first.number <= recording.storedTail;
    if (!isTooLarge(recording) && !(isOver && mayLeave)) break;
    removed.push(takeFirst(recording));
  }
  if (removed.length === 0) return;
  depart(turn, rendition, recording, removed);
  keepDateRanges(recording);
}

function takeFirst(recording: Recording): NonNullable<RecordedEntries['first']> {
  const first = recording.entries.first!;
  recording.entries = recording.entries.withoutFirst();
  return first;
}

/** What maps to none of its entries goes (HLS-RULES 17). */
function keepDateRanges(recording: Recording): void {
  const { dateRanges, entries } = recording;
  if (dateRanges.length === 0) return;
  const firstMs = entries.first?.dateMs ?? -Infinity;
  const kept = dateRanges.filter((range: DateRange) => mapsTo(dateRanges, range, firstMs));
  if (kept.length < dateRanges.length) recording.dateRanges = kept;
}

/** These leave the dvr playlist; what an event playlist has stays for good. */
function depart(
  { state }: Turn,
  rendition: RenditionState,
  recording: Recording,
  removed: readonly NonNullable<RecordedEntries['first']>[],
): void {
  if (state.settings.retention === 'keep') return;
  const event = rendition.recordings.event?.entries;
  const keys = removed.flatMap(({ number, name, duration90k }): DepartedKey[] =>
    name === undefined || event?.has(number) || rendition.arrears.has(number)
      ? []
      : [
          {
            key: `${state.settings.channel}/${name}`,
            keepMs: Math.ceil(duration90k / TICKS_PER_MS + recording.longestMs),
            version: recording.version + 1,
            liveVersion: rendition.version + 1,
          },
        ],
  );
  recording.left = recording.left.with(keys);
}

const isTooLarge = ({ entries }: Recording): boolean =>
  entries.count > MOST_ENTRIES || entries.length > MOST_CHARACTERS;

/** An event playlist that may not grow any more. */
export function isFull({ settings }: ChannelState, { entries }: Recording): boolean {
  const { eventSeconds = Infinity } = settings;
  return (
    entries.duration90k >= eventSeconds * TICKS_PER_SECOND ||
    entries.count >= MOST_ENTRIES ||
    entries.length >= MOST_CHARACTERS
  );
}
