/**
 * Transport streams made byte by byte, for tests that need exact timestamps, tables and muxing. Shares no code with
 * packages/: what it writes is the other opinion.
 */

import { accessUnit, adtsFrame, mp3Frame, type SpsOptions } from './es-generator.js';

const PACKET = 188;
const MODULUS = 2n ** 33n;

function timestamp(marker: number, value: bigint): number[] {
  const t = ((value % MODULUS) + MODULUS) % MODULUS;
  return [
    Number((BigInt(marker) << 4n) | ((t >> 30n) << 1n) | 1n),
    Number((t >> 22n) & 0xffn),
    Number(((t >> 14n) & 0xfen) | 1n),
    Number((t >> 7n) & 0xffn),
    Number(((t << 1n) & 0xfen) | 1n),
  ];
}

/** A PES packet; times in ticks, of any size, and may be absent. `bounded`: PES_packet_length is stated. */
export function pes(
  streamId: number,
  payload: readonly number[],
  { pts, dts, bounded = true }: { pts?: number; dts?: number; bounded?: boolean } = {},
): number[] {
  const times =
    pts === undefined
      ? []
      : dts === undefined || dts === pts
        ? timestamp(2, BigInt(Math.round(pts)))
        : [...timestamp(3, BigInt(Math.round(pts))), ...timestamp(1, BigInt(Math.round(dts)))];
  const length = bounded ? 3 + times.length + payload.length : 0;
  const flags = times.length === 0 ? 0 : times.length === 5 ? 0x80 : 0xc0;
  return [0, 0, 1, streamId, length >> 8, length & 0xff, 0x84, flags, times.length, ...times, ...payload];
}

/** CRC-32/MPEG-2, bit by bit. */
export function crcMpeg(bytes: readonly number[]): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const top = (crc >>> 31) ^ ((byte >> bit) & 1);
      crc = (crc << 1) >>> 0;
      if (top) crc = (crc ^ 0x04c11db7) >>> 0;
    }
  }
  return crc;
}

export function section(
  tableId: number,
  extension: number,
  version: number,
  body: readonly number[],
): number[] {
  const length = body.length + 9;
  const bytes = [
    tableId,
    0xb0 | (length >> 8),
    length & 0xff,
    extension >> 8,
    extension & 0xff,
    0xc1 | (version << 1),
    0,
    0,
    ...body,
  ];
  const crc = crcMpeg(bytes);
  return [...bytes, crc >>> 24, (crc >>> 16) & 0xff, (crc >>> 8) & 0xff, crc & 0xff];
}

export function patSection(
  programs: readonly (readonly [number: number, pid: number])[],
  version = 0,
): number[] {
  return section(
    0,
    1,
    version,
    programs.flatMap(([number, pid]) => [number >> 8, number & 0xff, 0xe0 | (pid >> 8), pid & 0xff]),
  );
}

export interface PmtEntry {
  type: number;
  pid: number;
  descriptors?: readonly number[];
}

export function pmtSection(
  program: number,
  pcrPid: number,
  entries: readonly PmtEntry[],
  version = 0,
  descriptors: readonly number[] = [],
): number[] {
  return section(2, program, version, [
    0xe0 | (pcrPid >> 8),
    pcrPid & 0xff,
    0xf0 | (descriptors.length >> 8),
    descriptors.length & 0xff,
    ...descriptors,
    ...entries.flatMap(({ type, pid, descriptors = [] }) => [
      type,
      0xe0 | (pid >> 8),
      pid & 0xff,
      0xf0 | (descriptors.length >> 8),
      descriptors.length & 0xff,
      ...descriptors,
    ]),
  ]);
}

/** Packs PES and sections into packets, counting continuity per PID. */
export class PacketWriter {
  readonly packets: number[][] = [];
  readonly #continuity = new Map<number, number>();

  /** `randomAccess`: the flag of the adaptation field, as it may be set rightly or wrongly. */
  unit(
    pid: number,
    payload: readonly number[],
    { pcr, randomAccess }: { pcr?: number; randomAccess?: boolean } = {},
  ): void {
    for (let from = 0, first = true; from < payload.length; first = false) {
      let field: number[] | undefined;
      if (first && (pcr !== undefined || randomAccess)) {
        field = [(randomAccess ? 0x40 : 0) | (pcr !== undefined ? 0x10 : 0)];
        if (pcr !== undefined) {
          const base = ((BigInt(Math.round(pcr)) % MODULUS) + MODULUS) % MODULUS;
          field.push(
            Number((base >> 25n) & 0xffn),
            Number((base >> 17n) & 0xffn),
            Number((base >> 9n) & 0xffn),
            Number((base >> 1n) & 0xffn),
            Number(((base & 1n) << 7n) | 0x7en),
            0,
          );
        }
      }
      const rest = payload.length - from;
      let room = PACKET - 4 - (field ? field.length + 1 : 0);
      if (rest < room) {
        // Stuffed in the adaptation field, whose length byte alone is one byte of it.
        const length = PACKET - 4 - rest - 1;
        field ??= length > 0 ? [0] : [];
        while (field.length < length) field.push(0xff);
        room = rest;
      }
      this.raw(pid, payload.slice(from, from + room), first, field);
      from += room;
    }
  }

  section(pid: number, bytes: readonly number[]): void {
    const payload = [0, ...bytes];
    for (let from = 0; from < payload.length; from += PACKET - 4) {
      const part = payload.slice(from, from + PACKET - 4);
      while (part.length < PACKET - 4) part.push(0xff);
      this.raw(pid, part, from === 0);
    }
  }

  raw(pid: number, payload: readonly number[], start: boolean, field?: readonly number[]): void {
    const continuity = ((this.#continuity.get(pid) ?? -1) + 1) & 0x0f;
    this.#continuity.set(pid, continuity);
    const packet = [0x47, (start ? 0x40 : 0) | (pid >> 8), pid & 0xff, (field ? 0x30 : 0x10) | continuity];
    if (field) packet.push(field.length, ...field);
    packet.push(...payload);
    if (packet.length !== PACKET) throw new Error(`a packet of ${packet.length} bytes`);
    this.packets.push(packet);
  }

  null(): void {
    this.packets.push([0x47, 0x1f, 0xff, 0x10, ...Array<number>(PACKET - 4).fill(0xff)]);
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.packets.flat());
  }
}

export interface StreamOptions {
  /** Pictures; 0: sound alone. */
  pictures?: number;
  /** Ticks a picture is shown. */
  frameTicks?: number;
  /** Pictures from key picture to key picture. */
  gop?: number;
  /** B pictures between the others: 0 or 2. */
  bPictures?: 0 | 2;
  /** PTS of picture `n` 0 of the endless stream, ticks; may lie anywhere, before the wrap included. */
  firstPts?: number;
  /** Pictures of the endless stream left out at the beginning: the moment of joining. */
  join?: number;
  /** What a key picture is; `P` and `I`: there is none. */
  key?: 'idr' | 'recovery' | 'I' | 'P';
  /** Each picture is a pair of fields, both in its PES or each in one of its own, where the second may be without times. */
  fields?: 'one PES' | 'two PES' | 'second untimed';
  /** Where pictures are pairs of fields: those that are frames all the same (PAFF). */
  isFrame?: (picture: number) => boolean;
  aud?: boolean;
  slices?: number;
  seiBytes?: number;
  sps?: SpsOptions;
  sliceBytes?: number;
  audio?: 'aac' | 'mp3' | 'none';
  audioFramesPerPes?: number;
  /** How much later (or, negative, earlier) than the picture of the same time the sound stands in the mux, ticks. */
  audioLag?: number;
  /** Seconds of sound when there are no pictures. */
  audioSeconds?: number;
  /** Pictures between two copies of the tables. */
  tablesEvery?: number;
  /** Added to the timestamps of picture `n`, ticks: jumps and wild ones. */
  shift?: (picture: number) => number;
  /** Declared and given where `audio` is: the language descriptor's code. */
  language?: string;
}

export const VIDEO_PID = 0x100;
export const AUDIO_PID = 0x101;
export const PMT_PID = 0x1000;

/** A program of H.264 and sound, muxed by decoding time. */
export function generateStream(options: StreamOptions = {}): Uint8Array {
  const {
    pictures = 250,
    frameTicks = 3600,
    gop = 50,
    bPictures = 0,
    firstPts = 133_200,
    join = 0,
    key = 'idr',
    audio = 'aac',
    audioFramesPerPes = 1,
    audioLag = 0,
    audioSeconds = 10,
    tablesEvery = 25,
    shift = () => 0,
    language,
    fields,
    isFrame = () => fields === undefined,
    sps = { timing: [1, 50], fields: fields !== undefined },
    ...picture
  } = options;
  const units: { at: number; write: (out: PacketWriter) => void }[] = [];
  for (let n = join; n < pictures; n++) {
    const place = n % gop;
    const isKey = place === 0;
    // Decoding order I P B B P B B: a P is shown two pictures later than it is decoded, its B pictures one earlier.
    const inGroup = (place - 1) % 3;
    const whole = place > 0 && place - inGroup + 2 < gop;
    const reorder = bPictures === 2 && !isKey && whole ? (inGroup === 0 ? 2 : -1) : 0;
    const kind = isKey ? key : reorder === -1 ? 'B' : 'P';
    const offset = firstPts + shift(n);
    const dts = offset + (n - (bPictures === 2 ? 1 : 0)) * frameTicks;
    const pts = offset + (n + reorder) * frameTicks;
    const coded = isFrame(n) ? 'frame' : 'top';
    const structure = sps.fields ? { structure: { coded, number: place } as const } : {};
    const payload = accessUnit({ ...picture, ...structure, kind, sps });
    const lower = { coded: 'bottom', number: place } as const;
    // Of a pair that begins with an I field the second may be a P field.
    const second =
      coded === 'top' ? accessUnit({ ...picture, structure: lower, kind: kind === 'B' ? 'B' : 'P' }) : [];
    if (fields === 'one PES') payload.push(...second);
    units.push({
      at: firstPts + n * frameTicks - (bPictures === 2 ? frameTicks : 0),
      write(out) {
        if ((n - join) % tablesEvery === 0) writeTables(out, true, audio, language);
        out.unit(VIDEO_PID, pes(0xe0, payload, { pts, dts, bounded: false }), {
          pcr: dts - 9000,
          randomAccess: isKey,
        });
        if (fields === 'one PES' || second.length === 0) return;
        const later = { pts: pts + frameTicks / 2, dts: dts + frameTicks / 2 };
        out.unit(VIDEO_PID, pes(0xe0, second, { ...(fields === 'two PES' && later), bounded: false }));
      },
    });
  }
  if (audio !== 'none') {
    const ticks = audio === 'aac' ? 1920 : 2160; // 48 kHz
    const seconds = pictures > 0 ? (pictures * frameTicks) / 90_000 : audioSeconds;
    const count = Math.floor((seconds * 90_000) / ticks / audioFramesPerPes);
    const skip = Math.ceil((join * frameTicks) / (ticks * audioFramesPerPes));
    for (let n = skip; n < count; n++) {
      const time = n * audioFramesPerPes * ticks;
      const frame = audio === 'aac' ? adtsFrame(150 + ((n * 7) % 60)) : mp3Frame();
      const payload = Array.from({ length: audioFramesPerPes }, () => frame).flat();
      const moved = shift(Math.floor(time / frameTicks));
      units.push({
        at: firstPts + time + audioLag,
        write(out) {
          if (pictures === 0 && n % tablesEvery === 0) writeTables(out, false, audio, language);
          out.unit(AUDIO_PID, pes(0xc0, payload, { pts: firstPts + time + moved }));
        },
      });
    }
  }
  const out = new PacketWriter();
  for (const { write } of units.sort((a, b) => a.at - b.at)) write(out);
  return out.bytes();
}

function writeTables(
  out: PacketWriter,
  video: boolean,
  audio: 'aac' | 'mp3' | 'none',
  language?: string,
): void {
  const descriptors = language ? [0x0a, 4, ...Buffer.from(language, 'latin1'), 0] : [];
  out.section(0, patSection([[1, PMT_PID]]));
  out.section(
    PMT_PID,
    pmtSection(1, video ? VIDEO_PID : AUDIO_PID, [
      ...(video ? [{ type: 0x1b, pid: VIDEO_PID }] : []),
      ...(audio === 'none' ? [] : [{ type: audio === 'aac' ? 0x0f : 0x03, pid: AUDIO_PID, descriptors }]),
    ]),
  );
}

/** `bytes` in pieces whose sizes go round in `sizes`. */
export function* inChunks(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let from = 0, n = 0; from < bytes.length; n++) {
    const to = Math.min(bytes.length, from + Math.max(1, sizes[n % sizes.length] ?? bytes.length));
    yield bytes.subarray(from, to);
    from = to;
  }
}
