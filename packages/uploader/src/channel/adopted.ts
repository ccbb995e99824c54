import { segmentTexts, type MediaPlaylist } from '@hls-uplink/hls';
import type { Adopted, RenditionState, Turn } from './state.js';
import { TICKS_PER_MS } from './ticks.js';

/** As `--target-duration` may be, seconds. */
const LONGEST_TARGET = 3600;
/** Beyond it there is no room to count on. */
const HIGHEST_NUMBER = 2 ** 52;

/** Why a playlist of another tool cannot be gone on with; undefined: it can. */
export function whyUnfit({
  targetDuration,
  mediaSequence,
  discontinuitySequence,
  playlistType,
}: MediaPlaylist): string | undefined {
  if (playlistType !== undefined)
    return `its EXT-X-PLAYLIST-TYPE is ${playlistType}: nothing may ever leave it, as it must leave a live playlist`;
  if (targetDuration < 1 || targetDuration > LONGEST_TARGET)
    return `its EXT-X-TARGETDURATION is ${targetDuration}, not 1 to ${LONGEST_TARGET} seconds`;
  if (Math.max(mediaSequence, discontinuitySequence) > HIGHEST_NUMBER)
    return `its sequence numbers are above ${HIGHEST_NUMBER}`;
  return undefined;
}

/**
 * Goes on with a live playlist of another tool, under the eyes of its viewers: they go on to see its entries, until those have
 * slid out of the window, and its target duration. Of renditions that disagree it is the longest: what each of them lists
 * fits into that.
 */
export function adoptEntries(
  { state, at }: Turn,
  rendition: RenditionState,
  playlist: MediaPlaylist,
  text: string,
): void {
  const { targetDuration, startOffset, independentSegments, segments } = playlist;
  state.targetDuration = Math.max(state.targetDuration ?? 0, targetDuration);
  if (startOffset !== undefined) state.startOffset = startOffset;
  rendition.independent = independentSegments;
  rendition.adopted = readAdopted(playlist, text, segments.length);
  const last = segments.at(-1)!;
  const endMs = (last.programDateTimeMs ?? 0) + last.duration90k / TICKS_PER_MS;
  // Dates go on behind those that viewers have seen, unless these are not of this time.
  if (endMs < at + 3000 * targetDuration) state.lifeStartMs = Math.max(state.lifeStartMs, endMs);
}

/** The first entries of a playlist, as many as another tool's stand there. */
export function readAdopted(playlist: MediaPlaylist, text: string, count: number): Adopted {
  const { mediaSequence, discontinuitySequence, segments } = playlist;
  const texts = segmentTexts(text);
  const entries = segments.slice(0, count).map(({ duration90k, discontinuity, key }, i) => ({
    text: texts[i]!,
    duration90k,
    discontinuity,
    isKeyed: key !== undefined && key.method !== 'NONE',
  }));
  return { tail: mediaSequence + count - 1, sequence: discontinuitySequence + tagsOf(entries), entries };
}

const tagsOf = (entries: Adopted['entries']): number =>
  entries.filter(({ discontinuity }) => discontinuity).length;

/**
 * What is adopted stands before the rendition's entries as long as these go on with the next number, and with the same
 * discontinuity sequence number: else a sibling was ahead, and the numbers up to its own count as listed and removed.
 */
export function fitAdopted(rendition: RenditionState): Adopted['entries'] {
  const { adopted, entries, discontinuitySequence } = rendition;
  const goesOn =
    adopted && entries[0]?.number === adopted.tail + 1 && adopted.sequence === discontinuitySequence;
  if (!goesOn) delete rendition.adopted;
  return rendition.adopted?.entries ?? [];
}

/** The first of them leave with the next version. */
export function slideAdopted(rendition: RenditionState, count: number): void {
  const { adopted } = rendition;
  if (!adopted || count === 0) return;
  if (count < adopted.entries.length)
    rendition.adopted = { ...adopted, entries: adopted.entries.slice(count) };
  else delete rendition.adopted;
}

/** The two sequence numbers of the version, by those of the rendition's own first entry. */
export function sequencesOf({ adopted, entries, discontinuitySequence }: RenditionState): {
  mediaSequence: number;
  discontinuitySequence: number;
} {
  const before = adopted?.entries ?? [];
  return {
    mediaSequence: entries[0]!.number - before.length,
    discontinuitySequence: discontinuitySequence - tagsOf(before),
  };
}

/** What is said at the start of a life that goes on with the target duration of another tool's playlist. */
export function tellAdoptedTarget({ state, effects }: Turn, needed: number): void {
  const { targetDuration, settings } = state;
  const report = (message: string, fields: Record<string, number>): void =>
    void effects.push({
      type: 'report',
      level: 'warn',
      message,
      fields: { targetDuration: targetDuration!, ...fields },
    });
  if (settings.targetDuration !== undefined && settings.targetDuration !== targetDuration)
    report(
      'the playlist of another tool goes on with its target duration; --target-duration holds from the next life on',
      { given: settings.targetDuration },
    );
  if (needed > targetDuration!)
    report(
      'the target duration of the playlist that another tool left is too short for these streams: segments are cut to fit it, not only at key pictures; give hls-segmenter a --segment-duration that fits it, or move the playlist away',
      { needed },
    );
}
