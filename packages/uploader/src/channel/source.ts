import type { DroppedCode, SegmentId } from '@hls-uplink/protocol';
import type { SourceFacts } from './event.js';
import type { ChannelState, RenditionState, SourceState, Turn } from './state.js';
import { TICKS_PER_SECOND } from './ticks.js';

/** How many sessions a rendition remembers that have nothing pending. */
const REMEMBERED_SESSIONS = 8;
/** Longest distance that still counts as touching while no frame rate is known: one MPEG audio or AAC frame, one picture at 10 Hz. */
const UNKNOWN_FRAME_90K = TICKS_PER_SECOND / 10;

export function newRendition(
  state: ChannelState,
  name: string,
  names: SourceFacts['names'] = {},
): RenditionState {
  return {
    name,
    playlistKey: `${state.settings.channel}/${names.index ?? `${name}.m3u8`}`,
    segmentPrefix: names.segmentPrefix ?? name,
    urlPrefix: names.urlPrefix ?? '',
    tracks: [],
    longest: 0,
    frame: UNKNOWN_FRAME_90K,
    queue: [],
    entries: [],
    previous: [],
    tail: -1,
    alone: false,
    discontinuitySequence: 0,
    independent: true,
    endList: false,
    dirty: false,
    version: 0,
    storedTail: -1,
    storedEnd: false,
    failing: false,
    updatedMs: 0,
    putMs: 0,
    away: false,
    left: [],
    peakBandwidth: 0,
    totalBytes: 0,
    total90k: 0,
    counts: { published: 0, gaps: 0, discontinuities: 0, dropped: {} },
  };
}

export function newSource(facts: SourceFacts): SourceState {
  return { facts, connected: false, settled: -1, answered: [], farewells: [] };
}

export function renditionOf(state: ChannelState, session: string): RenditionState | undefined {
  const source = state.sources[session];
  return source && state.renditions[source.facts.rendition];
}

export function sourcesOf(state: ChannelState, rendition: string): SourceState[] {
  return Object.values(state.sources).filter((source) => source.facts.rendition === rendition);
}

/** It has said good-bye, all of it, and is waited for no longer; one that is away without a word may come back. */
export function hasLeft(state: ChannelState, rendition: string): boolean {
  return sourcesOf(state, rendition).every((source) => source.gone !== undefined);
}

export function connect({ state, at }: Turn, facts: SourceFacts, replayed: boolean): void {
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
    const same = older.facts.source === facts.source || older.facts.source === '';
    if (same && older !== source && !older.connected) older.gone ??= 'left';
  }
  rendition.away = false;
  rendition.updatedMs = at;
  forgetSessions(state, facts.rendition);
}

export function disconnect({ state, at }: Turn, session: string): void {
  const source = state.sources[session];
  if (!source?.connected) return;
  source.connected = false;
  if (!source.gone) source.lostMs = at;
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

/** Its final answer has gone out. */
export function isSettled({ settled, answered }: SourceState, index: number): boolean {
  return index <= settled || answered.some(([from, to]) => from <= index && index <= to);
}

/** An index that is skipped was refused before it could be understood, or answered in a time nobody remembers. */
export function settleSkipped(source: SourceState, index: number): void {
  const from = source.last === undefined ? source.settled + 1 : source.last.index + 1;
  if (from < index) settle(source, from, index - 1);
}

/** What a successor may take as settled once the version being built now is stored. */
export function settledWhenStored(state: ChannelState, source: SourceState): number {
  const rendition = state.renditions[source.facts.rendition];
  const pending = [
    ...source.farewells.map((farewell) => farewell.index),
    ...(rendition?.queue ?? [])
      .filter((item) => item.id.session === source.facts.session && !item.answered)
      .map((item) => item.id.index),
    ...state.held
      .filter(({ announcement }) => announcement.session === source.facts.session)
      .map(({ announcement }) => announcement.index),
  ];
  return Math.min(...pending, (source.last?.index ?? source.settled) + 1) - 1;
}

function forgetSessions(state: ChannelState, rendition: string): void {
  const idle = sourcesOf(state, rendition).filter(
    (source) =>
      !source.connected && settledWhenStored(state, source) === (source.last?.index ?? source.settled),
  );
  for (const { facts } of idle.slice(0, -REMEMBERED_SESSIONS)) delete state.sources[facts.session];
}
