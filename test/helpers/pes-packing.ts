/** Puts the pictures of a stream of ffmpeg into PES anew, as other muxers do (ISO/IEC 13818-1 §2.4.3.7). */
import { VIDEO_PID } from './ts-generator.js';
import { operate, payloadAt } from './ts-surgery.js';

const PACKET = 188;

interface AccessUnit {
  from: number;
  header: Uint8Array;
}

/** Where one PES of the new stream ends, by the bytes of the elementary stream. */
export type Packing = (units: readonly AccessUnit[], bytes: number) => number[];

/** So many access units in each PES; `first` in the first. */
export const each =
  (count: number, first = count): Packing =>
  (units, bytes) => {
    const ends = units.flatMap(({ from }, n) =>
      n > 0 && (n - first) % count === 0 && n >= first ? from : [],
    );
    return [...ends, bytes];
  };

/** PES of so many bytes, wherever access units begin. */
export const sized =
  (size: number): Packing =>
  (_, bytes) =>
    Array.from({ length: Math.ceil(bytes / size) }, (__, n) => Math.min((n + 1) * size, bytes));

/** The stream with its pictures in PES as `packing` says; the PTS is that of the first picture that begins in each. */
export function repack(stream: Uint8Array, packing: Packing): Uint8Array {
  const pieces: Uint8Array[] = [];
  const units: AccessUnit[] = [];
  let bytes = 0;
  operate(stream, ({ packet, pid, starts }) => {
    if (pid !== VIDEO_PID) return undefined;
    let at = payloadAt(packet);
    if (starts) {
      const header = packet.slice(at, at + 9 + packet[at + 8]!);
      header.fill(0, 4, 6);
      units.push({ from: bytes, header });
      at += header.length;
    }
    pieces.push(packet.subarray(at));
    bytes += PACKET - at;
    return undefined;
  });
  const es = Buffer.concat(pieces);
  const ends = packing(units, bytes);
  let counter = 0;
  let from = 0;
  let written = 0;
  let unit = 0;
  const untimed = Uint8Array.of(0, 0, 1, 0xe0, 0, 0, 0x80, 0, 0);
  const writePes = (to: number): Uint8Array[] => {
    let next = unit;
    while (next < units.length && units[next]!.from < from) next++;
    const own = next < units.length && units[next]!.from < to ? units[next]!.header : untimed;
    unit = next;
    const pes = Buffer.concat([own, es.subarray(from, to)]);
    from = to;
    const out: Uint8Array[] = [];
    for (let at = 0; at < pes.length; at += PACKET - 4) {
      const part = pes.subarray(at, at + PACKET - 4);
      const packet = new Uint8Array(PACKET).fill(0xff);
      const stuffing = PACKET - 4 - part.length;
      packet.set([0x47, (at === 0 ? 0x40 : 0) | (VIDEO_PID >> 8), VIDEO_PID & 0xff]);
      packet[3] = (stuffing > 0 ? 0x30 : 0x10) | (counter++ & 0x0f);
      if (stuffing > 0) packet[4] = stuffing - 1;
      if (stuffing > 1) packet[5] = 0;
      packet.set(part, PACKET - part.length);
      out.push(packet);
    }
    return out;
  };
  let seen = 0;
  const repacked = operate(stream, ({ packet, pid, starts }) => {
    if (pid !== VIDEO_PID) return packet;
    const at = payloadAt(packet);
    seen += PACKET - at - (starts ? 9 + packet[at + 8]! : 0);
    const out: Uint8Array[] = [];
    while (written < ends.length && ends[written]! <= seen) out.push(...writePes(ends[written++]!));
    return out;
  });
  return repacked;
}
