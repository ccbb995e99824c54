import type { MediaSegment } from './media-segment.js';

export interface MediaPlaylist {
  /** EXT-X-VERSION */
  version: number;
  /** EXT-X-TARGETDURATION, seconds */
  targetDuration: number;
  /** EXT-X-MEDIA-SEQUENCE */
  mediaSequence: number;
  /** EXT-X-DISCONTINUITY-SEQUENCE, always written */
  discontinuitySequence: number;
  /** EXT-X-INDEPENDENT-SEGMENTS */
  independentSegments: boolean;
  /** EXT-X-START, TIME-OFFSET in seconds, from the end when negative; written with three decimals at most */
  startOffset?: number;
  /** EXT-X-PLAYLIST-TYPE; absent in a sliding playlist */
  playlistType?: 'EVENT' | 'VOD';
  segments: MediaSegment[];
  /** EXT-X-ENDLIST */
  endList: boolean;
  /** Comment lines without their `#`, right after the header tags; the state line is one. */
  comments: string[];
}

/** EXT-X-STREAM-INF and its URI. */
export interface Variant {
  uri: string;
  /** BANDWIDTH, bits a second */
  bandwidth: number;
  /** AVERAGE-BANDWIDTH, bits a second */
  averageBandwidth?: number;
  /** CODECS */
  codecs: string[];
  /** RESOLUTION */
  resolution?: { width: number; height: number };
  /** FRAME-RATE, written with three decimals */
  frameRate?: number;
  /** CLOSED-CAPTIONS: the GROUP-ID of its captions, or NONE; when one variant has NONE all must (RFC 8216 §4.3.4.2) */
  closedCaptions?: string;
}

/** EXT-X-MEDIA of the TYPE CLOSED-CAPTIONS (RFC 8216 §4.3.4.1). */
export interface ClosedCaptions {
  /** GROUP-ID */
  group: string;
  /** NAME, another one for each in a group */
  name: string;
  /** INSTREAM-ID: CC1 … CC4, SERVICE1 … SERVICE63 */
  instreamId: string;
  /** LANGUAGE, RFC 5646 */
  language?: string;
}

/** EXT-X-I-FRAME-STREAM-INF: an I-frame playlist. */
export type IFrameVariant = Pick<Variant, 'uri' | 'bandwidth' | 'codecs' | 'resolution'>;

export interface MultivariantPlaylist {
  independentSegments: boolean;
  closedCaptions?: ClosedCaptions[];
  variants: Variant[];
  /** After the variants; not read back. */
  iFrameVariants?: IFrameVariant[];
  comments: string[];
}
