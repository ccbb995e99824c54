import { ptsDuration, type DroppedCode } from '@hls-uplink/protocol';
import { isDraft, original } from 'immer';
import { enqueue } from './announce.js';
import { forgetAwaited } from './awaited.js';
import { activeOf, compareAnew, isAlike, isSpare } from './encode.js';
import { epochOf, recallClock, wallOf } from './epoch.js';
import { answer, keepChanges, keepLast, noteChange } from './source.js';
import {
  dropSpare,
  endOf,
  hasJustDelivered,
  heardMs,
  newestOf,
  patienceMs,
  placeSpare,
  standbyOf,
} from './spare.js';
import type { ChannelState, Entry, Item, RenditionState, SourceState, Spare, Turn } from './state.js';
import { unwrapNear } from './ticks.js';
import { firstIndex, neighbours, type Position } from './timeline.js';
import { stateTracks } from './tracks.js';

/**
 * Takes in of what is put aside whatever the rendition would miss without it, from the source that is active from now on
 * when the one before is silent, and answers what it will not need any more.
 * @returns whether anything was taken in
 */
export function useSpares(turn: Turn, rendition: RenditionState): boolean {
  if (rendition.spares.length === 0 && standbyOf(turn.state, rendition).length === 0) return false;
  rendition.spares = undrafted(rendition.spares).filter(
    ({ announcement }) => turn.state.sources[announcement.session],
  );
  const before = rendition.spares.length;
  const queued = rendition.queue;
  takeOver(turn, rendition);
  for (const spare of rendition.spares) decide(turn, rendition, spare);
  return rendition.spares.length < before && rendition.queue !== queued;
}

/** The queue takes no drafts. */
function undrafted(spares: readonly Spare[]): readonly Spare[] {
  const all = isDraft(spares) ? original(spares as Spare[]) : spares;
  return all.map((spare) => (isDraft(spare) ? original(spare) : spare));
}

function decide(turn: Turn, rendition: RenditionState, spare: Spare): void {
  const found = judge(turn.state, rendition, spare);
  switch (found.verdict) {
    case 'wait':
      return;
    case 'drop':
      if (found.code === 'duplicate') forgetTold(turn.state, rendition, spare);
      return dropSpare(turn, rendition, spare, found.code);
    case 'replace': {
      const { id, answered, state } = found.rival;
      rendition.queue = rendition.queue.without(id);
      const code = state === 'undecided' ? 'partial' : 'duplicate';
      if (!answered) answer(turn, id, { type: 'dropped', code });
      return takeIn(turn, rendition, [spare], found.place);
    }
    case 'take':
      return takeIn(turn, rendition, [spare], found.place);
  }
}

/** What has changed with it in the same encode, the one that is listed in its place has said. */
function forgetTold(state: ChannelState, rendition: RenditionState, { announcement }: Spare): void {
  const source = state.sources[announcement.session]!;
  if (isAlike(state, rendition, source)) keepChanges(source, (index) => index > announcement.index);
}

type Verdict =
  /** Another source has it, or may still bring it. */
  | { verdict: 'wait' }
  | { verdict: 'drop'; code: Extract<DroppedCode, 'duplicate' | 'late' | 'backlog'> }
  | { verdict: 'replace'; rival: Item; place: Position }
  | { verdict: 'take'; place?: Position };

const WAIT: Verdict = { verdict: 'wait' };

/** What becomes of a spare. @param active whether it is of the active source */
function judge(
  state: ChannelState,
  rendition: RenditionState,
  spare: Spare,
  active = !isSpare(state, rendition, state.sources[spare.announcement.session]!),
): Verdict {
  const source = state.sources[spare.announcement.session]!;
  if (!active && !isAlike(state, rendition, source))
    return isCovered(state, rendition, spare) ? { verdict: 'drop', code: 'duplicate' } : WAIT;
  const place = placeSpare(state, rendition, spare);
  if (!place && hasNoPlace(state, rendition, spare)) return { verdict: 'drop', code: 'backlog' };
  if (!place) return active ? { verdict: 'take' } : WAIT;
  const { frame, queue, entries } = rendition;
  const last = rendition.tail >= state.firstNumber ? entries.at(-1) : undefined;
  const goesBeyond = ({ epoch, end }: Entry): boolean =>
    epoch > place.epoch || (epoch === place.epoch && end > place.start + frame);
  if (last && goesBeyond(last)) {
    const listed = entries.find(goesBeyond);
    // Until viewers have it from the other source, it may yet be needed.
    if (listed && listed.number > rendition.storedTail) return WAIT;
    return { verdict: 'drop', code: listed?.gap ? 'late' : 'duplicate' };
  }
  const { first } = queue;
  const isBefore =
    first !== undefined &&
    (place.epoch < first.epoch || (place.epoch === first.epoch && place.end <= first.start + frame));
  if (!last && rendition.tail >= state.firstNumber && isBefore) return { verdict: 'drop', code: 'backlog' };
  const rival = queue.items.find(
    ({ epoch, start, end }) =>
      epoch === place.epoch && start < place.end - frame && end > place.start + frame,
  );
  const isLost = spare.event === 'refused' || spare.announcement.type === 'gap';
  if (rival) {
    const isPartial = rival.state === 'undecided' && !(rival.fromStart && rival.toCut);
    const isLonger = place.end - place.start > rival.end - rival.start + frame;
    const isBetter =
      !isLost && (rival.state === 'lost' || rival.state === 'awaiting' || (isPartial && isLonger));
    return isBetter ? { verdict: 'replace', rival, place } : WAIT;
  }
  const isDue = isPassed(state, rendition, spare, place) || isUnclaimed(state, rendition, place);
  return active || (!isLost && isDue) ? { verdict: 'take', place } : WAIT;
}

/** Of a clock of which nothing waits any more, or gone with a skip. */
function hasNoPlace(state: ChannelState, rendition: RenditionState, spare: Spare): boolean {
  const newest = newestOf(state, rendition);
  return newest ? !(spare.apart && isLater(state, spare, newest)) : isSkipped(state, rendition, spare);
}

/** By wall clock, than what the rendition has: on a clock that has yet to begin. */
function isLater(state: ChannelState, { announcement }: Spare, { epoch, end }: Entry | Item): boolean {
  const wallMs = Date.parse(announcement.wallClock);
  return wallMs >= wallOf(epochOf(state, epoch)!, end) - 1000 * state.target!;
}

/** The rendition has nothing since a skip, and that went over its place. */
function isSkipped(
  state: ChannelState,
  { tail, frame }: RenditionState,
  { announcement, contiguous }: Spare,
): boolean {
  const known = recallClock(state, announcement);
  if (!known) return false;
  const { start } = known;
  const epoch = known.epoch.id;
  const end = start + ptsDuration(announcement.startPts, announcement.endPts);
  const [before, after] = neighbours(state, { epoch, start, end, contiguous });
  const isCovered = before?.epoch === epoch && before.end > start + frame;
  return [isCovered ? before : undefined, after].some((slot) => (slot?.number ?? Infinity) <= tail);
}

/** The active source has gone by without it. */
function isPassed(
  state: ChannelState,
  rendition: RenditionState,
  { announcement }: Spare,
  { end }: Position,
): boolean {
  const active = activeOf(state, rendition);
  return (
    active?.endPts !== undefined &&
    active.facts.session !== announcement.session &&
    unwrapNear(active.endPts, end) >= end - rendition.frame
  );
}

/** A sibling has what comes after, and nobody has what is of this time: it would soon have no place any more. */
function isUnclaimed(state: ChannelState, { alone, frame }: RenditionState, place: Position): boolean {
  if (alone) return false;
  const [before, after] = neighbours(state, place);
  return (
    after?.epoch === place.epoch &&
    after.start >= place.end - frame &&
    !(before?.epoch === place.epoch && before.end > place.start + frame)
  );
}

/** Of another encode: the active source has delivered since, or a rendition has published what is of this time. */
function isCovered(state: ChannelState, rendition: RenditionState, { announcement, at }: Spare): boolean {
  const active = activeOf(state, rendition);
  if (at < (active?.deliveredMs ?? 0)) return true;
  // Wall clocks of two machines may differ; after so long it is new in any case.
  if (!hasJustDelivered(state, active, at)) return false;
  const numbered = state.slots[firstIndex(state.slots, (slot) => slot.number === undefined) - 1];
  const { startPts, endPts, wallClock } = announcement;
  const middleMs = Date.parse(wallClock) + (unwrapNear(endPts, startPts) - startPts) / 180;
  return [numbered, newestOf(state, rendition)].some((one) => {
    const epoch = one && epochOf(state, one.epoch);
    return epoch !== undefined && middleMs < wallOf(epoch, one!.end);
  });
}

/** Makes a spare's source the active one, where the active one has nothing to give and the spare has. */
function takeOver(turn: Turn, rendition: RenditionState): void {
  const { state, at } = turn;
  if (rendition.active === undefined) return;
  const active = activeOf(state, rendition);
  const since = active ? heardMs(active) : 0;
  const standby = standbyOf(state, rendition);
  const of = ({ facts }: SourceState): Spare[] =>
    rendition.spares.filter(({ announcement }) => announcement.session === facts.session);
  const isOverdue = (source: SourceState): boolean => at >= since + patienceMs(state, source);
  const alike = standby.find(
    (source) =>
      source.same &&
      (!active || isLost(state, active) || isOverdue(source)) &&
      of(source).some((spare) => judge(state, rendition, spare, true).verdict === 'take'),
  );
  if (alike) return makeActive(turn, rendition, alike);
  const isFresh = (spare: Spare): boolean => !isCovered(state, rendition, spare);
  const other = standby.find(
    (source) =>
      !source.same &&
      source.connected &&
      (!active || active.gone === 'left' || isOverdue(source)) &&
      (of(source).some(isFresh) ||
        (!source.gone && rendition.queue.length === 0 && hasJustDelivered(state, source, at))),
  );
  if (!other) return;
  const fresh = of(other).filter(isFresh);
  for (const spare of of(other)) if (!fresh.includes(spare)) dropSpare(turn, rendition, spare, 'duplicate');
  makeActive(turn, rendition, other);
  if (active) other.instead = active.facts.session;
  if (fresh.length > 0) {
    noteChange(other, fresh[0]!.announcement.index);
    takeIn(turn, rendition, fresh);
  } else if (!breaksAhead(state, rendition)) {
    noteChange(other, (other.last?.index ?? other.settled) + 1);
    if (!rendition.alone) state.breakNext = true;
  }
}

/** Nothing of it is published yet in this life, or its next entries begin with a discontinuity that others have listed. */
function breaksAhead({ slots, firstNumber }: ChannelState, { tail }: RenditionState): boolean {
  return tail < firstNumber || slots.some(({ number, discontinuity }) => discontinuity && number! > tail);
}

/** It has gone, or its connection was lost; after a start of this uploader it has yet to come. */
function isLost({ openedMs }: ChannelState, { gone, connected, lostMs = 0 }: SourceState): boolean {
  return gone !== undefined || (!connected && lostMs > openedMs);
}

function makeActive(turn: Turn, rendition: RenditionState, source: SourceState): void {
  const { state, at } = turn;
  const before = activeOf(state, rendition);
  const { same = false } = source;
  turn.effects.push({
    type: 'report',
    level: 'warn',
    message: 'the rendition goes on with another source',
    fields: {
      rendition: rendition.name,
      source: source.facts.source,
      instead: before?.facts.source,
      encode: same ? 'the same' : 'another, or not known: a discontinuity',
      why: whyGivenUp(before, at),
    },
  });
  if (same) {
    // It goes on where the other was, or on a clock that this has not come to.
    const newest = newestOf(state, rendition);
    if (newest && source.last && source.endPts !== undefined) {
      const beside = { epoch: newest.epoch, end: unwrapNear(source.endPts, newest.end) };
      const own = endOf(state, source);
      const isAhead = source.apart === true || (own?.epoch ?? 0) > newest.epoch;
      source.last = { index: source.last.index, ...(isAhead ? own : beside) };
    }
    if (before) before.same = true;
  } else {
    compareAnew(state, rendition, source);
    if (before) forgetAwaited(state, before.facts.session);
  }
  delete source.same;
  rendition.active = source.facts.session;
  rendition.away = false;
  rendition.counts.switches++;
  if (source.tracks) stateTracks(state, rendition, source.tracks);
}

function whyGivenUp(source: SourceState | undefined, at: number): string {
  if (!source) return 'it is not known any more';
  if (source.gone) return source.gone === 'left' ? 'it left' : 'it ended';
  const seconds = Math.round((at - (source.deliveredMs ?? at)) / 1000);
  return `${source.connected ? '' : 'its connection was lost, and '}it has delivered nothing for ${seconds} s`;
}

/** As if they came now. @param spares of one source, in their order */
function takeIn(turn: Turn, rendition: RenditionState, spares: readonly Spare[], place?: Position): void {
  const { state } = turn;
  rendition.spares = rendition.spares.filter((spare) => !spares.includes(spare));
  const source = state.sources[spares[0]!.announcement.session]!;
  const { last } = source;
  if (place?.contiguous) {
    const date0Ms = Date.parse(spares[0]!.announcement.wallClock);
    epochOf(state, place.epoch)!.seen = { t0: place.start, date0Ms };
  }
  for (const { announcement, event } of spares) enqueue(turn, source, rendition, announcement, event, place);
  keepLast(source, last);
}
