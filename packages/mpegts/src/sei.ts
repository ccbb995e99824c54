/** payloadType of the recovery point message, in H.264 (§D.1.1) and HEVC (§D.2.1) alike. */
export const RECOVERY_POINT = 6;

/**
 * Position of the payload of the first SEI message of a type (ITU-T H.264 §7.3.2.3.1, H.265 §7.3.5), or −1. Bytewise, since
 * one comes with each picture.
 *
 * @param from behind the NAL unit header
 */
export function findSeiMessage(bytes: Uint8Array, from: number, to: number, wanted: number): number {
  let at = from;
  let zeros = 0;
  /** The next byte without emulation prevention; −1 at the end. */
  const next = (): number => {
    if (zeros >= 2 && at < to && bytes[at] === 3) {
      at++;
      zeros = 0;
    }
    if (at >= to) return -1;
    const byte = bytes[at++]!;
    zeros = byte === 0 ? zeros + 1 : 0;
    return byte;
  };
  while (at < to) {
    let type = 0;
    let size = 0;
    let byte: number;
    while ((byte = next()) === 0xff) type += 255;
    if (byte < 0) return -1;
    type += byte;
    while ((byte = next()) === 0xff) size += 255;
    if (byte < 0) return -1;
    size += byte;
    if (type === wanted) return at;
    for (let n = 0; n < size && at < to; n++) next();
  }
  return -1;
}
