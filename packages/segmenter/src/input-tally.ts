import type { Demuxer, ElementaryTrack, Packetizer } from '@hls-uplink/mpegts';

/** What was read and what was wrong with it, since the start. */
export interface CuttingCounters {
  bytes: number;
  packets: number;
  skippedBytes: number;
  resyncs: number;
  transportErrors: number;
  nullPackets: number;
  foreignPackets: number;
  scrambledPackets: number;
  duplicatePackets: number;
  continuityErrors: number;
  crcErrors: number;
  badSections: number;
  wildTimestamps: number;
  droppedPackets: number;
  segments: number;
  lost: number;
}

/** Those of the two that read the input. */
export type InputCounters = Omit<CuttingCounters, 'bytes' | 'droppedPackets' | 'segments' | 'lost'>;

/** Gathers what packetizer, demuxer and the tracks of the program have counted. */
export class InputTally {
  /** Of tracks that are gone. */
  #goneContinuityErrors = 0;
  #tracks: readonly ElementaryTrack[] = [];

  constructor(
    private readonly packetizer: Packetizer,
    private readonly demuxer: Demuxer,
  ) {}

  /** The tracks of the program from here on. */
  follow(tracks: readonly ElementaryTrack[]): void {
    for (const track of this.#tracks)
      if (!tracks.includes(track)) this.#goneContinuityErrors += track.continuity.errors;
    this.#tracks = tracks;
  }

  /** What may have cost a picture, or put it in another place: it only rises. */
  get damages(): number {
    const { resyncs, skippedBytes } = this.packetizer;
    const { transportErrors, wildTimestamps } = this.demuxer;
    return resyncs + skippedBytes + transportErrors + wildTimestamps + this.#continuityErrors;
  }

  get counters(): InputCounters {
    const { packets, skippedBytes, resyncs } = this.packetizer;
    const { transportErrors, nullPackets, foreignPackets, scrambledPackets, duplicatePackets } = this.demuxer;
    const { wildTimestamps, tables } = this.demuxer;
    return {
      packets,
      skippedBytes,
      resyncs,
      transportErrors,
      nullPackets,
      foreignPackets,
      scrambledPackets,
      duplicatePackets,
      continuityErrors: this.#continuityErrors,
      crcErrors: tables.crcErrors,
      badSections: tables.badSections,
      wildTimestamps,
    };
  }

  get #continuityErrors(): number {
    return this.#tracks.reduce((sum, { continuity }) => sum + continuity.errors, this.#goneContinuityErrors);
  }
}
