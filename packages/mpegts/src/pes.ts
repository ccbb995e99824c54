import { readTimestamp } from './timestamp.js';

/** No timestamp. */
export const NO_TIMESTAMP = -1;

/** What begins there is no PES packet: a section, or damage. */
export const NO_PES = -2;

/** The fields of a PES header that matter here; one is kept and overwritten, the packet loop makes none. */
export interface PesHeader {
  /** 90 kHz ticks of 33 bits, or `NO_TIMESTAMP`. */
  pts: number;
  /** As `pts`; the PTS where the header has no DTS of its own. */
  dts: number;
  /** Bytes after the header, or −1 when PES_packet_length leaves it open (0). */
  payloadBytes: number;
}

export function emptyPesHeader(): PesHeader {
  return { pts: NO_TIMESTAMP, dts: NO_TIMESTAMP, payloadBytes: -1 };
}

/**
 * Reads the PES header at `from` (ISO/IEC 13818-1 §2.4.3.6) into `header`.
 *
 * @returns where its payload begins; −1 when it reaches beyond `to`; `NO_PES` when it is none. Whatever is returned, `header`
 *   holds nothing of the one before.
 */
export function readPesHeader(bytes: Uint8Array, from: number, to: number, header: PesHeader): number {
  header.pts = NO_TIMESTAMP;
  header.dts = NO_TIMESTAMP;
  header.payloadBytes = -1;
  if (from + 3 > to) return -1;
  if (bytes[from] !== 0 || bytes[from + 1] !== 0 || bytes[from + 2] !== 1) return NO_PES;
  if (from + 9 > to) return -1;
  const length = (bytes[from + 4]! << 8) | bytes[from + 5]!;
  if ((bytes[from + 6]! & 0xc0) !== 0x80) {
    // Streams without the optional part: padding, program stream map and the like.
    if (length > 0) header.payloadBytes = length;
    return from + 6;
  }
  const payload = from + 9 + bytes[from + 8]!;
  if (payload > to) return -1;
  if (length > 0) header.payloadBytes = Math.max(0, length - (payload - from - 6));
  const flags = bytes[from + 7]! >> 6;
  if (flags >= 2 && bytes[from + 8]! >= 5) {
    header.pts = readTimestamp(bytes, from + 9);
    header.dts = flags === 3 && bytes[from + 8]! >= 10 ? readTimestamp(bytes, from + 14) : header.pts;
  }
  return payload;
}
