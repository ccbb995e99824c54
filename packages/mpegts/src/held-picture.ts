import { isSamePacket } from './continuity.js';
import { HeldPackets } from './held-packets.js';
import { PACKET_SIZE, packetPayload, packetStartsUnit } from './packet.js';
import { emptyPesHeader, readPesHeader } from './pes.js';
import type { Extent, ReferenceHead } from './reference-head.js';
import type { Verdict } from './timeline.js';

/** An access unit whose slice header has not come by then is no key picture. */
const LARGEST_HEAD = 1 << 20;
/** A picture of a jumped timestamp is waited for up to here; then the jump is believed. */
const LARGEST_DOUBT = 8 << 20;

/**
 * The picture that its first packet did not tell enough of: with all packets that follow, in their order, it is held until
 * its `head` has come, or until the next picture has settled the `doubt` about its timestamps.
 */
export class HeldPicture {
  /** What is waited for; `nothing`: nothing is held. */
  awaits: 'nothing' | 'head' | 'doubt' = 'nothing';
  #packets = new HeldPackets();
  #spare: HeldPackets | undefined;
  /** Where in `#packets` the last packet of its track stands. */
  #lastAt = 0;
  readonly #header = emptyPesHeader();

  /**
   * @param head has read what there was of the picture
   * @param released gets all that was held, its first packet first; the bytes are reused when it returns
   */
  constructor(
    private readonly head: ReferenceHead,
    private readonly released: (held: HeldPackets, verdict: Verdict) => void,
  ) {}

  /** The packet at `at` begins it. */
  begin(awaits: 'head' | 'doubt', bytes: Uint8Array, at: number): void {
    this.awaits = awaits;
    this.#lastAt = 0;
    const held = this.#packets;
    held.clear();
    held.add(bytes, at);
    held.gather(bytes, packetPayload(bytes, at), at + PACKET_SIZE);
  }

  /**
   * Takes a packet that follows.
   *
   * @param isOwn it is of the same track and has a payload
   * @returns false when it settles all, and is itself none that is held
   */
  take(bytes: Uint8Array, at: number, isOwn: boolean): boolean {
    if (isOwn && !isSamePacket(this.#packets.packets, this.#lastAt, bytes, at)) {
      let from = packetPayload(bytes, at);
      if (packetStartsUnit(bytes, at)) {
        from = this.#endHead(bytes, at, from);
        if (this.awaits === 'doubt') {
          readPesHeader(bytes, packetPayload(bytes, at), at + PACKET_SIZE, this.#header);
          const verdict = this.head.timeline.resolve(this.#header.dts);
          if (verdict !== 'open') this.#release(verdict);
        }
        if (this.awaits === 'nothing') return false;
      }
      this.#lastAt = this.#packets.bytes;
      this.#packets.add(bytes, at);
      if (this.awaits === 'head') {
        this.#packets.gather(bytes, from, at + PACKET_SIZE);
        this.#decide(this.#packets.gatheredBytes > LARGEST_HEAD ? 'last' : 'part');
      }
    } else this.#packets.add(bytes, at);
    if (this.#packets.bytes > LARGEST_DOUBT) {
      if (this.awaits === 'head') this.#decide('last');
      if (this.awaits === 'doubt') this.#release(this.head.timeline.settle());
    }
    return true;
  }

  /** All is decided with what there is. */
  conclude(): void {
    // Among what is held may be a picture that has to be held again.
    while (this.awaits !== 'nothing') {
      if (this.awaits === 'head') this.#decide('last');
      if (this.awaits === 'doubt') this.#release(this.head.timeline.end());
    }
  }

  /** Looks at the gathered beginning of the picture; releases it when it can be told, or must be. */
  #decide(extent: Extent): boolean {
    const { gathered, ownBytes, gatheredBytes } = this.#packets;
    if (!this.head.read(gathered, 0, ownBytes, gatheredBytes, extent)) return false;
    if (this.head.continues) this.#release('good');
    else if (this.head.isInDoubt()) this.awaits = 'doubt';
    else this.#release(this.head.timeline.believed);
    return true;
  }

  /** The PES whose head is held ends where the packet at `at` begins another; returns from where that one is gathered. */
  #endHead(bytes: Uint8Array, at: number, from: number): number {
    // What follows it may be held after it.
    while (this.awaits === 'head') {
      if (this.#decide('whole')) continue;
      // Its last access unit goes on there before it can be told what it is.
      const payload = readPesHeader(bytes, from, at + PACKET_SIZE, this.#header);
      if (payload >= 0) {
        this.#packets.endPes();
        return payload;
      }
      this.#decide('last');
    }
    return from;
  }

  #release(verdict: Verdict): void {
    const held = this.#packets;
    // What is held may have to be held again in part, and released, before all of it has gone out.
    this.#packets = this.#spare ?? new HeldPackets();
    this.#spare = undefined;
    this.awaits = 'nothing';
    this.released(held, verdict);
    held.clear();
    this.#spare = held;
  }
}
