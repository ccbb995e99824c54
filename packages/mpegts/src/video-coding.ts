import type { PictureHead, VideoParameters } from './access-unit.js';
import type { UnitKind } from './access-unit-scan.js';
import type { Captions } from './captions.js';
import { H264Head, h264UnitKind } from './h264.js';
import { HevcHead, hevcUnitKind } from './hevc.js';
import { readHevcParameters } from './hevc-sps.js';
import { mpegVideoUnitKind, MpegVideoHead, readSequenceHeader } from './mpeg-video.js';
import { readSps } from './sps.js';

/** How the pictures of a video codec are found and described. */
export interface VideoCoding {
  /** A fresh one for each track. @param captions are told what is found of them on the way */
  head(captions?: Captions): PictureHead;
  /** @param at behind a start code prefix; three bytes are there */
  unitKind(bytes: Uint8Array, at: number): UnitKind;
  /**
   * @param bytes what stands at `[spsFrom, spsTo)` of the head
   * @throws MediaError `bad-parameter-set`
   */
  parameters(bytes: Uint8Array): VideoParameters;
}

export const videoCodings = {
  h264: {
    head: (captions?: Captions) => new H264Head(captions),
    unitKind: h264UnitKind,
    parameters: readSps,
  },
  hevc: {
    head: (captions?: Captions) => new HevcHead(captions),
    unitKind: hevcUnitKind,
    parameters: readHevcParameters,
  },
  'mpeg-video': {
    head: (captions?: Captions) => new MpegVideoHead(captions),
    unitKind: mpegVideoUnitKind,
    parameters: readSequenceHeader,
  },
} as const satisfies Record<string, VideoCoding>;

/** Of a `Coding`; `undefined`: not one whose pictures are found. */
export function videoCoding(coding: string): VideoCoding | undefined {
  return Object.hasOwn(videoCodings, coding) ? videoCodings[coding as keyof typeof videoCodings] : undefined;
}
