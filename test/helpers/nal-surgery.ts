/** NAL units of a transport stream made others, in place. */
import { operate, payloadAt } from './ts-surgery.js';

/**
 * The stream with the first header byte of each NAL unit of a PID as `change` gives it back. Start codes are found where
 * they lie across packets, too.
 */
export function changeNalUnits(
  stream: Uint8Array,
  pid: number,
  change: (header: number) => number,
): Uint8Array {
  let zeros = 0;
  let isHeader = false;
  return operate(stream, ({ packet, pid: own, starts }) => {
    if (own !== pid) return packet;
    const payload = payloadAt(packet);
    for (let at = payload + (starts ? 9 + packet[payload + 8]! : 0); at < packet.length; at++) {
      const byte = packet[at]!;
      if (isHeader) packet[at] = change(byte);
      isHeader = byte === 1 && zeros >= 2;
      zeros = byte === 0 ? zeros + 1 : 0;
    }
    return packet;
  });
}

/** HEVC pictures of one nal_unit_type given another (ITU-T H.265 table 7-1): the header's other bits stay. */
export const hevcPictures =
  (pid: number, from: number, to: number) =>
  (stream: Uint8Array): Uint8Array =>
    changeNalUnits(stream, pid, (header) => (header >> 1 === from ? (to << 1) | (header & 1) : header));
