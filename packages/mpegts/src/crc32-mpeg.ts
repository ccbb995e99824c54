/** CRC-32/MPEG-2: polynomial 0x04C11DB7, not reflected, starts at all ones, no final XOR (ISO/IEC 13818-1 Annex A). */
const table = new Uint32Array(256).map((_, index) => {
  let crc = index << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  return crc;
});

/** Over `bytes[from, to)`, unsigned. Over a section with its CRC_32 field it is 0. */
export function crc32Mpeg(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = 0xffff_ffff;
  for (let at = from; at < to; at++) crc = (crc << 8) ^ table[(crc >>> 24) ^ bytes[at]!]!;
  return crc >>> 0;
}
