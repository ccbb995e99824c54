import {
  parseMediaPlaylist,
  parseMultivariantPlaylist,
  playlistDuration90k,
  PlaylistError,
  type MediaPlaylist,
} from '@hls-uplink/hls';
import { errorText } from '@hls-uplink/runtime';
import { adoptEntries, readAdopted, whyUnfit } from './adopted.js';
import { recallDateRanges } from './date-range.js';
import { recallDiscontinuities } from './discontinuity.js';
import { iFrameCount, iFramesKey } from './i-frame.js';
import { keyOf } from './item.js';
import { buildIFrames } from './i-frame-playlist.js';
import { below, multivariantKey } from './multivariant.js';
import { beginTerm } from './ownership.js';
import { isDerived, recordingOf } from './playlist-keys.js';
import { hasVideo, newRendition } from './rendition.js';
import { reopenRecordings } from './reopen-recordings.js';
import { newSource } from './source.js';
import { Arrears } from './arrears.js';
import { readArrears } from './arrears-line.js';
import { readStateLine, type StateLine } from './state-line.js';
import type { ChannelState, RenditionState, Turn } from './state.js';
import { placeOf, TICKS_PER_MS } from './ticks.js';

/** A published object read back when the channel opens, by key. */
export interface ReadBack {
  key: string;
  text: string;
  /** For the doer. */
  etag?: string;
}

/** Goes on from what is published: the store is the truth (DESIGN.md, "Who owns what"). */
export function reopen(turn: Turn, playlists: readonly ReadBack[]): void {
  const { state, at } = turn;
  state.phase = 'starting';
  state.openedMs = at;
  beginTerm(
    state,
    playlists.map(({ text }) => text),
  );
  const read = playlists.flatMap(({ key, text }) => {
    if (key === multivariantKey(state)) {
      if (isMediaPlaylist(text))
        refuse(turn, key, 'it is a media playlist where the multivariant one must stand');
      state.multivariant.storedText = text;
      return [];
    }
    // What it shows stands in the state line of its media playlist; a recording goes on from it (`reopenRecordings`).
    if (isDerived(key) || recordingOf(key)) return [];
    try {
      const playlist = parseMediaPlaylist(text);
      return [{ key, text, playlist, line: readStateLine(playlist) }];
    } catch (error) {
      if (error instanceof PlaylistError && error.code === 'wrong-kind') leaveAlone(turn, key);
      else refuse(turn, key, `cannot be read as a playlist (${errorText(error)})`);
      return [];
    }
  });
  const life = Math.max(0, ...read.map(({ line }) => line?.life ?? 0));
  if (life > 0) state.life = life;
  for (const { key, text, playlist, line } of read) {
    if (playlist.segments.length > 0 && line?.life === life) resume(turn, key, playlist, text, line);
  }
  recallStated(state);
  for (const rendition of Object.values(state.renditions)) {
    if (!rendition.iFrames.isThere) continue;
    // What was stored of it may be older than its media playlist.
    rendition.iFrames.storedVersion = -1;
    buildIFrames(state, rendition);
  }
  const resumed = Object.keys(state.renditions).length > 0;
  recallDateRanges(state);
  for (const { key, text, playlist, line } of read) {
    if (playlist.segments.length > 0 && line?.life !== life) {
      const rendition = adopt(turn, key, playlist, line);
      if (!line && resumed) tellForeign(turn, rendition, playlist);
      else if (!line) goOn(turn, rendition, playlist, text);
    }
    if (resumed) continue;
    const renditions = Object.values(state.renditions);
    state.firstNumber = Math.max(0, ...renditions.map((rendition) => rendition.tail + 1));
    state.nextNumber = state.firstNumber;
    state.discontinuitySequence = Math.max(
      0,
      ...renditions.map((rendition) => rendition.discontinuitySequence),
    );
    state.breakNext = state.firstNumber > 0;
  }
  reopenRecordings(turn, playlists);
  leaveIFrames(state);
  const current = Object.values(state.renditions).filter((one) => one.tail >= state.firstNumber);
  if (life === 0 || current.length === 0) return;
  state.phase = current.every((one) => one.endList) ? 'ended' : 'live';
  // What the others have not listed yet may still come, within its deadline.
  state.endRequested = state.phase === 'live' && current.some((one) => one.endList);
  state.epochs.sort((a, b) => a.id - b.id);
  state.slots.sort((a, b) => a.number! - b.number!);
  recallDiscontinuities(state);
}

/** An I-frame playlist that is not wanted any more would stay as it is, and list what is deleted. */
function leaveIFrames({ settings, renditions, unwanted }: ChannelState): void {
  if (settings.iFrames || settings.retention === 'keep') return;
  unwanted.push(
    ...Object.values(renditions)
      .filter(({ iFrames }) => iFrames.isThere)
      .map(iFramesKey),
  );
}

/** Nothing is published here, and the operator is told why. */
function refuse({ state }: Turn, key: string, why: string): void {
  state.refusal = `${key} is in the store but ${why}; move it away or choose another channel name`;
}

const isMediaPlaylist = (text: string): boolean => /^#EXT(INF|-X-TARGETDURATION):/m.test(text);

/** Viewers may come by it, and what it names goes on. */
function leaveAlone({ effects }: Turn, key: string): void {
  effects.push({
    type: 'report',
    level: 'warn',
    message: 'a multivariant playlist of another tool stands here; it is left alone',
    fields: { key },
  });
}

/** A playlist of the life that goes on. */
function resume(
  { state, at }: Turn,
  key: string,
  playlist: MediaPlaylist,
  text: string,
  line: StateLine,
): void {
  const rendition = renditionFrom(state, at, key, line);
  [state.firstNumber, state.firstEpoch, state.lifeStartMs] = line.first;
  state.target = line.target;
  state.targetDuration = playlist.targetDuration;
  if (playlist.startOffset !== undefined) state.startOffset = playlist.startOffset;
  for (const [id, t0, date0Ms, seenT0 = t0, seenMs = date0Ms] of line.clocks) {
    const seen = { t0: seenT0, date0Ms: seenMs };
    const known = state.epochs.find((epoch) => epoch.id === id);
    if (!known) state.epochs.push({ id, clock: { t0, date0Ms }, seen });
    else if (known.seen.t0 < seenT0) known.seen = seen;
  }
  rendition.arrears = Arrears.empty.with(readArrears(rendition, line.arrears ?? []));
  rendition.arrearsMs = at;
  const longestMs = Math.max(line.longestMs, durationMs(playlist));
  const { adopted = 0 } = line;
  if (adopted > 0) rendition.adopted = readAdopted(playlist, text, adopted);
  const firstSequence = rendition.adopted?.sequence ?? playlist.discontinuitySequence;
  let discontinuitySequence = firstSequence;
  const found: ChannelState['discontinuities'] = [];
  rendition.entries = playlist.segments.slice(adopted).map((segment, i) => {
    const [epoch, start] = line.starts[i]!;
    const number = playlist.mediaSequence + adopted + i;
    const end = start + segment.duration90k;
    const place = placeOf(start, line.target);
    const dateMs = segment.programDateTimeMs ?? 0;
    const entry = {
      number,
      uri: segment.uri,
      epoch,
      place,
      start,
      end,
      dateMs,
      discontinuity: segment.discontinuity,
      longestMs,
      keys: line.iFrames?.keys[i] ?? [],
    };
    if (segment.discontinuity) found.push({ sequence: ++discontinuitySequence, dateMs });
    let slot = rendition.alone ? undefined : state.slots.find((one) => one.number === number);
    if (!slot && !rendition.alone) {
      slot = {
        id: state.nextSlotId++,
        epoch,
        place,
        start,
        end,
        number,
        video: hasVideo(rendition),
        discontinuity: segment.discontinuity,
        discontinuitySequence,
      };
      state.slots.push(slot);
    }
    const own = keyOf(state, segment.uri);
    return {
      ...entry,
      ...(slot && { slot: slot.id }),
      ...(!segment.gap && { key: own }),
      gap: segment.gap,
      ...(segment.key && { encryption: segment.key }),
      ...(segment.dateRanges && { dateRanges: segment.dateRanges }),
    };
  });
  Object.assign(rendition, {
    tail: rendition.entries.at(-1)!.number,
    storedFirst: rendition.entries[0]!.number,
    storedTail: rendition.entries.at(-1)!.number,
    discontinuitySequence: firstSequence,
    independent: playlist.independentSegments,
    endList: playlist.endList,
    storedEnd: playlist.endList,
    updatedMs: at,
    longest: line.longest,
    peakBandwidth: line.bandwidth.peak,
    totalBytes: line.bandwidth.bytes,
    total90k: line.bandwidth.ticks,
  } satisfies Partial<RenditionState>);
  const { stated, declared } = line.bandwidth;
  if (stated) rendition.stated = { bandwidth: stated[0], average: stated[1] };
  if (declared !== undefined) rendition.declaredBandwidth = declared;
  state.discontinuities.push(...found);
  // Those that count alone have numbers of their own, and discontinuities that the others may have to follow yet.
  if (rendition.alone) return;
  state.nextNumber = Math.max(state.nextNumber, rendition.tail + 1);
  state.discontinuitySequence = Math.max(state.discontinuitySequence, discontinuitySequence);
}

/**
 * What viewers have been told of the bit rates, and of I-frame playlists: it may have been measured of segments whose media
 * playlist was not stored any more, and what is said again must not differ for that.
 */
function recallStated(state: ChannelState): void {
  const { storedText } = state.multivariant;
  if (storedText === '') return;
  try {
    const { variants, iFrameVariants = [] } = parseMultivariantPlaylist(storedText);
    for (const { uri, bandwidth, averageBandwidth } of variants) {
      const rendition = Object.values(state.renditions).find((one) => below(state, one.playlistKey) === uri);
      if (!rendition || averageBandwidth === undefined) continue;
      rendition.stated = {
        bandwidth: Math.max(bandwidth, rendition.stated?.bandwidth ?? 0),
        average: averageBandwidth,
      };
    }
    for (const { uri, bandwidth } of iFrameVariants) {
      const rendition = Object.values(state.renditions).find((one) => below(state, iFramesKey(one)) === uri);
      if (!rendition) continue;
      const { iFrames } = rendition;
      Object.assign(iFrames, {
        isThere: true,
        wasThere: true,
        peakBandwidth: Math.max(iFrames.peakBandwidth, bandwidth),
      });
    }
  } catch {
    // It will be written anew, from what the media playlists say.
  }
}

/** A playlist of an earlier life or of another tool: its numbers count on. */
function adopt(
  { state, at }: Turn,
  key: string,
  playlist: MediaPlaylist,
  line: StateLine | undefined,
): RenditionState {
  const rendition = renditionFrom(state, at, key, line);
  const tail = playlist.mediaSequence + playlist.segments.length - 1;
  rendition.tail = tail;
  rendition.storedTail = tail;
  rendition.iFrames.sequence += playlist.segments.reduce(
    (sum, { gap }, i) => sum + iFrameCount({ gap, keys: line?.iFrames?.keys[i] ?? [] }),
    0,
  );
  const tags = playlist.segments.filter((segment) => segment.discontinuity).length;
  rendition.discontinuitySequence = playlist.discontinuitySequence + tags;
  if (line) {
    rendition.previous = playlist.segments
      .slice(line.adopted ?? 0)
      .filter((segment) => !segment.gap)
      .map((segment) => ({
        key: keyOf(state, segment.uri),
        keepMs: Math.ceil(
          segment.duration90k / TICKS_PER_MS + Math.max(durationMs(playlist), line.longestMs),
        ),
      }));
  }
  return rendition;
}

function tellForeign(
  { effects }: Turn,
  { playlistKey, tail }: RenditionState,
  { targetDuration, endList }: MediaPlaylist,
): void {
  effects.push({
    type: 'report',
    level: 'warn',
    message:
      'a playlist of another tool stands here; its numbers are counted on, its segments are left alone',
    fields: { key: playlistKey, next: tail + 1, targetDuration, endList },
  });
}

/** With the playlist of another tool, unless that is over; then a life begins behind it as behind one of ours. */
function goOn(turn: Turn, rendition: RenditionState, playlist: MediaPlaylist, text: string): void {
  const unfit = whyUnfit(playlist);
  if (unfit !== undefined) return refuse(turn, rendition.playlistKey, `cannot be gone on with: ${unfit}`);
  tellForeign(turn, rendition, playlist);
  if (!playlist.endList) adoptEntries(turn, rendition, playlist, text);
}

const durationMs = (playlist: MediaPlaylist): number => playlistDuration90k(playlist.segments) / TICKS_PER_MS;

function renditionFrom(
  state: ChannelState,
  at: number,
  key: string,
  line: StateLine | undefined,
): RenditionState {
  const name = line?.rendition ?? key.slice(key.lastIndexOf('/') + 1).replace(/\.m3u8$/, '');
  const rendition = newRendition(state, name);
  rendition.playlistKey = key;
  state.renditions[name] = rendition;
  if (!line) return rendition;
  const { segmentPrefix, urlPrefix, alone, tracks, frame } = line;
  Object.assign(rendition, {
    segmentPrefix,
    urlPrefix,
    alone,
    tracks,
    frame,
  } satisfies Partial<RenditionState>);
  // The clock may have been set since: how long they have been out is counted anew.
  if (line.iFrames) {
    const { sequence, peak, isThere } = line.iFrames;
    Object.assign(rendition.iFrames, { sequence, isThere, wasThere: true, peakBandwidth: peak });
  }
  if (line.active !== undefined && line.sessions[line.active]) rendition.active = line.active;
  rendition.left = line.left.map(([below, keepMs]) => ({
    key: `${state.settings.channel}/${below}`,
    keepMs,
  }));
  for (const [session, [settled, index, epoch, end]] of Object.entries(line.sessions)) {
    const facts = { rendition: name, source: line.sources?.[session] ?? '', session, target: line.target };
    const source = newSource(facts);
    source.settled = settled;
    source.last = index === settled ? { index: settled, epoch: epoch!, end: end! } : { index: settled };
    source.lostMs = at;
    source.deliveredMs = at;
    if (line.same?.includes(session)) source.same = true;
    if (index !== undefined) source.listed = { index, epoch: epoch!, end: end! };
    state.sources[session] = source;
  }
  return rendition;
}
