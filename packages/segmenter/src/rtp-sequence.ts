/** Packets that may be out of order: a power of two, so that a place is found by the low bits of the number. */
export const REORDER_WINDOW = 64;
/** A larger gap is taken for a new start of the sender (RFC 3550 A.1, MAX_DROPOUT). */
const MAX_DROPOUT = 3000;
/** A packet that late is taken for a new start, too; those between were counted when they were given up. */
const MAX_MISORDER = 1024;
/** Of the packets behind the expected one it is remembered which came. */
const HISTORY = 1024;

export interface RtpCounters {
  received: number;
  /** Never came, or came after they were given up. */
  lost: number;
  /** Of the lost: came after all, too late. */
  late: number;
  /** Came twice or more. */
  duplicates: number;
  /** Came before a packet of a lower number. */
  reordered: number;
  /** The sender changed (SSRC), or began its numbers anew. */
  restarts: number;
}

/** Gets the payloads in order. */
export type RtpSink = (datagram: Uint8Array, from: number, to: number) => void;

const LOST = 0;
const CAME = 1;
/** From before the first packet. */
const FOREIGN = 2;

interface Held {
  datagram: Uint8Array;
  from: number;
  to: number;
}

/**
 * Brings the packets of one sender into the order of their numbers. Nothing is copied: the few datagrams that came too
 * early are kept until those before them have come, the window is full, or `flush` is called.
 */
export class RtpSequence {
  readonly counters: RtpCounters = {
    received: 0,
    lost: 0,
    late: 0,
    duplicates: 0,
    reordered: 0,
    restarts: 0,
  };
  #ssrc = -1;
  /** The next number, 16 bits. */
  #expected = -1;
  #held = 0;
  readonly #window = new Array<Held | undefined>(REORDER_WINDOW).fill(undefined);
  /** By the low bits of the number: what became of those below the expected one. */
  readonly #past = new Uint8Array(HISTORY);
  /** A packet that does not fit in: a second one that follows it shows a new start (RFC 3550 A.1, bad_seq). */
  #suspect: (Held & { ssrc: number; sequence: number }) | undefined;

  constructor(private readonly sink: RtpSink) {}

  /** Datagrams that wait for others before them. */
  get held(): number {
    return this.#held;
  }

  /** Takes a packet; `datagram` must stay as it is. */
  push(ssrc: number, sequence: number, datagram: Uint8Array, from: number, to: number): void {
    this.counters.received++;
    if (this.#expected < 0) this.#begin(ssrc, sequence);
    const ahead = distance(this.#expected, sequence);
    if (ssrc !== this.#ssrc || ahead >= MAX_DROPOUT || ahead < -MAX_MISORDER) {
      this.#suspicious(ssrc, sequence, datagram, from, to);
      return;
    }
    this.#suspect = undefined;
    if (ahead < 0) {
      const past = this.#past[sequence % HISTORY];
      if (past === CAME) this.counters.duplicates++;
      else if (past === LOST) this.counters.late++;
      this.#past[sequence % HISTORY] = CAME;
      return;
    }
    while (distance(this.#expected, sequence) >= REORDER_WINDOW) this.#advance();
    if (sequence === this.#expected) {
      if (this.#held > 0) this.counters.reordered++;
      this.#past[sequence % HISTORY] = CAME;
      this.#expected = next(sequence);
      this.sink(datagram, from, to);
    } else if (this.#window[sequence % REORDER_WINDOW]) {
      this.counters.duplicates++;
    } else {
      if (this.#held > 0 && this.#isBelowHeld(sequence)) this.counters.reordered++;
      this.#window[sequence % REORDER_WINDOW] = { datagram, from, to };
      this.#held++;
    }
    this.#drain();
  }

  /** The number that is waited for, 16 bits; −1 before the first. */
  get expected(): number {
    return this.#expected;
  }

  /** Gives up what is missing before the first packet that is held. */
  skip(): void {
    while (this.#held > 0 && !this.#window[this.#expected % REORDER_WINDOW]) this.#advance();
    this.#drain();
  }

  /** Gives up all that is missing before what is held. */
  flush(): void {
    while (this.#held > 0) this.#advance();
  }

  #begin(ssrc: number, sequence: number): void {
    this.#ssrc = ssrc;
    this.#expected = sequence;
    this.#past.fill(FOREIGN);
  }

  #suspicious(ssrc: number, sequence: number, datagram: Uint8Array, from: number, to: number): void {
    const before = this.#suspect;
    if (before?.ssrc !== ssrc || next(before.sequence) !== sequence) {
      this.#suspect = { ssrc, sequence, datagram, from, to };
      return;
    }
    this.#suspect = undefined;
    this.flush();
    this.counters.restarts++;
    this.counters.received -= 2;
    this.#begin(ssrc, before.sequence);
    this.push(ssrc, before.sequence, before.datagram, before.from, before.to);
    this.push(ssrc, sequence, datagram, from, to);
  }

  #drain(): void {
    while (this.#held > 0 && this.#window[this.#expected % REORDER_WINDOW]) this.#advance();
  }

  /** Hands on what is held for the expected number, or counts it as lost. */
  #advance(): void {
    const at = this.#expected % REORDER_WINDOW;
    const held = this.#window[at];
    this.#past[this.#expected % HISTORY] = held ? CAME : LOST;
    this.#expected = next(this.#expected);
    if (!held) {
      this.counters.lost++;
      return;
    }
    this.#window[at] = undefined;
    this.#held--;
    this.sink(held.datagram, held.from, held.to);
  }

  #isBelowHeld(sequence: number): boolean {
    const ahead = distance(this.#expected, sequence);
    for (let n = ahead + 1; n < REORDER_WINDOW; n++) {
      if (this.#window[(this.#expected + n) % REORDER_WINDOW]) return true;
    }
    return false;
  }
}

const next = (sequence: number): number => (sequence + 1) & 0xffff;

/** `to − from` on the circle of 16 bits: −32768 … 32767. */
const distance = (from: number, to: number): number => ((to - from) << 16) >> 16;
