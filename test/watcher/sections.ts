/** PAT and PMT sections that fit one packet each, as a segment must begin with them (ISO/IEC 13818-1 §2.4.4). */

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

/** CRC_32 of ISO/IEC 13818-1 Annex A; 0 over a section with its own CRC. */
export function sectionCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = ((crc << 8) ^ (table[((crc >>> 24) ^ byte) & 0xff] ?? 0)) >>> 0;
  return crc;
}

/** @throws SyntaxError */
function section(payload: Uint8Array, tableId: number): Uint8Array {
  const begin = 1 + (payload[0] ?? 0);
  const length = (((payload[begin + 1] ?? 0) & 0x0f) << 8) | (payload[begin + 2] ?? 0);
  const whole = payload.subarray(begin, begin + 3 + length);
  if (whole[0] !== tableId) throw new SyntaxError(`table_id is ${whole[0] ?? 'missing'}, not ${tableId}`);
  if (whole.length < 3 + length || length < 9)
    throw new SyntaxError('section is not whole in its first packet');
  if (sectionCrc(whole) !== 0) throw new SyntaxError('CRC_32 is wrong');
  return whole;
}

/** The PMT's PID of each programme. @throws SyntaxError */
export function parsePat(payload: Uint8Array): number[] {
  const pat = section(payload, 0);
  const pids: number[] = [];
  for (let at = 8; at + 4 <= pat.length - 4; at += 4) {
    const programme = ((pat[at] ?? 0) << 8) | (pat[at + 1] ?? 0);
    if (programme !== 0) pids.push((((pat[at + 2] ?? 0) & 0x1f) << 8) | (pat[at + 3] ?? 0));
  }
  return pids;
}

export interface ElementaryStream {
  pid: number;
  streamType: number;
}

/** @throws SyntaxError */
export function parsePmt(payload: Uint8Array): ElementaryStream[] {
  const pmt = section(payload, 2);
  const streams: ElementaryStream[] = [];
  let at = 12 + ((((pmt[10] ?? 0) & 0x0f) << 8) | (pmt[11] ?? 0));
  for (; at + 5 <= pmt.length - 4;) {
    streams.push({
      streamType: pmt[at] ?? 0,
      pid: (((pmt[at + 1] ?? 0) & 0x1f) << 8) | (pmt[at + 2] ?? 0),
    });
    at += 5 + ((((pmt[at + 3] ?? 0) & 0x0f) << 8) | (pmt[at + 4] ?? 0));
  }
  return streams;
}
