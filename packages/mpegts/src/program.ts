import type { VideoParameters } from './access-unit.js';
import { audioFraming } from './audio-coding.js';
import { MediaError } from './errors.js';
import { FrameCounter } from './frame-counter.js';
import { NO_TIMESTAMP } from './pes.js';
import type { Pmt } from './pmt.js';
import { streamKind, streamLanguage, type Coding } from './stream-type.js';
import { videoCoding } from './video-coding.js';

/** One PID of the chosen program, and what its packets have told so far. */
export class ElementaryTrack {
  /** Place among the tracks whose packets are handed on, for tables without a search. */
  index = 0;
  /** Packets whose continuity counter did not follow (ISO/IEC 13818-1 §2.4.3.3). */
  continuityErrors = 0;
  /** Of the last packet with payload; −1: none yet. */
  continuity = -1;
  /** Of the PES in progress, or `NO_TIMESTAMP`. */
  pts = NO_TIMESTAMP;
  /** Payload bytes the PES in progress still lacks by PES_packet_length; −1: it does not say. */
  missingBytes = -1;
  /** PES seen. */
  units = 0;
  /** Video: the parameters in force. */
  sps: VideoParameters | undefined;
  /** Audio: counts the frames. */
  readonly counter: FrameCounter | undefined;

  constructor(
    readonly pid: number,
    readonly kind: 'video' | 'audio' | 'other',
    readonly coding: Coding,
    readonly language?: string,
    /** RFC 6381, where the tables alone tell. */
    readonly codecs?: string,
  ) {
    const framing = audioFraming(coding);
    this.counter = framing && new FrameCounter(framing);
  }
}

/** The program that is segmented. */
export interface Program {
  transportStreamId: number;
  pmtPid: number;
  pmt: Pmt;
  tracks: ElementaryTrack[];
  /** The one that cuts: the first video, else the first audio. */
  reference: ElementaryTrack;
}

const hex = (pid: number): string => `0x${pid.toString(16).padStart(4, '0')}`;

/**
 * The tracks of `pmt`.
 *
 * @throws MediaError `unsupported-video`, `no-media`
 */
export function openProgram(transportStreamId: number, pmtPid: number, pmt: Pmt): Program {
  const tracks: ElementaryTrack[] = [];
  let video: ElementaryTrack | undefined;
  for (const stream of pmt.streams) {
    if (stream.pid === pmtPid || tracks.some(({ pid }) => pid === stream.pid)) continue;
    const { kind, coding, codecs, name } = streamKind(stream, pmt);
    // A second picture cannot be played from one media playlist; it is carried along unread.
    const carried = kind === 'video' && video !== undefined;
    if (!carried && kind === 'video' && !videoCoding(coding))
      throw new MediaError(
        'unsupported-video',
        `program ${pmt.programNumber}: ${name} on PID ${hex(stream.pid)} is not supported; ` +
          'encode the picture as H.264',
      );
    const track = carried
      ? new ElementaryTrack(stream.pid, 'other', 'other')
      : new ElementaryTrack(stream.pid, kind, coding, streamLanguage(stream), codecs);
    if (track.kind === 'video') video = track;
    tracks.push(track);
  }
  const reference = video ?? tracks.find(({ kind }) => kind === 'audio');
  if (!reference)
    throw new MediaError('no-media', `program ${pmt.programNumber}: its PMT names no video and no audio`);
  return { transportStreamId, pmtPid, pmt, tracks, reference };
}

/** Whether a viewer's decoder could go on from one to the other: same PIDs, same codecs, same languages. */
export function sameTracks(a: Program, b: Program): boolean {
  return (
    a.pmt.programNumber === b.pmt.programNumber &&
    a.tracks.length === b.tracks.length &&
    a.tracks.every((track, index) => {
      const other = b.tracks[index]!;
      return (
        track.pid === other.pid &&
        track.kind === other.kind &&
        track.coding === other.coding &&
        track.language === other.language
      );
    })
  );
}
