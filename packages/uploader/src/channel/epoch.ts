import { ptsDuration, type Gap, type Segment } from '@hls-uplink/protocol';
import { besideDate, partClocks, partNewClock } from './parallel.js';
import { hasLeft } from './source.js';
import type { ChannelClock, ChannelState, Epoch, RenditionState, SourceState, Turn } from './state.js';
import { TICKS_PER_MS, TICKS_PER_SECOND, unwrapNear } from './ticks.js';
import { firstIndex, type Position } from './timeline.js';

/** The date of an unwrapped timestamp, milliseconds since 1970. */
export function dateOf(clock: ChannelClock, ticks: number): number {
  return clock.date0Ms + (ticks - clock.t0) / TICKS_PER_MS;
}

export function epochOf(state: ChannelState, id: number): Epoch | undefined {
  return state.epochs.find((epoch) => epoch.id === id);
}

/**
 * Puts an announcement on a clock (DESIGN.md, "Clocks and epochs"): its source's own where it goes on, else an epoch's
 * to which its wall clock maps within one target duration, else a new one, which begins an epoch. So does a known one
 * when later slots on another have their numbers already. Undefined when it is of the life before, or of a clock that has
 * gone by.
 */
export function locate(
  turn: Turn,
  /** Where its source's announcement before it ended. */
  last: SourceState['last'],
  rendition: RenditionState,
  announcement: Segment | Gap,
): Position | undefined {
  const { state } = turn;
  const { startPts, endPts, discontinuity } = announcement;
  const duration = ptsDuration(startPts, endPts);
  const wallMs = Date.parse(announcement.wallClock);
  const known =
    goOn(state, last, announcement, rendition.frame) ?? recognise(state, last, announcement, rendition.frame);
  if (!known) {
    if (hasGoneBy(turn, last, wallMs, duration)) return undefined;
    partNewClock(turn, rendition, wallMs);
    const clock = { t0: startPts, date0Ms: wallMs };
    const epoch = rendition.alone
      ? beginBeside(state, rendition, clock, wallMs)
      : beginEpoch(state, clock, wallMs);
    return { epoch, start: startPts, end: startPts + duration, contiguous: false };
  }
  const { epoch, start, touches } = known;
  const ofLifeBefore = epoch.id < state.firstEpoch;
  if (ofLifeBefore && dateOf(epoch.clock, start) < state.lifeStartMs - 1) return undefined;
  if (!ofLifeBefore) partClocks(turn, rendition, epoch, wallMs);
  const id =
    ofLifeBefore || isOver(state, rendition, epoch, wallMs)
      ? goOnAnew(state, rendition, { t0: start, date0Ms: dateOf(epoch.clock, start) }, wallMs)
      : epoch.id;
  if (touches) epochOf(state, id)!.seen = { t0: start, date0Ms: wallMs };
  return { epoch: id, start, end: start + duration, contiguous: touches && discontinuity === undefined };
}

/**
 * Its clock is one that nobody else has told of, and the next one after it has numbers already: by its host's clock, which has
 * gone on since its source's announcement before, it began before that. Only of what comes together with that one, as a backlog
 * does: of what has just been made a host's clock that was set back must not say it.
 */
function hasGoneBy(
  { state, at }: Turn,
  last: SourceState['last'],
  wallMs: number,
  duration: number,
): boolean {
  if (last?.end === undefined || last.endMs === undefined || last.cameMs === undefined) return false;
  const isBacklog = at - last.cameMs < duration / TICKS_PER_MS / 2;
  if (!isBacklog || wallMs < last.endMs - 1000 * state.target!) return false;
  const before = epochOf(state, last.epoch!);
  const numbered = state.slots.find(({ number, epoch }) => number !== undefined && epoch > last.epoch!);
  const next = numbered && epochOf(state, numbered.epoch);
  if (!before || !next) return false;
  const offMs = last.endMs - wallOf(before, last.end);
  return wallMs - offMs < wallOf(next, next.clock.t0);
}

function goOnAnew(
  state: ChannelState,
  rendition: RenditionState,
  clock: ChannelClock,
  wallMs: number,
): number {
  return rendition.alone ? addEpoch(state, rendition, clock, wallMs) : beginEpoch(state, clock, wallMs);
}

interface Known {
  epoch: Epoch;
  /** Unwrapped. */
  start: number;
  /** Where its source's last announcement ended. */
  touches: boolean;
}

/** On the clock of its source's last announcement, where that ended; from who has started anew also by its wall clock. */
function goOn(
  state: ChannelState,
  last: SourceState['last'],
  { startPts, discontinuity, index, wallClock }: Segment | Gap,
  frame: number,
): Known | undefined {
  if (last?.end === undefined || last.epoch === undefined || last.index + 1 !== index) return undefined;
  const start = unwrapNear(startPts, last.end);
  const epoch = last.epoch >= state.firstEpoch ? epochOf(state, last.epoch) : undefined;
  const elsewhere = discontinuity === 'start' && isApart(state, Date.parse(wallClock), last.endMs);
  const touches = Math.abs(start - last.end) <= frame && discontinuity !== 'timestamps' && !elsewhere;
  return touches && epoch ? { epoch, start, touches } : undefined;
}

const isApart = ({ target = 0 }: ChannelState, wallMs: number, knownMs = wallMs): boolean =>
  Math.abs(wallMs - knownMs) > 1000 * target;

/** On its source's last clock or the newest to which its wall clock maps, unless it would go back on its own. */
function recognise(
  state: ChannelState,
  last: SourceState['last'],
  { startPts, discontinuity, wallClock }: Segment | Gap,
  frame: number,
): Known | undefined {
  // Its own host's clock first: another's may have been set otherwise.
  const mine = last?.endMs !== undefined && last.epoch! >= state.firstEpoch && epochOf(state, last.epoch!);
  const candidates = [
    ...(mine ? [{ epoch: mine, seen: { t0: last.end!, date0Ms: last.endMs! } }] : []),
    ...state.epochs.toReversed().map((epoch) => ({ epoch, seen: epoch.seen })),
  ];
  for (const { epoch, seen } of candidates) {
    const start = startBy(state, seen, { startPts, wallClock });
    if (start === undefined) continue;
    const own = last?.end !== undefined && last.epoch === epoch.id && epoch.id >= state.firstEpoch;
    if (own && (discontinuity === 'timestamps' || start < last.end! - frame)) continue;
    return { epoch, start, touches: false };
  }
  return undefined;
}

/** Unwrapped, where its wall clock maps to that within one target duration; else undefined. */
export function startBy(
  { target = 0 }: ChannelState,
  seen: ChannelClock,
  { startPts, wallClock }: Pick<Segment, 'startPts' | 'wallClock'>,
): number | undefined {
  const expected = seen.t0 + (Date.parse(wallClock) - seen.date0Ms) * TICKS_PER_MS;
  const start = unwrapNear(startPts, expected);
  return Math.abs(start - expected) <= target * TICKS_PER_SECOND ? start : undefined;
}

/** The newest clock of this life to which its wall clock maps. */
export function recallClock(
  state: ChannelState,
  announcement: Pick<Segment, 'startPts' | 'wallClock'>,
): { epoch: Epoch; start: number } | undefined {
  for (const epoch of state.epochs.toReversed()) {
    const start = epoch.id >= state.firstEpoch ? startBy(state, epoch.seen, announcement) : undefined;
    if (start !== undefined) return { epoch, start };
  }
  return undefined;
}

/** Its wall clock maps to a clock of the life before. */
export function isOfLifeBefore(
  state: ChannelState,
  announcement: Pick<Segment, 'startPts' | 'wallClock'>,
): boolean {
  return state.epochs.some(
    ({ id, seen }) => id < state.firstEpoch && startBy(state, seen, announcement) !== undefined,
  );
}

/** Later slots, or the rendition's own later entries, are on another clock, and this comes after them. */
function isOver(
  state: ChannelState,
  { alone, entries, queue }: RenditionState,
  epoch: Epoch,
  wallMs: number,
): boolean {
  const numbered = state.slots[firstIndex(state.slots, (slot) => slot.number === undefined) - 1];
  return [entries.at(-1), alone ? queue.last : numbered].some((one) => {
    const newer = one && one.epoch > epoch.id ? epochOf(state, one.epoch) : undefined;
    return newer !== undefined && wallMs >= wallOf(newer, one!.end);
  });
}

/** The wall clock at an unwrapped timestamp, as its source shows it. */
export function wallOf({ seen }: Epoch, ticks: number): number {
  return seen.date0Ms + (ticks - seen.t0) / TICKS_PER_MS;
}

/**
 * Begins an epoch, dated after all that is before it. What no rendition has published yet and began later by its wall
 * clock stays after it.
 */
function beginEpoch(state: ChannelState, clock: ChannelClock, wallMs: number): number {
  const open = state.slots.findIndex((slot) => slot.number === undefined);
  const published = Math.max(
    state.slots[(open === -1 ? state.slots.length : open) - 1]?.epoch ?? 0,
    ...Object.values(state.renditions).map(({ entries }) => entries.at(-1)?.epoch ?? 0),
  );
  const later = state.slots.find(
    (slot) => slot.epoch > published && wallOf(epochOf(state, slot.epoch)!, slot.start) > wallMs,
  );
  const id = later?.epoch ?? Math.max((state.epochs.at(-1)?.id ?? 0) + 1, state.firstEpoch);
  if (later) shiftEpochs(state, id);
  const before = state.slots.findLast((slot) => slot.epoch < id);
  const clockBefore = before && epochOf(state, before.epoch)?.clock;
  const notBefore = before && clockBefore ? dateOf(clockBefore, before.end) : state.lifeStartMs;
  state.epochs.push({
    id,
    clock: { t0: clock.t0, date0Ms: Math.max(clock.date0Ms, Math.ceil(notBefore)) },
    seen: { t0: clock.t0, date0Ms: wallMs },
  });
  state.epochs.sort((a, b) => a.id - b.id);
  return id;
}

/** A clock of a rendition that counts alone, dated as those that run beside it are (HLS-RULES 14). */
function beginBeside(
  state: ChannelState,
  rendition: RenditionState,
  { t0 }: ChannelClock,
  wallMs: number,
): number {
  const others = Object.values(state.renditions)
    .filter((other) => other !== rendition && !other.away && !hasLeft(state, other.name))
    .flatMap(({ alone, queue, entries }) => {
      const newest = queue.last ?? entries.at(-1);
      const epoch = newest && epochOf(state, newest.epoch);
      return epoch ? [{ alone, epoch }] : [];
    })
    .sort((a, b) => +a.alone - +b.alone);
  const date0Ms = others[0] ? besideDate(others[0].epoch, wallMs) : wallMs;
  return addEpoch(state, rendition, { t0, date0Ms }, wallMs);
}

/** After all others; a rendition that counts alone has no slots that stand in its way. */
function addEpoch(
  state: ChannelState,
  { queue, entries }: RenditionState,
  { t0, date0Ms }: ChannelClock,
  wallMs: number,
): number {
  const id = Math.max((state.epochs.at(-1)?.id ?? 0) + 1, state.firstEpoch);
  const before = queue.last ?? entries.findLast(({ gap }) => !gap);
  const notBefore = before && dateOf(epochOf(state, before.epoch)!.clock, before.end);
  const clock = { t0, date0Ms: Math.max(date0Ms, Math.ceil(notBefore ?? state.lifeStartMs)) };
  state.epochs.push({ id, clock, seen: { t0, date0Ms: wallMs } });
  return id;
}

/** Makes room for an epoch before one that nobody has published. */
function shiftEpochs(state: ChannelState, from: number): void {
  const last = Object.values(state.sources).flatMap((source) =>
    [source.last ?? [], source.told ?? []].flat(),
  );
  for (const one of [...state.slots, ...last]) if (one.epoch !== undefined && one.epoch >= from) one.epoch++;
  for (const epoch of state.epochs) if (epoch.id >= from) epoch.id++;
  for (const rendition of Object.values(state.renditions)) {
    rendition.queue = rendition.queue.map((item) =>
      item.epoch >= from ? { ...item, epoch: item.epoch + 1 } : item,
    );
  }
}
