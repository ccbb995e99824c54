/**
 * What networks and muxers do to clocks, done to the stream of `clockBase`: 600 pictures in 24 s, 25 a GOP, in decoding
 * order I P B B P B B …: picture n = 25 k is the key picture of PTS 1.48 s + k, and the P picture n = 25 k + 3 m + 1 is shown
 * two pictures later than it is decoded. Sound starts at 1.459 s.
 */
import { execFileSync } from 'node:child_process';
import { AUDIO_PID, PacketWriter, PMT_PID, pmtSection, VIDEO_PID } from './ts-generator.js';
import { operate, retime, setTimes, type Piece } from './ts-surgery.js';

const ENCODED =
  '-f lavfi -i testsrc2=s=128x72:r=25 -f lavfi -i sine=r=48000 -t 24 -pix_fmt yuv420p -c:v libx264 -preset ultrafast ' +
  '-x264-params scenecut=0:keyint=25:min-keyint=25:bframes=2:b-adapt=0 -c:a aac -ac 2 -pes_payload_size 0 -f mpegts pipe:1';

export function clockBase(): Uint8Array {
  return execFileSync('ffmpeg', ['-v', 'error', '-nostdin', ...ENCODED.split(' ')], { maxBuffer: 1 << 24 });
}

export const ticks = (s: number): number => Math.round(s * 90_000);
/** Of the first picture, and how long each is shown. */
export const FIRST = ticks(1.48);
export const PICTURE = 3600;

export type Operation = (bytes: Uint8Array) => Uint8Array;
export const isVideo = ({ pid }: Piece): boolean => pid === VIDEO_PID;
export const isSound = ({ pid }: Piece): boolean => pid === AUDIO_PID;
/** One of the pictures `[from, to)`, by decoding. */
export const among =
  (from: number, to = Infinity) =>
  (piece: Piece): boolean =>
    isVideo(piece) && piece.pes >= from && piece.pes < to;
/** Sound of the time of pictures `[from, to)`. */
export const heard =
  (from: number, to = Infinity) =>
  (piece: Piece): boolean =>
    isSound(piece) && piece.pts! >= FIRST + from * PICTURE && piece.pts! < FIRST + to * PICTURE;
export const without =
  (...gone: ((piece: Piece) => boolean)[]): Operation =>
  (bytes) =>
    operate(bytes, (piece) => (gone.some((is) => is(piece)) ? undefined : piece.packet));
/** All clocks by so many seconds. */
export const moved =
  (by: number): Operation =>
  (bytes) =>
    retime(bytes, ticks(by));
/** From picture `from` on, sound of that time included, all clocks by so many seconds. */
export const jump = (from: number, by: number): Operation => {
  const isBehind = among(from);
  const isHeard = heard(from);
  return (bytes) => {
    let begun = false;
    return retime(bytes, (piece) => {
      begun ||= isVideo(piece) && piece.pes >= from;
      const behind =
        piece.starts && !isVideo(piece) ? isHeard(piece) : begun && (isBehind(piece) || !piece.starts);
      return behind ? ticks(by) : 0;
    });
  };
};
/** PTS and DTS of picture `n` off by so many seconds. */
export const wild =
  (n: number, pts: number, dts = pts): Operation =>
  (bytes) =>
    operate(bytes, (piece) => {
      if (among(n, n + 1)(piece) && piece.starts)
        setTimes(piece, piece.pts! + ticks(pts), piece.dts! + ticks(dts));
      return piece.packet;
    });
/** PTS of the first sound at the time of picture `n` off by so many seconds. */
export const wildSound = (n: number, by: number): Operation => {
  const at = heard(n, n + 1);
  return (bytes) => {
    let done = false;
    return operate(bytes, (piece) => {
      if (!done && piece.starts && at(piece)) {
        done = true;
        setTimes(piece, piece.pts! + ticks(by), 0);
      }
      return piece.packet;
    });
  };
};
/** The first packets of the chosen PES changed in place. */
export const inHeaders =
  (is: (piece: Piece) => boolean, change: (piece: Piece) => void): Operation =>
  (bytes) =>
    operate(bytes, (piece) => {
      if (piece.starts && is(piece)) change(piece);
      return piece.packet;
    });
/** discontinuity_indicator on the packet that picture `n` begins with. */
export const announced = (n: number): Operation =>
  inHeaders(among(n, n + 1), ({ packet }) => {
    packet[5]! |= 0x80;
  });
/** The first packet of picture `n` so many times. */
export const repeated =
  (n: number, times: number, each: (copy: Uint8Array) => void = () => undefined): Operation =>
  (bytes) =>
    operate(bytes, (piece) => {
      if (!piece.starts || !among(n, n + 1)(piece)) return piece.packet;
      const copies = Array.from({ length: times - 1 }, () => piece.packet.slice());
      copies.forEach(each);
      return [piece.packet, ...copies];
    });
/** Packets of a PID by their number on it. */
export const lost = (pid: number, from: number, count = 1): Operation => {
  return (bytes) => {
    let n = 0;
    return operate(bytes, (piece) => {
      if (piece.pid !== pid) return piece.packet;
      n++;
      return n > from && n <= from + count ? undefined : piece.packet;
    });
  };
};
/** Number, on its PID, of the first packet of picture `n`. */
export const firstPacket = (bytes: Uint8Array, n: number): number => {
  let found = -1;
  let count = 0;
  operate(bytes, (piece) => {
    if (isVideo(piece)) {
      if (piece.starts && piece.pes === n) found = count;
      count++;
    }
    return undefined;
  });
  return found;
};

/** A PMT of the base stream with another PCR_PID, its counter kept. */
export function pmtWithPcrOn(pid: number, packet: Uint8Array): Uint8Array {
  const out = new PacketWriter();
  const entries = [
    { type: 0x1b, pid: VIDEO_PID },
    { type: 0x0f, pid: AUDIO_PID },
  ];
  out.section(PMT_PID, pmtSection(1, pid, entries));
  const bytes = out.bytes();
  bytes[3] = (bytes[3]! & 0xf0) | (packet[3]! & 0x0f);
  return bytes;
}
