/**
 * Transport streams taken apart and changed packet by packet, so that what an encoder made gets the faults that networks
 * and muxers give it. Shares no code with packages/.
 */

const PACKET = 188;
export const MODULUS = 2 ** 33;

export interface Piece {
  /** A copy: may be changed in place. */
  packet: Uint8Array;
  /** In the whole stream. */
  number: number;
  pid: number;
  /** Which PES of its PID it belongs to, from 0; −1 before the first. */
  pes: number;
  /** The first packet of that PES. */
  starts: boolean;
  /** Of that PES, as it stands in the header. */
  pts: number | undefined;
  dts: number | undefined;
}

export const payloadAt = (packet: Uint8Array): number => 4 + ((packet[3]! & 0x20) !== 0 ? packet[4]! + 1 : 0);

function readTime(packet: Uint8Array, at: number): number {
  const [a, b, c, d, e] = packet.subarray(at, at + 5) as unknown as [number, number, number, number, number];
  return ((a >> 1) & 7) * 2 ** 30 + (((b << 8) | c) >> 1) * 2 ** 15 + (((d << 8) | e) >> 1);
}

function writeTime(packet: Uint8Array, at: number, value: number): void {
  const time = BigInt(((Math.round(value) % MODULUS) + MODULUS) % MODULUS);
  packet[at] = (packet[at]! & 0xf1) | (Number(time >> 30n) << 1);
  packet[at + 1] = Number((time >> 22n) & 0xffn);
  packet[at + 2] = Number((time >> 14n) & 0xfen) | 1;
  packet[at + 3] = Number((time >> 7n) & 0xffn);
  packet[at + 4] = Number((time << 1n) & 0xfen) | 1;
}

/** The stream's packets, one after the other, as `change` gives them back: none, itself, or several. */
export function operate(
  bytes: Uint8Array,
  change: (piece: Piece) => Uint8Array | readonly Uint8Array[] | undefined,
): Uint8Array {
  const out: Uint8Array[] = [];
  const units = new Map<number, Omit<Piece, 'packet' | 'number' | 'pid' | 'starts'>>();
  for (let number = 0; number * PACKET < bytes.length; number++) {
    const packet = Uint8Array.from(bytes.subarray(number * PACKET, (number + 1) * PACKET));
    const pid = ((packet[1]! & 0x1f) << 8) | packet[2]!;
    const at = payloadAt(packet);
    const starts = (packet[1]! & 0x40) !== 0 && packet[at] === 0 && packet[at + 1] === 0 && pid >= 0x20;
    let unit = units.get(pid) ?? { pes: -1, pts: undefined, dts: undefined };
    if (starts) {
      const times = packet[at + 7]! >> 6;
      const pts = times >= 2 ? readTime(packet, at + 9) : undefined;
      unit = { pes: unit.pes + 1, pts, dts: times === 3 ? readTime(packet, at + 14) : pts };
      units.set(pid, unit);
    }
    const result = change({ packet, number, pid, starts, ...unit });
    if (result instanceof Uint8Array) out.push(result);
    else if (result) out.push(...result);
  }
  return Buffer.concat(out);
}

/** Sets the timestamps in the first packet of a PES, as far as it has room for them. */
export function setTimes({ packet }: Piece, pts: number, dts: number): void {
  const at = payloadAt(packet);
  const times = packet[at + 7]! >> 6;
  if (times >= 2) writeTime(packet, at + 9, pts);
  if (times === 3) writeTime(packet, at + 14, dts);
}

/** Takes timestamps out of the first packet of a PES; stuffing bytes stand there instead. */
export function dropTimes({ packet }: Piece, which: 'both' | 'DTS'): void {
  const at = payloadAt(packet);
  const times = packet[at + 7]! >> 6;
  if (which === 'DTS' && times !== 3) return;
  packet[at + 7] = (packet[at + 7]! & 0x3f) | (which === 'DTS' ? 0x80 : 0);
  packet.fill(0xff, at + (which === 'DTS' ? 14 : 9), at + 9 + packet[at + 8]!);
  if (which === 'DTS') packet[at + 9] = (packet[at + 9]! & 0x0f) | 0x20;
}

/** Ticks of 90 kHz of the packet's PCR. */
export function pcrOf(packet: Uint8Array): number | undefined {
  if ((packet[3]! & 0x20) === 0 || packet[4]! < 7 || (packet[5]! & 0x10) === 0) return undefined;
  const [a, b, c, d, e] = packet.subarray(6, 11) as unknown as [number, number, number, number, number];
  return a * 2 ** 25 + b * 2 ** 17 + c * 2 ** 9 + d * 2 + (e >> 7);
}

export function setPcr(packet: Uint8Array, ticks: number): void {
  const base = ((Math.round(ticks) % MODULUS) + MODULUS) % MODULUS;
  for (const [n, unit] of [2 ** 25, 2 ** 17, 2 ** 9, 2].entries())
    packet[6 + n] = Math.floor(base / unit) & 0xff;
  packet[10] = (packet[10]! & 0x7f) | ((base % 2) << 7);
}

/** The PCR flag off; its bytes become stuffing. */
export function dropPcr(packet: Uint8Array): void {
  if (pcrOf(packet) === undefined) return;
  packet[5]! &= ~0x10;
  packet.fill(0xff, 6, 12);
}

/** A packet with an adaptation field alone: no payload, the counter stays. */
export function fieldOnly(pid: number, counter: number, field: readonly number[]): Uint8Array {
  const packet = new Uint8Array(PACKET).fill(0xff);
  packet.set([0x47, pid >> 8, pid & 0xff, 0x20 | counter, PACKET - 5, ...field]);
  return packet;
}

/** Each PID's counter anew, in step: as a muxer writes it that never had what was taken out. */
export function recount(bytes: Uint8Array): Uint8Array {
  const counters = new Map<number, number>();
  return operate(bytes, ({ packet, pid }) => {
    const before = counters.get(pid) ?? packet[3]! - 1;
    const counter = (packet[3]! & 0x10) !== 0 ? before + 1 : before;
    counters.set(pid, counter & 0x0f);
    packet[3] = (packet[3]! & 0xf0) | (counter & 0x0f);
    return packet;
  });
}

/** All clocks of the stream, PCR, PTS and DTS, moved by `by(piece)` ticks, or by as much. */
export function retime(bytes: Uint8Array, by: number | ((piece: Piece) => number)): Uint8Array {
  return operate(bytes, (piece) => {
    const ticks = typeof by === 'number' ? by : by(piece);
    const pcr = pcrOf(piece.packet);
    if (pcr !== undefined) setPcr(piece.packet, pcr + ticks);
    if (piece.starts && piece.pts !== undefined) setTimes(piece, piece.pts + ticks, piece.dts! + ticks);
    return piece.packet;
  });
}
