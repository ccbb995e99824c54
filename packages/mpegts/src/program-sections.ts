import type { Pmt } from './pmt.js';
import { streamKind } from './stream-type.js';
import { videoCoding } from './video-coding.js';

/** How much can be made of a program: of nothing in it, of none of its video, of sound alone, of its video. */
export const RANKS = ['nothing', 'unsupported video', 'sound', 'video'] as const;
export type Rank = (typeof RANKS)[number];

/** A program that the PAT lists, and its PMT once that has come. */
export class ProgramSections {
  readonly programNumber: number;
  readonly pmtPid: number;
  pmt: Pmt | undefined;
  rank: Rank = 'nothing';
  #section = new Uint8Array(0);

  constructor({ programNumber, pmtPid }: { programNumber: number; pmtPid: number }) {
    this.programNumber = programNumber;
    this.pmtPid = pmtPid;
  }

  is({ programNumber, pmtPid }: { programNumber: number; pmtPid: number }): boolean {
    return programNumber === this.programNumber && pmtPid === this.pmtPid;
  }

  isBetterThan(other: ProgramSections): boolean {
    return RANKS.indexOf(this.rank) > RANKS.indexOf(other.rank);
  }

  /** By its bytes: some encoders change the table and leave version_number as it was. */
  isRepeated(section: Uint8Array): boolean {
    return Buffer.compare(this.#section, section) === 0;
  }

  take(section: Uint8Array, pmt: Pmt): void {
    this.#section = section.slice();
    this.pmt = pmt;
    const streams = pmt.streams.map((stream) => streamKind(stream, pmt));
    const videos = streams.filter(({ kind }) => kind === 'video');
    if (videos.length > 0)
      this.rank = videos.some(({ coding }) => videoCoding(coding)) ? 'video' : 'unsupported video';
    else this.rank = streams.some(({ kind }) => kind === 'audio') ? 'sound' : 'nothing';
  }
}
