/** The transport packet and its header fields (ISO/IEC 13818-1 §2.4.3.2), read in place. */
export const PACKET_SIZE = 188;
export const SYNC_BYTE = 0x47;
export const PAT_PID = 0x0000;
export const NULL_PID = 0x1fff;

export function packetPid(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 1]! & 0x1f) << 8) | bytes[at + 2]!;
}

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
