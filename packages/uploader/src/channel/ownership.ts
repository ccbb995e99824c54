import { lacksIFrames } from './i-frame-playlist.js';
import { put } from './multivariant.js';
import type { ChannelState, Turn } from './state.js';

/** Begins each comment line of ours; players ignore it (RFC 8216 §4.1). */
export const COMMENT_PREFIX = 'hls-uplink:';

/** Who wrote a playlist: an uploader, in its term of the channel (DESIGN.md, rule 9). */
export interface Owner {
  writer: string;
  term: number;
}

/** Whose a playlist's text is; undefined when another tool's, or when the line is damaged. */
export function ownerOf(text: string): Owner | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`#${COMMENT_PREFIX}`));
  if (line === undefined) return undefined;
  try {
    const { writer, term } = JSON.parse(line.slice(1 + COMMENT_PREFIX.length)) as Partial<Owner>;
    return typeof writer === 'string' && Number.isSafeInteger(term) ? { writer, term: term! } : undefined;
  } catch {
    return undefined;
  }
}

/** What the multivariant playlist says of it; media playlists say it in their state line. */
export function ownerComments({ settings: { fenced, writer }, term }: ChannelState): string[] {
  return fenced ? [COMMENT_PREFIX + JSON.stringify({ v: 1, writer, term })] : [];
}

/** The term after the newest that any of these playlists is of; whoever is of an older one writes no more. */
export function beginTerm(state: ChannelState, texts: readonly string[]): void {
  const owners = texts.flatMap((text) => ownerOf(text) ?? []);
  state.term = 1 + Math.max(0, ...owners.map(({ term }) => term));
  state.owned = !state.settings.fenced || texts.length === 0;
}

/**
 * Before anything else of the channel is written, all that stands of it is written back as this uploader's: the
 * multivariant playlist first, so that of two who take it over at once one wins all. It is not taken over for nothing.
 * @returns whether the channel is this uploader's
 */
export function takeOver(turn: Turn): boolean {
  const { state } = turn;
  if (state.owned) return true;
  const renditions = Object.values(state.renditions);
  const { storedText, inFlight } = state.multivariant;
  const lacksEnd = state.phase === 'ended' && renditions.some((one) => lacksIFrames(state, one));
  if (inFlight || !(renditions.some(({ dirty }) => dirty) || recordsMore(state) || lacksEnd)) return false;
  if (storedText === '') {
    owned(state);
    return true;
  }
  put(turn, 'live', state.multivariant, withOwner(storedText, state));
  return false;
}

/** A recording lacks what is published, or is to be closed. */
function recordsMore({ settings, phase, renditions }: ChannelState): boolean {
  return Object.values(renditions).some(({ recordings: { dvr, event } }) => {
    const isOver = phase === 'ended' || settings.eventSeconds === undefined;
    return dvr?.dirty || event?.dirty || (event && isOver && !event.storedEnd);
  });
}

/** The multivariant playlist is this uploader's: the media playlists are written back, whatever else they say by now. */
export function owned(state: ChannelState): void {
  if (state.owned) return;
  state.owned = true;
  for (const rendition of Object.values(state.renditions))
    if (rendition.entries.length > 0) rendition.dirty = true;
}

/** Where the comments of a playlist stand: after its tags of all of it. */
const HEAD = /^(?:#EXTM3U|#EXT-X-VERSION:.*|#EXT-X-INDEPENDENT-SEGMENTS)$/;

function withOwner(text: string, state: ChannelState): string {
  // What is not to be offered any more, not even in this version: one who encrypts has taken over.
  const left = [`#${COMMENT_PREFIX}`, ...(state.settings.iFrames ? [] : ['#EXT-X-I-FRAME-STREAM-INF:'])];
  const lines = text.split('\n').filter((line) => !left.some((prefix) => line.startsWith(prefix)));
  const at = lines.findIndex((line) => !HEAD.test(line));
  lines.splice(at === -1 ? lines.length : at, 0, ...ownerComments(state).map((comment) => `#${comment}`));
  return lines.join('\n');
}
