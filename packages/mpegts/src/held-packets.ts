import { PACKET_SIZE } from './packet.js';

/** Packets put aside in their order, and the payload of one PES among them in one piece. Grows as needed, is reused. */
export class HeldPackets {
  packets: Uint8Array = new Uint8Array(64 * PACKET_SIZE);
  /** Bytes of `packets` in use. */
  bytes = 0;
  gathered: Uint8Array = new Uint8Array(64 * PACKET_SIZE);
  gatheredBytes = 0;
  /** Those of the first PES; what follows them is payload of the next. */
  get ownBytes(): number {
    return this.#ownBytes ?? this.gatheredBytes;
  }
  #ownBytes: number | undefined;

  add(bytes: Uint8Array, at: number): void {
    this.packets = withRoom(this.packets, this.bytes, PACKET_SIZE);
    copy(bytes, at, at + PACKET_SIZE, this.packets, this.bytes);
    this.bytes += PACKET_SIZE;
  }

  gather(bytes: Uint8Array, from: number, to: number): void {
    this.gathered = withRoom(this.gathered, this.gatheredBytes, to - from);
    copy(bytes, from, to, this.gathered, this.gatheredBytes);
    this.gatheredBytes += to - from;
  }

  /** The first PES has ended. */
  endPes(): void {
    this.#ownBytes ??= this.gatheredBytes;
  }

  clear(): void {
    this.bytes = 0;
    this.gatheredBytes = 0;
    this.#ownBytes = undefined;
  }
}

function copy(source: Uint8Array, from: number, to: number, target: Uint8Array, at: number): void {
  target.set(source.subarray(from, to), at);
}

function withRoom(buffer: Uint8Array, used: number, wanted: number): Uint8Array {
  if (used + wanted <= buffer.length) return buffer;
  const larger = new Uint8Array(buffer.length * 2);
  larger.set(buffer.subarray(0, used));
  return larger;
}
