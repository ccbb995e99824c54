import { formatExtinf } from './extinf.js';
import { commentLine, headLines, writableUri } from './lines.js';
import type { MediaSegment } from './media-segment.js';
import { formatProgramDateTime } from './program-date-time.js';
import type { MediaPlaylist } from './playlist.js';
import { quotedString } from './attribute-list.js';

/** Bytes `[offset, offset + length)` of a media segment. */
export interface ByteRange {
  length: number;
  offset: number;
}

/** One picture that can be shown by itself, or a gap where there is none; it lasts until the next. */
export interface IFrame extends MediaSegment {
  /** EXT-X-BYTERANGE: the picture in its media segment; absent in a gap. */
  byteRange?: ByteRange;
  /** EXT-X-MAP: PAT and PMT, in the same media segment; applies until the next. */
  map?: ByteRange;
}

export type IFramePlaylist = Pick<
  MediaPlaylist,
  'version' | 'targetDuration' | 'mediaSequence' | 'discontinuitySequence' | 'endList'
> & { segments: IFrame[]; comments?: readonly string[] };

/** The playlist as text (RFC 8216 §4.3.3.6); ends in a newline. */
export function renderIFramePlaylist(playlist: IFramePlaylist): string {
  return [
    ...headLines(playlist),
    '#EXT-X-I-FRAMES-ONLY',
    ...(playlist.comments ?? []).map(commentLine),
    ...playlist.segments.flatMap(iFrameLines),
    ...(playlist.endList ? ['#EXT-X-ENDLIST'] : []),
    '',
  ].join('\n');
}

const range = ({ length, offset }: ByteRange): string => `${length}@${offset}`;

function iFrameLines(frame: IFrame): string[] {
  const { uri, discontinuity, map, programDateTimeMs, gap, duration90k, byteRange } = frame;
  const source = writableUri(uri);
  return [
    ...(discontinuity ? ['#EXT-X-DISCONTINUITY'] : []),
    ...(map ? [`#EXT-X-MAP:URI=${quotedString(source)},BYTERANGE=${quotedString(range(map))}`] : []),
    ...(programDateTimeMs === undefined
      ? []
      : [`#EXT-X-PROGRAM-DATE-TIME:${formatProgramDateTime(programDateTimeMs)}`]),
    ...(gap ? ['#EXT-X-GAP'] : []),
    `#EXTINF:${formatExtinf(duration90k)},`,
    ...(byteRange ? [`#EXT-X-BYTERANGE:${range(byteRange)}`] : []),
    source,
  ];
}
