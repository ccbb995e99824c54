/** SCTE-35 sections made byte by byte and put into streams of `generateStream`; shares no code with packages/. */
import { AUDIO_PID, crcMpeg, PacketWriter, PMT_PID, pmtSection, VIDEO_PID } from './ts-generator.js';

const PACKET = 188;
export const CUE_PID = 0x1f0;
/** How far a section may stand from where it was asked for: a picture, and what it is decoded earlier. */
export const MUX_TICKS = 2 * 3600;

const u16 = (value: number): number[] => [(value >> 8) & 0xff, value & 0xff];
const u32 = (value: number): number[] => [...u16(Math.floor(value / 65_536)), ...u16(value % 65_536)];
/** 33 bits below `high` bits of a byte. */
const u33 = (high: number, value: number): number[] => [
  high | Math.floor(value / 2 ** 32),
  ...u32(value % 2 ** 32),
];

function splice(
  type: number,
  command: readonly number[],
  descriptors: readonly number[],
  { adjustment = 0, encrypted = false }: { adjustment?: number; encrypted?: boolean },
): number[] {
  const body = [
    0,
    ...u33(encrypted ? 0x82 : 0, adjustment),
    0xff,
    0xff,
    0xf0 | (command.length >> 8),
    command.length & 0xff,
    type,
    ...command,
    ...u16(descriptors.length),
    ...descriptors,
  ];
  const bytes = [0xfc, ...u16(0x3000 | (body.length + 4)), ...body];
  return [...bytes, ...u32(crcMpeg(bytes))];
}

export interface SpliceInsert {
  eventId: number;
  out: boolean;
  /** Absent: immediate. */
  pts?: number;
  duration?: number;
  cancel?: boolean;
  encrypted?: boolean;
}

export function spliceInsert({ eventId, out, pts, duration, cancel, encrypted }: SpliceInsert): number[] {
  const flags =
    (out ? 0x80 : 0) | 0x40 | (duration === undefined ? 0 : 0x20) | (pts === undefined ? 0x10 : 0) | 0x0f;
  const command = cancel
    ? [...u32(eventId), 0xff]
    : [
        ...u32(eventId),
        0x7f,
        flags,
        ...(pts === undefined ? [] : u33(0xfe, pts % 2 ** 33)),
        ...(duration === undefined ? [] : u33(0xfe, duration)),
        ...u16(1),
        0,
        0,
      ];
  return splice(5, command, [], { ...(encrypted !== undefined && { encrypted }) });
}

export function timeSignal({
  pts,
  adjustment = 0,
  segments,
}: {
  pts: number;
  adjustment?: number;
  segments: readonly { eventId: number; type: number; duration?: number }[];
}): number[] {
  const descriptors = segments.flatMap(({ eventId, type, duration }) => {
    const body = [
      ...Buffer.from('CUEI'),
      ...u32(eventId),
      0x7f,
      duration === undefined ? 0xbf : 0xff,
      ...(duration === undefined ? [] : [0, ...u32(duration)]),
      0,
      0,
      type,
      1,
      1,
    ];
    return [2, body.length, ...body];
  });
  return splice(6, u33(0xfe, pts % 2 ** 33), descriptors, { adjustment });
}

export interface PlacedSplice {
  /** From the first picture. */
  second: number;
  section: readonly number[];
  /** A picture stands between each two packets of it. */
  spread?: boolean;
}

/** A stream of `generateStream` with sections beside its pictures; its PMT names their PID, as registered `CUEI`. */
export function withSplices(
  bytes: Uint8Array,
  splices: readonly PlacedSplice[],
  picturesASecond = 25,
): Uint8Array {
  const pmt = new PacketWriter();
  const cues = new PacketWriter();
  const out: Uint8Array[] = [];
  const due = [...splices].sort((a, b) => a.second - b.second);
  let waiting: Uint8Array[] = [];
  let pictures = 0;
  for (let at = 0; at < bytes.length; at += PACKET) {
    const packet = bytes.subarray(at, at + PACKET);
    const pid = ((packet[1]! & 0x1f) << 8) | packet[2]!;
    if (pid === VIDEO_PID && packet[1]! & 0x40) {
      out.push(...waiting.splice(0, 1));
      while (due[0] && due[0].second * picturesASecond <= pictures) {
        const { section, spread } = due.shift()!;
        const before = cues.packets.length;
        cues.section(CUE_PID, section);
        const made = cues.packets.slice(before).map((one) => Uint8Array.from(one));
        out.push(...made.splice(0, spread ? 1 : made.length));
        waiting = [...waiting, ...made];
      }
      pictures++;
    }
    if (pid !== PMT_PID) out.push(packet);
    else {
      pmt.section(
        PMT_PID,
        pmtSection(1, VIDEO_PID, [
          { type: 0x1b, pid: VIDEO_PID },
          { type: 0x0f, pid: AUDIO_PID },
          { type: 0x86, pid: CUE_PID, descriptors: [5, 4, ...Buffer.from('CUEI')] },
        ]),
      );
      out.push(Uint8Array.from(pmt.packets.at(-1)!));
    }
  }
  return Buffer.concat(out);
}
