import { PACKET_SIZE, SYNC_BYTE } from './packet.js';

/** Packets that must line up before the first is believed: 0x47 is as common in garbage as any byte. */
const CONFIRMING = 4;
/** Search memory: enough for `CONFIRMING` packets and one more of garbage. */
const CARRY_BYTES = PACKET_SIZE * (CONFIRMING + 2);

export interface PacketSink {
  /** One whole packet, at `at` in `bytes`; valid until `flush`. */
  packet(bytes: Uint8Array, at: number): void;
  /** The bytes handed over so far are about to be reused. */
  flush(): void;
}

/**
 * Finds and keeps the packet structure in chunks of any size. Packets are handed on in place, without copying, except
 * those that a chunk border divides. Once found, a sync byte at its place is enough; where it is missing, the packet
 * alone is given up if the next ones are in place, else the structure is searched anew.
 */
export class Packetizer {
  /** Whole packets handed on. */
  packets = 0;
  /** Bytes that belonged to no packet. */
  skippedBytes = 0;
  /** Times the structure was lost after it had been found. */
  resyncs = 0;
  readonly #carry = new Uint8Array(CARRY_BYTES);
  #carried = 0;
  #locked = false;

  constructor(private readonly sink: PacketSink) {}

  /** True from the first packet found on. */
  get found(): boolean {
    return this.packets > 0;
  }

  /** Takes all of `chunk`; it may be reused after the call. */
  push(chunk: Uint8Array): void {
    let from = 0;
    while (this.#carried > 0 && from < chunk.length) {
      // Only as many bytes as complete a packet are copied while in step; the rest is read in place.
      const wanted = this.#locked ? PACKET_SIZE - this.#carried : CARRY_BYTES - this.#carried;
      const taken = Math.min(wanted, chunk.length - from);
      this.#carry.set(chunk.subarray(from, from + taken), this.#carried);
      const before = this.#carried;
      const used = this.#walk(this.#carry, before + taken, false);
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
    if (from < chunk.length) {
      const rest = from === 0 ? chunk : chunk.subarray(from);
      const used = this.#walk(rest, rest.length, false);
      this.sink.flush();
      this.#carried = rest.length - used;
      this.#carry.set(rest.subarray(used));
    }
  }

  /** The input ended: what lines up to the end is believed with fewer packets, a cut-off packet is skipped. */
  end(): void {
    const used = this.#walk(this.#carry, this.#carried, true);
    this.skippedBytes += this.#carried - used;
    this.#carried = 0;
    this.#locked = false;
    this.sink.flush();
  }

  /** Hands on the packets of `bytes[0, to)`; returns how many bytes are settled. */
  #walk(bytes: Uint8Array, to: number, last: boolean): number {
    const sink = this.sink;
    let at = 0;
    for (;;) {
      if (!this.#locked) {
        const start = this.#search(bytes, at, to, last);
        this.skippedBytes += start.at - at;
        at = start.at;
        if (!start.found) return at;
        this.#locked = true;
      }
      let packets = 0;
      while (at + PACKET_SIZE <= to && bytes[at] === SYNC_BYTE) {
        sink.packet(bytes, at);
        packets++;
        at += PACKET_SIZE;
      }
      this.packets += packets;
      if (at + PACKET_SIZE > to) return at;
      this.#locked = false;
      this.resyncs++;
    }
  }

  #search(bytes: Uint8Array, from: number, to: number, last: boolean): { at: number; found: boolean } {
    for (let at = from; at < to; at++) {
      if (bytes[at] !== SYNC_BYTE) continue;
      const aligned = this.#aligned(bytes, at, to);
      if (aligned === 'yes' || (aligned === 'open' && last && at + 2 * PACKET_SIZE <= to))
        return { at, found: true };
      if (aligned === 'open' && !last) return { at, found: false };
    }
    return { at: to, found: false };
  }

  /** Whether packets follow one another from `at` on; 'open' when too little is there to tell. */
  #aligned(bytes: Uint8Array, at: number, to: number): 'yes' | 'no' | 'open' {
    for (let n = 1; n < CONFIRMING; n++) {
      const next = at + n * PACKET_SIZE;
      if (next >= to) return 'open';
      if (bytes[next] !== SYNC_BYTE) return 'no';
    }
    return 'yes';
  }
}
