import { current, freeze, isDraft, produce } from 'immer';
import { takeAnnouncement } from './announce.js';
import { forgetAwaited } from './awaited.js';
import { giveUpAt, giveUpOverdue, owedLost, owedStored } from './catch-up.js';
import { skipAgain, skipBacklog } from './backlog.js';
import { takeDateRange } from './date-range.js';
import type { ChannelEvent, Effect } from './event.js';
import { iFramesKey } from './i-frame.js';
import { iFramesFailed, iFramesStored, putIFrames } from './i-frame-playlist.js';
import { change, keyOf, lose, segmentKey } from './item.js';
import { answerFarewells, end, endAt, requestEnd, start, startAt } from './life.js';
import { waitsUntil } from './lost.js';
import { multivariantFailed, multivariantStored, putMultivariants } from './multivariant.js';
import { takeOver } from './ownership.js';
import { recordingKey } from './playlist-keys.js';
import { advance } from './publish.js';
import { record, RECORDING_VIEWS } from './recording.js';
import { deleteUnwanted, putRecordings, recordingFailed, recordingStored } from './recording-playlist.js';
import { reopen } from './reopen.js';
import { renditionOf } from './rendition.js';
import { connect, disconnect, waitingSpares } from './source.js';
import { takeOverAt } from './spare.js';
import { awayEndAt, stall, stallAt } from './stall.js';
import type { ChannelSettings, ChannelState, RenditionState, Turn } from './state.js';
import { useSpares } from './take-over.js';
import { takeAllTold } from './told.js';
import { keptTimeline } from './timeline.js';
import { takeTracks } from './tracks.js';
import { putVersion, versionFailed, versionStored } from './version.js';
import { makeVod, vodFailed, vodStored } from './vod.js';

export interface Reduction {
  state: ChannelState;
  effects: Effect[];
}

/** A channel of which nothing is known yet; its first event is `opened`. */
export function openChannel(settings: ChannelSettings): ChannelState {
  return {
    settings,
    phase: 'opening',
    life: 1,
    at: 0,
    term: 1,
    owned: true,
    unwanted: [],
    firstEpoch: 1,
    lifeStartMs: 0,
    firstNumber: 0,
    nextNumber: 0,
    discontinuitySequence: 0,
    breakNext: false,
    discontinuities: [],
    epochs: [],
    slots: [],
    nextSlotId: 0,
    renditions: {},
    sources: {},
    dateRanges: [],
    deliveredMs: 0,
    openedMs: 0,
    heldUpMs: 0,
    endRequested: false,
    held: [],
    multivariant: { version: 0, storedText: '' },
    multivariants: {},
  };
}

/**
 * The heart, pure: what the channel is after an event, and what must be done about it. The same events give the same
 * states and effects. What may reach it twice changes nothing the second time: an announcement (one that has had its final
 * answer is answered `published` once more), the outcome of a write, tracks, `disconnected`, `end-requested`, `date-range-given`, `tick`. But
 * `opened` comes once, and `connected` and `store-recovered` count deadlines anew each time.
 */
export function reduce(state: ChannelState, event: ChannelEvent): Reduction {
  const effects: Effect[] = [];
  const next = produce(state, (draft) => turnTo({ state: draft, effects, at: event.at }, event));
  // Not of a draft: all slots that stay would be drafted.
  const kept = keptTimeline(next);
  return { state: kept ? freeze({ ...next, ...kept }, true) : next, effects };
}

/**
 * As `reduce`, but changes the state it is given, which costs a fraction: for who keeps no older one, as simulations of
 * many thousand channels do.
 */
export function step(state: ChannelState, event: ChannelEvent): Effect[] {
  const effects: Effect[] = [];
  turnTo({ state, effects, at: event.at }, event);
  Object.assign(state, keptTimeline(state));
  return effects;
}

function turnTo(turn: Turn, event: ChannelEvent): void {
  const { state } = turn;
  state.at = Math.max(state.at, event.at);
  take(turn, event);
  proceed(turn, event.type === 'segment-stored');
  while (state.held.length > 0 && allEndsStored(state)) {
    const events = isDraft(state.held) ? current(state.held) : state.held;
    state.held = [];
    for (const held of events) take(turn, { ...held, at: event.at });
    proceed(turn, false);
  }
}

function take(turn: Turn, event: ChannelEvent): void {
  const { state } = turn;
  switch (event.type) {
    case 'opened':
      return reopen(turn, event.playlists);
    case 'connected':
      forgetAwaited(state, event.facts.session);
      return connect(turn, event.facts, event.replayed ?? false);
    case 'disconnected':
      forgetAwaited(state, event.session);
      return disconnect(turn, event.session);
    case 'tracks':
      return takeTracks(turn, event.tracks);
    case 'announced':
      return takeAllTold(turn, event.announcements);
    case 'accepted':
      return takeAnnouncement(turn, event.type, event.announcement, event.behind);
    case 'refused':
      return takeAnnouncement(turn, event.type, event.announcement);
    case 'held-up':
      state.heldUpMs = event.at;
      return;
    case 'segment-stored':
    case 'segment-lost': {
      const rendition = renditionOf(state, event.id.session);
      if (!rendition) return;
      const item = rendition.queue.find(event.id);
      if (!item && event.type === 'segment-stored') owedStored(turn, rendition, event.id, event.encryption);
      else if (!item) owedLost(turn, rendition, event.id);
      if (item?.state !== 'uploading') return;
      if (event.type === 'segment-lost') lose(turn, rendition, item, 'spool');
      else {
        const { encryption } = event;
        change(rendition, item, { state: 'stored', ...(encryption && { encryption }) });
      }
      return;
    }
    case 'playlist-stored': {
      const rendition = state.renditions[event.rendition];
      if (!rendition) return;
      return playlistStored(turn, rendition, event);
    }
    case 'playlist-failed': {
      const rendition = state.renditions[event.rendition];
      if (!rendition) return;
      return playlistFailed(rendition, event);
    }
    case 'multivariant-stored':
      return multivariantStored(turn, event.view, event.version);
    case 'multivariant-failed':
      return multivariantFailed(turn, event.view, event.version);
    case 'deleted':
      for (const rendition of Object.values(state.renditions)) {
        rendition.left = rendition.left.filter(({ key }) => !event.keys.includes(key));
        if (event.keys.includes(iFramesKey(rendition))) rendition.iFrames.isThere = false;
      }
      return;
    case 'store-recovered':
      return recover(turn);
    case 'end-requested':
      return requestEnd(turn);
    case 'date-range-given':
      return takeDateRange(turn, event.range, event.replayed);
    case 'tick':
  }
}

function playlistStored(
  turn: Turn,
  rendition: RenditionState,
  { view, version, tookMs }: Extract<ChannelEvent, { type: 'playlist-stored' }>,
): void {
  switch (view) {
    case 'live':
      return versionStored(turn, rendition, version, tookMs);
    case 'i-frames':
      return iFramesStored(turn, rendition, version);
    case 'dvr':
    case 'event':
      return recordingStored(turn, rendition, view, version);
    case 'vod':
      return vodStored(rendition);
  }
}

function playlistFailed(
  rendition: RenditionState,
  { view, version }: Extract<ChannelEvent, { type: 'playlist-failed' }>,
): void {
  switch (view) {
    case 'live':
      return versionFailed(rendition, version);
    case 'i-frames':
      return iFramesFailed(rendition, version);
    case 'dvr':
    case 'event':
      return recordingFailed(rendition, view, version);
    case 'vod':
      return vodFailed(rendition);
  }
}

/** The store takes writes again: what may be lost is counted anew. */
function recover(turn: Turn): void {
  const { state, at } = turn;
  for (const rendition of Object.values(state.renditions)) {
    rendition.failing = false;
    rendition.updatedMs = at;
    rendition.arrearsMs = at;
    if (state.phase === 'live') skipAgain(turn, rendition);
  }
}

/** Whatever follows from the state as it is now; the multivariant playlist not of what no media playlist lists yet. */
function proceed(turn: Turn, isUnlisted: boolean): void {
  const { state } = turn;
  if (state.phase === 'opening' || state.refusal !== undefined) return;
  const renditions = Object.values(state.renditions);
  for (const rendition of renditions) useSpares(turn, rendition);
  start(turn);
  if (state.phase === 'live') {
    for (const rendition of renditions) skipBacklog(turn, rendition);
    while (renditions.map((one) => advance(turn, one)).some(Boolean));
  }
  stall(turn);
  end(turn);
  for (const rendition of renditions) catchUp(turn, rendition);
  if (takeOver(turn)) {
    deleteUnwanted(turn);
    makeVod(turn);
    for (const rendition of renditions) {
      putVersion(turn, rendition);
      putIFrames(turn, rendition);
      putRecordings(turn, rendition);
    }
    if (!isUnlisted) putMultivariants(turn);
  }
  answerFarewells(turn);
}

/** Recordings take over what has come that the live playlist had skipped. */
function catchUp(turn: Turn, rendition: RenditionState): void {
  if (rendition.arrears.length === 0) return;
  giveUpOverdue(turn, rendition);
  record(turn, rendition);
}

function allEndsStored(state: ChannelState): boolean {
  if (state.phase !== 'ended') return false;
  return Object.values(state.renditions).every((one) => !one.endList || one.storedEnd);
}

/** When the next `tick` is due, milliseconds since 1970; undefined when only another event can change anything. */
export function deadline(state: ChannelState): number | undefined {
  if (state.refusal !== undefined) return undefined;
  const waits =
    state.phase === 'live' ? Object.values(state.renditions).map((one) => waitsUntil(state, one)) : [];
  const takeOvers = Object.values(state.renditions).map((one) => takeOverAt(state, one));
  const arrears = Object.values(state.renditions).map(giveUpAt);
  const due = [
    startAt(state),
    endAt(state),
    stallAt(state),
    awayEndAt(state),
    ...takeOvers,
    ...waits,
    ...arrears,
  ].filter((at) => at !== undefined && at > state.at);
  const first = Math.min(...(due as number[]));
  return Number.isFinite(first) ? first : undefined;
}

/** Every object key that a playlist, the state line or a waiting segment names; the sweep of orphans spares them. */
export function namedKeys(state: ChannelState): Set<string> {
  const keys = new Set<string>();
  for (const rendition of Object.values(state.renditions)) {
    keys.add(rendition.playlistKey).add(iFramesKey(rendition));
    for (const { key } of [...rendition.entries, ...rendition.previous, ...rendition.left]) {
      if (key !== undefined) keys.add(key);
    }
    for (const view of RECORDING_VIEWS) {
      const recording = rendition.recordings[view];
      if (!recording) continue;
      keys.add(recordingKey(rendition, view));
      for (const { name } of recording.entries)
        if (name !== undefined) keys.add(`${state.settings.channel}/${name}`);
      for (const { key } of recording.left.keys) keys.add(key);
    }
    for (const { segment } of rendition.arrears.all) keys.add(keyOf(state, segment.uri));
    for (const { id } of rendition.queue.items) keys.add(segmentKey(state.settings.channel, rendition, id));
  }
  return keys;
}

/** Of this session: what `welcome` says. */
export function sessionProgress(
  state: ChannelState,
  session: string,
): { settled?: number; accepted: number[] } {
  const source = state.sources[session];
  if (!source) return { accepted: [] };
  const rendition = state.renditions[source.facts.rendition];
  const ids = [
    ...(rendition?.queue.items ?? []).flatMap(({ id, answered, state: is }) =>
      answered || is === 'awaiting' ? [] : [id],
    ),
    ...(rendition?.entries ?? []).flatMap(({ id }) => (id ? [id] : [])),
    ...(rendition?.arrears.all ?? []).flatMap(({ id, waits }) => (id && waits !== 'bytes' ? [id] : [])),
    ...waitingSpares(state, source),
    ...state.held.map(({ announcement }) => announcement),
    ...source.farewells.map(({ index }) => ({ session, index })),
  ];
  const accepted = new Set(ids.filter((id) => id.session === session).map(({ index }) => index));
  return {
    ...(source.settled >= 0 && { settled: source.settled }),
    accepted: [...accepted].filter((index) => index > source.settled).sort((a, b) => a - b),
  };
}
