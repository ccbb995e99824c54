import { multivariantOf, multivariantText, put } from './multivariant.js';
import { ownerComments } from './ownership.js';
import { vodKey } from './playlist-keys.js';
import { isFull } from './recording.js';
import { recordingText } from './recording-playlist.js';
import type { Recording } from './recording-state.js';
import type { ChannelState, RenditionState, Turn } from './state.js';

const eventsOf = (state: ChannelState): { rendition: RenditionState; event: Recording }[] =>
  Object.values(state.renditions).flatMap((rendition) => {
    const { event } = rendition.recordings;
    return event && event.entries.count > 0 ? [{ rendition, event }] : [];
  });

/**
 * A stream that has ended, or is as long as its event playlists may be, becomes VOD. First the event playlists say in the store
 * that they are closed, so that whoever goes on makes the same of them: the live ones go on meanwhile. Then comes a playlist of
 * another name with all of its entries (the type of a playlist never changes, RFC 8216 §6.2.1), then a multivariant one, and at
 * last ENDLIST in the event playlists. So who reads one back with ENDLIST knows that its VOD has been stored, and when anything
 * fails before, all is done again.
 */
export function makeVod(turn: Turn): void {
  const { state, effects } = turn;
  if (!state.vod || state.vod.isDone) closeEvents(turn);
  const { vod } = state;
  if (!vod || vod.isDone) return;
  const closed = eventsOf(state).filter(({ event }) => event.closed);
  if (closed.some(({ event }) => event.storedVersion < (event.closedVersion ?? 0))) return;
  for (const { rendition, event } of closed) {
    if (event.vodStored || event.vodInFlight) continue;
    event.vodInFlight = true;
    effects.push({
      type: 'put-playlist',
      view: 'vod',
      rendition: rendition.name,
      key: vodKey(rendition, vod.stamp),
      version: event.version,
      maxAgeSeconds: Math.floor(event.targetDuration / 2),
      text: recordingText(event, { playlistType: 'VOD', endList: true, comments: ownerComments(state) }),
    });
  }
  if (!closed.every(({ event }) => event.vodStored)) return;
  const multivariant = multivariantOf(state, 'vod');
  put(turn, 'vod', multivariant, vod.text);
  if (multivariant.storedText !== vod.text) return;
  for (const { event } of closed) {
    event.dirty ||= !event.endList;
    event.endList = true;
  }
  vod.isDone = closed.every(({ event }) => event.storedEnd);
}

/** All of one life together, when there is a reason; what a forerunner has closed goes on. */
function closeEvents({ state, effects }: Turn): void {
  const pending = eventsOf(state).filter(({ event }) => !event.vodStored);
  const life = Math.min(...pending.map(({ event }) => event.life));
  const events = eventsOf(state).filter(({ event }) => event.life === life);
  const toClose = events.filter(({ event }) => !event.closed);
  const reason = reasonToClose(state, life, events);
  // What is begun is finished, though the limit may be another by now.
  const isBegun = events.some(({ event }) => event.closed);
  if (pending.length === 0 || (toClose.length > 0 && !reason && !isBegun)) return;
  const firstMs = Math.min(...events.map(({ event }) => event.entries.first!.dateMs));
  const stamp = new Date(firstMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  for (const { event } of toClose)
    Object.assign(event, { closed: true, closedVersion: event.version + 1, dirty: true });
  const renditions = events.map(({ rendition }) => rendition);
  const statedOf = ({ recordings, stated }: RenditionState): NonNullable<typeof stated> =>
    recordings.event?.stated ?? stated ?? { bandwidth: 1, average: 1 };
  const text = multivariantText(state, renditions, { keyOf: (one) => vodKey(one, stamp), statedOf });
  state.vod = { stamp, text, isDone: false };
  if (toClose.length === 0 || !reason) return;
  effects.push({
    type: 'report',
    level: reason === 'ended' ? 'info' : 'warn',
    message: `${REASONS[reason]}: the event playlists are closed and become VOD`,
    fields: { vod: stamp },
  });
}

const REASONS = {
  ended: 'the stream has ended',
  full: 'the event playlists are as long as they may be, and the live playlists go on',
  unwanted: '--event is not set any more',
};

function reasonToClose(
  state: ChannelState,
  life: number,
  events: ReturnType<typeof eventsOf>,
): keyof typeof REASONS | undefined {
  const isOver = ({ rendition, event }: (typeof events)[number]): boolean =>
    event.life < state.life || (rendition.storedEnd && rendition.storedTail <= event.entries.tail);
  const isAwaited = (one: RenditionState): boolean => isBehind(state, one);
  const isComplete = life < state.life || !Object.values(state.renditions).some(isAwaited);
  if (isComplete && events.every(isOver)) return 'ended';
  if (state.settings.eventSeconds === undefined) return 'unwanted';
  return isComplete && events.some(({ event }) => isFull(state, event)) ? 'full' : undefined;
}

/** More of this life than its event playlist has is here, or will be. */
function isBehind(state: ChannelState, { arrears, tail, storedTail, recordings }: RenditionState): boolean {
  const { event } = recordings;
  const isDone = event?.life === state.life && isFull(state, event);
  const isUnseen = tail >= state.firstNumber && storedTail < state.firstNumber;
  return !isDone && (arrears.length > 0 || isUnseen);
}

export function vodStored({ recordings }: RenditionState): void {
  const { event } = recordings;
  if (!event?.vodInFlight) return;
  event.vodInFlight = false;
  event.vodStored = true;
}

export function vodFailed({ recordings }: RenditionState): void {
  if (recordings.event) recordings.event.vodInFlight = false;
}
