/** The RTP data header (RFC 3550 §5.1), and what of it matters for a transport stream. */

/** MPEG-2 transport streams (RFC 3551 §6). */
export const PAYLOAD_TYPE_MP2T = 33;
/** 96–127 are agreed on by other means (RFC 3551 §3). */
export const FIRST_DYNAMIC_PAYLOAD_TYPE = 96;

const VERSION = 2;
const FIXED_BYTES = 12;

/** One is kept and overwritten. */
export interface RtpHeader {
  payloadType: number;
  /** 16 bits. */
  sequence: number;
  /** 32 bits, unsigned. */
  ssrc: number;
  /** The payload is `datagram[from, to)`, without extension and padding. */
  from: number;
  to: number;
}

export const emptyRtpHeader = (): RtpHeader => ({ payloadType: 0, sequence: 0, ssrc: 0, from: 0, to: 0 });

/** Reads the header of a datagram; false when it is no RTP packet or its lengths contradict one another. */
export function readRtpHeader(datagram: Uint8Array, header: RtpHeader): boolean {
  const { length } = datagram;
  if (length < FIXED_BYTES || datagram[0]! >> 6 !== VERSION) return false;
  const csrcCount = datagram[0]! & 0x0f;
  let from = FIXED_BYTES + 4 * csrcCount;
  if (datagram[0]! & 0x10) {
    // §5.3.1: 16 bits of the profile, then how many 32-bit words follow.
    if (from + 4 > length) return false;
    from += 4 + 4 * ((datagram[from + 2]! << 8) | datagram[from + 3]!);
  }
  let to = length;
  if (datagram[0]! & 0x20) {
    const padding = datagram[length - 1]!;
    if (padding === 0) return false;
    to -= padding;
  }
  if (from > to) return false;
  header.payloadType = datagram[1]! & 0x7f;
  header.sequence = (datagram[2]! << 8) | datagram[3]!;
  header.ssrc = ((datagram[8]! << 24) | (datagram[9]! << 16) | (datagram[10]! << 8) | datagram[11]!) >>> 0;
  header.from = from;
  header.to = to;
  return true;
}
