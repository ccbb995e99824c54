import { execFileSync } from 'node:child_process';
import type { AudioFraming, AudioParameters } from './audio-frame.js';
import { emptyPesHeader, readPesHeader } from './pes.js';
import { packetPayload, packetPid, packetStartsUnit, PACKET_SIZE } from './packet.js';
import { readPmt, type PmtStream } from './pmt.js';
import { readPat } from './pat.js';
import { SectionAssembler } from './section.js';

/** A transport stream that ffmpeg makes of its test picture or tone. */
export function encode(parameters: string): Uint8Array {
  const all = `-v error -nostdin ${parameters} -f mpegts pipe:1`;
  return execFileSync('ffmpeg', all.split(' '), { maxBuffer: 64 << 20 });
}

export interface Pes {
  pts: number;
  payload: Uint8Array;
}

/** The only stream of `ts` and its PES, put together without the demuxer. */
export function elementaryStream(ts: Uint8Array): { stream: PmtStream; units: Pes[] } {
  let pmtPid = -1;
  let stream: PmtStream | undefined;
  const pat = new SectionAssembler((section) => (pmtPid = readPat(section)!.programs[0]!.pmtPid));
  const pmt = new SectionAssembler((section) => (stream ??= readPmt(section)!.streams[0]!));
  const parts: Uint8Array[][] = [];
  for (let at = 0; at < ts.length; at += PACKET_SIZE) {
    const pid = packetPid(ts, at);
    if (pid === 0) pat.packet(ts, at);
    else if (pid === pmtPid) pmt.packet(ts, at);
    else if (pid === stream?.pid && ts[at + 3]! & 0x10) {
      if (packetStartsUnit(ts, at)) parts.push([]);
      parts.at(-1)!.push(ts.subarray(packetPayload(ts, at), at + PACKET_SIZE));
    }
  }
  const header = emptyPesHeader();
  const units = parts.map((part) => {
    const whole = Buffer.concat(part);
    const from = readPesHeader(whole, 0, whole.length, header);
    return { pts: header.pts, payload: Uint8Array.from(whole.subarray(from)) };
  });
  return { stream: stream!, units };
}

export interface Probe {
  codec_name: string;
  width?: number;
  height?: number;
  r_frame_rate: string;
  sample_rate?: string;
  channels?: number;
  packets: { pts: number; duration: number; flags: string }[];
}

/** What ffprobe sees in it. */
export function probe(ts: Uint8Array): Probe {
  const fields = 'stream=codec_name,width,height,r_frame_rate,sample_rate,channels:packet=pts,duration,flags';
  const json = execFileSync(
    'ffprobe',
    ['-v', 'error', '-f', 'mpegts', '-show_entries', fields, '-of', 'json', '-i', 'pipe:0'],
    { input: ts, maxBuffer: 64 << 20 },
  );
  const { streams, packets } = JSON.parse(json.toString()) as { streams: [Probe]; packets: Probe['packets'] };
  return { ...streams[0], packets };
}

/** Bits from `name:value` or `bits/value`: `ue:3` `se:-1`, `4/7` is 7 in four bits. Filled up with a stop bit and zeros. */
export function bits(fields: string): number[] {
  const ue = (value: number): string => {
    const code = (value + 1).toString(2);
    return '0'.repeat(code.length - 1) + code;
  };
  let all = '';
  for (const field of fields.split(' ').filter(Boolean)) {
    const [kind, value] = field.split(/[:/]/) as [string, string];
    const n = Number(value);
    if (kind === 'ue') all += ue(n);
    else if (kind === 'se') all += ue(n > 0 ? 2 * n - 1 : -2 * n);
    else all += n.toString(2).padStart(Number(kind), '0');
  }
  all += '1';
  return (all.padEnd(Math.ceil(all.length / 8) * 8, '0').match(/.{8}/g) ?? []).map((byte) =>
    parseInt(byte, 2),
  );
}

export interface Walk {
  ticks: number;
  frames: number;
  skipped: number;
  /** Each set of parameters, in order of their first frame. */
  parameters: AudioParameters[];
}

/** From header to header, giving each call as little as it was promised; what stands behind is overwritten with `around`. */
export function walk(framing: AudioFraming, bytes: Uint8Array, around = 0): Walk {
  const { headerBytes } = framing;
  const walked: Walk = { ticks: 0, frames: 0, skipped: 0, parameters: [] };
  const signatures = new Set<number>();
  const given = new Uint8Array(Math.max(headerBytes, framing.lookBytes ?? 0) + 16);
  for (let at = 0; at + headerBytes <= bytes.length;) {
    given.fill(around).set(bytes.subarray(at, at + headerBytes), 8);
    const length = framing.frameBytes(given, 8);
    if (length < headerBytes || at + length > bytes.length) {
      at++;
      walked.skipped++;
      framing.lost?.();
      continue;
    }
    const look = Math.min(length, framing.lookBytes ?? headerBytes);
    given.set(bytes.subarray(at, at + look), 8);
    walked.ticks += framing.frameTicks(given, 8, 8 + look);
    const signature = framing.signature(given, 8, 8 + look);
    if (signature >= 0 && !signatures.has(signature)) {
      signatures.add(signature);
      walked.parameters.push(framing.parameters(given, 8, 8 + look));
    }
    walked.frames++;
    at += length;
  }
  return walked;
}

/** With emulation prevention (ITU-T H.264 §7.4.1). */
export function escaped(rbsp: readonly number[]): number[] {
  const bytes: number[] = [];
  let zeros = 0;
  for (const byte of rbsp) {
    if (zeros >= 2 && byte <= 3) {
      bytes.push(3);
      zeros = 0;
    }
    bytes.push(byte);
    zeros = byte === 0 ? zeros + 1 : 0;
  }
  return bytes;
}
