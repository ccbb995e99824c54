/** Damages whole streams at random, and remembers what of them is left and where. */
import type { Excuse } from './conservation.js';
import type { Base } from './mutation-bases.js';
import type { Random } from './random.js';

const PACKET = 188;
const SYNC = 0x47;

/** A piece of the damaged stream: a packet in its framing, or bytes that are none. */
export interface Piece {
  bytes: Uint8Array;
  /** Where in `bytes` the sync byte stands; −1: no packet. */
  sync: number;
  /** Place in the base stream; −1: not from there. */
  origin: number;
  /** Its bytes are not those of the base stream. */
  damaged: boolean;
  /** Added to its timestamps, ticks. */
  clock: number;
  /** It says, falsely, that the clock may be another one from here on (discontinuity_indicator). */
  announces?: boolean;
}

export const framings = [188, 192, 204] as const;
export type Framing = (typeof framings)[number];

/** Two numbers from 0 on: pieces [from, to) of the stream as it was when the mutation came. */
type Mutation = (pieces: Piece[], random: Random, base: Base) => void;

const isPacket = ({ sync }: Piece): boolean => sync >= 0;

/** The place of some packet, of those that `fits` where it is given; −1: there is none. */
function somewhere(pieces: Piece[], random: Random, fits: (piece: Piece) => boolean = isPacket): number {
  const from = random.below(pieces.length);
  for (let n = 0; n < pieces.length; n++) {
    const at = (from + n) % pieces.length;
    if (isPacket(pieces[at]!) && fits(pieces[at]!)) return at;
  }
  return -1;
}

/** Changes a packet in place in the list; its bytes may be shared with other streams. */
function change(pieces: Piece[], at: number, edit: (bytes: Uint8Array, sync: number) => void): void {
  if (at < 0) return;
  const piece = pieces[at]!;
  const bytes = piece.bytes.slice();
  edit(bytes, piece.sync);
  pieces[at] = { ...piece, bytes, damaged: true };
}

const flip = (bytes: Uint8Array, at: number, random: Random): void => {
  bytes[at] = bytes[at]! ^ (1 << random.below(8));
};

const byte = ({ bytes, sync }: Piece, n: number): number => bytes[sync + n]!;
export const pidAt = (piece: Piece): number => ((byte(piece, 1) & 0x1f) << 8) | byte(piece, 2);
export const startsAt = (piece: Piece): boolean => (byte(piece, 1) & 0x40) !== 0;
export const isErrored = (piece: Piece): boolean => (byte(piece, 1) & 0x80) !== 0;

const broken = (bytes: Uint8Array): Piece => ({
  bytes,
  sync: -1,
  origin: -1,
  damaged: true,
  clock: 0,
});

/**
 * Bytes that are no packet. Some are full of sync bytes, and some have up to four of them a packet apart; a row of five
 * or more nobody could tell from packets.
 */
function junk(random: Random, longest: number): Piece {
  const kind = random.of(['any', 'many', 'dense', 'row']);
  const length = random.between(1, kind === 'dense' ? Math.min(longest, 600) : longest);
  const bytes = random.bytes(length);
  const every = kind === 'dense' ? 8 : kind === 'many' ? 25 : Infinity;
  for (let at = 0; every < Infinity && at < length; at++) if (random.once(every)) bytes[at] = SYNC;
  if (kind === 'row')
    for (let at = random.below(length), n = 0; n < 4 && at < length; n++, at += PACKET) bytes[at] = SYNC;
  return broken(bytes);
}

/** PTS and DTS in the PES header at the beginning of a packet's payload: `move` gives each anew. */
function retime(bytes: Uint8Array, sync: number, move: (ticks: number) => number): void {
  const field = (bytes[sync + 3]! & 0x20) !== 0 ? bytes[sync + 4]! + 1 : 0;
  const pes = sync + 4 + field;
  const flags = bytes[pes + 7]! >> 6;
  for (let n = 0; n < (flags === 3 ? 2 : flags === 2 ? 1 : 0); n++) {
    const at = pes + 9 + 5 * n;
    const high = (bytes[at]! >> 1) & 7;
    const middle = ((bytes[at + 1]! << 8) | bytes[at + 2]!) >> 1;
    const low = ((bytes[at + 3]! << 8) | bytes[at + 4]!) >> 1;
    const moved = move(high * 2 ** 30 + middle * 2 ** 15 + low);
    const ticks = ((Math.round(moved) % 2 ** 33) + 2 ** 33) % 2 ** 33;
    const top = Math.floor(ticks / 2 ** 30);
    const rest = ticks % 2 ** 30;
    bytes[at] = (bytes[at]! & 0xf1) | (top << 1);
    bytes[at + 1] = rest >> 22;
    bytes[at + 2] = ((rest >> 14) & 0xfe) | 1;
    bytes[at + 3] = (rest >> 7) & 0xff;
    bytes[at + 4] = ((rest << 1) & 0xfe) | 1;
  }
}

const SECOND = 90_000;

export const mutations = {
  loss(pieces, random) {
    const at = somewhere(pieces, random);
    if (at >= 0) pieces.splice(at, 1);
  },
  burst(pieces, random) {
    pieces.splice(random.below(pieces.length), random.between(2, 30));
  },
  garbage(pieces, random) {
    pieces.splice(random.below(pieces.length + 1), 0, junk(random, 1500));
  },
  /** Into the middle of a packet. */
  split(pieces, random) {
    const at = somewhere(pieces, random);
    if (at < 0) return;
    const { bytes, sync } = pieces[at]!;
    const cut = random.between(1, sync + PACKET - 1);
    pieces.splice(at, 1, broken(bytes.slice(0, cut)), junk(random, 600), broken(bytes.slice(cut)));
  },
  /** Bytes are missing, within one packet or from one into another. */
  hole(pieces, random) {
    const at = somewhere(pieces, random);
    const last = Math.min(pieces.length - 1, at + random.of([0, 0, 1, 1, 4]));
    if (at < 0 || !isPacket(pieces[last]!)) return;
    const before = pieces[at]!.bytes;
    const behind = pieces[last]!.bytes;
    const from = random.between(1, pieces[at]!.sync + PACKET - 1);
    const to = at === last ? random.between(from + 1, before.length) : random.between(1, behind.length);
    pieces.splice(at, last - at + 1, broken(before.slice(0, from)), broken(behind.slice(to)));
  },
  truncation(pieces, random) {
    const at = random.below(pieces.length);
    const { bytes } = pieces[at]!;
    pieces.splice(at, pieces.length, broken(bytes.slice(0, random.below(bytes.length))));
  },
  /** As ISO/IEC 13818-1 §2.4.3.3 lets a muxer do. */
  duplicate(pieces, random) {
    const at = somewhere(pieces, random);
    if (at >= 0) pieces.splice(at, 0, { ...pieces[at]! });
  },
  'late copy'(pieces, random) {
    const at = somewhere(pieces, random);
    if (at >= 0) pieces.splice(at + random.between(2, 8), 0, { ...pieces[at]! });
  },
  reorder(pieces, random) {
    const at = somewhere(pieces, random);
    if (at < 0) return;
    const [piece] = pieces.splice(at, 1);
    pieces.splice(Math.min(pieces.length, at + random.between(1, 8)), 0, piece!);
  },
  /** Behind what tells of the picture: only a decoder could notice. */
  'flip in payload'(pieces, random) {
    const at = somewhere(pieces, random, (piece) => !startsAt(piece) && (byte(piece, 3) & 0x30) === 0x10);
    change(pieces, at, (bytes, sync) => {
      for (let n = random.between(1, 8); n > 0; n--) flip(bytes, sync + random.between(4, 187), random);
    });
  },
  /** In adaptation field, PES header, timestamps, the picture's own headers. */
  'flip in head'(pieces, random) {
    const at = somewhere(pieces, random, startsAt);
    change(pieces, at, (bytes, sync) => {
      for (let n = random.between(1, 3); n > 0; n--) flip(bytes, sync + random.between(4, 60), random);
    });
  },
  /** Indicators, PID, scrambling, adaptation field control, continuity counter. */
  'flip in header'(pieces, random) {
    change(pieces, somewhere(pieces, random), (bytes, sync) => {
      for (let n = random.between(1, 2); n > 0; n--) flip(bytes, sync + random.between(1, 3), random);
    });
  },
  'flip of sync'(pieces, random) {
    const at = somewhere(pieces, random);
    for (let n = at; n >= 0 && n < Math.min(pieces.length, at + random.of([1, 1, 2, 3])); n++)
      if (isPacket(pieces[n]!)) change(pieces, n, (bytes, sync) => flip(bytes, sync, random));
  },
  'flip in tables'(pieces, random, { pmtPids }) {
    const at = somewhere(pieces, random, (piece) => pidAt(piece) === 0 || pmtPids.includes(pidAt(piece)));
    change(pieces, at, (bytes, sync) => {
      for (let n = random.between(1, 4); n > 0; n--) flip(bytes, sync + random.between(4, 40), random);
    });
  },
  'transport error'(pieces, random) {
    const at = random.below(pieces.length);
    for (let n = at; n < Math.min(pieces.length, at + random.of([1, 1, 3, 12])); n++)
      if (isPacket(pieces[n]!))
        change(pieces, n, (bytes, sync) => (bytes[sync + 1] = bytes[sync + 1]! | 0x80));
  },
  scrambled(pieces, random) {
    const at = random.below(pieces.length);
    const bits = random.between(1, 3) << 6;
    for (let n = at; n < Math.min(pieces.length, at + random.of([1, 5, 40])); n++)
      if (isPacket(pieces[n]!))
        change(pieces, n, (bytes, sync) => (bytes[sync + 3] = bytes[sync + 3]! | bits));
  },
  pid(pieces, random, { pids, pmtPid }) {
    const pid = random.of([...pids, ...pids, pmtPid, 0, 0x1fff, random.below(0x2000)]);
    change(pieces, somewhere(pieces, random), (bytes, sync) => {
      bytes[sync + 1] = (bytes[sync + 1]! & 0xe0) | (pid >> 8);
      bytes[sync + 2] = pid & 0xff;
    });
  },
  continuity(pieces, random) {
    change(pieces, somewhere(pieces, random), (bytes, sync) => {
      bytes[sync + 3] = (bytes[sync + 3]! & 0xf0) | random.below(16);
    });
  },
  /** An adaptation field that claims more than there is, or a discontinuity. */
  'adaptation field'(pieces, random) {
    const at = somewhere(pieces, random);
    change(pieces, at, (bytes, sync) => {
      bytes[sync + 3] = bytes[sync + 3]! | 0x20;
      bytes[sync + 4] = random.of([0, 1, 182, 183, 184, 255]);
      bytes[sync + 5] = 0x80;
    });
    if (at >= 0) pieces[at] = { ...pieces[at]!, announces: true };
  },
  overwritten(pieces, random) {
    const at = random.below(pieces.length);
    const value = random.of([0x00, 0xff, SYNC]);
    for (let n = at; n < Math.min(pieces.length, at + random.between(1, 5)); n++)
      pieces[n] = broken(new Uint8Array(pieces[n]!.bytes.length).fill(value));
  },
  /** Null packets, and packets of a PID that no table names. */
  foreign(pieces, random) {
    const at = somewhere(pieces, random);
    if (at < 0) return;
    const pid = random.of([0x1fff, 0x1ffd]);
    const { bytes, sync } = pieces[at]!;
    const added = Array.from({ length: random.between(1, 30) }, (_, n): Piece => {
      const packet = bytes.slice();
      packet.set(random.bytes(PACKET), sync);
      packet.set([SYNC, pid >> 8, pid & 0xff, 0x10 | (n & 0x0f)], sync);
      return { bytes: packet, sync, origin: -1, damaged: true, clock: 0 };
    });
    pieces.splice(at, 0, ...added);
  },
  /** One timestamp is far from its neighbours. */
  'wild time'(pieces, random, { pids }) {
    const pid = random.of(pids);
    const at = somewhere(pieces, random, (piece) => startsAt(piece) && pidAt(piece) === pid);
    const by = random.between(30 * SECOND, 80_000 * SECOND);
    change(pieces, at, (bytes, sync) => retime(bytes, sync, (ticks) => ticks + by));
  },
  /** From some place on the clock of the whole program is another. */
  'clock jump'(pieces, random, { pids }) {
    const from = random.below(pieces.length);
    const by = random.of([-1, 1]) * random.between(30 * SECOND, 40_000 * SECOND);
    for (let n = from; n < pieces.length; n++) {
      const piece = pieces[n]!;
      if (!isPacket(piece) || !startsAt(piece) || !pids.includes(pidAt(piece))) continue;
      change(pieces, n, (bytes, sync) => retime(bytes, sync, (ticks) => ticks + by));
      // It is as good as it was, on another clock.
      pieces[n] = { ...pieces[n]!, damaged: piece.damaged, clock: piece.clock + by };
    }
  },
} satisfies Record<string, Mutation>;

export type Kind = keyof typeof mutations;

/**
 * What each may cost of good packets besides what it hits itself. Whatever begins before the first segment, or in a PES
 * that did, is left out anyway; where there is nothing else, nothing else is lost.
 */
export const costs: Record<Kind, readonly Excuse[]> = {
  loss: ['headless PES'],
  burst: ['headless PES'],
  garbage: ['false sync', 'between damages', 'headless PES'],
  split: ['false sync', 'between damages', 'headless PES'],
  hole: ['false sync', 'between damages', 'headless PES'],
  truncation: ['between damages'],
  duplicate: [],
  'late copy': ['headless PES'],
  reorder: ['headless PES'],
  'flip in payload': [],
  'flip in head': [],
  'flip in header': ['between damages', 'headless PES'],
  'flip of sync': ['between damages', 'headless PES'],
  'flip in tables': [],
  'transport error': ['between damages', 'headless PES'],
  scrambled: [],
  pid: ['headless PES'],
  continuity: [],
  'adaptation field': ['clock'],
  overwritten: ['false sync', 'between damages', 'headless PES'],
  foreign: [],
  'wild time': [],
  'clock jump': ['clock'],
};
export const kinds = Object.keys(mutations) as Kind[];

const wrapped = new Map<string, readonly Piece[]>();

/** The packets of a base stream in a framing: a time stamp before each, or parity behind. */
export function wrap(base: Base, framing: Framing): readonly Piece[] {
  const key = `${base.name} ${framing}`;
  let pieces = wrapped.get(key);
  if (!pieces) {
    const sync = framing === 192 ? 4 : 0;
    pieces = base.packets.map((packet, origin) => {
      const bytes = new Uint8Array(framing).map((_, n) => (origin * 31 + n * 97) & 0xff);
      bytes.set(packet, sync);
      return { bytes, sync, origin, damaged: false, clock: 0 };
    });
    wrapped.set(key, pieces);
  }
  return pieces;
}

/** A damaged stream, its pieces in order. */
export function mutate(base: Base, framing: Framing, chosen: readonly Kind[], random: Random): Piece[] {
  const pieces = [...wrap(base, framing)];
  for (const kind of chosen) if (pieces.length > 0) mutations[kind](pieces, random, base);
  return pieces;
}

export function bytesOf(pieces: readonly Piece[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.bytes.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece.bytes, at);
    at += piece.bytes.length;
  }
  return bytes;
}

/** Whether a piece is still a packet where one is due: sync byte in place. */
export const isFramed = (piece: Piece): boolean => isPacket(piece) && byte(piece, 0) === SYNC;
export const packetOf = ({ bytes, sync }: Piece): Uint8Array => bytes.subarray(sync, sync + PACKET);
