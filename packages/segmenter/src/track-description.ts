import type { ElementaryTrack } from '@hls-uplink/mpegts';
import type { Track } from '@hls-uplink/protocol';
import type { CutTracks } from './cut-segment.js';
import type { Pace } from './pace.js';

/** What the tracks are, as their own headers state it; tracks of which nothing has arrived are left out. */
export function describeTracks(tracks: readonly ElementaryTrack[], pace: Pace): CutTracks {
  const described: Track[] = [];
  for (const track of tracks) {
    const { pid, kind, language, sps, codecs } = track;
    const common = { kind, pid, ...(language !== undefined && { language }) };
    const parameters = track.counter?.parameters;
    if (kind === 'video' && sps) {
      const frameRate = pace.frameRate(track);
      const captions = track.captions?.instreamIds ?? [];
      described.push({
        ...common,
        codec: sps.codec,
        width: sps.width,
        height: sps.height,
        ...(frameRate !== undefined && { frameRate }),
        ...(captions.length > 0 && { captions }),
      });
    } else if (kind === 'audio' && parameters) {
      described.push({ ...common, ...parameters });
    } else if (kind === 'other' || isUnread(track)) {
      described.push({ ...common, ...(codecs !== undefined && { codec: codecs }) });
    }
  }
  const video = tracks.some(({ kind }) => kind === 'video');
  return { tracks: described, ...(video && pace.gop !== undefined && { gop: pace.gop }) };
}

/** Something of it has arrived, but there is nobody who could read its headers; or, of pictures, none came. */
function isUnread({ kind, units, counter }: ElementaryTrack): boolean {
  return units > 0 && (kind === 'video' || !counter);
}

/**
 * What holds for a segment: as known when it began, since its end may already show what comes next; and what it told
 * itself where that was nothing. Captions are announced with the segment that they are found in.
 */
export function completeTracks(before: CutTracks, after: CutTracks): CutTracks {
  const tracks = after.tracks.map((late) => {
    const early = before.tracks.find(({ pid }) => pid === late.pid);
    if (!early || early.codec === undefined) return late;
    const { frameRate, captions } = late;
    return { ...(frameRate !== undefined && { frameRate }), ...early, ...(captions && { captions }) };
  });
  return { ...after, tracks };
}
