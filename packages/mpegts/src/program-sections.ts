import type { Pmt } from './pmt.js';
import { streamKind } from './stream-type.js';

/** A program that the PAT lists, and its PMT once that has come. */
export class ProgramSections {
  readonly programNumber: number;
  readonly pmtPid: number;
  pmt: Pmt | undefined;
  /** 2: it has video, 1: audio alone, 0: neither, or its PMT is not there. */
  rank: 0 | 1 | 2 = 0;
  #section = new Uint8Array(0);

  constructor({ programNumber, pmtPid }: { programNumber: number; pmtPid: number }) {
    this.programNumber = programNumber;
    this.pmtPid = pmtPid;
  }

  is({ programNumber, pmtPid }: { programNumber: number; pmtPid: number }): boolean {
    return programNumber === this.programNumber && pmtPid === this.pmtPid;
  }

  get hasVideo(): boolean {
    return this.rank === 2;
  }

  /** By its bytes: some encoders change the table and leave version_number as it was. */
  isRepeated(section: Uint8Array): boolean {
    return Buffer.compare(this.#section, section) === 0;
  }

  take(section: Uint8Array, pmt: Pmt): void {
    this.#section = section.slice();
    this.pmt = pmt;
    const kinds = pmt.streams.map((stream) => streamKind(stream, pmt).kind);
    this.rank = kinds.includes('video') ? 2 : kinds.includes('audio') ? 1 : 0;
  }
}
