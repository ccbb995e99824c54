/** Small whole streams of every kind, for mutations: no two packets of a track are alike, so each can be followed. */
import { accessUnit, adtsFrame, mp3Frame, nalUnit } from './es-generator.js';
import { PacketWriter, patSection, pes, pmtSection, section } from './ts-generator.js';

const PACKET = 188;
const FRAME_TICKS = 3600;

/** What a packet of a base stream is. */
export interface Place {
  pid: number;
  /** Which PES (or section) of its PID; −1: tables and null packets. */
  unit: number;
  /** The PES is one that a segment can start at. */
  key: boolean;
}

export interface Base {
  name: string;
  packets: readonly Uint8Array[];
  places: readonly Place[];
  /** PIDs of the program that is to be chosen; the first cuts. */
  pids: readonly number[];
  /** Its PCR has a PID of its own. */
  clockPid?: number;
  pmtPid: number;
  /** Of all programs: the PMTs that are waited for. */
  pmtPids: readonly number[];
  /** What is cut by: pictures, or sound alone. */
  video: boolean;
}

interface Recipe {
  name: string;
  video?: { type: number; unit: (n: number, kind: Kind) => number[]; twoFields?: boolean };
  /** Decoding order I P B B P B B. */
  bPictures?: boolean;
  gop?: number;
  pictures?: number;
  /** Each has a PID of its own. */
  audio?: readonly ('aac' | 'mp3')[];
  audioFrames?: number;
  /** The second half of each PES of sound stands behind the next picture. */
  interleaved?: boolean;
  /** How much later than the picture of the same time the sound stands in the mux, ticks. */
  audioLag?: number;
  firstPts?: number;
  videoPid?: number;
  /** The PCR has a PID of its own, and there are SCTE-35 sections. */
  extras?: boolean;
  /** A program listed before, of sound alone, and null packets. */
  others?: boolean;
  key?: Kind;
}

type Kind = 'idr' | 'recovery' | 'P' | 'B';

const h264 = (n: number, kind: Kind): number[] =>
  accessUnit({ kind, sps: { timing: [1, 50] }, sliceBytes: 60 + ((n * 67) % 300), slices: 1 + (n % 2) });

/** VPS, SPS, PPS and the slice of an IDR_W_RADL; or a TRAIL_R. */
function hevc(n: number, kind: Kind): number[] {
  const data = Array.from({ length: 60 + ((n * 67) % 300) }, (_, i) => 0x80 | (i & 0x7f));
  if (kind !== 'idr') return [...nalUnit(0x46, [0x01, 0x50]), ...nalUnit(0x02, [0x01, 0xd0, ...data])];
  return [
    ...nalUnit(0x46, [0x01, 0x10]),
    ...nalUnit(0x40, [0x01, 0x0c, 0x01, 0xff, 0xff, 0x80]),
    ...nalUnit(0x42, [0x01, 0x01, 0x01, 0x60, 0x80]),
    ...nalUnit(0x44, [0x01, 0xc1, 0x72, 0x80]),
    ...nalUnit(0x26, [0x01, 0xa0, ...data]),
  ];
}

/** Sequence header with its extension, GOP, an I picture; or another picture. */
function mpeg2(n: number, kind: Kind): number[] {
  const data = Array.from({ length: 60 + ((n * 67) % 300) }, (_, i) => 0x80 | (i & 0x7f));
  const type = kind === 'idr' ? 1 : kind === 'B' ? 3 : 2;
  const head =
    kind === 'idr'
      ? [
          ...[0, 0, 1, 0xb3, 0x14, 0x00, 0xb4, 0x13, 0xff, 0xff, 0xe0, 0x18],
          ...[0, 0, 1, 0xb5, 0x14, 0x8a, 0x00, 0x01, 0x00, 0x00],
          ...[0, 0, 1, 0xb8, 0x00, 0x08, 0x00, 0x40],
        ]
      : [];
  return [...head, 0, 0, 1, 0x00, 0x00, (type << 3) | 7, 0xff, 0xf8, 0, 0, 1, 0x01, ...data];
}

const AUDIO_TYPES = { aac: 0x0f, mp3: 0x03 };
const AUDIO_TICKS = { aac: 1920, mp3: 2160 };

function build(recipe: Recipe): Base {
  const { name, video, gop = 12, audio = ['aac'], audioFrames = 1, audioLag = 0 } = recipe;
  const { firstPts = 133_200, videoPid = 0x100, key = 'idr', extras = false, others = false } = recipe;
  const pictures = recipe.pictures ?? 48;
  const pmtPid = extras ? 0x1ffe : 0x1000;
  const audioPids = audio.map((_, n) => videoPid + 1 + n);
  const clockPid = extras ? 0x1ff0 : undefined;
  const cuePid = extras ? 0x1ff1 : undefined;
  const out = new PacketWriter();
  const places: Place[] = [];
  const note = (pid: number, unit: number, isKey = false): void => {
    while (places.length < out.packets.length) places.push({ pid, unit, key: isKey });
  };
  const tables = (): void => {
    out.section(0, patSection([...(others ? [[7, 0x30] as const] : []), [1, pmtPid]]));
    note(0, -1);
    if (others) {
      out.section(0x30, pmtSection(7, 0x31, [{ type: 0x0f, pid: 0x31 }]));
      note(0x30, -1);
    }
    const streams = [
      ...(video ? [{ type: video.type, pid: videoPid }] : []),
      ...audio.map((kind, n) => ({ type: AUDIO_TYPES[kind], pid: audioPids[n]! })),
      ...(cuePid === undefined ? [] : [{ type: 0x86, pid: cuePid }]),
    ];
    out.section(pmtPid, pmtSection(1, clockPid ?? (video ? videoPid : audioPids[0]!), streams));
    note(pmtPid, -1);
  };

  const units: { at: number; write: () => void }[] = [];
  let pictureUnits = 0;
  for (let n = 0; video && n < pictures; n++) {
    const place = n % gop;
    const inGroup = (place - 1) % 3;
    const whole = place > 0 && place - inGroup + 2 < gop;
    const reorder = recipe.bPictures && whole ? (inGroup === 0 ? 2 : -1) : 0;
    const kind: Kind = place === 0 ? key : reorder === -1 ? 'B' : 'P';
    const isKey = kind === 'idr' || kind === 'recovery';
    const dts = firstPts + (n - (recipe.bPictures ? 1 : 0)) * FRAME_TICKS;
    const pts = firstPts + (n + reorder) * FRAME_TICKS;
    units.push({
      at: dts,
      write() {
        if (place === 0) tables();
        if (clockPid !== undefined && n % 3 === 0) {
          clock(out, clockPid, dts - 9000);
          note(clockPid, n);
        }
        if (cuePid !== undefined && n % 10 === 5) {
          out.section(cuePid, section(0xfc, n, 0, [n, 1, 2, 3]));
          note(cuePid, n);
        }
        out.unit(videoPid, pes(0xe0, video.unit(n, kind), { pts, dts, bounded: false }), {
          ...(clockPid === undefined && { pcr: dts - 9000 }),
          randomAccess: isKey,
        });
        note(videoPid, pictureUnits++, isKey);
        if (video.twoFields) {
          const times = { pts: pts + FRAME_TICKS / 2, dts: dts + FRAME_TICKS / 2, bounded: false };
          out.unit(videoPid, pes(0xe0, accessUnit({ kind: kind === 'B' ? 'B' : 'P' }), times));
          note(videoPid, pictureUnits++);
        }
        if (others && n % 4 === 0) {
          out.unit(0x31, pes(0xc0, adtsFrame(90), { pts }));
          out.null();
          note(0x31, -1);
        }
      },
    });
  }
  audio.forEach((kind, which) => {
    const ticks = AUDIO_TICKS[kind] * audioFrames;
    const frame = (n: number): number[] => (kind === 'mp3' ? mp3Frame() : adtsFrame(100 + ((n * 37) % 150)));
    const count = Math.floor((pictures * FRAME_TICKS) / ticks);
    for (let n = 0; n < count; n++) {
      units.push({
        at: firstPts + n * ticks + audioLag,
        write() {
          if (!video && n % 20 === 0) tables();
          const payload = Array.from({ length: audioFrames }, () => frame(n)).flat();
          out.unit(audioPids[which]!, pes(0xc0 + which, payload, { pts: firstPts + n * ticks }));
          note(audioPids[which]!, n, !video);
        },
      });
    }
  });
  for (const { write } of units.sort((a, b) => a.at - b.at)) write();
  if (recipe.interleaved) interleave(out.packets, places, videoPid, audioPids);

  const packets = out.packets.map((packet) => Uint8Array.from(packet));
  packets.forEach((packet, n) => {
    // Behind the first packet of a PES: payload, or the stuffing before the last of it.
    if (packet[1]! & 0x40 || places[n]!.unit < 0) return;
    packet[PACKET - 3] = 0x80 | (n >> 14);
    packet[PACKET - 2] = 0x80 | ((n >> 7) & 0x7f);
    packet[PACKET - 1] = 0x80 | (n & 0x7f);
  });
  const pids = [...(video ? [videoPid] : []), ...audioPids, ...(cuePid === undefined ? [] : [cuePid])];
  return {
    name,
    packets,
    places,
    pids,
    ...(clockPid !== undefined && { clockPid }),
    pmtPid,
    pmtPids: others ? [0x30, pmtPid] : [pmtPid],
    video: video !== undefined,
  };
}

function interleave(
  packets: number[][],
  places: Place[],
  videoPid: number,
  audioPids: readonly number[],
): void {
  const all = packets.map((packet, n) => ({ packet, place: places[n]! }));
  const sameUnit = (a: Place, b: Place | undefined): boolean => a.pid === b?.pid && a.unit === b.unit;
  const out: typeof all = [];
  let held: typeof all = [];
  all.forEach((one, n) => {
    const { place } = one;
    const isSound = audioPids.includes(place.pid);
    const first = all.findIndex((other) => sameUnit(other.place, place));
    const size = all.filter((other) => sameUnit(other.place, place)).length;
    // Before the next PES of the track comes what is left of the one before.
    if (isSound && n === first) out.push(...held.splice(0));
    if (isSound && n - first >= size / 2) held.push(one);
    else out.push(one);
    if (place.pid === videoPid && !sameUnit(place, all[n + 1]?.place)) {
      out.push(...held);
      held = [];
    }
  });
  out.push(...held);
  out.forEach(({ packet, place }, n) => {
    packets[n] = packet;
    places[n] = place;
  });
}

/** A packet without payload that carries a PCR alone. */
function clock(out: PacketWriter, pid: number, ticks: number): void {
  const base = ((ticks % 2 ** 33) + 2 ** 33) % 2 ** 33;
  const high = Math.floor(base / 2 ** 25);
  const low = base % 2 ** 25;
  const packet = [0x47, pid >> 8, pid & 0xff, 0x20, 183, 0x10, high];
  packet.push((low >> 17) & 0xff, (low >> 9) & 0xff, (low >> 1) & 0xff, ((low & 1) << 7) | 0x7e, 0);
  while (packet.length < PACKET) packet.push(0xff);
  out.packets.push(packet);
}

/** Just before the wrap of the 33 bits. */
const BEFORE_WRAP = 2 ** 33 - 90_000;

export const bases: readonly Base[] = [
  build({ name: 'H.264 with B pictures', video: { type: 0x1b, unit: h264 }, bPictures: true }),
  build({
    name: 'H.264 in fields, two sounds that lag',
    video: { type: 0x1b, unit: h264, twoFields: true },
    audio: ['mp3', 'aac'],
    audioFrames: 3,
    interleaved: true,
    audioLag: 30_000,
    gop: 10,
  }),
  build({
    name: 'HEVC over the wrap',
    video: { type: 0x24, unit: hevc },
    firstPts: BEFORE_WRAP,
    audioFrames: 2,
    interleaved: true,
  }),
  build({
    name: 'MPEG-2 with sound ahead',
    video: { type: 0x02, unit: mpeg2 },
    bPictures: true,
    audio: ['mp3'],
    audioLag: -40_000,
  }),
  build({ name: 'sound alone', pictures: 75 }),
  build({
    name: 'the second of two programs',
    video: { type: 0x1b, unit: h264 },
    others: true,
    videoPid: 0x1f00,
    key: 'recovery',
  }),
  build({ name: 'with sections and a clock of its own', video: { type: 0x1b, unit: h264 }, extras: true }),
  build({ name: 'all intra', video: { type: 0x1b, unit: h264 }, gop: 1, pictures: 40, audio: [] }),
  build({ name: 'no key picture', video: { type: 0x1b, unit: h264 }, key: 'P', pictures: 110 }),
];
