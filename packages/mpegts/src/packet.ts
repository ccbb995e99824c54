/** The transport packet and its header fields (ISO/IEC 13818-1 §2.4.3.2), read in place. */
export const PACKET_SIZE = 188;
/** Up to the adaptation field or the payload. */
export const HEADER_BYTES = 4;
export const SYNC_BYTE = 0x47;
export const PAT_PID = 0x0000;
export const NULL_PID = 0x1fff;

export function packetPid(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 1]! & 0x1f) << 8) | bytes[at + 2]!;
}

/** As messages name a PID: `0x0100`. */
export const pidText = (pid: number): string => `0x${pid.toString(16).padStart(4, '0')}`;

/** payload_unit_start_indicator */
export function packetStartsUnit(bytes: Uint8Array, at: number): boolean {
  return (bytes[at + 1]! & 0x40) !== 0;
}

/** Where the payload begins; `at + 188` when there is none or the adaptation field claims more than the packet. */
export function packetPayload(bytes: Uint8Array, at: number): number {
  const control = bytes[at + 3]! & 0x30;
  if (control === 0x10) return at + 4;
  if (control !== 0x30) return at + PACKET_SIZE;
  return Math.min(at + 5 + bytes[at + 4]!, at + PACKET_SIZE);
}

/** discontinuity_indicator of the adaptation field: the continuity counter may jump here. */
export function packetDiscontinuity(bytes: Uint8Array, at: number): boolean {
  return (bytes[at + 3]! & 0x20) !== 0 && bytes[at + 4]! > 0 && (bytes[at + 5]! & 0x80) !== 0;
}

/** program_clock_reference_base (ISO/IEC 13818-1 §2.4.3.5), 90 kHz ticks of 33 bits; −1: there is none. */
export function packetPcr(bytes: Uint8Array, at: number): number {
  if ((bytes[at + 3]! & 0x20) === 0 || bytes[at + 4]! < 7 || (bytes[at + 5]! & 0x10) === 0) return -1;
  const high = bytes[at + 6]! * 0x2000000;
  return (
    high + ((bytes[at + 7]! << 17) | (bytes[at + 8]! << 9) | (bytes[at + 9]! << 1) | (bytes[at + 10]! >> 7))
  );
}

/** The fourth header byte of a packet without adaptation field, not scrambled, less its continuity counter. */
const PAYLOAD_ONLY = 0x10;

/**
 * Where the packets from `at` on end that are all payload of one PID, go on in their PES and count on from `continuity`
 * (−1: any beginning is right): most of a stream, of which nothing else need be known.
 */
export function endOfRun(bytes: Uint8Array, at: number, to: number, continuity: number): number {
  const high = bytes[at + 1]!;
  const low = bytes[at + 2]!;
  // transport_error_indicator, payload_unit_start_indicator
  if (high & 0xc0) return at;
  let next = continuity < 0 ? bytes[at + 3]! & 0x0f : (continuity + 1) & 0x0f;
  let end = at;
  while (
    end < to &&
    bytes[end + 1] === high &&
    bytes[end + 2] === low &&
    bytes[end + 3] === (PAYLOAD_ONLY | next)
  ) {
    next = (next + 1) & 0x0f;
    end += PACKET_SIZE;
  }
  return end;
}
