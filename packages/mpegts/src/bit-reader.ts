import { MediaError } from './errors.js';

/** Bits of a header, most significant first. Of an RBSP, emulation prevention bytes (00 00 03) are left out (ITU-T H.264 §7.4.1). */
export class BitReader {
  #at: number;
  #bit = 0;
  #zeros = 0;

  constructor(
    private readonly bytes: Uint8Array,
    from = 0,
    private readonly to = bytes.length,
    private readonly escaped = true,
  ) {
    this.#at = from;
  }

  /** Bits up to the end, emulation prevention included. */
  get left(): number {
    return (this.to - this.#at) * 8 - this.#bit;
  }

  /** @throws MediaError `bad-parameter-set` beyond the end */
  bit(): number {
    if (this.#bit === 0 && this.#zeros >= 2 && this.#at < this.to && this.bytes[this.#at] === 3) {
      this.#at++;
      this.#zeros = 0;
    }
    if (this.#at >= this.to) throw new MediaError('bad-parameter-set', 'a header ends before its last field');
    const value = (this.bytes[this.#at]! >> (7 - this.#bit)) & 1;
    if (++this.#bit === 8) {
      this.#zeros = this.escaped && this.bytes[this.#at] === 0 ? this.#zeros + 1 : 0;
      this.#bit = 0;
      this.#at++;
    }
    return value;
  }

  /** u(n), n ≤ 32. */
  bits(count: number): number {
    let value = 0;
    for (let n = 0; n < count; n++) value = value * 2 + this.bit();
    return value;
  }

  skip(count: number): void {
    for (let n = 0; n < count; n++) this.bit();
  }

  flag(): boolean {
    return this.bit() === 1;
  }

  /** ue(v) (ITU-T H.264 §9.1). */
  ue(): number {
    let zeros = 0;
    while (this.bit() === 0) {
      if (++zeros > 32) throw new MediaError('bad-parameter-set', 'an Exp-Golomb code is too long');
    }
    return 2 ** zeros - 1 + this.bits(zeros);
  }

  /** se(v) (ITU-T H.264 §9.1.1). */
  se(): number {
    const code = this.ue();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }
}
