import type { VideoParameters } from './access-unit.js';
import { audioFraming } from './audio-coding.js';
import { Captions } from './captions.js';
import { Continuity } from './continuity.js';
import { MediaError } from './errors.js';
import { FrameCounter } from './frame-counter.js';
import { NO_TIMESTAMP } from './pes.js';
import { NULL_PID, PAT_PID, pidText } from './packet.js';
import type { Pmt } from './pmt.js';
import { SoundClock } from './sound-clock.js';
import { streamKind, streamLanguage, type Coding } from './stream-type.js';
import { videoCoding } from './video-coding.js';

/** One PID of the chosen program, and what its packets have told so far. */
export class ElementaryTrack {
  /** Place among the tracks whose packets are handed on, for tables without a search. */
  index = 0;
  /** Of one that the tables no longer name only the PES in progress is still to come. */
  isLeaving = false;
  readonly continuity = new Continuity();
  /** Of the PES in progress, or `NO_TIMESTAMP`. */
  pts = NO_TIMESTAMP;
  /** Payload bytes the PES or section in progress still lacks by its length; −1: it does not say. */
  missingBytes = -1;
  /** PES seen. */
  units = 0;
  /** Scrambled packets, the last one among them, in a row. */
  scrambledRow = 0;
  /** Video: the parameters in force. */
  sps: VideoParameters | undefined;
  /** Video: what its pictures have shown of them so far. */
  readonly captions: Captions | undefined;
  /** Audio that does not cut: tells wild timestamps. */
  readonly clock = new SoundClock();
  /** Audio: counts the frames. */
  readonly counter: FrameCounter | undefined;
  /** Carries splice_info_sections. */
  readonly hasSplices: boolean;

  constructor(
    readonly pid: number,
    readonly kind: 'video' | 'audio' | 'other',
    readonly coding: Coding,
    /** ISO 639-2; a new version of the PMT may correct it. */
    public language?: string,
    /** RFC 6381, where the tables alone tell. */
    readonly codecs?: string,
  ) {
    const framing = audioFraming(coding);
    this.captions = kind === 'video' ? new Captions() : undefined;
    this.counter = framing && new FrameCounter(framing);
    this.hasSplices = coding === 'scte-35';
  }
}

/** The program that is segmented. */
export interface Program {
  transportStreamId: number;
  pmtPid: number;
  pmt: Pmt;
  tracks: ElementaryTrack[];
  /** A PID of its own for the PCR, part of the program all the same (ISO/IEC 13818-1 §2.4.4.9). */
  pcrTrack: ElementaryTrack | undefined;
  /** Tracks of before whose last PES is not whole yet. */
  leaving: ElementaryTrack[];
  /** The one that cuts: the first video that is read, else the first audio, one whose frames are read before others. */
  reference: ElementaryTrack;
}

/**
 * The tracks of `pmt`.
 *
 * @throws MediaError `unsupported-video`, `no-media`
 */
export function openProgram(transportStreamId: number, pmtPid: number, pmt: Pmt): Program {
  const tracks: ElementaryTrack[] = [];
  let video: ElementaryTrack | undefined;
  let unsupported: MediaError | undefined;
  for (const stream of pmt.streams) {
    const isNoTrack = stream.pid === pmtPid || stream.pid === PAT_PID || stream.pid === NULL_PID;
    if (isNoTrack || tracks.some(({ pid }) => pid === stream.pid)) continue;
    const { kind, coding, codecs, name } = streamKind(stream, pmt);
    // A second picture cannot be played from one media playlist; it is carried along unread.
    const carried = kind === 'video' && (video !== undefined || !videoCoding(coding));
    if (carried)
      unsupported ??= new MediaError(
        'unsupported-video',
        `program ${pmt.programNumber}: ${name} on PID ${pidText(stream.pid)} is not supported; ` +
          'encode the picture as H.264',
      );
    const track = carried
      ? new ElementaryTrack(stream.pid, 'other', 'other')
      : new ElementaryTrack(stream.pid, kind, coding, streamLanguage(stream), codecs);
    if (track.kind === 'video') video = track;
    tracks.push(track);
  }
  if (unsupported && !video) throw unsupported;
  const sound = tracks.filter(({ kind }) => kind === 'audio');
  const reference = video ?? sound.find(({ counter }) => counter) ?? sound[0];
  if (!reference)
    throw new MediaError('no-media', `program ${pmt.programNumber}: its PMT names no video and no audio`);
  const { pcrPid } = pmt;
  const hasPcrPid = pcrPid !== NULL_PID && !tracks.some(({ pid }) => pid === pcrPid);
  const pcrTrack = hasPcrPid ? new ElementaryTrack(pcrPid, 'other', 'other') : undefined;
  return { transportStreamId, pmtPid, pmt, tracks, pcrTrack, leaving: [], reference };
}

/** A track that goes on from the program before keeps its counters and what is known of its codec. */
export function keepTracks(program: Program, before: readonly ElementaryTrack[]): void {
  const keep = (track: ElementaryTrack): ElementaryTrack => {
    const kept = before.find(
      ({ pid, kind, coding, codecs, isLeaving }) =>
        !isLeaving &&
        pid === track.pid &&
        kind === track.kind &&
        coding === track.coding &&
        codecs === track.codecs,
    );
    if (kept) kept.language = track.language;
    return kept ?? track;
  };
  const { pid } = program.reference;
  program.tracks = program.tracks.map(keep);
  program.pcrTrack &&= keep(program.pcrTrack);
  program.reference = program.tracks.find((track) => track.pid === pid)!;
}

/** Of a track that is gone the PES in progress is still to come. */
export function leavingTracks(program: Program, before: readonly ElementaryTrack[]): ElementaryTrack[] {
  const { tracks, pcrTrack } = program;
  const leaving = before.filter(
    (track) => track.missingBytes > 0 && track !== pcrTrack && !tracks.includes(track),
  );
  for (const track of leaving) track.isLeaving = true;
  return leaving;
}
