/** One segment's transport stream taken apart: packets, tables, PES (ISO/IEC 13818-1 §2.4.3). */
import { parsePat, parsePmt, type ElementaryStream } from './sections.js';

export const packetSize = 188;

/** Something a segment does wrong by itself; the rule is one of HLS-RULES. */
export interface Problem {
  rule: number;
  message: string;
}

/** Continuity at a segment's two ends, for one PID (§2.4.3.3). */
export interface PidEnds {
  first: number;
  /** The first packet says itself that the counter may be off. */
  firstMayBreak: boolean;
  last: number;
  firstPacket: Uint8Array;
  lastPacket: Uint8Array;
}

export interface Pes {
  pts: number | undefined;
  dts: number | undefined;
  /** Kept for sound, and for the first PES of video. */
  payload: Uint8Array[];
  bytes: number;
  /** PES_packet_length + 6; 0 when unbounded. */
  declaredBytes: number;
}

export interface TransportStream {
  problems: Problem[];
  streams: ElementaryStream[];
  pids: Map<number, PidEnds>;
  pes: Map<number, Pes[]>;
}

const videoTypes = new Set([0x01, 0x02, 0x1b, 0x24]);
const audioTypes = new Set([0x03, 0x04, 0x0f, 0x11, 0x81, 0x87]);
export const isVideo = (stream: ElementaryStream): boolean => videoTypes.has(stream.streamType);
export const isAudio = (stream: ElementaryStream): boolean => audioTypes.has(stream.streamType);
/** Private sections and SCTE-35 are no PES. */
const sectionTypes = new Set([0x05, 0x86]);

export function readTransportStream(bytes: Uint8Array): TransportStream {
  return new Reader(bytes).read();
}

class Reader {
  private readonly result: TransportStream = { problems: [], streams: [], pids: new Map(), pes: new Map() };
  private pmtPid = -1;
  private payloadsSeen = new Set<number>();

  constructor(private readonly bytes: Uint8Array) {}

  private problem(rule: number, message: string): void {
    this.result.problems.push({ rule, message });
  }

  read(): TransportStream {
    const { bytes } = this;
    if (bytes.length === 0 || bytes.length % packetSize !== 0)
      this.problem(3, `${bytes.length} bytes are no whole number of packets`);
    for (let at = 0, number = 0; at + packetSize <= bytes.length; at += packetSize, number += 1) {
      if (bytes[at] !== 0x47) {
        this.problem(3, `packet ${number} has no sync byte`);
        break;
      }
      this.packet(bytes.subarray(at, at + packetSize), number);
    }
    // Views would keep the whole segment in memory.
    for (const ends of this.result.pids.values()) ends.lastPacket = ends.lastPacket.slice();
    for (const [pid, list] of this.result.pes) this.complete(pid, list.at(-1));
    return this.result;
  }

  private packet(packet: Uint8Array, number: number): void {
    const [, b1 = 0, b2 = 0, b3 = 0] = packet.subarray(0, 4);
    const pid = ((b1 & 0x1f) << 8) | b2;
    const unitStart = (b1 & 0x40) !== 0;
    const hasPayload = (b3 & 0x10) !== 0;
    const adaptation = (b3 & 0x20) !== 0 ? (packet[4] ?? 0) : -1;
    const mayBreak = adaptation > 0 && ((packet[5] ?? 0) & 0x80) !== 0;
    const payload = packet.subarray(4 + adaptation + 1);
    if (number === 0) this.pat(pid, unitStart, payload);
    if (number === 1) this.pmt(pid, unitStart, payload);
    if (pid === 0x1fff) return;
    if (this.repeated(pid, b3 & 0x0f, hasPayload, mayBreak, packet, number)) return;
    if (hasPayload && this.result.streams.some((s) => s.pid === pid && !sectionTypes.has(s.streamType)))
      this.elementary(pid, unitStart, payload);
  }

  private pat(pid: number, unitStart: boolean, payload: Uint8Array): void {
    if (pid !== 0 || !unitStart) return this.problem(22, `the first packet is PID ${pid}, no PAT`);
    try {
      const programmes = parsePat(payload);
      if (programmes.length !== 1) this.problem(22, `the PAT names ${programmes.length} programmes`);
      this.pmtPid = programmes[0] ?? -1;
    } catch (error) {
      this.problem(22, `PAT: ${(error as Error).message}`);
    }
  }

  private pmt(pid: number, unitStart: boolean, payload: Uint8Array): void {
    if (this.pmtPid !== -1 && (pid !== this.pmtPid || !unitStart))
      return this.problem(22, `the second packet is PID ${pid}, not the PMT's ${this.pmtPid}`);
    try {
      this.result.streams = parsePmt(payload);
      if (this.result.streams.length === 0) this.problem(22, 'the PMT names no stream');
    } catch (error) {
      this.problem(22, `PMT: ${(error as Error).message}`);
    }
  }

  /** Checks the counter; true for a packet sent twice, which is to be passed over. */
  private repeated(
    pid: number,
    counter: number,
    hasPayload: boolean,
    mayBreak: boolean,
    packet: Uint8Array,
    number: number,
  ): boolean {
    const ends = this.result.pids.get(pid);
    if (ends === undefined) {
      const copy = packet.slice();
      const firstMayBreak = mayBreak || !hasPayload;
      const [first, last, firstPacket, lastPacket] = [counter, counter, copy, copy];
      this.result.pids.set(pid, { first, firstMayBreak, last, firstPacket, lastPacket });
      return false;
    }
    const goesOn = mayBreak || follows(ends.last, counter, hasPayload);
    if (!goesOn && same(packet, ends.lastPacket)) return true;
    if (!goesOn)
      this.problem(24, `PID ${pid}: continuity counter ${counter} after ${ends.last} in packet ${number}`);
    ends.last = counter;
    ends.lastPacket = packet;
    return false;
  }

  private elementary(pid: number, unitStart: boolean, payload: Uint8Array): void {
    const list = this.result.pes.get(pid) ?? [];
    this.result.pes.set(pid, list);
    const first = !this.payloadsSeen.has(pid);
    this.payloadsSeen.add(pid);
    if (!unitStart) {
      if (first) this.problem(25, `PID ${pid}: the first payload is the middle of a PES`);
      const open = list.at(-1);
      if (open === undefined) return;
      open.bytes += payload.length;
      if (open.payload.length > 0) open.payload.push(payload);
      return;
    }
    this.complete(pid, list.at(-1));
    list.push(this.open(pid, payload, list.length === 0));
  }

  private open(pid: number, payload: Uint8Array, first: boolean): Pes {
    if (payload[0] !== 0 || payload[1] !== 0 || payload[2] !== 1)
      this.problem(25, `PID ${pid}: a payload unit does not begin with a PES start code`);
    const length = ((payload[4] ?? 0) << 8) | (payload[5] ?? 0);
    const flags = (payload[7] ?? 0) >> 6;
    const pts = flags >= 2 ? timestamp(payload, 9) : undefined;
    const stream = this.result.streams.find((candidate) => candidate.pid === pid);
    const keep = stream !== undefined && (isAudio(stream) || (isVideo(stream) && first));
    return {
      pts,
      dts: flags === 3 ? timestamp(payload, 14) : pts,
      payload: keep ? [payload.subarray(9 + (payload[8] ?? 0))] : [],
      bytes: payload.length,
      declaredBytes: length === 0 ? 0 : length + 6,
    };
  }

  private complete(pid: number, pes: Pes | undefined): void {
    if (pes === undefined || pes.declaredBytes === 0 || pes.bytes >= pes.declaredBytes) return;
    this.problem(25, `PID ${pid}: a PES of ${pes.declaredBytes} bytes has only ${pes.bytes}`);
  }
}

/** §2.4.3.3: up by one with each payload, the same without. */
export function follows(last: number, next: number, hasPayload: boolean): boolean {
  return next === (hasPayload ? (last + 1) & 15 : last);
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** 33 bits of 90 kHz; beyond 32-bit shifts. */
function timestamp(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = bytes.subarray(at, at + 5);
  return ((a >> 1) & 7) * 2 ** 30 + ((b << 22) | ((c >> 1) << 15) | (d << 7) | (e >> 1));
}

export const wrap90k = 2 ** 33;

/** `to - from` the short way round the 33-bit clock, ticks of 90 kHz. */
export function ticksBetween(from: number, to: number): number {
  const forward = (((to - from) % wrap90k) + wrap90k) % wrap90k;
  return forward < wrap90k / 2 ? forward : forward - wrap90k;
}
