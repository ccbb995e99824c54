import { PACKET_SIZE, PAT_PID, sectionPackets, writePat, writePmt, type Program } from '@hls-uplink/mpegts';

/** PAT and PMT at the start of each file (RFC 8216 §3.2); their continuity counters go on from file to file. */
export class LeadingTables {
  #files = 0;
  #pat = 0;
  #pmt = 0;

  /** So many files count as written before the next. */
  count(files: number): void {
    this.#files = files;
    this.#pat = this.#pmt = -1;
  }

  /** The packets of both, for the next file. */
  next({ transportStreamId, pmtPid, pmt }: Program): Uint8Array[] {
    const programs = [{ programNumber: pmt.programNumber, pmtPid }];
    const pat = writePat({ transportStreamId, version: pmt.version, programs });
    const section = writePmt(pmt);
    const [patCount, pmtCount] = [packetCount(pat), packetCount(section)];
    if (this.#pat === -1) this.#pat = (this.#files * patCount) & 0x0f;
    if (this.#pmt === -1) this.#pmt = (this.#files * pmtCount) & 0x0f;
    const packets = [sectionPackets(pat, PAT_PID, this.#pat), sectionPackets(section, pmtPid, this.#pmt)];
    this.#pat = (this.#pat + patCount) & 0x0f;
    this.#pmt = (this.#pmt + pmtCount) & 0x0f;
    return packets;
  }
}

const packetCount = (section: Uint8Array): number => sectionPackets(section, 0, 0).length / PACKET_SIZE;
