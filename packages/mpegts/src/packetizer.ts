import { PACKET_SIZE, SYNC_BYTE } from './packet.js';
import { findStructure, SEARCH_BYTES, SEARCH_STEP, TIMED_STRIDE } from './packet-structure.js';

/** Packets of strides other than 188 are moved together in pieces of so many bytes. */
const COMPACT_BYTES = 64 * 1024;
/** TP_extra_header, before each packet of 192 bytes. */
const EXTRA_HEADER_BYTES = TIMED_STRIDE - PACKET_SIZE;

export interface PacketSink {
  /** One whole packet of 188 bytes, at `at` in `bytes`; valid until `flush`. */
  packet(bytes: Uint8Array, at: number): void;
  /** If there, called instead of `packet`, for whole packets side by side in `bytes[from, to)`. */
  packets?(bytes: Uint8Array, from: number, to: number): void;
  /** The bytes handed over so far are about to be reused. */
  flush(): void;
}

/**
 * Finds and keeps the packet structure in chunks of any size: packets of 188 bytes, of 192 with a TP_extra_header before
 * each (M2TS), of 204 with parity after each (DVB). They are handed on in place, without copying, except those that a
 * chunk border divides and those of 192 and 204 bytes, which are moved together. Once found, a sync byte at its place is
 * enough; where it is missing, the packet alone is given up if the next ones are in place, else the structure is
 * searched anew. What is found does not depend on the sizes of the chunks.
 */
export class Packetizer {
  /** Whole packets handed on. */
  packets = 0;
  /** Bytes that belonged to no packet; the extra header or parity of a packet belongs to it. */
  skippedBytes = 0;
  /** Times a sync byte was missing where one was due. */
  resyncs = 0;
  /** From sync byte to sync byte: 188, 192 or 204; 0 until it is found. */
  stride = 0;
  readonly #carry = new Uint8Array(SEARCH_BYTES);
  #carried = 0;
  #locked = false;
  /** Bytes up to the next sync byte: extra header or parity. */
  #owed = 0;
  /** While searching: bytes up to where the lost structure would go on; 0: there was none. */
  #phase = 0;
  /** Bytes skipped in the search going on. */
  #sought = 0;
  #compact: Uint8Array | undefined;

  constructor(private readonly sink: PacketSink) {}

  /** True from the first packet found on. */
  get found(): boolean {
    return this.packets > 0;
  }

  /**
   * Takes all of `chunk`; it may be reused after the call.
   *
   * @param headroom bytes before it, in its buffer, that may be overwritten: where a packet's are enough, the beginning of
   *   the one that the chunk border divides is put there, and all is one run
   */
  push(chunk: Uint8Array, headroom = 0): void {
    const joined = this.#carried <= headroom ? this.#carried : 0;
    // Of one class, whatever the chunk is of: the packet loop is compiled for that alone.
    const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset - joined, joined + chunk.length);
    if (joined > 0) {
      bytes.set(this.#carry.subarray(0, joined));
      this.#carried = 0;
    }
    let from = 0;
    while (this.#carried > 0 && from < bytes.length) {
      // Only as many bytes as complete a packet are copied while in step; the rest is read in place.
      const wanted = (this.#locked ? PACKET_SIZE : SEARCH_BYTES) - this.#carried;
      const taken = Math.min(wanted, bytes.length - from);
      this.#carry.set(bytes.subarray(from, from + taken), this.#carried);
      const before = this.#carried;
      const used = this.#consume(this.#carry, 0, before + taken, false);
      this.sink.flush();
      if (used >= before) {
        this.#carried = 0;
        from += used - before;
        break;
      }
      this.#carry.copyWithin(0, used, before + taken);
      this.#carried = before + taken - used;
      from += taken;
    }
    if (from >= bytes.length) return;
    const used = this.#consume(bytes, from, bytes.length, false);
    this.sink.flush();
    this.#carried = bytes.length - used;
    if (this.#carried > 0) this.#carry.set(bytes.subarray(used));
  }

  /** The input ended: what lines up to the end is believed with fewer packets, a cut-off packet is skipped. */
  end(): void {
    const used = this.#consume(this.#carry, 0, this.#carried, true);
    this.skippedBytes += this.#carried - used;
    this.#carried = 0;
    this.#locked = false;
    this.#owed = 0;
    this.#phase = 0;
    this.#sought = 0;
    this.sink.flush();
  }

  /** Hands on the packets of `bytes[from, to)`; returns up to where the bytes are settled. */
  #consume(bytes: Uint8Array, from: number, to: number, last: boolean): number {
    let at = from;
    for (;;) {
      const passed = Math.min(this.#owed, to - at);
      at += passed;
      this.#owed -= passed;
      if (!this.#locked) {
        if (at === to || (!last && to - at < SEARCH_BYTES)) return at;
        at += this.#search(bytes, at, Math.min(to, at + SEARCH_BYTES));
        if (!this.#locked) continue;
      }
      at = this.stride === PACKET_SIZE ? this.#walk(bytes, at, to) : this.#walkApart(bytes, at, to);
      if (at > to) {
        this.#owed = at - to;
        return to;
      }
      if (at + PACKET_SIZE > to) return at;
      this.#lose();
    }
  }

  /** Hands on packets side by side; returns where the next is due, be it missing or not yet whole. */
  #walk(bytes: Uint8Array, from: number, to: number): number {
    const end = to - PACKET_SIZE;
    let at = from;
    while (at <= end && bytes[at] === SYNC_BYTE) at += PACKET_SIZE;
    this.#hand(bytes, from, at);
    return at;
  }

  /** As `#walk`, for packets with something in between: moved together, so that those behind find them side by side. */
  #walkApart(bytes: Uint8Array, from: number, to: number): number {
    const { stride } = this;
    const compact = (this.#compact ??= new Uint8Array(COMPACT_BYTES));
    let at = from;
    while (at + PACKET_SIZE <= to && bytes[at] === SYNC_BYTE) {
      const length = Math.min(COMPACT_BYTES, to - at);
      compact.set(bytes.subarray(at, at + length));
      let read = 0;
      let write = 0;
      while (read + PACKET_SIZE <= length && compact[read] === SYNC_BYTE) {
        compact.copyWithin(write, read, read + PACKET_SIZE);
        write += PACKET_SIZE;
        read += stride;
      }
      this.#hand(compact, 0, write);
      this.sink.flush();
      at += read;
    }
    return at;
  }

  #hand(bytes: Uint8Array, from: number, to: number): void {
    if (from === to) return;
    this.packets += (to - from) / PACKET_SIZE;
    const { sink } = this;
    if (sink.packets) sink.packets(bytes, from, to);
    else for (let at = from; at < to; at += PACKET_SIZE) sink.packet(bytes, at);
  }

  #lose(): void {
    this.#locked = false;
    this.#phase = this.stride;
    this.resyncs++;
    if (this.stride !== TIMED_STRIDE) return;
    // What was taken for the extra header of the packet that is missing.
    this.skippedBytes += EXTRA_HEADER_BYTES;
    this.#sought = EXTRA_HEADER_BYTES;
  }

  /** Looks for packets in `bytes[from, to)`; returns the bytes skipped: up to the first packet if `#locked` after it. */
  #search(bytes: Uint8Array, from: number, to: number): number {
    const found = findStructure(bytes, from, to, this.#phase, this.stride);
    const skipped = found ? found.at - from : Math.min(SEARCH_STEP, to - from);
    this.skippedBytes += skipped;
    this.#sought += skipped;
    if (found) {
      if (found.stride === TIMED_STRIDE) this.skippedBytes -= Math.min(EXTRA_HEADER_BYTES, this.#sought);
      this.stride = found.stride;
      this.#locked = true;
      this.#sought = 0;
      this.#phase = 0;
    } else if (this.#phase > 0) {
      const phase = (this.#phase - skipped) % this.stride;
      this.#phase = phase > 0 ? phase : phase + this.stride;
    }
    return skipped;
  }
}
