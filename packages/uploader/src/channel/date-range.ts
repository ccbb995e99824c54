import type { DateRange } from '@hls-uplink/hls';
import type { Marker, Segment } from '@hls-uplink/protocol';
import { dateOf, epochOf } from './epoch.js';
import type { ChannelState, Entry, RenditionState, Turn } from './state.js';
import { TICKS_PER_MS, unwrapNear } from './ticks.js';
import { slotAbove, type Position } from './timeline.js';

/** Most ranges that a channel keeps; each may be in every playlist version. */
export const MOST_DATE_RANGES = 200;
/** A cue is sent several times; so near each other, the same event is the same cue. */
const SAME_EVENT_MS = 10_000;
/** As above, for cues that name no event. */
const SAME_INSTANT_MS = 500;
/** A rendition that is further behind the others gets what still maps to theirs. */
const LONGEST_LAG_MS = 3_600_000;
/** Begins the IDs made here. */
export const SPLICE_ID = 'scte35-';

/**
 * Makes date ranges of a segment's markers (RFC 8216 §4.3.2.7.1). An out point is a tag with SCTE35-OUT; its in point, when
 * that is known, a second one of the same ID with SCTE35-IN, END-DATE and DURATION: what is published never changes. An in
 * point whose out point is not known, and what is neither, are ranges of their own.
 */
export function takeMarkers(turn: Turn, position: Position, { markers }: Segment): void {
  const { clock } = epochOf(turn.state, position.epoch)!;
  for (const marker of markers) {
    const dateMs = Math.round(dateOf(clock, unwrapNear(marker.pts, position.start)));
    if (marker.kind === 'cancel') cancel(turn.state, marker, dateMs);
    else if (marker.kind === 'in') takeIn(turn, marker, dateMs);
    else takeStart(turn, marker, dateMs);
  }
}

/** An out point, or what is neither out nor in. */
function takeStart(turn: Turn, marker: Marker, dateMs: number): void {
  const { dateRanges } = turn.state;
  const stem = stemOf(marker);
  const isOut = marker.kind === 'out';
  const isKnown = dateRanges.some((range) => {
    if (stemOfId(range.id) !== stem || range.scte35In !== undefined) return false;
    const isOpen = isOut && range.startDateMs <= dateMs && endOf(dateRanges, range) > dateMs;
    return isNear(marker, range.startDateMs, dateMs) || (marker.immediate && isOpen);
  });
  if (isKnown) return;
  const { section, duration90k } = marker;
  addDateRange(turn, {
    id: dateRangeId(stem, dateMs),
    startDateMs: dateMs,
    ...(isOut &&
      duration90k !== undefined && { plannedDurationSeconds: Math.round(duration90k / TICKS_PER_MS) / 1000 }),
    ...(isOut ? { scte35Out: section } : { scte35Cmd: section }),
  });
}

function takeIn(turn: Turn, marker: Marker, dateMs: number): void {
  const stem = stemOf(marker);
  const own = turn.state.dateRanges.filter(({ id }) => stemOfId(id) === stem);
  if (own.some((one) => one.scte35In !== undefined && isNear(marker, one.endDateMs ?? NaN, dateMs))) return;
  const out = own
    .filter(({ scte35Out, startDateMs }) => scte35Out !== undefined && startDateMs <= dateMs)
    .reduce<DateRange | undefined>((a, b) => (a && a.startDateMs > b.startDateMs ? a : b), undefined);
  if (out && own.some(({ id, scte35In }) => id === out.id && scte35In !== undefined)) return;
  addDateRange(turn, {
    id: out?.id ?? dateRangeId(stem, dateMs),
    startDateMs: out?.startDateMs ?? dateMs,
    endDateMs: dateMs,
    ...(out && { durationSeconds: (dateMs - out.startDateMs) / 1000 }),
    scte35In: marker.section,
  });
}

/** What does not come is not listed (RFC 8216 §4.3.2.7.1); what is listed already stays. */
function cancel(state: ChannelState, { eventId }: Marker, dateMs: number): void {
  state.dateRanges = state.dateRanges.filter(
    (range) =>
      !range.id.startsWith(SPLICE_ID) ||
      !stemOfId(range.id).endsWith(`-${eventId}`) ||
      range.startDateMs <= dateMs ||
      isListed(state, range),
  );
}

/** Every playlist lists it with its next entry. */
export function addDateRange({ state, effects }: Turn, range: DateRange): void {
  if (state.dateRanges.length < MOST_DATE_RANGES) {
    state.dateRanges.push(range);
    return;
  }
  effects.push({
    type: 'report',
    level: 'warn',
    message: `the channel has ${MOST_DATE_RANGES} date ranges already; this one is left out`,
    fields: { id: range.id },
  });
}

/** Why a range that an operator gives cannot be listed; undefined when it can, or is known already as it is. */
export function dateRangeRefusal(state: ChannelState, range: DateRange): string | undefined {
  const known = state.dateRanges.find((one) => dateRangeKey(one) === dateRangeKey(range));
  if (known) {
    const isSame = canonical(known) === canonical(range);
    return isSame
      ? undefined
      : `there is another date range ${range.id}, and what is published never changes`;
  }
  if (state.dateRanges.length >= MOST_DATE_RANGES)
    return `the channel has ${MOST_DATE_RANGES} date ranges already; they go with the segments they belong to`;
  const first = Math.min(...firstDates(state));
  if (first === Infinity) return 'nothing is listed yet';
  // One that begins later than this has never left a playlist: its ID cannot be one that was used before.
  if (range.startDateMs < first)
    return `it begins before all that the live playlists list (${new Date(first).toISOString()})`;
  return undefined;
}

/**
 * By an operator; one that is known already changes nothing.
 * @param replayed it was taken before the uploader was started again: what was listed then the store may not have
 */
export function takeDateRange(turn: Turn, range: DateRange, replayed = false): void {
  const { state } = turn;
  if (isKnown(state, range)) return;
  const waits = replayed && firstDates(state).length === 0;
  if (waits || dateRangeRefusal(state, range) === undefined) addDateRange(turn, range);
}

/** It is to be listed, and no playlist in the store says so yet: one is enough, for what stands in one is due in all. */
export function isDue(state: ChannelState, range: DateRange): boolean {
  if (state.phase === 'ended' || !isKnown(state, range)) return false;
  return !Object.values(state.renditions).some(({ entries, storedTail }) =>
    lists(
      entries.filter(({ number }) => number <= storedTail),
      range,
    ),
  );
}

const isKnown = ({ dateRanges }: ChannelState, range: DateRange): boolean =>
  dateRanges.some((one) => dateRangeKey(one) === dateRangeKey(range));

/** What the entry that is about to be appended brings: all that is not listed yet and maps to what is. */
export function dueDateRanges(
  { dateRanges }: ChannelState,
  { entries }: RenditionState,
  dateMs: number,
): DateRange[] {
  if (dateRanges.length === 0) return [];
  const listed = new Set(entries.flatMap((entry) => (entry.dateRanges ?? []).map(dateRangeKey)));
  const first = entries[0]?.dateMs ?? dateMs;
  return dateRanges.filter((range) => !listed.has(dateRangeKey(range)) && mapsTo(dateRanges, range, first));
}

/**
 * These entries leave: what they brought and still maps to a listed one goes over to the first of them (HLS-RULES 17), and
 * what maps to none goes, whichever entry it came with, so that all renditions list the same.
 */
export function carryDateRanges(
  state: ChannelState,
  { entries }: RenditionState,
  removed: readonly Entry[],
): void {
  const [first] = entries;
  if (!first || removed.length === 0) return;
  const still = (entry: Entry): DateRange[] =>
    (entry.dateRanges ?? []).filter((range) => mapsTo(state.dateRanges, range, first.dateMs));
  const carried = removed.flatMap(still);
  for (const entry of entries) if (entry.dateRanges) entry.dateRanges = still(entry);
  if (carried.length > 0) first.dateRanges = [...carried, ...(first.dateRanges ?? [])];
  forgetDateRanges(state);
}

/** From the playlists read back: what stands in one is due in all. */
export function recallDateRanges(state: ChannelState): void {
  const known = new Map<string, DateRange>();
  for (const { entries } of Object.values(state.renditions)) {
    for (const range of entries.flatMap((entry) => entry.dateRanges ?? [])) {
      if (!known.has(dateRangeKey(range))) known.set(dateRangeKey(range), range);
    }
  }
  state.dateRanges = [...known.values()].slice(0, MOST_DATE_RANGES);
}

/** What maps to no playlist any more. */
function forgetDateRanges(state: ChannelState): void {
  if (state.dateRanges.length === 0) return;
  const firsts = [...firstDates(state), ...nextDates(state)];
  const horizon = Math.max(Math.min(...firsts), Math.max(...firsts) - LONGEST_LAG_MS);
  const { dateRanges } = state;
  state.dateRanges = dateRanges.filter((range) => mapsTo(dateRanges, range, horizon));
}

const firstDates = ({ renditions }: ChannelState): number[] =>
  Object.values(renditions).flatMap(({ entries }) => entries.slice(0, 1).map(({ dateMs }) => dateMs));

/** Of renditions that list nothing since a skip, where they may go on. */
const nextDates = (state: ChannelState): number[] =>
  Object.values(state.renditions).flatMap((rendition) => {
    if (rendition.entries.length > 0) return [];
    const { alone, tail, queue } = rendition;
    const next = queue.first ?? (alone ? undefined : slotAbove(state, tail));
    return next ? [dateOf(epochOf(state, next.epoch)!.clock, next.start)] : [];
  });

function isListed({ renditions }: ChannelState, range: DateRange): boolean {
  return Object.values(renditions).some(({ entries }) => lists(entries, range));
}

const lists = (entries: readonly Entry[], range: DateRange): boolean =>
  entries.some((entry) => entry.dateRanges?.some((one) => dateRangeKey(one) === dateRangeKey(range)));

/** Whether any of the time from `firstMs` on is within it. */
export function mapsTo(all: readonly DateRange[], range: DateRange, firstMs: number): boolean {
  return range.startDateMs >= firstMs || endOf(all, range) > firstMs;
}

/**
 * When a range is over, as far as is known: where any tag of its ID says, else as planned; a break of unknown length when
 * the next of its kind begins.
 */
function endOf(all: readonly DateRange[], range: DateRange): number {
  const same = [range, ...all.filter(({ id }) => id === range.id)];
  const stated = same.find(({ endDateMs }) => endDateMs !== undefined)?.endDateMs;
  if (stated !== undefined) return stated;
  const seconds = range.durationSeconds ?? range.plannedDurationSeconds;
  if (seconds !== undefined) return range.startDateMs + seconds * 1000;
  if (range.scte35Out === undefined) return range.startDateMs;
  const later = all.filter(
    ({ id, scte35Out, startDateMs }) =>
      scte35Out !== undefined && kindOfId(id) === kindOfId(range.id) && startDateMs > range.startDateMs,
  );
  return Math.min(...later.map(({ startDateMs }) => startDateMs));
}

/** Of two tags with one ID the one with the in point is another. */
export const dateRangeKey = ({ id, scte35In }: DateRange): string =>
  scte35In === undefined ? id : `${id} in`;

const canonical = (range: DateRange): string => JSON.stringify(Object.entries(range).sort());

function isNear({ eventId }: Marker, knownMs: number, dateMs: number): boolean {
  return Math.abs(knownMs - dateMs) <= (eventId === undefined ? SAME_INSTANT_MS : SAME_EVENT_MS);
}

/** Command and event: the same for an out point and its in point. */
function stemOf({ kind, eventId, segmentationType }: Marker): string {
  if (eventId === undefined) return `${SPLICE_ID}signal`;
  if (segmentationType === undefined) return `${SPLICE_ID}insert-${eventId}`;
  const type = kind === 'in' ? segmentationType - 1 : segmentationType;
  return `${SPLICE_ID}${type.toString(16)}-${eventId}`;
}

/** With its date an ID is never reused, whatever becomes of the event's. */
export function dateRangeId(stem: string, dateMs: number): string {
  return `${stem}-${new Date(dateMs).toISOString().replaceAll(/[-:]/g, '')}`;
}

const stemOfId = (id: string): string => id.slice(0, id.lastIndexOf('-'));
const kindOfId = (id: string): string => id.split('-', 2).join('-');
