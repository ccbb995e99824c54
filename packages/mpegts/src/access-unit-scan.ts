import type { PictureHead, RandomAccess } from './access-unit.js';
import { findStartCode } from './start-code.js';

/**
 * What stands behind a start code: something that an access unit begins with, if its picture has not begun yet; the
 * beginning of a picture; anything else.
 */
export type UnitKind = 'starts' | 'picture' | 'more';

const PREFIX_BYTES = 3;
/** Start code, and what of the unit behind it tells its kind. */
const UNIT_BYTES = 6;

/**
 * Finds all access units that begin in a PES, and the first of them that a player can start at. An access unit belongs to
 * the PES with its first byte (ISO/IEC 13818-1 §2.4.3.7); where that one ends before its picture has begun, what follows
 * in the next PES has to be looked at too. One object serves one track, in the order of its PES.
 */
export class AccessUnitScan {
  /** Access units that begin in the PES. */
  pictures = 0;
  /** Which of them is the first key picture; −1: none. */
  key = -1;
  access: RandomAccess = 'closed';
  /** Parameter set of the key picture, else the first one, relative to the payload; −1: none. */
  spsFrom = -1;
  spsTo = -1;
  /** Start code of the access unit that is looked at, relative to the payload; −1: none. */
  #unit = -1;
  #next = 0;
  /** The picture of the access unit in progress has begun; carried on from PES to PES. */
  #sliced = true;
  /** How far the last unit of the PES before reaches into this one. */
  #taken = 0;

  constructor(
    private readonly head: PictureHead,
    private readonly kind: (bytes: Uint8Array, at: number) => UnitKind,
    private readonly hasZeroByte: boolean,
  ) {}

  /** What comes next goes on from nothing that was looked at. */
  reset(): void {
    this.#sliced = true;
    this.#taken = 0;
    this.#next = 0;
  }

  /** A PES begins. */
  begin(): void {
    this.pictures = 0;
    this.key = -1;
    this.access = 'closed';
    this.spsFrom = -1;
    this.spsTo = -1;
    this.#unit = -1;
    this.#next = this.#taken;
    this.#taken = 0;
  }

  /**
   * May be called again with more bytes.
   *
   * @param from, own where the payload of the PES stands in `bytes`; up to `to` comes what follows it
   * @param isWhole there is no more of the PES itself
   * @param last there is no more at all
   * @returns whether all is known
   */
  look(bytes: Uint8Array, from: number, own: number, to: number, isWhole: boolean, last: boolean): boolean {
    for (;;) {
      if (this.#unit >= 0 && !this.#examine(bytes, from, to, last)) return false;
      const code = findStartCode(bytes, from + this.#next, to);
      if (code < 0) {
        this.#next = Math.max(this.#next, to - PREFIX_BYTES - from);
        return last || (isWhole && (to >= own + PREFIX_BYTES || !mayBegin(bytes, own)));
      }
      // zero_byte is part of what it stands before (ITU-T H.264 and H.265 §B.1.1).
      const begin = this.hasZeroByte && code > from && bytes[code - 1] === 0 ? code - 1 : code;
      if (begin >= own) return true;
      if (code + UNIT_BYTES > to) return last;
      this.#next = code + 3 - from;
      this.#taken = Math.max(0, code + 3 - own);
      this.#take(this.kind(bytes, code + 3), code - from);
    }
  }

  #take(kind: UnitKind, at: number): void {
    if (kind === 'more') return;
    const begins = this.#sliced;
    this.#sliced = kind === 'picture';
    if (!begins) return;
    this.pictures++;
    if (this.key >= 0) return;
    this.head.reset();
    this.#unit = at;
  }

  /** Looks at the access unit in progress; false when more of it is needed. */
  #examine(bytes: Uint8Array, from: number, to: number, last: boolean): boolean {
    const { head } = this;
    const picture = head.look(bytes, from + this.#unit, to, last);
    if (picture === 'open') return false;
    const isKey = picture === 'key';
    if (head.spsFrom >= 0 && (isKey || this.spsFrom < 0)) {
      this.spsFrom = this.#unit + head.spsFrom;
      this.spsTo = this.#unit + head.spsTo;
    }
    if (isKey) {
      this.key = this.pictures - 1;
      this.access = head.access;
    }
    this.#unit = -1;
    return true;
  }
}

/** Whether a start code prefix may have begun in the last bytes before `to`. */
function mayBegin(bytes: Uint8Array, to: number): boolean {
  return bytes[to - 1] === 0;
}
