import { crc32Mpeg } from './crc32-mpeg.js';
import { packetPayload, packetStartsUnit, PACKET_SIZE } from './packet.js';

/** section_length counts at most 1021 bytes after itself in PAT and PMT, 4093 in private sections. */
const LARGEST_SECTION = 4096;
/** table_id of stuffing: no further section in this packet (ISO/IEC 13818-1 §2.4.4.1). */
const STUFFING = 0xff;

/** Bytes that the last section to begin in the payload `[from, to)` of a packet still lacks; 0 where none is open. */
export function missingSectionBytes(bytes: Uint8Array, from: number, to: number): number {
  let next = from + 1 + bytes[from]!;
  while (next + 3 <= to && bytes[next] !== STUFFING)
    next += 3 + (((bytes[next + 1]! & 0x0f) << 8) | bytes[next + 2]!);
  return Math.max(0, next - to);
}

/**
 * Puts the sections of one PID together: over several packets, several in one packet (ISO/IEC 13818-1 §2.4.4). Only
 * sections with a right CRC_32 are handed on; a lost packet costs the section in progress and no more.
 */
export class SectionAssembler {
  /** Sections whose CRC_32 was wrong. */
  crcErrors = 0;
  readonly #bytes = new Uint8Array(LARGEST_SECTION);
  /** Bytes of the section in progress; −1 while waiting for a start. */
  #length = -1;
  #continuity = -1;
  /** The packet before, while a section is in progress. */
  readonly #last = new Uint8Array(PACKET_SIZE);

  /**
   * @param section gets each whole section; the view is valid during the call
   * @param unchecked table_id of sections of the short form that end in a CRC_32 all the same: they alone are handed on,
   * and whoever reads them checks it
   */
  constructor(
    private readonly section: (section: Uint8Array) => void,
    private readonly unchecked?: number,
  ) {}

  packet(bytes: Uint8Array, at: number): void {
    const continuity = bytes[at + 3]! & 0x0f;
    const from = packetPayload(bytes, at);
    const to = at + PACKET_SIZE;
    if (from >= to) return;
    // Some muxers never count in PSI: a repeated counter tells a duplicate packet only where all else is repeated, too.
    if (this.#length > 0) {
      if (continuity === this.#continuity) {
        if (Buffer.compare(this.#last, bytes.subarray(at, to)) === 0) return;
      } else if (continuity !== ((this.#continuity + 1) & 0x0f)) this.#length = -1;
    }
    this.#continuity = continuity;
    this.#read(bytes, at, from, to);
    if (this.#length > 0) this.#last.set(bytes.subarray(at, to));
  }

  #read(bytes: Uint8Array, at: number, start: number, to: number): void {
    if (!packetStartsUnit(bytes, at)) {
      if (this.#length > 0) this.#take(bytes, start, to);
      return;
    }
    // pointer_field: what comes before it ends the section in progress.
    const first = start + 1 + bytes[start]!;
    if (this.#length > 0 && first <= to) this.#take(bytes, start + 1, first);
    this.#length = -1;
    for (let next = first; next < to && bytes[next] !== STUFFING;) {
      this.#length = 0;
      next = this.#take(bytes, next, to);
      if (this.#length >= 0) return;
    }
  }

  /** Adds `bytes[from, to)` to the section in progress; returns where the bytes of the next one begin. */
  #take(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    while (at < to && this.#length < this.#wanted()) this.#bytes[this.#length++] = bytes[at++]!;
    if (this.#length >= 3 && this.#length >= this.#wanted()) {
      const whole = this.#bytes.subarray(0, this.#length);
      this.#length = -1;
      if (this.unchecked !== undefined) {
        if (whole[0] === this.unchecked) this.section(whole);
        return at;
      }
      // section_syntax_indicator: only the long form has a CRC_32, and both tables are of that form.
      if ((whole[1]! & 0x80) === 0) return at;
      if (whole.length < 12 || crc32Mpeg(whole) !== 0) this.crcErrors++;
      else this.section(whole);
    }
    return at;
  }

  #wanted(): number {
    return this.#length < 3 ? 3 : 3 + (((this.#bytes[1]! & 0x0f) << 8) | this.#bytes[2]!);
  }
}
