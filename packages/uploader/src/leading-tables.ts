import {
  PACKET_SIZE,
  packetPid,
  packetStartsUnit,
  PAT_PID,
  readPat,
  SectionAssembler,
  SYNC_BYTE,
} from '@hls-uplink/mpegts';

/**
 * Moves the first PAT, and the PMT that directly follows it, to the front: a media segment begins with them (RFC 8216
 * §3.2), and libavformat's begin with an SDT. What stood before them follows in its order, so that nothing is lost and
 * each PID counts on as it did. Bytes without a PAT, or out of sync before it, stay as they are.
 * @param head the beginning of a file of 188-byte packets; changed in place
 */
export function tablesFirst(head: Uint8Array): void {
  const pat = findPat(head);
  if (pat <= 0) return;
  // Not `slice`, which copies nothing when it is a Buffer's.
  const tables = Uint8Array.from(head.subarray(pat, endOfTables(head, pat)));
  head.copyWithin(tables.length, 0, pat);
  head.set(tables);
}

const isPacket = (bytes: Uint8Array, at: number): boolean =>
  at + PACKET_SIZE <= bytes.length && bytes[at] === SYNC_BYTE;

/** −1 when there is none. */
function findPat(bytes: Uint8Array): number {
  for (let at = 0; isPacket(bytes, at); at += PACKET_SIZE) {
    if (packetPid(bytes, at) === PAT_PID && packetStartsUnit(bytes, at)) return at;
  }
  return -1;
}

/** Where the packets of the PAT at `pat` and of the PMT right behind it end. */
function endOfTables(bytes: Uint8Array, pat: number): number {
  const pmtPids = new Set<number>();
  const assembler = new SectionAssembler((section) => {
    for (const { pmtPid } of readPat(section)?.programs ?? []) pmtPids.add(pmtPid);
  });
  assembler.packet(bytes, pat);
  let at = pat + PACKET_SIZE;
  while (isPacket(bytes, at) && pmtPids.has(packetPid(bytes, at))) at += PACKET_SIZE;
  return at;
}
