import { ptsDuration, type Gap, type Segment } from '@hls-uplink/protocol';
import { epochOf, isOfLifeBefore, recallClock, wallOf } from './epoch.js';
import { activeOf, compareEncodes, isAlike, isOnNewClock, isSpare } from './encode.js';
import { answer, hasLeft, sourcesOf } from './source.js';
import type { ChannelState, Entry, Item, RenditionState, Slot, SourceState, Spare, Turn } from './state.js';
import { TICKS_PER_MS, TICKS_PER_SECOND, unwrapNear } from './ticks.js';
import type { Position } from './timeline.js';

/** Without a delivery for so long, in target durations, the active source is given up for another encode's. */
const OTHER_TARGETS = 1.5;
/** As long for the same encode's, less the time to put its segment: the playlist is not later than it may be (HLS-RULES 5). */
const SAME_TARGETS = 1.25;
/** After it has come back its first deadline passes within so long (`lostAt`), and what it begins with ends later. */
const CAME_TARGETS = 2;

const targetMs = ({ targetDuration, target }: ChannelState): number => 1000 * (targetDuration ?? target ?? 0);

/** Nothing has come of it for so long, milliseconds. */
export function patienceMs(state: ChannelState, source: SourceState): number {
  return (source.same ? SAME_TARGETS : OTHER_TARGETS) * targetMs(state);
}

/** Notes what a source has delivered. @returns whether it goes on where its announcement before ended */
export function noteDelivery(
  { state, at }: Turn,
  source: SourceState,
  rendition: RenditionState,
  announcement: Segment | Gap,
): boolean {
  const { session, index, startPts, endPts, discontinuity } = announcement;
  if (!isSpare(state, rendition, source)) rendition.active = session;
  const { last, endPts: before } = source;
  compareEncodes(state, rendition, source, announcement);
  const goesOn =
    discontinuity === undefined &&
    before !== undefined &&
    last?.index === index - 1 &&
    Math.abs(unwrapNear(startPts, before) - before) <= rendition.frame;
  if (recallClock(state, announcement)) delete source.apart;
  else if (!goesOn && isOnNewClock(state, source, announcement)) source.apart = true;
  source.endPts = endPts;
  source.endMs = Date.parse(announcement.wallClock) + ptsDuration(startPts, endPts) / TICKS_PER_MS;
  source.deliveredMs = at;
  return goesOn;
}

/**
 * Notes what a source has delivered, and puts it aside when the rendition is published from another one, or has it from
 * another one already; false when it is to be taken in.
 */
export function putAside(
  turn: Turn,
  source: SourceState,
  rendition: RenditionState,
  announcement: Segment | Gap,
  event: Spare['event'],
): boolean {
  const { state, at } = turn;
  const { index, startPts } = announcement;
  const spare = isSpare(state, rendition, source);
  const contiguous = noteDelivery(turn, source, rendition, announcement);
  const there = ({ id, announcement: one, state: is }: Item): boolean =>
    is !== 'lost' &&
    state.sources[id.session]?.facts.source !== source.facts.source &&
    Math.abs(unwrapNear(one.startPts, startPts) - startPts) <= rendition.frame;
  if (!spare && !rendition.queue.items.some(there)) return false;
  const { apart = false } = source;
  rendition.spares = [...rendition.spares, Object.freeze({ event, announcement, contiguous, apart, at })];
  source.last = { index };
  return true;
}

/**
 * Where the same encode as the active one goes on, by what the rendition has last, or has of the clock before, or by the clock
 * that its wall clock maps to when the rendition has nothing of that any more; undefined when it has nothing, or nothing near.
 */
export function placeSpare(
  state: ChannelState,
  rendition: RenditionState,
  { announcement, contiguous, apart }: Spare,
): Position | undefined {
  const newest = newestOf(state, rendition);
  if (!newest) return undefined;
  const { startPts, endPts, wallClock } = announcement;
  const at = (epoch: number, start: number): Position => ({
    epoch,
    start,
    end: start + ptsDuration(startPts, endPts),
    contiguous,
  });
  const isTold = ({ epoch, end }: Entry | Item): boolean => {
    const wallMs = wallOf(epochOf(state, epoch)!, unwrapNear(startPts, end));
    return Math.abs(wallMs - Date.parse(wallClock)) <= 1000 * state.target!;
  };
  if (isNear(state, startPts, newest.end) && isTold(newest))
    return at(newest.epoch, unwrapNear(startPts, newest.end));
  const all = [newest, ...rendition.entries, ...rendition.queue.items];
  const near = all.filter(({ end }) => isNear(state, startPts, end));
  const told = near.filter(isTold);
  if (told.length === 0) {
    const known = recallClock(state, announcement);
    if (known) return at(known.epoch.id, known.start);
    if (apart || isOfLifeBefore(state, announcement)) return undefined;
  }
  const away = ({ end }: Entry | Item): number => Math.abs(unwrapNear(startPts, end) - end);
  const candidates = told.length > 0 ? told : near;
  if (candidates.length === 0) return undefined;
  const best =
    candidates[0] === newest
      ? newest
      : candidates.reduce((one, other) => (away(other) < away(one) ? other : one));
  return at(best.epoch, unwrapNear(startPts, best.end));
}

/** No farther than spares may wait; else it is on another clock. */
function isNear(state: ChannelState, pts: number, ticks: number): boolean {
  return Math.abs(unwrapNear(pts, ticks) - ticks) <= 2 * mostSpares(state) * state.target! * TICKS_PER_SECOND;
}

export function newestOf(state: ChannelState, rendition: RenditionState): Entry | Item | undefined {
  const listed = rendition.tail >= state.firstNumber ? rendition.entries.at(-1) : undefined;
  // What is awaited may never come.
  return rendition.queue.items.findLast((item) => item.state !== 'awaiting') ?? listed;
}

/** So lately that the next segment is not overdue. */
export function hasJustDelivered(
  state: ChannelState,
  source: Pick<SourceState, 'deliveredMs'> | undefined,
  at: number,
): boolean {
  return at < (source?.deliveredMs ?? 0) + SAME_TARGETS * targetMs(state);
}

/**
 * So lately that its first segment need not be over: it begins with a key picture and ends with a cut, and a process that
 * has just been started is slow.
 */
export function hasJustCome(state: ChannelState, source: SourceState | undefined, at: number): boolean {
  return source?.connected === true && at < (source.cameMs ?? 0) + CAME_TARGETS * targetMs(state);
}

/** Its deadline has passed; but from who has just become active, or has just come back, the next one is to be expected. */
export function isSilent(state: ChannelState, rendition: RenditionState, at: number): boolean {
  const active = activeOf(state, rendition);
  return !hasJustDelivered(state, active, at) && !hasJustCome(state, active, at);
}

/**
 * It has left, and nothing follows that good-bye: one that has just come says again what it said while it was away, and so does a
 * journal.
 */
export function hasGone(state: ChannelState, { name }: RenditionState, at: number): boolean {
  if (!hasLeft(state, name) || at < state.openedMs + OTHER_TARGETS * targetMs(state)) return false;
  return !sourcesOf(state, name).some((source) => hasJustCome(state, source, at));
}

/** The same encode comes from another source that is well, and has not come as far as this yet. */
export function mayCome(
  state: ChannelState,
  rendition: RenditionState,
  { epoch, end }: Pick<Slot, 'epoch' | 'end'>,
  at: number,
): boolean {
  const sources = sourcesOf(state, rendition.name);
  if (!sources.some(({ same }) => same)) return false;
  return sources.some(
    (source) =>
      source.connected &&
      !source.gone &&
      isAlike(state, rendition, source) &&
      at < (source.deliveredMs ?? 0) + OTHER_TARGETS * targetMs(state) &&
      // To this uploader it may have said nothing yet.
      (source.endPts === undefined ||
        ((endOf(state, source)?.epoch ?? epoch) <= epoch &&
          isNear(state, source.endPts, end) &&
          unwrapNear(source.endPts, end) < end - rendition.frame)),
  );
}

/** Where its newest announcement ended, by its wall clock; undefined where that tells of no clock of this life. */
export function endOf(
  state: ChannelState,
  { endPts, endMs }: SourceState,
): { epoch: number; end: number } | undefined {
  if (endPts === undefined || endMs === undefined) return undefined;
  const known = recallClock(state, { startPts: endPts, wallClock: new Date(endMs).toISOString() });
  return known && { epoch: known.epoch.id, end: known.start };
}

/** The sources that are not the active one, and have delivered. */
export function standbyOf(state: ChannelState, rendition: RenditionState): SourceState[] {
  return sourcesOf(state, rendition.name).filter(
    (source) => source.deliveredMs !== undefined && isSpare(state, rendition, source),
  );
}

/** When the active source is given up unless it delivers, milliseconds; undefined when nothing stands by. */
export function takeOverAt(state: ChannelState, rendition: RenditionState): number | undefined {
  const active = activeOf(state, rendition);
  const due = standbyOf(state, rendition).map((source) => patienceMs(state, source));
  return active && due.length > 0 ? heardMs(active) + Math.min(...due) : undefined;
}

/** Since when its patience is counted, milliseconds. */
export const heardMs = ({ deliveredMs = 0, cameMs = 0 }: SourceState): number =>
  Math.max(deliveredMs, cameMs);

/** How many of each source may wait: as many as may wait to be published. */
export function mostSpares({ settings, targetDuration }: ChannelState): number {
  const { window, windowSeconds = 0 } = settings;
  return 8 + 2 * Math.max(window, Math.ceil(windowSeconds / (targetDuration ?? Infinity)));
}

/** The oldest of each source beyond what may wait. */
export function dropSurplus(turn: Turn, rendition: RenditionState): void {
  const most = mostSpares(turn.state);
  const counts = new Map<string, number>();
  for (const spare of rendition.spares.toReversed()) {
    const { session } = spare.announcement;
    counts.set(session, (counts.get(session) ?? 0) + 1);
    if (counts.get(session)! > most) dropSpare(turn, rendition, spare, 'backlog');
  }
}

export function dropSpare(
  turn: Turn,
  rendition: RenditionState,
  spare: Spare,
  code: 'duplicate' | 'late' | 'backlog',
): void {
  const { session, index } = spare.announcement;
  rendition.spares = rendition.spares.filter((one) => one !== spare);
  if (spare.event === 'accepted') answer(turn, { session, index }, { type: 'dropped', code });
}
