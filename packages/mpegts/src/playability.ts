import type { Coding } from './stream-type.js';

/** Apple's own (AVPlayer, Safari without a script), and hls.js 1.7 in a browser. */
export type Player = 'Apple' | 'hls.js';

export interface Obstacle {
  player: Player;
  /** `never`, or only in browsers that decode it. */
  where: 'never' | 'some-browsers';
  /** For the operator: why. */
  reason: string;
}

const apple = (reason: string): Obstacle => ({ player: 'Apple', where: 'never', reason });
const hlsJs = (reason: string): Obstacle => ({ player: 'hls.js', where: 'never', reason });
const browsers = (reason: string): Obstacle => ({ player: 'hls.js', where: 'some-browsers', reason });

/**
 * Apple: HLS Authoring Specification 1.1 to 1.5 for video, 2.2 and 2.5 for the audio formats. hls.js: `parsePMT` of its
 * src/demux/tsdemuxer.ts, and "Not Supported" of its README.
 */
const obstacles: Partial<Record<Coding, readonly Obstacle[]>> = {
  hevc: [
    apple('HEVC plays from fragmented MP4 only (HLS Authoring Specification 1.5)'),
    browsers('HEVC plays where the browser decodes it, and not with the light build'),
  ],
  'mpeg-video': [
    apple('video has to be H.264 or HEVC (HLS Authoring Specification 1.1)'),
    hlsJs('MPEG-1 and MPEG-2 video are not read from a transport stream'),
  ],
  'aac-latm': [
    apple('AAC in a transport stream has to be in ADTS'),
    hlsJs('AAC in a transport stream has to be in ADTS'),
  ],
  'ac-3': [browsers('AC-3 plays where the browser decodes it, and not with the light build')],
  'e-ac-3': [hlsJs('E-AC-3 is not read from a transport stream, and stops the tracks listed after it')],
  'ac-4': [apple('AC-4 is not played'), hlsJs('AC-4 is not read from a transport stream')],
  dts: [apple('DTS is not played'), hlsJs('DTS is not read from a transport stream')],
  opus: [
    apple('Opus is not played from a transport stream'),
    hlsJs('Opus is not read from a transport stream'),
  ],
};

/** MPEG audio layers I and II, which have the stream types of layer III. */
const layers = [
  browsers('layers I and II play in few browsers (hls.js issue 2409); layer III and AAC do'),
] as const;
const LAYERS_I_AND_II = /^mp4a\.40\.3[23]$/;

/** Starting at a picture of which only a part is refreshed (`gradual`). */
const refresh: readonly Obstacle[] = [
  apple('a segment has to start with an IDR picture (HLS Authoring Specification 7.4)'),
  browsers(
    'the first picture is handed over as one to start at, which the decoder of the browser may refuse',
  ),
];

/**
 * Which players cannot play a coding from a transport stream. Empty: both play it, or the track is none that is played (data).
 *
 * @param codec RFC 6381, where it is known: it tells the layers of MPEG audio apart
 */
export function obstaclesOf(coding: Coding, codec?: string): readonly Obstacle[] {
  if (coding === 'mpeg-audio' && codec !== undefined && LAYERS_I_AND_II.test(codec)) return layers;
  return obstacles[coding] ?? [];
}

/** Which players cannot start at a `gradual` key picture, should the stream have no others. */
export function intraRefreshObstacles(): readonly Obstacle[] {
  return refresh;
}
