/** Position of the next start code prefix 00 00 01 that stands whole in `[from, to)`, or −1. */
export function findStartCode(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from + 2; at < to;) {
    const byte = bytes[at]!;
    if (byte > 1) at += 3;
    else if (byte === 0) at++;
    else if (bytes[at - 1] === 0 && bytes[at - 2] === 0) return at - 2;
    else at += 3;
  }
  return -1;
}
