import { ptsDuration, type Announcement, type Gap, type Segment, type Tracks } from '@hls-uplink/protocol';
import { isMisaligned, leaveAlignment } from './alone.js';
import { keepCaptions } from './captions.js';
import { takeMarkers } from './date-range.js';
import { locate } from './epoch.js';
import { checkLength, upload } from './item.js';
import { beginLife } from './life.js';
import { hasVideo, renditionOf } from './rendition.js';
import { answer, isSettled, settleSkipped } from './source.js';
import type { Item, RenditionState, Slot, SourceState, Turn } from './state.js';
import { unstall } from './stall.js';
import { nominalStart, placeOf, TICKS_PER_SECOND } from './ticks.js';
import {
  claimSlot,
  inSlot,
  isBehind,
  isForgotten,
  isOverlapped,
  measureSlot,
  positionOf,
  type Position,
} from './timeline.js';

/** Sound is cut between whole PES, so a segment of sound alone that begins anew starts within one of them. */
const AUDIO_PES_90K = TICKS_PER_SECOND / 4;

/**
 * Tracks hold for the segments from their `index` on, and are taken at once, though older ones may still be queued: so the
 * multivariant playlist names new codecs early, by what is queued. It can't name them exactly anyway, since the window
 * lists old segments beside new ones, and players go by what the media says after a discontinuity; what is announced from
 * now on is measured by them, and that is never older.
 */
export function takeTracks({ state }: Turn, { session, tracks, gop }: Tracks): void {
  const rendition = renditionOf(state, session);
  if (!rendition) return;
  rendition.tracks = state.phase === 'ended' ? tracks : keepCaptions(rendition.tracks, tracks);
  const rate = tracks.find((track) => track.kind === 'video')?.frameRate;
  if (rate !== undefined) rendition.frame = Math.ceil(TICKS_PER_SECOND / rate) + 1;
  if (gop !== undefined) stateGop(rendition, gop, state.target!);
}

/** A steady GOP g gives segments of at most g·⌈target/g⌉. */
function stateGop(rendition: RenditionState, gop: number, target: number): void {
  rendition.longest = Math.max(rendition.longest, gop * Math.ceil((target * TICKS_PER_SECOND) / gop));
}

/** Takes an announcement in: accepted with its bytes assured, or refused and therefore the loss of what it stood for. */
export function takeAnnouncement(
  turn: Turn,
  event: 'accepted' | 'refused',
  announcement: Announcement,
): void {
  const { state, at } = turn;
  const { session, index } = announcement;
  const source = state.sources[session];
  const rendition = renditionOf(state, session);
  if (!source || !rendition) return;
  const seen = index <= (source.last?.index ?? source.settled);
  if (seen && isAnswered(source, rendition, index)) {
    if (event === 'accepted')
      turn.effects.push({ type: 'answer', id: { session, index }, answer: { type: 'published' } });
    return;
  }
  if (seen && isPending(source, rendition, index)) return;
  if (state.held.some(({ announcement: one }) => one.index === index && one.session === session)) return;
  if (source.over) {
    settleSkipped(source, index);
    source.last = { index };
    if (announcement.type === 'leave' || announcement.type === 'end') source.gone = 'left';
    return event === 'accepted'
      ? answer(turn, { session, index }, { type: 'dropped', code: 'late' })
      : undefined;
  }
  if (state.phase === 'ended') {
    const open = Object.values(state.renditions).some((one) => one.endList && !one.storedEnd);
    if (open) {
      state.held.push({ type: event, at, announcement });
      return;
    }
    if (announcement.type === 'leave' || announcement.type === 'end') {
      settleSkipped(source, index);
      source.last = { ...source.last, index };
      if (event === 'accepted') answer(turn, { session, index }, { type: 'published' });
      return;
    }
    beginLife(turn, source.facts.target);
  }
  settleSkipped(source, index);
  switch (announcement.type) {
    case 'leave':
    case 'end':
      source.last = { ...source.last, index };
      source.gone = announcement.type === 'end' ? 'ended' : 'left';
      delete source.lostMs;
      source.farewells.push({ index, end: announcement.type === 'end' });
      break;
    case 'segment':
    case 'gap':
      delete source.gone;
      for (const farewell of source.farewells) farewell.end = false;
      rendition.away = false;
      delivered(turn);
      enqueue(turn, source, rendition, announcement, event);
      if (rendition.queue.length > 0) state.startedMs ??= at;
  }
}

/** After a time in which no source delivered, what may be lost is counted anew. */
function delivered(turn: Turn): void {
  const { state, at } = turn;
  unstall(turn);
  const silentMs = at - state.deliveredMs;
  state.deliveredMs = at;
  if (silentMs < 1500 * (state.targetDuration ?? 0)) return;
  for (const rendition of Object.values(state.renditions)) rendition.updatedMs = at;
}

function isAnswered(source: SourceState, rendition: RenditionState, index: number): boolean {
  const { session } = source.facts;
  return isSettled(source, index) || rendition.queue.find({ session, index })?.answered === true;
}

function isPending(source: SourceState, rendition: RenditionState, index: number): boolean {
  const { session } = source.facts;
  return (
    source.farewells.some((farewell) => farewell.index === index) ||
    rendition.queue.find({ session, index }) !== undefined ||
    rendition.entries.some(({ id }) => id?.index === index && id.session === session)
  );
}

function enqueue(
  turn: Turn,
  source: SourceState,
  rendition: RenditionState,
  announcement: Segment | Gap,
  event: 'accepted' | 'refused',
): void {
  const { state } = turn;
  const id = { session: announcement.session, index: announcement.index };
  const lost = event === 'refused' || announcement.type === 'gap';
  const longest = (state.targetDuration ?? 3 * state.target!) + 1;
  if (lost && ptsDuration(announcement.startPts, announcement.endPts) > longest * TICKS_PER_SECOND) {
    source.last = { index: id.index };
    return event === 'accepted' ? answer(turn, id, { type: 'dropped', code: 'too-long' }) : undefined;
  }
  if (announcement.discontinuity === 'tables' || announcement.discontinuity === 'timestamps') {
    source.changed = id.index;
  }
  const position = locate(state, source, rendition, announcement);
  if (!position) {
    source.last = { index: id.index };
    return late(turn, event, id, rendition);
  }
  if (announcement.type === 'segment') takeMarkers(turn, position, announcement);
  source.last = { index: id.index, epoch: position.epoch, end: position.end };
  if (isBehind(state, rendition, position)) return late(turn, event, id, rendition);
  const { fromStart, toCut, gop } = measure(rendition, announcement, position, state.target!);
  if (gop > 0) stateGop(rendition, gop, state.target!);

  const slot = rendition.alone ? undefined : claimSlot(state, rendition, position);
  if (!slot && !rendition.alone) {
    if (isForgotten(state, position)) return late(turn, event, id, rendition, 'backlog');
    if (!isMisaligned(state, rendition, position)) return late(turn, event, id, rendition);
    leaveAlignment(turn, rendition);
  }
  if (slot?.number !== undefined && slot.number <= rendition.tail) return late(turn, event, id, rendition);
  if (slot && inSlot(rendition.queue.items, slot)) {
    if (event === 'accepted') answer(turn, id, { type: 'dropped', code: 'duplicate' });
    return;
  }

  const item: Item = {
    id,
    announcement,
    ...(slot && { slot: slot.id }),
    epoch: position.epoch,
    place: placeOf(position.start, state.target!),
    start: position.start,
    end: position.end,
    fromStart,
    toCut,
    state: lost ? 'lost' : 'undecided',
    answered: event === 'refused',
  };
  rendition.queue = rendition.queue.with(item);
  if (slot) {
    measureSlot(state, slot);
    dropOverlapped(turn, slot);
  }
  if (lost || !rendition.queue.find(id)) return;
  const checked = checkLength(turn, rendition, item);
  if (checked.state === 'undecided' && ((fromStart && toCut) || rendition.alone))
    upload(turn, rendition, item);
}

/** What a slot covers now, or whether it is covered itself. */
function dropOverlapped(turn: Turn, claimed: Slot): void {
  const { state } = turn;
  const position = positionOf(state, claimed);
  for (const at of [position + 1, position]) {
    while (isOverlapped(state, at)) {
      const [slot] = state.slots.splice(at, 1);
      for (const rendition of Object.values(state.renditions)) {
        const item = inSlot(rendition.queue.items, slot!);
        if (!item) continue;
        rendition.queue = rendition.queue.without(item.id);
        if (!item.answered) answer(turn, item.id, { type: 'dropped', code: 'partial' });
      }
    }
  }
}

function late(
  turn: Turn,
  event: 'accepted' | 'refused',
  id: Item['id'],
  rendition: RenditionState,
  code: 'late' | 'backlog' = 'late',
): void {
  if (event === 'refused') return;
  answer(turn, id, { type: 'dropped', code });
  turn.effects.push({
    type: 'report',
    level: 'warn',
    message: 'segment came after its place in the playlist had gone by',
    fields: { rendition: rendition.name, ...id },
  });
}

function measure(
  rendition: RenditionState,
  announcement: Segment | Gap,
  { start, contiguous }: Position,
  target: number,
): { fromStart: boolean; toCut: boolean; gop: number } {
  if (announcement.type === 'gap') return { fromStart: true, toCut: true, gop: 0 };
  const { keyPictures, ended, endPts } = announcement;
  const audioAlone = keyPictures.length === 0 && !hasVideo(rendition);
  let gop = 0;
  if (ended === 'cut') {
    keyPictures.forEach(({ pts }, i) => {
      gop = Math.max(gop, ptsDuration(pts, keyPictures[i + 1]?.pts ?? endPts));
    });
  }
  const late = start - nominalStart(placeOf(start, target), target);
  const fromStart = contiguous || late < (audioAlone ? AUDIO_PES_90K : gop);
  return { fromStart, toCut: ended === 'cut' || ended === 'forced', gop };
}
