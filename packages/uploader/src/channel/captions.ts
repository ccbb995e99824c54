import type { ClosedCaptions } from '@hls-uplink/hls';
import type { Track } from '@hls-uplink/protocol';
import type { RenditionState } from './state.js';

const GROUP = 'cc';

/** What the multivariant playlist says of closed captions. */
export interface CaptionsStatement {
  media: ClosedCaptions[];
  /** Of each variant: when one says NONE, all must (RFC 8216 §4.3.4.2); undefined: nobody has looked. */
  closedCaptions?: string;
}

/** The channels found in any rendition: all are made from one programme. */
export function captionsOf(renditions: readonly RenditionState[]): CaptionsStatement {
  const pictures = renditions.flatMap(({ tracks }) => tracks.filter(({ kind }) => kind === 'video'));
  const found = new Set(pictures.flatMap(({ captions }) => captions ?? []));
  if (found.size > 0) {
    const ids = [...found].sort((a, b) => rank(a) - rank(b));
    return { media: ids.map((id) => ({ group: GROUP, name: id, instreamId: id })), closedCaptions: GROUP };
  }
  // Pictures without a codec were never read.
  const isKnown = pictures.every(({ codec }) => codec !== undefined);
  return { media: [], ...(isKnown && { closedCaptions: 'NONE' }) };
}

/** CC1 to CC4, then the services. */
const rank = (id: string): number => Number(id.replace(/\D+/, '')) + (id.startsWith('CC') ? 0 : 100);

/**
 * Captions that were found in this life stay: who looks anew, a segmenter that was started again, finds them only after
 * a while, and the multivariant playlist changes only when it must.
 */
export function keepCaptions(before: readonly Track[], tracks: readonly Track[]): Track[] {
  const known = before.flatMap(({ captions }) => captions ?? []);
  const first = tracks.findIndex(({ kind }) => kind === 'video');
  if (known.length === 0 || first < 0) return [...tracks];
  return tracks.map((track, at) =>
    at === first ? { ...track, captions: [...new Set([...known, ...(track.captions ?? [])])] } : track,
  );
}
