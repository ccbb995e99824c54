/** Sound alone whose frames are put into PES in any way (ISO/IEC 13818-1 §2.4.3.7), as muxers do. */
import { adtsFrame, BitWriter, mp3Frame } from './es-generator.js';
import { AUDIO_PID, PacketWriter, patSection, pes, PMT_PID, pmtSection } from './ts-generator.js';

export interface SoundCodec {
  streamType: number;
  streamId: number;
  frameTicks: number;
  frame: (n: number) => number[];
  /** What a frame begins with: bytes, and the bits of them that count. */
  sync: readonly [byte: number, mask: number][];
}

/** AC-3 of 48 kHz, 96 kbit/s: 384 bytes, 32 ms. */
const ac3Frame = (): number[] => [
  ...[0x0b, 0x77, 0, 0, 0x0c, 0x40, 0x50, 0],
  ...Array.from({ length: 376 }, (_, n) => (n * 13) & 0x7f),
];

/** AAC LC of 48 kHz in LATM, 200 bytes behind the length, with its configuration in each frame. */
function latmFrame(): number[] {
  const config = new BitWriter().u(1, 0).u(1, 0).u(1, 1).u(6, 0).u(4, 0).u(3, 0);
  const specific = config.u(5, 2).u(4, 3).u(4, 2).u(3, 0);
  const mux = specific.u(3, 0).u(8, 0xff).u(1, 0).u(1, 0).rbsp();
  const data = Array.from({ length: 200 - mux.length }, (_, n) => (n * 13) & 0x3f);
  return [0x56, 0xe0, 200, ...mux, ...data];
}

const SYNC_OF_MPEG: SoundCodec['sync'] = [
  [0xff, 0xff],
  [0xe0, 0xe0],
];

export const soundCodecs = {
  /** 192 bytes, 24 ms. */
  'MPEG audio': {
    streamType: 0x03,
    streamId: 0xc0,
    frameTicks: 2160,
    frame: () => mp3Frame(),
    sync: SYNC_OF_MPEG,
  },
  /** 157 to 216 bytes, 21.3 ms. */
  'AAC in ADTS': {
    streamType: 0x0f,
    streamId: 0xc0,
    frameTicks: 1920,
    frame: (n) => adtsFrame(150 + ((n * 7) % 60)),
    sync: [
      [0xff, 0xff],
      [0xf0, 0xf6],
    ],
  },
  /** 203 bytes, 21.3 ms. */
  'AAC in LATM': {
    streamType: 0x11,
    streamId: 0xc0,
    frameTicks: 1920,
    frame: () => latmFrame(),
    sync: [
      [0x56, 0xff],
      [0xe0, 0xe0],
    ],
  },
  'AC-3': {
    streamType: 0x81,
    streamId: 0xbd,
    frameTicks: 2880,
    frame: () => ac3Frame(),
    sync: [
      [0x0b, 0xff],
      [0x77, 0xff],
    ],
  },
} satisfies Record<string, SoundCodec>;

/** Bytes of the PES from the first on, over and over. */
export type SoundPacking = readonly number[];

/**
 * PES of the sizes of `packing`, each with the PTS of the first frame that begins in it; one in which none begins has
 * none.
 *
 * @param first PTS of the first frame
 * @param skip PES left out at the beginning
 */
export function packSound(
  { streamType, streamId, frameTicks, frame }: SoundCodec,
  packing: SoundPacking,
  { frames = 416, first = 133_200, skip = 0 } = {},
): Uint8Array {
  const es: number[] = [];
  const begins: number[] = [];
  for (let n = 0; n < frames; n++) {
    begins.push(es.length);
    es.push(...frame(n));
  }
  const out = new PacketWriter();
  let next = 0;
  for (let from = 0, n = 0; from < es.length; n++) {
    const to = Math.min(es.length, from + packing[n % packing.length]!);
    while (next < frames && begins[next]! < from) next++;
    const isTimed = next < frames && begins[next]! < to;
    const time = isTimed ? { pts: first + next * frameTicks } : {};
    if (n >= skip) {
      if ((n - skip) % 10 === 0) {
        out.section(0, patSection([[1, PMT_PID]]));
        out.section(PMT_PID, pmtSection(1, AUDIO_PID, [{ type: streamType, pid: AUDIO_PID }]));
      }
      const pcr = isTimed ? { pcr: time.pts! - 9000 } : {};
      out.unit(AUDIO_PID, pes(streamId, es.slice(from, to), time), pcr);
    }
    from = to;
  }
  return out.bytes();
}
