import { PACKET_SIZE, packetDiscontinuity } from './packet.js';

/** PCR_flag, and the bytes of the packet where the PCR stands then. */
const PCR_FLAG = 0x10;
const PCR_FROM = 6;
const PCR_TO = 12;

/** How a packet stands to the one before it: right behind it, not so, or it is that one once more. */
export type Came = 'next' | 'lost' | 'duplicate';

/** The continuity counter of one PID (ISO/IEC 13818-1 §2.4.3.3). */
export class Continuity {
  /** Packets that did not follow. */
  errors = 0;
  /** Of the last packet with payload; −1: none yet, any will do. */
  counter = -1;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #own: Uint8Array | undefined;
  #isRepeated = false;
  /** Packets that differ had the same counter: the muxer never counts, and what looks the same may be two. */
  isStuck = false;

  /**
   * Takes a packet with payload. A packet may be sent twice, but not more often; what is a duplicate is to be left out,
   * and the packet before it stays the last.
   */
  take(bytes: Uint8Array, at: number): Came {
    const counter = bytes[at + 3]! & 0x0f;
    const isDuplicate = this.isDuplicate(bytes, at);
    const follows = this.counter < 0 || counter === ((this.counter + 1) & 0x0f);
    if (isDuplicate ? this.#isRepeated : !follows && !packetDiscontinuity(bytes, at)) this.errors++;
    this.#isRepeated = isDuplicate;
    if (isDuplicate) return 'duplicate';
    this.isStuck = counter === this.counter;
    this.counter = counter;
    this.#bytes = bytes;
    this.#at = at;
    return follows ? 'next' : 'lost';
  }

  /** Packets that follow have gone by, the last of them at `at`. */
  pass(bytes: Uint8Array, at: number): void {
    this.counter = bytes[at + 3]! & 0x0f;
    this.#isRepeated = false;
    this.isStuck = false;
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Whether the packet is the one before it once more. Equal counters alone mean nothing: some muxers never count. */
  isDuplicate(bytes: Uint8Array, at: number): boolean {
    return (
      this.counter === (bytes[at + 3]! & 0x0f) &&
      !this.isStuck &&
      isSamePacket(this.#bytes, this.#at, bytes, at)
    );
  }

  /** The bytes of the packets so far are about to be reused. */
  keep(): void {
    if (this.counter < 0 || this.#bytes === this.#own) return;
    this.#own ??= new Uint8Array(PACKET_SIZE);
    this.#own.set(this.#bytes.subarray(this.#at, this.#at + PACKET_SIZE));
    this.#bytes = this.#own;
    this.#at = 0;
  }

  /** What comes next follows on nothing. */
  reset(): void {
    this.counter = -1;
    this.isStuck = false;
  }
}

/** Whether two packets are the same but for their PCR, which is that of the moment. */
export function isSamePacket(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  const hasPcr = (b[bAt + 3]! & 0x20) !== 0 && b[bAt + 4]! >= 7 && (b[bAt + 5]! & PCR_FLAG) !== 0;
  for (let n = 0; n < PACKET_SIZE; n++) {
    if (hasPcr && n >= PCR_FROM && n < PCR_TO) continue;
    if (a[aAt + n] !== b[bAt + n]) return false;
  }
  return true;
}
