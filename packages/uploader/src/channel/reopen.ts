import { parseMediaPlaylist, type MediaPlaylist } from '@hls-uplink/hls';
import { errorText } from '@hls-uplink/runtime';
import { multivariantKey } from './multivariant.js';
import { newRendition, newSource } from './source.js';
import { readStateLine, type StateLine } from './state-line.js';
import type { ChannelState, RenditionState, Turn } from './state.js';
import { placeOf, TICKS_PER_MS } from './ticks.js';

/** A published object read back when the channel opens, by key. */
export interface ReadBack {
  key: string;
  text: string;
}

/** Goes on from what is published: the store is the truth (DESIGN.md, "Who owns what"). */
export function reopen(turn: Turn, playlists: readonly ReadBack[]): void {
  const { state } = turn;
  state.phase = 'starting';
  const read = playlists.flatMap(({ key, text }) => {
    if (key === multivariantKey(state)) {
      state.multivariant.storedText = text;
      return [];
    }
    try {
      const playlist = parseMediaPlaylist(text);
      return [{ key, playlist, line: readStateLine(playlist.comments) }];
    } catch (error) {
      state.refusal = `${key} is in the store but cannot be read as a playlist (${errorText(error)}); move it away or choose another channel name`;
      return [];
    }
  });
  const life = Math.max(0, ...read.map(({ line }) => line?.life ?? 0));
  if (life > 0) state.life = life;
  for (const { key, playlist, line } of read) {
    if (playlist.segments.length === 0) continue;
    if (line && line.life === life) resume(turn, key, playlist, line);
    else adopt(turn, key, playlist, line);
  }
  const current = Object.values(state.renditions).filter((one) => one.tail >= state.firstNumber);
  if (life === 0 || current.length === 0) return;
  state.phase = current.some((one) => one.endList) ? 'ended' : 'live';
  state.epochs.sort((a, b) => a.id - b.id);
  state.slots.sort((a, b) => a.number! - b.number!);
  if (state.phase === 'ended') {
    for (const rendition of current) {
      if (!rendition.endList) rendition.dirty = true;
      rendition.endList = true;
    }
  }
}

/** A playlist of the life that goes on. */
function resume({ state, at }: Turn, key: string, playlist: MediaPlaylist, line: StateLine): void {
  const rendition = renditionFrom(state, at, key, line);
  [state.firstNumber, state.firstEpoch, state.lifeStartMs] = line.first;
  state.target = line.target;
  state.targetDuration = playlist.targetDuration;
  for (const [id, t0, date0Ms] of line.clocks) {
    if (!state.epochs.some((epoch) => epoch.id === id)) state.epochs.push({ id, clock: { t0, date0Ms } });
  }
  let { discontinuitySequence } = playlist;
  rendition.entries = playlist.segments.map((segment, i) => {
    const [epoch, start] = line.starts[i] ?? [0, 0];
    const number = playlist.mediaSequence + i;
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
    };
    if (segment.discontinuity) discontinuitySequence++;
    let slot = rendition.alone ? undefined : state.slots.find((one) => one.number === number);
    if (!slot && !rendition.alone) {
      slot = {
        id: state.nextSlotId++,
        epoch,
        place,
        start,
        end,
        number,
        discontinuity: segment.discontinuity,
        discontinuitySequence,
      };
      state.slots.push(slot);
    }
    const own = keyOf(state, rendition, segment.uri);
    return { ...entry, ...(slot && { slot: slot.id }), ...(!segment.gap && { key: own }), gap: segment.gap };
  });
  Object.assign(rendition, {
    tail: rendition.entries.at(-1)!.number,
    storedTail: rendition.entries.at(-1)!.number,
    discontinuitySequence: playlist.discontinuitySequence,
    independent: playlist.independentSegments,
    endList: playlist.endList,
    storedEnd: playlist.endList,
    updatedMs: at,
    longest: line.longest,
    longestPlaylistMs: line.longestPlaylistMs,
    peakBandwidth: line.bandwidth.peak,
    totalBytes: line.bandwidth.bytes,
    total90k: line.bandwidth.ticks,
  } satisfies Partial<RenditionState>);
  const { stated, declared } = line.bandwidth;
  if (stated) rendition.stated = { bandwidth: stated[0], average: stated[1] };
  if (declared !== undefined) rendition.declaredBandwidth = declared;
  state.nextNumber = Math.max(state.nextNumber, rendition.tail + 1);
  state.discontinuitySequence = Math.max(state.discontinuitySequence, discontinuitySequence);
}

/** A playlist of an earlier life or of another tool: its numbers count on, its entries leave with the first version. */
function adopt(
  { state, effects, at }: Turn,
  key: string,
  playlist: MediaPlaylist,
  line: StateLine | undefined,
): void {
  const rendition = renditionFrom(state, at, key, line);
  const tail = playlist.mediaSequence + playlist.segments.length - 1;
  const durationMs = playlist.segments.reduce((sum, segment) => sum + segment.duration90k, 0) / TICKS_PER_MS;
  rendition.tail = tail;
  rendition.storedTail = tail;
  const tags = playlist.segments.filter((segment) => segment.discontinuity).length;
  rendition.discontinuitySequence = playlist.discontinuitySequence + tags;
  state.discontinuitySequence = Math.max(state.discontinuitySequence, rendition.discontinuitySequence);
  if (line) {
    rendition.previous = playlist.segments
      .filter((segment) => !segment.gap)
      .map((segment) => ({
        key: keyOf(state, rendition, segment.uri),
        keepMs: Math.ceil(segment.duration90k / TICKS_PER_MS + Math.max(durationMs, line.longestPlaylistMs)),
      }));
  } else {
    effects.push({
      type: 'report',
      level: 'warn',
      message:
        'a playlist of another tool stands here; its numbers are counted on, its segments are left alone',
      fields: { key, next: tail + 1 },
    });
  }
  if (state.slots.length === 0) {
    state.firstNumber = Math.max(state.firstNumber, tail + 1);
    state.nextNumber = Math.max(state.nextNumber, tail + 1);
    state.breakNext = true;
  }
}

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
  rendition.left = line.left.map(([below, keepMs, removedMs]) => ({
    key: `${state.settings.channel}/${below}`,
    keepMs,
    ...(removedMs !== null && { removedMs }),
  }));
  for (const [session, [settled, index, epoch, end]] of Object.entries(line.sessions)) {
    const facts = { rendition: name, source: '', session, target: line.target };
    const source = newSource(facts);
    source.settled = settled;
    source.last = index === settled ? { index: settled, epoch: epoch!, end: end! } : { index: settled };
    source.lostMs = at;
    if (index !== undefined) source.listed = { index, epoch: epoch!, end: end! };
    state.sources[session] = source;
  }
  return rendition;
}

function keyOf(state: ChannelState, rendition: RenditionState, uri: string): string {
  return `${state.settings.channel}/${uri.startsWith(rendition.urlPrefix) ? uri.slice(rendition.urlPrefix.length) : uri}`;
}
