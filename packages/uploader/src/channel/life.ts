import { startsNearEnd, targetDurationFor } from '@hls-uplink/hls';
import { tellAdoptedTarget } from './adopted.js';
import { appendSlotGap } from './entry.js';
import { emptyWindow, jumpTo } from './retention.js';
import { abandonArrears } from './recording.js';
import { checkLengths } from './item.js';
import { endDate } from './alone.js';
import { tailSequence } from './discontinuity.js';
import { dropAwaited, forgetAwaited } from './awaited.js';
import { giveUpLast } from './catch-up.js';
import { isFirstOpen } from './pending.js';
import { advance } from './publish.js';
import { answer } from './source.js';
import { dropSpare } from './spare.js';
import { awayEndAt } from './stall.js';
import type { ChannelState, Item, RenditionState, Turn } from './state.js';
import { TICKS_PER_MS, TICKS_PER_SECOND } from './ticks.js';
import { nextSlot } from './timeline.js';

const participants = (state: ChannelState): RenditionState[] =>
  Object.values(state.renditions).filter((one) => one.queue.items.some(isHere));

const isHere = ({ state }: Item): boolean => state !== 'lost' && state !== 'awaiting';

/** Ticks of the longest segment there may be, as stated so far. */
function longest(state: ChannelState): number {
  const stated = Object.values(state.renditions).map((rendition) => rendition.longest);
  return Math.max(...stated, 0) || (state.target ?? 0) * TICKS_PER_SECOND;
}

/** When a life begins whether or not all renditions are there (DESIGN.md, "Start"), milliseconds. */
export function startAt(state: ChannelState): number | undefined {
  if (state.phase !== 'starting' || state.startedMs === undefined) return undefined;
  return state.startedMs + (2 * longest(state)) / TICKS_PER_MS;
}

/** Begins to publish, and fixes the target duration for life. */
export function start(turn: Turn): void {
  const { state, at, effects } = turn;
  const due = startAt(state);
  if (due === undefined) return;
  const sources = Object.values(state.sources);
  const there = participants(state);
  const present = sources.filter(
    ({ connected, facts }) => connected || there.some((one) => one.name === facts.rendition),
  );
  const expected = new Set(present.flatMap((source) => source.facts.renditions ?? []));
  const complete = expected.size > 0 && [...expected].every((name) => there.some((one) => one.name === name));
  const over = sources.every(
    (source) => source.gone === 'ended' || (!source.connected && source.last === undefined),
  );
  if (there.length === 0 || !(complete || over || at >= due)) return;

  const longestItem = Math.max(
    ...there.flatMap((one) => one.queue.items.filter(isHere).map((item) => item.end - item.start)),
  );
  if (state.targetDuration === undefined) {
    const needed = targetDurationFor(Math.max(longest(state), longestItem));
    state.targetDuration = state.settings.targetDuration ?? needed;
    fixStartOffset(turn);
  } else tellAdoptedTarget(turn, targetDurationFor(longest(state)));
  state.phase = 'live';
  for (const rendition of there) rendition.updatedMs = at;
  effects.push({ type: 'target-duration', seconds: state.targetDuration });
  checkLengths(turn);
}

/** Where players begin is said from the first version on, or never in this life (HLS-RULES 4). */
function fixStartOffset({ state, effects }: Turn): void {
  const { startOffset, window, windowSeconds = 0 } = state.settings;
  if (startOffset === undefined) return;
  state.startOffset = startOffset;
  const targetDuration = state.targetDuration!;
  if (!startsNearEnd(startOffset, Math.max(windowSeconds, window * targetDuration), targetDuration)) return;
  effects.push({
    type: 'report',
    level: 'warn',
    message:
      'players are told to begin too near to the end of the live playlist, and may stall: see --start-offset',
    fields: { startOffset, atLeastFromEnd: 3 * targetDuration },
  });
}

/** A new life under the same name: an empty window, the next number, a discontinuity (DESIGN.md, "A new life"). */
export function beginLife(turn: Turn, targetSeconds: number): void {
  const { state } = turn;
  const renditions = Object.values(state.renditions);
  for (const rendition of renditions) abandonArrears(turn, rendition);
  state.life++;
  state.phase = 'starting';
  state.firstNumber = Math.max(state.nextNumber, ...renditions.map((rendition) => rendition.tail + 1));
  state.nextNumber = state.firstNumber;
  state.breakNext = state.firstNumber > 0;
  const sequences = [...renditions.map(tailSequence), state.discontinuities.at(-1)?.sequence ?? 0];
  state.discontinuitySequence = Math.max(state.discontinuitySequence, ...sequences);
  state.discontinuities = [];
  const ends = renditions.flatMap(({ entries }) => entries.slice(-1).map(endDate));
  state.lifeStartMs = Math.max(state.lifeStartMs, ...ends);
  state.firstEpoch = (state.epochs.at(-1)?.id ?? 0) + 1;
  state.slots = [];
  state.dateRanges = [];
  state.endRequested = false;
  delete state.startedMs;
  delete state.stalledSinceMs;
  delete state.targetDuration;
  delete state.startOffset;
  state.target = targetSeconds;
  for (const source of Object.values(state.sources)) {
    delete source.listed;
    delete source.told;
    delete source.same;
    if (source.last) source.last = { index: source.last.index };
  }
  for (const rendition of renditions) {
    emptyWindow(state, rendition);
    Object.assign(rendition, {
      alone: false,
      beside: 0,
      independent: true,
      endList: false,
      storedEnd: false,
      dirty: false,
      away: false,
      longest: 0,
      iFrames: { ...rendition.iFrames, peakBandwidth: 0 },
      peakBandwidth: 0,
      totalBytes: 0,
      total90k: 0,
    } satisfies Partial<RenditionState>);
    delete rendition.stated;
    delete rendition.misfit;
    delete rendition.active;
  }
}

/** Sources that are away without a word are waited for this long before the stream may end, milliseconds. */
function lostUntil(state: ChannelState): number {
  const lost = Object.values(state.sources)
    .filter((source) => !source.connected && !source.gone && source.lostMs !== undefined)
    .map((source) => source.lostMs!);
  return Math.max(...lost, Number.NEGATIVE_INFINITY) + 3000 * (state.targetDuration ?? 0);
}

/** The operator has said so, now or by `--away-timeout`: no source is asked. */
const mustEnd = (state: ChannelState, at: number): boolean =>
  state.endRequested || at >= (awayEndAt(state) ?? Infinity);

function wantsEnd(state: ChannelState): boolean {
  const sources = Object.values(state.sources);
  return (
    sources.some((source) => source.gone === 'ended' && source.farewells.some((farewell) => farewell.end)) &&
    !sources.some((source) => source.connected && source.gone !== 'ended')
  );
}

/** When the end may come although a source was lost; undefined when no end is wanted. */
export function endAt(state: ChannelState): number | undefined {
  return state.phase === 'live' && !state.endRequested && wantsEnd(state) ? lostUntil(state) : undefined;
}

/** The operator ends the life; one that nothing has come of ends by itself. */
export function requestEnd(turn: Turn): void {
  const { state } = turn;
  const begins = state.phase === 'starting' && participants(state).length > 0;
  if (state.phase !== 'live' && !begins) return;
  state.endRequested = true;
  for (const source of Object.values(state.sources)) {
    source.over = 'asked';
    dropAwaited(turn, source);
  }
}

/** After a skip nothing has come that could be listed: a gap for the last that was skipped is what ENDLIST stands behind. */
function listLast(turn: Turn, rendition: RenditionState): void {
  const slot = turn.state.slots.find(({ number }) => number === rendition.tail);
  if (!slot || rendition.alone || rendition.queue.length > 0) return;
  const { last } = rendition.arrears;
  if (last && last.number === slot.number && !last.segment.gap)
    giveUpLast(turn, rendition, 'the stream ends, and the live playlist has nothing else to end with');
  jumpTo(rendition, rendition.tail - 1);
  rendition.discontinuitySequence = slot.discontinuitySequence! - (slot.discontinuity ? 1 : 0);
  appendSlotGap(turn, rendition, slot);
}

/** ENDLIST goes into all playlists together, when every segment is listed in each of them. */
export function end(turn: Turn): void {
  const { state, at, effects } = turn;
  const must = mustEnd(state, at);
  if (state.phase === 'starting' && (must || wantsEnd(state)) && participants(state).length === 0) {
    state.endRequested = false;
    return answerFarewells(turn);
  }
  if (state.phase !== 'live') return;
  if (!must && (!wantsEnd(state) || at < lostUntil(state))) return;
  if (must && !state.endRequested) forgetAllAwaited(state);
  const renditions = Object.values(state.renditions).filter((one) => one.tail >= state.firstNumber);
  for (const rendition of renditions) advance(turn, rendition);
  const pending = Object.values(state.renditions).some((one) => one.queue.length > 0);
  const behind = renditions.some((one) => nextSlot(state, one) !== undefined && !one.alone);
  if (pending || behind || renditions.length === 0) return;
  for (const rendition of renditions) if (rendition.entries.length === 0) listLast(turn, rendition);
  state.phase = 'ended';
  delete state.stalledSinceMs;
  for (const rendition of Object.values(state.renditions)) {
    for (const spare of rendition.spares) dropSpare(turn, rendition, spare, 'duplicate');
  }
  for (const rendition of renditions.filter(({ entries }) => entries.length > 0)) {
    if (!rendition.endList) rendition.dirty = true;
    rendition.endList = true;
  }
  effects.push({
    type: 'report',
    level: 'info',
    message: 'the stream has ended',
    fields: {
      life: state.life,
      ...(must && !state.endRequested && { why: 'no source delivered for --away-timeout' }),
    },
  });
}

/**
 * Nobody has delivered for `--away-timeout`: what is only announced is of the next life, should its bytes ever come. While
 * others are on their way to the store the end must wait, and these may come as well.
 */
function forgetAllAwaited(state: ChannelState): void {
  const items = Object.values(state.renditions).flatMap(({ queue }) => queue.items);
  if (items.some((item) => item.state === 'uploading' || item.state === 'undecided')) return;
  for (const session of Object.keys(state.sources)) forgetAwaited(state, session);
}

/** leave is answered when all before it is, end when viewers see the ENDLIST (or there was nothing to end). */
export function answerFarewells(turn: Turn): void {
  const { state } = turn;
  for (const source of Object.values(state.sources)) {
    const rendition = state.renditions[source.facts.rendition]!;
    for (const farewell of [...source.farewells]) {
      const settled = isFirstOpen(source, rendition, farewell.index);
      const nothing = state.phase === 'starting' && participants(state).length === 0;
      const ended = rendition.storedEnd || nothing || (state.phase === 'ended' && !rendition.endList);
      if (!settled || (farewell.end && !ended)) continue;
      source.farewells.splice(source.farewells.indexOf(farewell), 1);
      answer(turn, { session: source.facts.session, index: farewell.index }, { type: 'published' });
    }
  }
}
