import { PTS_MODULUS, ptsDuration, type Announcement, type Gap, type Segment } from '@hls-uplink/protocol';
import { isMisaligned, leaveAlignment } from './alone.js';
import { leaveSlot } from './awaited.js';
import { takeOwed } from './catch-up.js';
import { takeMarkers } from './date-range.js';
import { hasOthers, isSpare } from './encode.js';
import { locate } from './epoch.js';
import type { IndexRun } from './event.js';
import { checkLength, upload } from './item.js';
import { beginLife } from './life.js';
import { checkOffset, whyMisaligned } from './misfit.js';
import { isAnswered, isPending } from './pending.js';
import { hasSkipped, hasVideo, renditionOf } from './rendition.js';
import { answer, keepChanges, keepLast, noteChange, settle, settleSkipped } from './source.js';
import { dropSurplus, noteDelivery, putAside } from './spare.js';
import type { ChannelState, Item, RenditionState, Slot, SourceState, Turn } from './state.js';
import { unstall } from './stall.js';
import { nominalStart, placeOf, TICKS_PER_MS, TICKS_PER_SECOND } from './ticks.js';
import {
  claimSlot,
  inSlot,
  isBehind,
  isForgotten,
  isOverlapped,
  measureSlot,
  positionOf,
  slotOf,
  spansParts,
  type Position,
} from './timeline.js';
import { stateGop } from './tracks.js';

/** Sound is cut between whole PES, so a segment of sound alone that begins anew starts within one of them. */
const AUDIO_PES_90K = TICKS_PER_SECOND / 4;

/**
 * Which of two sources is needed shows when both have delivered; the active one is until it is given up, and another one first
 * takes over.
 */
export function hasPlace(state: ChannelState, rendition: RenditionState, source: SourceState): boolean {
  if (rendition.active === source.facts.session) return true;
  return !isSpare(state, rendition, source) && !hasOthers(state, rendition, source);
}

/** Takes an announcement in: accepted with its bytes assured, or refused and therefore the loss of what it stood for. */
export function takeAnnouncement(
  turn: Turn,
  event: 'accepted' | 'refused',
  announcement: Announcement,
  behind: readonly IndexRun[] = [],
): void {
  const { state, at } = turn;
  const { session, index } = announcement;
  const source = state.sources[session];
  const rendition = renditionOf(state, session);
  if (!source || !rendition) return;
  if (takeOwed(turn, rendition, event, announcement)) return;
  const pending = [...rendition.arrears.runsOf(session), ...behind];
  const awaited = rendition.queue.find({ session, index });
  if (awaited?.state === 'awaiting') {
    if (hasPlace(state, rendition, source)) {
      settleSkipped(source, index, pending);
      deliver(turn, source);
      return arrive(turn, source, rendition, awaited, event, announcement);
    }
    leaveSlot(state, rendition, awaited);
  }
  const seen = index <= (source.last?.index ?? source.settled);
  if (isAnswered(source, rendition, index)) {
    if (event === 'accepted')
      turn.effects.push({ type: 'answer', id: { session, index }, answer: { type: 'published' } });
    return;
  }
  if (seen && isPending(source, rendition, index)) return;
  if (state.held.some(({ announcement: one }) => one.index === index && one.session === session)) return;
  if (state.phase === 'live' && isOfNextLife(state, source, rendition)) {
    state.held.push({ type: event, at, announcement });
    return;
  }
  // Its sender has `rejected` already, and what comes after it must not wait for it.
  if (event === 'refused') settle(source, index);
  if (seen) {
    // It is older than what was accepted out of order before a restart, and no recording is known to wait for it.
    if (event === 'accepted') answer(turn, { session, index }, { type: 'dropped', code: 'backlog' });
    return;
  }
  if (source.over) {
    settleSkipped(source, index, pending);
    source.last = { index };
    if (announcement.type === 'leave' || announcement.type === 'end') source.gone = 'left';
    else tellOver(turn, source);
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
      settleSkipped(source, index, pending);
      source.last = { ...source.last, index };
      if (event === 'accepted') answer(turn, { session, index }, { type: 'published' });
      return;
    }
    beginLife(turn, source.facts.target);
  }
  settleSkipped(source, index, pending);
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
      if (behind.length > 0) source.overtaken = behind;
      deliver(turn, source);
      if (putAside(turn, source, rendition, announcement, event)) return dropSurplus(turn, rendition);
      enqueue(turn, source, rendition, announcement, event);
  }
}

/** Once, for it goes on until somebody starts the segmenter again. */
function tellOver({ effects }: Turn, source: SourceState): void {
  if (source.over === 'told') return;
  source.over = 'told';
  effects.push({
    type: 'report',
    level: 'warn',
    message:
      'the stream was ended by the operator, and a source goes on: what it has is dropped until it connects anew',
    fields: { rendition: source.facts.rendition, source: source.facts.source },
  });
}

/** Viewers have the ENDLIST of this life in one playlist; the others, which lack it since a restart, are yet to get it. */
function isOfNextLife(
  { renditions }: ChannelState,
  { gone, connected, settled, last }: SourceState,
  { endList }: RenditionState,
): boolean {
  if (endList) return true;
  const isNew = connected && settled < 0 && last === undefined;
  return (gone === 'ended' || isNew) && Object.values(renditions).some((one) => one.endList);
}

function deliver(turn: Turn, source: SourceState): void {
  delete source.gone;
  for (const farewell of source.farewells) farewell.end = false;
  delivered(turn);
}

/** What was announced has its bytes now, or will never have them. */
function arrive(
  turn: Turn,
  source: SourceState,
  rendition: RenditionState,
  { epoch, end, ...awaited }: Item,
  event: 'accepted' | 'refused',
  announcement: Announcement,
): void {
  if (announcement.type !== 'segment' && announcement.type !== 'gap') return;
  const { state, at } = turn;
  noteDelivery(turn, source, rendition, announcement);
  const endMs = Date.parse(announcement.wallClock) + (end - awaited.start) / TICKS_PER_MS;
  const { last } = source;
  source.last = { index: announcement.index, epoch, end, endMs, cameMs: at };
  keepLast(source, last);
  rendition.away = false;
  const refused = event === 'refused';
  const lost = refused || announcement.type === 'gap';
  const item: Item = {
    ...awaited,
    epoch,
    end,
    announcement,
    state: lost ? 'lost' : 'undecided',
    answered: refused,
  };
  rendition.queue = rendition.queue.replaced(item);
  const slot = slotOf(state, item);
  if (slot) measureSlot(state, slot);
  if (!refused) state.startedMs ??= at;
  decide(turn, rendition, item);
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

/** @param place where it lies, when its own clock need not be asked */
export function enqueue(
  turn: Turn,
  source: SourceState,
  rendition: RenditionState,
  announcement: Segment | Gap,
  event: 'announced' | 'accepted' | 'refused',
  place?: Position,
): void {
  const { state, at } = turn;
  const id = { session: announcement.session, index: announcement.index };
  const told = event === 'announced';
  if (!told) rendition.away = false;
  const lost = event === 'refused' || announcement.type === 'gap';
  const longest = (state.targetDuration ?? 3 * state.target!) + 1;
  const ticks = ptsDuration(announcement.startPts, announcement.endPts);
  const isBackward = ticks > PTS_MODULUS / 2;
  if (isBackward || (lost && ticks > longest * TICKS_PER_SECOND)) {
    if (told) return;
    if (isBackward) tellBackward(turn, rendition, announcement);
    source.last = { index: id.index };
    return event === 'accepted' ? answer(turn, id, { type: 'dropped', code: 'too-long' }) : undefined;
  }
  if (announcement.discontinuity === 'tables' || announcement.discontinuity === 'timestamps') {
    noteChange(source, id.index);
    delete source.instead;
  }
  const before = told ? toldBefore(source, id.index) : source.last;
  const position = place ?? locate(turn, before, rendition, announcement);
  if (!position) {
    if (!told) source.last = { ...source.last, index: id.index };
    return late(turn, event, id, rendition);
  }
  const { epoch, start, end } = position;
  const endMs = Date.parse(announcement.wallClock) + (end - start) / TICKS_PER_MS;
  source[told ? 'told' : 'last'] = { index: id.index, epoch, end, endMs, cameMs: at };
  if (told && lost) return;
  if (announcement.type === 'segment') takeMarkers(turn, position, announcement);
  // From another encode that it takes over from it differs behind that one's tags, too.
  if (source.instead === undefined && isTagged(rendition, position))
    keepChanges(source, (index) => index !== id.index);
  if (isBehind(state, rendition, position)) return late(turn, event, id, rendition);
  const { fromStart, toCut, gop } = measure(rendition, announcement, position, state.target!);
  if (gop > 0) {
    stateGop(rendition, gop, state.target!);
    rendition.gop = gop;
  }

  const slot = rendition.alone ? undefined : claimSlot(state, rendition, position);
  if (!slot && !rendition.alone) {
    if (isForgotten(state, position)) return late(turn, event, id, rendition, 'backlog');
    if (!isMisaligned(state, rendition, position)) return late(turn, event, id, rendition);
    leaveAlignment(turn, rendition, whyMisaligned(state, rendition));
  }
  if (slot?.number !== undefined && slot.number <= rendition.tail) {
    return late(turn, event, id, rendition, isSkipped(state, rendition, slot.number) ? 'backlog' : 'late');
  }
  if (slot && spansParts(state, slot, end)) return late(turn, event, id, rendition);
  const other = slot && inSlot(rendition.queue.items, slot);
  // Whose bytes come first is not known yet.
  if (other?.state === 'awaiting' && told) return;
  if (other?.state === 'awaiting' && !lost) {
    rendition.queue = rendition.queue.without(other.id);
    answer(turn, other.id, { type: 'dropped', code: 'duplicate' });
  } else if (other) {
    if (event !== 'refused') answer(turn, id, { type: 'dropped', code: 'duplicate' });
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
    state: lost ? 'lost' : told ? 'awaiting' : 'undecided',
    answered: event === 'refused',
  };
  rendition.queue = rendition.queue.with(item);
  if (event === 'accepted') state.startedMs ??= at;
  if (slot) {
    measureSlot(state, slot);
    dropOverlapped(turn, slot);
    if (rendition.queue.find(id)) checkOffset(turn, rendition, slot, item);
  }
  if (rendition.queue.find(id)) decide(turn, rendition, item);
}

/** What it announced last that comes before this, which may have been overtaken. */
function toldBefore({ told, last }: SourceState, index: number): SourceState['last'] {
  const known = [told, last].filter((one) => one !== undefined && one.index < index);
  return known.sort((a, b) => b!.index - a!.index)[0];
}

/** What is too long is out, and what is whole or waits for nobody is uploaded. */
function decide(turn: Turn, rendition: RenditionState, item: Item): void {
  const checked = checkLength(turn, rendition, item);
  if (checked.state === 'undecided' && ((item.fromStart && item.toCut) || rendition.alone))
    upload(turn, rendition, item);
}

/** It came so late that a discontinuity is listed where it would be, or after: nothing that follows needs another. */
function isTagged({ entries, frame }: RenditionState, { epoch, start }: Position): boolean {
  return entries.some(
    (one) => one.discontinuity && (one.epoch > epoch || (one.epoch === epoch && one.end > start + frame)),
  );
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
  event: 'announced' | 'accepted' | 'refused',
  id: Item['id'],
  rendition: RenditionState,
  code: 'late' | 'backlog' = 'late',
): void {
  // Gaps that stand for what is away now would make the next one late as well.
  if (rendition.alone) rendition.updatedMs = turn.at;
  if (event === 'refused') return;
  answer(turn, id, { type: 'dropped', code });
  // The skip itself was told.
  if (code === 'backlog') return;
  turn.effects.push({
    type: 'report',
    level: 'warn',
    message: 'segment came after its place in the playlist had gone by',
    fields: { rendition: rendition.name, ...id },
  });
}

/** Whatever it says of its clock would be wrong for all that comes after it. */
function tellBackward(turn: Turn, { name }: RenditionState, { session, index }: Segment | Gap): void {
  turn.effects.push({
    type: 'report',
    level: 'warn',
    message: 'segment ends before it begins; it is left out',
    fields: { rendition: name, session, index },
  });
}

/** The skip went over it, as over what its siblings had there. */
function isSkipped(state: ChannelState, rendition: RenditionState, number: number): boolean {
  const { entries, tail, storedTail } = rendition;
  return hasSkipped(state, rendition) && number > storedTail && number < (entries[0]?.number ?? tail + 1);
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
