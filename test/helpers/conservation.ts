/**
 * What must come out of a damaged stream, told by a packet walk of its own: for each PID of the program the packets of
 * all segments in a row are those of the input, in order, byte for byte, from its first whole PES after the first key
 * picture on. What may be missing is written down here, damage by damage.
 */
import { crcMpeg } from './ts-generator.js';
import { isErrored, isFramed, packetOf, pidAt, startsAt, type Piece } from './mutations.js';
import type { Base } from './mutation-bases.js';

const PACKET = 188;

/** Why a good packet may be missing. */
export type Excuse =
  /** Sound and the like: its PES began before the first segment did. */
  | 'begun before'
  /** Not the picture: the beginning of its PES is lost or damaged. */
  | 'headless PES'
  /** A sync byte stood in step among bytes that are no packet, and what was taken for a packet reached into this one. */
  | 'false sync'
  /** Fewer than six packets, without transport errors, stand between two damages to the framing, or before the end. */
  | 'between damages'
  /** The clock is another one, or was falsely said to be: up to the next key picture. */
  | 'clock';

export interface Conserved {
  /** Packets of the program in segments. */
  out: number;
  /** Missing ones, by what excuses them. */
  excused: Map<Excuse, number>;
  /** Missing and without excuse; packets that no input had; anything else that may not be. */
  faults: string[];
  /** Packets of the input that may have been read as tables. */
  tables: number;
  /** Packets that came once more right behind, and were left out. */
  twice: number;
  /** Damaged bytes that came out as packets, because they stood where packets do. */
  strangers: number;
}

const text = (packet: Uint8Array): string =>
  Buffer.from(packet.buffer, packet.byteOffset, packet.length).toString('latin1');

const byteAt = ({ bytes, sync }: Piece, n: number): number => bytes[sync + n]!;
const counterAt = (piece: Piece): number => byteAt(piece, 3) & 0x0f;

interface Found {
  packet: Uint8Array;
  pid: number;
}

/** Walks over a segment file: whole packets, the tables first, right and nowhere else. */
function walk(data: Uint8Array, base: Base, faults: string[]): Found[] {
  if (data.length === 0 || data.length % PACKET !== 0) faults.push(`a file of ${data.length} bytes`);
  const found: Found[] = [];
  for (let at = 0; at + PACKET <= data.length; at += PACKET) {
    const packet = data.subarray(at, at + PACKET);
    const pid = ((packet[1]! & 0x1f) << 8) | packet[2]!;
    if (packet[0] !== 0x47) faults.push(`no sync byte at ${at}`);
    const due = at === 0 ? 0 : at === PACKET ? base.pmtPid : -1;
    if (due >= 0) {
      const length = ((packet[6]! & 0x0f) << 8) | packet[7]!;
      const right = pid === due && crcMpeg([...packet.subarray(5, 8 + length)]) === 0;
      if (!right) faults.push(`packet ${at / PACKET} is no right ${due === 0 ? 'PAT' : 'PMT'}`);
    } else found.push({ packet, pid });
  }
  return found;
}

/** The framing is damaged at this piece: it is no packet, or its sync byte is gone. */
const isHole = (piece: Piece): boolean => !isFramed(piece);

/** Whole packets without a hole that the structure is found anew by. */
const CONFIRMING = 6;

export function conserved(
  base: Base,
  pieces: readonly Piece[],
  input: Uint8Array,
  files: readonly Uint8Array[],
): Conserved {
  const faults: string[] = [];
  const pids = new Set([...base.pids, ...(base.clockPid === undefined ? [] : [base.clockPid])]);
  const output = files.flatMap((data) => walk(data, base, faults));
  const due = pieces.map((piece) => isFramed(piece) && !isErrored(piece) && pids.has(pidAt(piece)));

  // In order, PID by PID.
  const byPid = new Map<number, number[]>();
  due.forEach((isDue, at) => {
    if (!isDue) return;
    const pid = pidAt(pieces[at]!);
    byPid.set(pid, [...(byPid.get(pid) ?? []), at]);
  });
  const texts = pieces.map((piece, at) => (due[at] ? text(packetOf(piece)) : ''));
  const next = new Map<number, number>();
  const isOut = new Uint8Array(pieces.length);
  const strangers: Found[] = [];
  for (const found of output) {
    const places = byPid.get(found.pid) ?? [];
    const wanted = text(found.packet);
    let n = next.get(found.pid) ?? 0;
    while (n < places.length && texts[places[n]!] !== wanted) n++;
    if (n === places.length) strangers.push(found);
    else {
      isOut[places[n]!] = 1;
      next.set(found.pid, n + 1);
    }
  }
  for (const { packet, pid } of strangers) {
    // Bytes that stood where a packet does: in the input, and nowhere a whole packet of it.
    if (!pids.has(pid)) faults.push(`a packet of PID ${pid}`);
    else if (Buffer.from(input.buffer, input.byteOffset, input.length).indexOf(packet) < 0)
      faults.push(`a packet of PID ${pid} that the input has not`);
    else if (texts.includes(text(packet))) faults.push(`a packet of PID ${pid} twice, or out of order`);
  }

  // A receiver takes one of two (ISO/IEC 13818-1 §2.4.3.3), but where the counter stands still nobody can tell.
  let twice = 0;
  for (const [pid, places] of byPid)
    places.forEach((place, n) => {
      const before = places[n - 1];
      if (before === undefined || texts[before] !== texts[place] || !isOut[before]) return;
      if ((byteAt(pieces[place]!, 3) & 0x10) === 0 || strangers.length > 0) return;
      const further = places.slice(0, n).findLast((other) => texts[other] !== texts[place]);
      const isStuck = further !== undefined && counterAt(pieces[further]!) === counterAt(pieces[place]!);
      if (!isOut[place]) twice++;
      else if (!isStuck) faults.push(`a packet of PID ${pid} goes out twice`);
    });

  const excused = new Map<Excuse, number>();
  const excuse = (why: Excuse): void => void excused.set(why, (excused.get(why) ?? 0) + 1);
  const start = pieces.findIndex((piece, at) => isOut[at] && pidAt(piece) === base.pids[0]);
  const known = new Facts(base, pieces, input);
  const latest = known.firstStart();
  if (latest >= 0 && (start < 0 || start > latest))
    faults.push(`the first segment starts at piece ${start}, and could at ${latest}`);
  if (start >= 0 && strangers.length === 0 && !startsAt(pieces[start]!))
    faults.push('the first segment starts within a picture');
  for (let at = Math.max(0, start); start >= 0 && at < pieces.length; at++) {
    if (!due[at] || isOut[at]) continue;
    // It came out once: what is sent twice is left out the second time.
    if (pieces.some((_, n) => n !== at && isOut[n] && texts[n] === texts[at])) continue;
    const why = known.excuse(at, start);
    if (why) excuse(why);
    else faults.push(`piece ${at}, packet ${pieces[at]!.origin} of PID ${pidAt(pieces[at]!)}, is missing`);
  }
  const tablePids = [0, ...base.pmtPids];
  return {
    out: isOut.reduce((sum, flag) => sum + flag, 0),
    excused,
    faults,
    tables: pieces.filter((p) => isFramed(p) && !isErrored(p) && tablePids.includes(pidAt(p))).length,
    twice,
    strangers: strangers.length,
  };
}

/** What is known of a damaged stream without looking at what came out of it. */
class Facts {
  readonly #holes: number[] = [];
  /** Where each piece begins. */
  readonly #offsets: number[] = [];
  /** Pieces that begin within what was taken for a packet, and is none. */
  readonly #swallowed = new Set<number>();
  /** Packets that had come before. */
  readonly #copies = new Set<number>();
  /** Up to here the structure cannot be found: bytes are skipped. */
  readonly #found: number;

  constructor(
    private readonly base: Base,
    private readonly pieces: readonly Piece[],
    private readonly input: Uint8Array,
  ) {
    let offset = 0;
    const seen = new Set<string>();
    pieces.forEach((piece, at) => {
      // On another clock it is a packet of its own.
      const same = `${piece.origin} ${piece.clock}`;
      if (seen.has(same)) this.#copies.add(at);
      else if (piece.origin >= 0) seen.add(same);
      if (isHole(piece)) this.#holes.push(at);
      this.#offsets.push(offset);
      offset += piece.bytes.length;
    });
    this.#found = pieces.findIndex((_, at) => !pieces.slice(at, at + CONFIRMING).some(isHole));
    for (const hole of this.#holes) if (hole > 0 && !isHole(pieces[hole - 1]!)) this.#swallow(hole);
  }

  /** The walk goes on in step through what is no packet, as long as there are sync bytes. */
  #swallow(hole: number): void {
    const { pieces, input } = this;
    const { sync, bytes } = pieces[hole - 1]!;
    let behind = hole;
    while (behind < pieces.length && isHole(pieces[behind]!)) behind++;
    const end = this.#offsets[behind] ?? input.length;
    const stride = bytes.length;
    for (let at = this.#offsets[hole]! + sync; at < end || input[at] === 0x47; at += stride) {
      if (input[at] !== 0x47) continue;
      // What is taken for its parity or the header of the next is not looked at either.
      const reach = at + stride;
      for (let n = behind; n < pieces.length; n++) {
        const begins = this.#offsets[n]! + sync;
        if (begins === at) return;
        if (begins >= reach) break;
        this.#swallowed.add(n);
      }
    }
  }

  /**
   * Where a segment must have begun at the latest: all tables were there whole, in order, then a whole key picture, and
   * nothing of the framing near was damaged. −1: there is no such place.
   */
  firstStart(): number {
    const { base, pieces } = this;
    let pat = false;
    const pmts = new Set<number>();
    for (let at = Math.max(0, this.#found); at < pieces.length; at++) {
      const { origin, damaged } = pieces[at]!;
      if (origin < 0 || damaged || this.#isBetweenDamages(at) || this.#swallowed.has(at)) continue;
      const place = base.places[origin]!;
      if (place.pid === 0) pat = true;
      else if (pat && base.pmtPids.includes(place.pid)) pmts.add(place.pid);
      else if (pmts.size === base.pmtPids.length && place.key && this.#isWhole(at)) return at;
    }
    return -1;
  }

  /** A good packet at `at` did not come out: may it be missing? */
  excuse(at: number, start: number): Excuse | undefined {
    if (this.#isBetweenDamages(at)) return 'between damages';
    if (this.#swallowed.has(at)) return 'false sync';
    const pid = pidAt(this.pieces[at]!);
    const isPicture = pid === this.base.pids[0];
    if (!isPicture && this.#isBegunBefore(start, at, pid)) return 'begun before';
    if (isPicture) return this.#isAfterClockDamage(at, pid) ? 'clock' : undefined;
    // A PES that began before the damage goes on to its end.
    const isHeadless = this.#isHeadless(at, pid);
    if (this.#isAfterClockDamage(isHeadless ? at : this.#begins(at, pid), pid)) return 'clock';
    return isHeadless ? 'headless PES' : undefined;
  }

  /** A packet of its PID that starts something stands here, and nothing near keeps it from being seen. */
  #starts(at: number, pid: number): boolean {
    const piece = this.pieces[at]!;
    return (
      isFramed(piece) &&
      !isErrored(piece) &&
      pidAt(piece) === pid &&
      startsAt(piece) &&
      !this.#copies.has(at) &&
      !this.#swallowed.has(at) &&
      !this.#isBetweenDamages(at)
    );
  }

  /** Where the last PES of the PID begins up to `at`; −1: nowhere. */
  #begins(at: number, pid: number): number {
    let n = at;
    while (n >= 0 && !this.#starts(n, pid)) n--;
    return n;
  }

  /** No PES of the PID begins behind `from` and up to `at`. */
  #isBegunBefore(from: number, at: number, pid: number): boolean {
    return this.#begins(at, pid) <= from;
  }

  /** The PES that begins at `at` is all there, its packets in order and nothing else of its PID among them. */
  #isWhole(at: number): boolean {
    const { base, pieces } = this;
    const { origin } = pieces[at]!;
    const { pid, unit } = base.places[origin]!;
    if (origin > 0 && base.places[origin - 1]!.pid === pid && base.places[origin - 1]!.unit === unit)
      return false;
    for (let n = origin, here = at; n < base.places.length && base.places[n]!.unit >= unit; n++) {
      if (base.places[n]!.pid !== pid) continue;
      if (base.places[n]!.unit > unit) return true;
      while (here < pieces.length && isFramed(pieces[here]!) && pidAt(pieces[here]!) !== pid) here++;
      const piece = pieces[here++];
      if (
        piece?.origin !== n ||
        piece.damaged ||
        this.#isBetweenDamages(here - 1) ||
        this.#swallowed.has(here - 1)
      )
        return false;
    }
    return true;
  }

  /** A packet whose header is said to be wrong is no help in finding the structure either. */
  #isBetweenDamages(at: number): boolean {
    const { pieces } = this;
    let before = at;
    while (before >= 0 && !isHole(pieces[before]!)) before--;
    if (before < 0) return false;
    if (this.#keepsStep(before)) {
      // Known places need but two sync bytes.
      const next = pieces.slice(before + 1, before + 1 + CONFIRMING);
      return next.filter(isFramed).length < 2 && at - before <= CONFIRMING;
    }
    let behind = before + 1;
    while (behind < pieces.length && !isHole(pieces[behind]!) && !isErrored(pieces[behind]!)) behind++;
    return at >= behind || behind - before - 1 < CONFIRMING ? at - before <= 2 * CONFIRMING : false;
  }

  /** The packets behind this hole stand where those before it would have gone on. */
  #keepsStep(hole: number): boolean {
    const { pieces } = this;
    let first = hole;
    while (first > 0 && isHole(pieces[first - 1]!)) first--;
    const stride = pieces[first - 1]?.bytes.length;
    return first > this.#found && pieces.slice(first, hole + 1).every(({ bytes }) => bytes.length === stride);
  }

  /** What begins the PES of a packet is not what begins it in the base stream. */
  #isHeadless(at: number, pid: number): boolean {
    const { base, pieces } = this;
    const place = base.places[pieces[at]!.origin];
    const piece = pieces[this.#begins(at, pid)];
    const begun = piece && !piece.damaged ? base.places[piece.origin] : undefined;
    return !place || begun?.pid !== place.pid || begun.unit !== place.unit;
  }

  /** Since the clock of the track that cuts jumped, or was said to, no key picture has come, or no PES of the PID after it. */
  #isAfterClockDamage(at: number, pid: number): boolean {
    const { base, pieces } = this;
    const cutting = base.pids[0]!;
    // The next picture, and so the one before it.
    let behind = -1;
    for (let n = at; n >= 0; n--) {
      if (pieces[n]!.announces) return true;
      if (!this.#starts(n, cutting)) continue;
      if (behind >= 0 && pieces[behind]!.clock !== pieces[n]!.clock) return true;
      const { origin, damaged } = pieces[n]!;
      const isKey = origin >= 0 && !damaged && base.places[origin]!.key;
      if (isKey && (pid === cutting || !this.#isBegunBefore(n, at, pid))) return false;
      behind = n;
    }
    return false;
  }
}
