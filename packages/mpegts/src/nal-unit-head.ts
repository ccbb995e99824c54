import type { Picture, PictureHead, RandomAccess } from './access-unit.js';
import type { Captions } from './captions.js';
import { MediaError } from './errors.js';
import { findStartCode } from './start-code.js';

/** Walks over the NAL units of a byte stream (ITU-T H.264 and H.265 annex B) up to where a picture is told by its first slice. */
export abstract class NalUnitHead implements PictureHead {
  spsFrom = -1;
  spsTo = -1;
  access: RandomAccess = 'closed';
  complete = false;
  refreshPictures = 0;
  /** NAL unit whose end has not been seen yet; −1: none. */
  protected nal = -1;
  protected recovery = false;
  protected pps = false;
  #next = 0;

  /** @param headerBytes of a NAL unit. @param captions are told each SEI NAL unit before the picture */
  constructor(
    private readonly headerBytes: number,
    protected readonly captions?: Captions,
  ) {}

  reset(): void {
    this.spsFrom = -1;
    this.spsTo = -1;
    this.access = 'closed';
    this.complete = false;
    this.refreshPictures = 0;
    this.nal = -1;
    this.recovery = false;
    this.pps = false;
    this.#next = 0;
  }

  look(bytes: Uint8Array, from: number, to: number, last: boolean): Picture {
    for (;;) {
      const code = findStartCode(bytes, from + this.#next, to);
      const known = code >= 0;
      if (this.nal >= 0) {
        const picture = this.read(bytes, from, known ? code : to, known || last);
        if (picture !== 'open') return picture;
      }
      if (!known) {
        this.#next = Math.max(this.#next, to - 2 - from);
        return last ? this.decide() : 'open';
      }
      if (code + 2 + this.headerBytes >= to && !last) {
        this.nal = -1;
        this.#next = code - from;
        return 'open';
      }
      this.nal = code + 3 - from;
      this.#next = code + 3 - from;
    }
  }

  /** Reads the NAL unit at `nal`, of which the bytes up to `end` are there. */
  protected abstract read(bytes: Uint8Array, from: number, end: number, whole: boolean): Picture;

  /** No more bytes will come. */
  protected abstract decide(): Picture;
}

/** What `read` gives, or `otherwise` where the bits are not there or no number. */
export function readOr(read: () => number, otherwise: number): number {
  try {
    return read();
  } catch (error) {
    if (error instanceof MediaError) return otherwise;
    throw error;
  }
}
