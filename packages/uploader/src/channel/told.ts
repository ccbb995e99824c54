import type { Gap, Segment } from '@hls-uplink/protocol';
import { enqueue, hasPlace } from './announce.js';
import { isSpare } from './encode.js';
import { isAnswered, isPending } from './pending.js';
import { renditionOf } from './rendition.js';
import { answer, isOvertaken } from './source.js';
import { mostSpares } from './spare.js';
import type { RenditionState, SourceState, Turn } from './state.js';

/** All that is announced at once by one session while its bytes are elsewhere; of a spare, what may wait when it is accepted. */
export function takeAllTold(turn: Turn, announcements: readonly (Segment | Gap)[]): void {
  const { state } = turn;
  const most = mostSpares(state);
  announcements.forEach((announcement, i) => {
    const source = state.sources[announcement.session];
    const rendition = renditionOf(state, announcement.session);
    const isSurplus = i < announcements.length - most && announcement.type === 'segment';
    if (isSurplus && source && rendition && isSpare(state, rendition, source))
      dropTold(turn, source, rendition, announcement);
    else takeTold(turn, announcement);
  });
}

/** It would be dropped for those after it anyway (`dropSurplus`): its bytes are not asked for. */
function dropTold(
  turn: Turn,
  source: SourceState,
  rendition: RenditionState,
  { session, index }: Segment,
): void {
  const isNew = index > (source.last?.index ?? source.settled) && !isAnswered(source, rendition, index);
  if (isNew && source.connected) answer(turn, { session, index }, { type: 'dropped', code: 'backlog' });
}

/**
 * Takes in what a segment says while its bytes are elsewhere: it has its place from now on, and what has no place has its
 * final answer. It counts for nothing else until it is accepted; a gap tells only where the next begins.
 */
function takeTold(turn: Turn, announcement: Segment | Gap): void {
  const { state } = turn;
  const { session, index } = announcement;
  const source = state.sources[session];
  const rendition = renditionOf(state, session);
  if (!source?.connected || source.over || !rendition || rendition.endList) return;
  if (state.phase !== 'starting' && state.phase !== 'live') return;
  const { told, last } = source;
  const isOld = index <= Math.max(told?.index ?? -1, last?.index ?? source.settled);
  if (isOld && !isOvertaken(source, index)) return;
  if (isAnswered(source, rendition, index) || isPending(source, rendition, index)) return;
  if (hasPlace(state, rendition, source)) enqueue(turn, source, rendition, announcement, 'announced');
}
