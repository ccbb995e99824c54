/** Streams that keep a demuxer waiting for what never comes, for as long as one likes. */
import { accessUnit, adtsFrame } from './es-generator.js';
import { AUDIO_PID, PacketWriter, patSection, pes, PMT_PID, pmtSection, VIDEO_PID } from './ts-generator.js';

const PACKET = 188;
/** Packets that are made once and then come over and over: a multiple of 16, so that their counters go on. */
const ROUND = 1024;

const picture = (kind: 'idr' | 'P', pts: number): number[] =>
  pes(0xe0, accessUnit({ kind, sps: { timing: [1, 50] } }), { pts, bounded: false });

/** The tables, and a key picture with a few more. */
function begun(): PacketWriter {
  const out = new PacketWriter();
  out.section(0, patSection([[1, PMT_PID]]));
  const streams = [
    { type: 0x1b, pid: VIDEO_PID },
    { type: 0x0f, pid: AUDIO_PID },
  ];
  out.section(PMT_PID, pmtSection(1, VIDEO_PID, streams));
  for (let n = 0; n < 10; n++) out.unit(VIDEO_PID, picture(n === 0 ? 'idr' : 'P', 90_000 + n * 3600));
  return out;
}

/** `head`, then what `next` gives for 0, 1, 2 and so on. */
function* on(head: PacketWriter, bytes: number, next: (n: number) => number[]): Generator<Uint8Array> {
  yield head.bytes();
  const round = new Uint8Array(ROUND * PACKET);
  for (let n = 0; n < ROUND; n++) round.set(next(n), n * PACKET);
  for (let given = 0; given < bytes; given += round.length) yield round;
}

function packet(pid: number, n: number, start: boolean, payload: readonly number[]): number[] {
  const filled = [...payload, ...Array<number>(PACKET - 4 - payload.length).fill(0xff)];
  return [0x47, (start ? 0x40 : 0) | (pid >> 8), pid & 0xff, 0x10 | (n & 0x0f), ...filled];
}

interface Endless {
  name: string;
  packets: (bytes: number) => Generator<Uint8Array>;
}

const sound = adtsFrame(140);

export const endless: readonly Endless[] = [
  {
    name: 'a picture on another clock, and then nothing but sound',
    packets(bytes) {
      const head = begun();
      head.unit(VIDEO_PID, picture('P', 90_000 + 3600 * 90_000));
      return on(head, bytes, (n) => packet(AUDIO_PID, n, true, pes(0xc0, sound, { pts: 90_000 + n })));
    },
  },
  {
    name: 'a picture whose slices never come',
    packets(bytes) {
      const head = begun();
      head.unit(VIDEO_PID, pes(0xe0, [0, 0, 0, 1, 9, 0x10, 0, 0, 0, 1, 6], { pts: 126_000, bounded: false }));
      return on(head, bytes, (n) => packet(VIDEO_PID, n, false, []));
    },
  },
  {
    name: 'sound that runs ahead of the picture',
    packets: (bytes) =>
      on(begun(), bytes, (n) => packet(AUDIO_PID, n, true, pes(0xc0, sound, { pts: 150_000 + (n % 3) }))),
  },
  {
    name: 'a PES of sound that never ends',
    packets(bytes) {
      const head = begun();
      head.unit(AUDIO_PID, pes(0xc0, sound, { pts: 150_000, bounded: false }));
      return on(head, bytes, (n) => packet(AUDIO_PID, n, false, sound));
    },
  },
  {
    name: 'tables that begin and never end',
    packets: (bytes) =>
      on(begun(), bytes, (n) => packet(PMT_PID, n >> 1, n % 2 === 0, [0, 2, 0xbf, 0xfd, 0, n & 0xff])),
  },
  {
    name: 'tables that list ever other programs',
    packets: (bytes) =>
      on(begun(), bytes, (n) =>
        packet(0, n, true, [0, ...patSection([[1 + n, 0x20 + ((n * 7) % 8000)]], n & 0x1f)]),
      ),
  },
];
