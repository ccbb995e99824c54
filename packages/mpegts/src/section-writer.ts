import { crc32Mpeg } from './crc32-mpeg.js';
import { PACKET_SIZE, SYNC_BYTE } from './packet.js';

/** A section of the long form with section numbers 0 of 0 and its CRC_32 (ISO/IEC 13818-1 §2.4.4). */
export function writeSection(
  tableId: number,
  extension: number,
  version: number,
  body: readonly number[] | Uint8Array,
): Uint8Array {
  const section = new Uint8Array(8 + body.length + 4);
  const length = section.length - 3;
  section.set([tableId, 0xb0 | (length >> 8), length & 0xff, extension >> 8, extension & 0xff]);
  section.set([0xc0 | (version << 1) | 1, 0, 0], 5);
  section.set(body, 8);
  new DataView(section.buffer).setUint32(8 + body.length, crc32Mpeg(section, 0, 8 + body.length));
  return section;
}

/** The packets that carry `section` on `pid`, from continuity counter `continuity` on; stuffed at the end. */
export function sectionPackets(section: Uint8Array, pid: number, continuity: number): Uint8Array {
  const count = Math.ceil((section.length + 1) / (PACKET_SIZE - 4));
  const packets = new Uint8Array(count * PACKET_SIZE).fill(0xff);
  let from = 0;
  for (let n = 0; n < count; n++) {
    const at = n * PACKET_SIZE;
    packets.set(
      [SYNC_BYTE, (n === 0 ? 0x40 : 0) | (pid >> 8), pid & 0xff, 0x10 | ((continuity + n) & 0x0f)],
      at,
    );
    let payload = at + 4;
    if (n === 0) packets[payload++] = 0; // pointer_field
    const taken = Math.min(section.length - from, at + PACKET_SIZE - payload);
    packets.set(section.subarray(from, from + taken), payload);
    from += taken;
  }
  return packets;
}
