import type { DroppedCode, Gap, Segment, SegmentId } from '@hls-uplink/protocol';
import type { IndexRun, SourceFacts } from './event.js';
import { newRendition, renditionOf } from './rendition.js';
import type { ChannelState, Item, SourceState, Turn } from './state.js';

/** How many sessions a rendition remembers that have nothing pending. */
const REMEMBERED_SESSIONS = 8;

export function newSource(facts: SourceFacts): SourceState {
  return { facts, connected: false, settled: -1, answered: [], prints: [], published: 0, farewells: [] };
}

export function sourcesOf(state: ChannelState, rendition: string): SourceState[] {
  return Object.values(state.sources).filter((source) => source.facts.rendition === rendition);
}

/** It has said good-bye, all of it, and is waited for no longer; one that is away without a word may come back. */
export function hasLeft(state: ChannelState, rendition: string): boolean {
  return sourcesOf(state, rendition).every((source) => source.gone !== undefined);
}

export function connect({ state, at }: Turn, facts: SourceFacts, replayed: boolean): void {
  const isKnown = (state.sources[facts.session]?.settled ?? -1) >= 0;
  const source = (state.sources[facts.session] ??= newSource(facts));
  source.facts = facts;
  const rendition = (state.renditions[facts.rendition] ??= newRendition(state, facts.rendition, facts.names));
  if (facts.names?.urlPrefix !== undefined) rendition.urlPrefix = facts.names.urlPrefix;
  if (facts.bandwidth !== undefined) rendition.declaredBandwidth = facts.bandwidth;
  state.target ??= facts.target;
  if (replayed) {
    if (!source.connected) source.lostMs ??= at;
    return;
  }
  source.connected = true;
  delete source.lostMs;
  delete source.over;
  if (source.gone === 'left') delete source.gone;
  for (const older of sourcesOf(state, facts.rendition)) {
    if (older === source || older.connected) continue;
    const isActive = older.facts.session === rendition.active;
    // Of a session that was read back the source's name is not known; one that was there beside the active one is no successor of it.
    const same = older.facts.source === facts.source || (older.facts.source === '' && !(isActive && isKnown));
    if (!same) continue;
    older.gone ??= 'left';
    if (!isActive) continue;
    rendition.active = facts.session;
    if (older.changed === undefined || source.last !== undefined) continue;
    // No discontinuity has been listed for what it took over from.
    noteChange(source, 0);
    if (older.instead !== undefined) source.instead = older.instead;
  }
  if (rendition.active === undefined || rendition.active === facts.session) {
    source.deliveredMs ??= at;
    // It has its time anew, but not again and again without a delivery.
    if (source.deliveredMs >= (source.cameMs ?? 0)) source.cameMs = at;
    rendition.away = false;
    rendition.updatedMs = at;
  }
  forgetSessions(state, facts.rendition);
}

export function disconnect({ state, at }: Turn, session: string): void {
  const source = state.sources[session];
  if (!source?.connected) return;
  source.connected = false;
  if (!source.gone) source.lostMs = at;
}

/** What comes after something newer is not the last. */
export function keepLast(source: SourceState, last: SourceState['last']): void {
  if (last && source.last && source.last.index < last.index) source.last = last;
}

/** A discontinuity must stand before what it announces with this index. */
export function noteChange(source: SourceState, index: number): void {
  const { changed = [] } = source;
  if (!changed.includes(index)) source.changed = [...changed, index].sort((a, b) => a - b);
}

/** Those changes alone are still to be told. */
export function keepChanges(source: SourceState, stays: (index: number) => boolean): void {
  const changed = source.changed?.filter(stays) ?? [];
  if (changed.length > 0) source.changed = changed;
  else delete source.changed;
}

/** The final answer of one announcement: told once, and counted to what the session has settled. */
export function answer(
  { state, effects }: Turn,
  id: SegmentId,
  final: { type: 'published' } | { type: 'dropped'; code: DroppedCode },
): void {
  effects.push({ type: 'answer', id: { ...id }, answer: final });
  settle(state.sources[id.session], id.index);
  const counts = renditionOf(state, id.session)?.counts;
  if (counts && final.type === 'dropped') counts.dropped[final.code] = (counts.dropped[final.code] ?? 0) + 1;
}

export function settle(source: SourceState | undefined, from: number, to = from): void {
  if (!source || to <= source.settled) return;
  const runs: [number, number][] = [];
  for (const run of [...source.answered, [from, to] as [number, number]].sort((a, b) => a[0] - b[0])) {
    const before = runs.at(-1);
    if (before && run[0] <= before[1] + 1) before[1] = Math.max(before[1], run[1]);
    else runs.push([run[0], run[1]]);
  }
  if (runs[0] && runs[0][0] <= source.settled + 1) source.settled = runs.shift()![1];
  source.answered = runs;
}

const holds =
  (index: number) =>
  ([from, to]: IndexRun): boolean =>
    from <= index && index <= to;

/** Its final answer has gone out. */
export function isSettled({ settled, answered }: SourceState, index: number): boolean {
  return index <= settled || answered.some(holds(index));
}

/** A later one was accepted before it, and it has no final answer. */
export function isOvertaken(source: SourceState, index: number): boolean {
  return source.overtaken?.some(holds(index)) === true && !isSettled(source, index);
}

/** An index that is skipped was refused before it could be understood, or answered in a time nobody remembers. */
export function settleSkipped(source: SourceState, index: number, open: readonly IndexRun[]): void {
  const from = source.last === undefined ? source.settled + 1 : source.last.index + 1;
  settleBut(source, from, index - 1, open);
}

/** All of these have had their final answer, but for some. */
export function settleBut(source: SourceState, from: number, to: number, open: readonly IndexRun[]): void {
  let next = from;
  for (const [first, last] of [...open].sort(([a], [b]) => a - b)) {
    if (next < first && next <= to) settle(source, next, Math.min(first - 1, to));
    next = Math.max(next, last + 1);
  }
  if (next <= to) settle(source, next, to);
}

/** What a successor may take as settled once the version being built now is stored, but for what that says recordings wait for. */
export function settledWhenStored(state: ChannelState, source: SourceState): number {
  const { rendition: name, session } = source.facts;
  const items = state.renditions[name]?.queue.items ?? [];
  const pending = [
    ...source.farewells.map((farewell) => farewell.index),
    ...items.filter(({ id, answered }) => id.session === session && !answered).map(({ id }) => id.index),
    ...waitingSpares(state, source).map((spare) => spare.index),
    ...state.held
      .filter(({ announcement }) => announcement.session === session)
      .map(({ announcement }) => announcement.index),
  ];
  return Math.min(...pending, (source.last?.index ?? source.settled) + 1) - 1;
}

/** Its announcements that are put aside and have no final answer. */
export function waitingSpares(state: ChannelState, { facts }: SourceState): (Segment | Gap)[] {
  return (state.renditions[facts.rendition]?.spares ?? []).flatMap(({ event, announcement }) =>
    event === 'accepted' && announcement.session === facts.session ? [announcement] : [],
  );
}

function forgetSessions(state: ChannelState, rendition: string): void {
  const idle = sourcesOf(state, rendition).filter(
    (source) =>
      !source.connected &&
      settledWhenStored(state, source) === (source.last?.index ?? source.settled) &&
      !state.renditions[rendition]?.arrears.runsOf(source.facts.session).length,
  );
  for (const { facts } of idle.slice(0, -REMEMBERED_SESSIONS)) delete state.sources[facts.session];
}

/** Since the last discontinuity its source has said that tracks, parameters or timestamps changed, listed or lost. */
export function hasChanged(state: ChannelState, { id }: Item): boolean {
  return state.sources[id.session]?.changed?.some((from) => from <= id.index) === true;
}
