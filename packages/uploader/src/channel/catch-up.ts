import type { Key } from '@hls-uplink/hls';
import type { Announcement, DroppedCode, SegmentId } from '@hls-uplink/protocol';
import { current, isDraft } from 'immer';
import { MOST_ARREARS, type Listed } from './arrears.js';
import { isWritten, writeArrears, type ArrearsLine } from './arrears-line.js';
import { dateOf, epochOf } from './epoch.js';
import type { IndexRun, RecordingView } from './event.js';
import { gapUri, keyOf, putSegment } from './item.js';
import { isRecorded, mediaSegment, RECORDING_VIEWS } from './recording.js';
import { renditionOf } from './rendition.js';
import { remove } from './retention.js';
import { answer, settle } from './source.js';
import type { ChannelState, Entry, Item, LeftKey, RenditionState, Turn } from './state.js';
import { TICKS_PER_MS, TICKS_PER_SECOND } from './ticks.js';

/** Nothing of what recordings wait for has come for so long: they go on without it, milliseconds. */
const PATIENCE_MS = 300_000;

/** There is a recording of this life that grows, or will be. */
function isDue(state: ChannelState, rendition: RenditionState, view: RecordingView): boolean {
  const { settings, life } = state;
  const recording = rendition.recordings[view];
  if (recording?.life === life) return !recording.closed;
  if (view === 'dvr') return settings.dvr !== undefined;
  const isOver = ({ recordings: { event } }: RenditionState): boolean => event?.life === life && event.closed;
  return settings.eventSeconds !== undefined && !Object.values(state.renditions).some(isOver);
}

/** Whether anything beside the live playlist is to have what that skips. */
export const hasRecordings = (state: ChannelState, rendition: RenditionState): boolean =>
  RECORDING_VIEWS.some((view) => isDue(state, rendition, view));

/** A recording is to have it, and no stored version has it: it must not go with the live window. */
export function isOwed(state: ChannelState, rendition: RenditionState, number: number): boolean {
  const { firstNumber, life } = state;
  const tailOf = (view: RecordingView): number => {
    const recording = rendition.recordings[view];
    return recording?.life === life ? recording.storedTail : -1;
  };
  return (
    number >= firstNumber &&
    RECORDING_VIEWS.some((view) => isDue(state, rendition, view) && number > tailOf(view))
  );
}

/** Nothing of a draft may come into `Arrears`: what was listed in this very turn may hold some. */
function undrafted<T>(value: T): T {
  if (isDraft(value)) return current(value as object) as T;
  if (Array.isArray(value)) return value.map(undrafted) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, undrafted<unknown>(one)])) as T;
}

/** An entry that leaves the live playlist. @param sequence before its own tag */
export function owed(entry: Entry, sequence: number): Listed {
  const plain = undrafted(entry);
  const { number, id, gap, waits } = plain;
  return {
    number,
    sequence,
    segment: mediaSegment(plain),
    ...(id && !gap && { id }),
    ...(waits && { waits }),
  };
}

/** Its bytes are here now, or will never be. @returns whether a recording waits for it */
export function takeOwed(
  turn: Turn,
  rendition: RenditionState,
  event: 'accepted' | 'refused',
  announcement: Announcement,
): boolean {
  const one = rendition.arrears.find(announcement);
  if (!one) return false;
  if (one.waits !== 'bytes') return true;
  rendition.arrearsMs = turn.at;
  if (event === 'accepted' && announcement.type === 'segment') {
    putSegment(turn, rendition, announcement, { isBehind: true });
    rendition.arrears = rendition.arrears.replaced({ ...one, waits: 'upload' });
  } else {
    // Its sender has `rejected` already.
    if (event === 'refused') settle(turn.state.sources[announcement.session], announcement.index);
    giveUp(turn, rendition, [one], event === 'refused' ? undefined : 'backlog', 'it cannot be had');
  }
  return true;
}

/** Only recordings wait for its bytes: those of what is newer come first. */
export function isBehind(state: ChannelState, id: SegmentId): boolean {
  return renditionOf(state, id.session)?.arrears.find(id)?.waits === 'bytes';
}

/** What a session has announced that only recordings wait for: it comes later than what is newer. */
export function behindOf(state: ChannelState, session: string): IndexRun[] {
  return renditionOf(state, session)?.arrears.runsOf(session, 'bytes') ?? [];
}

/** What became of its upload; nothing happens when no recording waits for it. */
export function owedStored(turn: Turn, rendition: RenditionState, id: SegmentId, key: Key | undefined): void {
  const one = rendition.arrears.find(id);
  if (one?.waits !== 'upload') return;
  const { number, sequence, segment } = one;
  rendition.arrearsMs = turn.at;
  const stored = { ...segment, ...(key && { key }) };
  rendition.arrears = rendition.arrears.replaced({ number, sequence, segment: stored, id });
}

export function owedLost(turn: Turn, rendition: RenditionState, id: SegmentId): void {
  const one = rendition.arrears.find(id);
  if (one?.waits !== 'upload') return;
  rendition.arrearsMs = turn.at;
  giveUp(turn, rendition, [one], 'spool', 'its bytes are gone');
}

/** When recordings go on without what has not come; undefined when they wait for nothing. */
export function giveUpAt({ arrears, arrearsMs }: RenditionState): number | undefined {
  return arrears.firstWaiting?.waits === 'bytes' ? arrearsMs + PATIENCE_MS : undefined;
}

/** Recordings go on without what has not come in time. */
export function giveUpOverdue(turn: Turn, rendition: RenditionState): void {
  if (turn.at < (giveUpAt(rendition) ?? Infinity)) return;
  const overdue = rendition.arrears.all.filter(({ waits }) => waits === 'bytes');
  giveUp(turn, rendition, overdue, 'backlog', 'nothing came of them for five minutes');
}

/** The next life begins: what has not come by now is a gap. */
export function giveUpAll(turn: Turn, rendition: RenditionState): void {
  const waiting = rendition.arrears.all.filter(({ waits }) => waits);
  giveUp(turn, rendition, waiting, 'backlog', 'the next stream begins');
}

/** The last that was skipped does not end where this begins, with which the live playlist goes on. */
export function endsApart({ state }: Turn, { arrears, tail, frame }: RenditionState, item: Item): boolean {
  const { number, segment } = arrears.last ?? {};
  if (!segment || segment.gap || number !== tail) return false;
  const endMs = (segment.programDateTimeMs ?? 0) + segment.duration90k / TICKS_PER_MS;
  const beginMs = dateOf(epochOf(state, item.epoch)!.clock, item.start);
  // Dates are rounded.
  return Math.abs(beginMs - endMs) > frame / TICKS_PER_MS + 1;
}

/** What follows it is out without the discontinuity that it would need. */
export function giveUpLast(
  turn: Turn,
  rendition: RenditionState,
  why = 'the next does not begin where it ends',
): void {
  giveUp(turn, rendition, rendition.arrears.all.slice(-1), 'late', why);
}

/** Gaps stand for them. @param code of the final answer; undefined when it has been given */
function giveUp(
  turn: Turn,
  rendition: RenditionState,
  lost: readonly Listed[],
  code: DroppedCode | undefined,
  why: string,
): void {
  if (lost.length === 0) return;
  const gaps = lost.map((one): Listed => {
    const { number, sequence, segment } = one;
    forgo(turn, rendition, one, code);
    const gap = { ...segment, uri: gapUri(rendition, number), gap: true };
    delete gap.key;
    return { number, sequence, segment: gap };
  });
  rendition.arrears = rendition.arrears.replaced(...gaps);
  tellGivenUp(turn, rendition, lost.length, why);
}

function tellGivenUp(turn: Turn, { name }: RenditionState, segments: number, why: string): void {
  turn.effects.push({
    type: 'report',
    level: 'warn',
    message: 'dvr and event go on without segments that the live one skipped',
    fields: { rendition: name, segments, why },
  });
}

/** It is not uploaded, or what is uploaded of it is not needed. */
function forgo(
  turn: Turn,
  rendition: RenditionState,
  { id, waits, segment }: Listed,
  code: DroppedCode | undefined,
): void {
  if (id && code) answer(turn, id, { type: 'dropped', code });
  if (id && waits === 'upload') turn.effects.push({ type: 'cancel-segment', id });
  if (waits !== 'bytes' && !segment.gap) remove(rendition, leftOf(turn.state, rendition, segment));
}

function leftOf(
  state: ChannelState,
  { recordings }: RenditionState,
  { uri, duration90k }: Listed['segment'],
): LeftKey[] {
  const longestMs = Math.max(0, ...RECORDING_VIEWS.map((view) => recordings[view]?.longestMs ?? 0));
  return [{ key: keyOf(state, uri), keepMs: Math.ceil(duration90k / TICKS_PER_MS + longestMs) }];
}

/**
 * What is out of the dvr window before it came, and what is too much, is not waited for; but dvr lists what a live version lists,
 * stored or on its way.
 */
export function trimArrears(turn: Turn, rendition: RenditionState): void {
  const { all } = rendition.arrears;
  const surplus = Math.max(0, all.length - MOST_ARREARS);
  const left = all.slice(surplus, outOfWindow(turn.state, rendition));
  const dropped = [...all.slice(0, surplus), ...left.filter(({ number }) => !isShown(rendition, number))];
  if (dropped.length > 0) drop(turn, rendition, dropped, 'they have left the dvr window, or too many wait');
}

function isShown({ storedFirst = Infinity, storedTail, inFlight }: RenditionState, number: number): boolean {
  const isStored = storedFirst <= number && number <= storedTail;
  return isStored || (inFlight !== undefined && inFlight.first <= number && number <= inFlight.tail);
}

/** What the state line says of it. What has no final answer must stand there, or a successor would take it for answered. */
export function writableArrears(turn: Turn, rendition: RenditionState): ArrearsLine {
  trimArrears(turn, rendition);
  if (rendition.arrears.length === 0) return [];
  const line = writeArrears(rendition.arrears);
  const unsaid = rendition.arrears.all.filter(({ id, number }) => id && !isWritten(line, number));
  if (unsaid.length > 0) drop(turn, rendition, unsaid, 'too many wait');
  return line;
}

/** These are not waited for any more, and nobody knows anything of them. */
export function drop(turn: Turn, rendition: RenditionState, dropped: readonly Listed[], why: string): void {
  const numbers = new Set(dropped.map(({ number }) => number));
  rendition.arrears = rendition.arrears.filter(({ number }) => !numbers.has(number));
  const lost = new Set(dropped.filter(({ number }) => !isListed(rendition, number)));
  for (const one of dropped) {
    if (lost.has(one)) forgo(turn, rendition, one, 'backlog');
    else if (one.id) answer(turn, one.id, { type: 'dropped', code: 'backlog' });
  }
  const segments = [...lost].filter(({ segment }) => !segment.gap).length;
  if (segments > 0) tellGivenUp(turn, rendition, segments, why);
}

const isListed = ({ recordings }: RenditionState, number: number): boolean =>
  RECORDING_VIEWS.some((view) => recordings[view]?.entries.has(number));

/** How many of the first no recording would list any more; those of the dvr window alone when no event playlist needs them. */
function outOfWindow(state: ChannelState, rendition: RenditionState): number {
  const { all } = rendition.arrears;
  const { dvr } = state.settings;
  if (isDue(state, rendition, 'event') || !dvr || !isDue(state, rendition, 'dvr')) return 0;
  let count = rendition.entries.length;
  let ticks = rendition.entries.reduce((sum, { start, end }) => sum + end - start, 0);
  const isFull = (one: Listed): boolean => {
    const full = count >= dvr.segments && ticks >= dvr.seconds * TICKS_PER_SECOND;
    count++;
    ticks += one.segment.duration90k;
    return full;
  };
  return all.findLastIndex(isFull) + 1;
}

/**
 * What is stored in a recording has its final answer, and what is in all of them is remembered no more. What no recording
 * has after all is deleted.
 */
export function settleArrears(turn: Turn, rendition: RenditionState): void {
  const { state } = turn;
  const { recordings } = rendition;
  if (rendition.arrears.length === 0) return;
  const tails = RECORDING_VIEWS.flatMap((view): number[] => {
    const recording = recordings[view];
    if (recording?.life !== state.life) return isDue(state, rendition, view) ? [-1] : [];
    const { closed, storedTail, entries } = recording;
    return closed && storedTail >= entries.tail ? [] : [storedTail];
  });
  const most = Math.max(-1, ...RECORDING_VIEWS.map((view) => recordings[view]?.storedTail ?? -1));
  const least = Math.min(...tails);
  const answered = rendition.arrears.all.filter(({ number, id, waits }) => id && !waits && number <= most);
  for (const { id } of answered) answer(turn, id!, { type: 'dropped', code: 'backlog' });
  rendition.arrears = rendition.arrears.replaced(
    ...answered.map(({ number, sequence, segment }) => ({ number, sequence, segment })),
  );
  rendition.caughtUp += answered.length;
  rendition.counts.caughtUp += answered.length;
  const gone = rendition.arrears.all.filter(({ number }) => number <= least);
  rendition.arrears = rendition.arrears.filter(({ number }) => number > least);
  for (const one of gone)
    if (!isRecorded(rendition, state.life, one.number)) forgo(turn, rendition, one, 'backlog');
  if (gone.length > 0 || answered.length > 0) rendition.arrearsMs = turn.at;
  if (rendition.caughtUp === 0 || rendition.arrears.all.some(({ id }) => id)) return;
  turn.effects.push({
    type: 'report',
    level: 'info',
    message: 'dvr and event have what the live one skipped',
    fields: { rendition: rendition.name, segments: rendition.caughtUp },
  });
  rendition.caughtUp = 0;
}
