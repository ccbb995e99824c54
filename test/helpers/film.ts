/**
 * A film made by ffmpeg and muxed anew: its PES packets byte for byte, under tables, on PIDs and in programs of one's own.
 */
import { execFileSync } from 'node:child_process';
import { PacketWriter, patSection, pmtSection, type PmtEntry } from './ts-generator.js';

const PACKET = 188;
const pidOf = (packet: Uint8Array): number => ((packet[1]! & 0x1f) << 8) | packet[2]!;

/** Packets of a PES. */
type Pes = { pts: number; packets: Uint8Array[] };

/** H.264 with two B pictures in a row, MPEG-2 video without any, AAC and MPEG audio of the same 12 s: a key picture every 50 pictures. */
export interface Film {
  h264: Pes[];
  mpeg2: Pes[];
  aac: Pes[];
  mp2: Pes[];
}
export type Material = keyof Film;

export const STREAM_TYPES: Record<Material, number> = { h264: 0x1b, mpeg2: 0x02, aac: 0x0f, mp2: 0x04 };
export const PICTURES = 300;
/** PTS of the first picture, ticks: what ffmpeg gives to a stream with two B pictures. */
export const FIRST_PTS = 133_200;
export const PICTURE_TICKS = 3600;

export function makeFilm(): Film {
  const sources = '-f lavfi -i testsrc2=s=320x180:r=25 -f lavfi -i sine=r=48000 -t 12 -pix_fmt yuv420p';
  const h264 = '-c:v libx264 -preset ultrafast -x264-params scenecut=0:keyint=50:min-keyint=50:bframes=2';
  // Without B pictures ffmpeg begins one picture earlier.
  const mpeg2 = '-c:v mpeg2video -g 50 -bf 0 -sc_threshold 1000000000 -output_ts_offset 0.08';
  const first = demux(`${sources} ${h264} -c:a aac`);
  const second = demux(`${sources} ${mpeg2} -c:a mp2`);
  return { h264: first.video, aac: first.audio, mpeg2: second.video, mp2: second.audio };
}

function demux(parameters: string): { video: Pes[]; audio: Pes[] } {
  const args = `-v error -nostdin ${parameters} -pes_payload_size 0 -f mpegts pipe:1`;
  const bytes = execFileSync('ffmpeg', args.split(' '), { maxBuffer: 64 << 20 });
  const pes = (pid: number): Pes[] => {
    const list: Pes[] = [];
    for (let at = 0; at < bytes.length; at += PACKET) {
      const packet = bytes.subarray(at, at + PACKET);
      if (pidOf(packet) !== pid) continue;
      if (packet[1]! & 0x40) list.push({ pts: ptsOf(packet), packets: [] });
      list.at(-1)!.packets.push(packet);
    }
    return list;
  };
  return { video: pes(0x100), audio: pes(0x101) };
}

/** Of the PES that the packet begins. */
function ptsOf(packet: Uint8Array): number {
  const at = 4 + (packet[3]! & 0x20 ? 1 + packet[4]! : 0) + 9;
  const [a, b, c, d, e] = packet.subarray(at, at + 5);
  return ((a! >> 1) & 7) * 2 ** 30 + ((b! << 22) | ((c! >> 1) << 15) | (d! << 7) | (e! >> 1));
}

/** What is played where. */
export interface Track {
  of: Material;
  pid: number;
  descriptors?: readonly number[];
}

export interface Program {
  number: number;
  pmtPid: number;
  tracks: readonly Track[];
  version?: number;
  /** Default: the first track's. */
  pcrPid?: number;
}

const VIDEO: readonly Material[] = ['h264', 'mpeg2'];
export const isPicture = ({ of }: { of: Material }): boolean => VIDEO.includes(of);

/** Muxes a film picture by picture; each picture is followed by the sound of its time. */
export class Mux {
  /** Pictures between two copies of the tables; 0: they come when they are written only. */
  tablesEvery = 25;
  /** Written at each copy. */
  tables: () => void = () => undefined;
  readonly out = new PacketWriter();

  constructor(readonly film: Film) {}

  /** Packets on these PIDs so far. */
  count(...pids: number[]): number {
    return this.out.packets.filter(([, high, low]) => pids.includes(((high! & 0x1f) << 8) | low!)).length;
  }

  pat(programs: readonly Program[], version = 0): void {
    this.out.section(
      0,
      patSection(
        programs.map(({ number, pmtPid }) => [number, pmtPid] as const),
        version,
      ),
    );
  }

  pmt({ number, pmtPid, tracks, version = 0, pcrPid = tracks[0]?.pid ?? 0x1fff }: Program): void {
    const entries: PmtEntry[] = tracks.map(({ of, pid, descriptors = [] }) => ({
      type: STREAM_TYPES[of],
      pid,
      descriptors,
    }));
    this.out.section(pmtPid, pmtSection(number, pcrPid, entries, version));
  }

  /** From now on these are the tables, written at once and every `tablesEvery` pictures. */
  programs(programs: readonly Program[], patVersion = 0): void {
    this.tables = () => {
      this.pat(programs, patVersion);
      for (const program of programs) this.pmt(program);
    };
    this.tables();
  }

  /** Pictures `[from, to)` and their sound. */
  play(from: number, to: number, tracks: readonly Track[]): void {
    for (let n = from; n < to; n++) {
      if (n > from && this.tablesEvery > 0 && (n - from) % this.tablesEvery === 0) this.tables();
      this.picture(n, tracks);
    }
  }

  /** A picture, or what of its packets `part` leaves. */
  picture(
    n: number,
    tracks: readonly Track[],
    part = (packets: Uint8Array[]): Uint8Array[] => packets,
  ): void {
    const begins = FIRST_PTS + n * PICTURE_TICKS;
    for (const track of tracks) {
      const list = this.film[track.of];
      if (isPicture(track)) this.#write(part(list[n]!.packets), track.pid);
      else
        for (const { pts, packets } of list)
          if (pts < begins + PICTURE_TICKS && (pts >= begins || n === 0)) this.#write(packets, track.pid);
    }
  }

  #write(packets: readonly Uint8Array[], pid: number): void {
    for (const packet of packets) {
      const field = packet[3]! & 0x20 ? [...packet.subarray(5, 5 + packet[4]!)] : undefined;
      const payload = [...packet.subarray(4 + (field ? 1 + field.length : 0))];
      this.out.raw(pid, payload, (packet[1]! & 0x40) !== 0, field);
    }
  }

  /** The packets written since there were `before` of them are made anew by `change`. */
  rewrite(before: number, change: (packet: number[]) => void): void {
    for (const packet of this.out.packets.slice(before)) change(packet);
  }

  bytes(): Uint8Array {
    return this.out.bytes();
  }
}
