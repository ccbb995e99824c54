/** What a PES starts with. */
export type Picture = 'key' | 'other' | 'open';

/**
 * What a player that joins at a key picture gets to see.
 *
 * - `closed`: everything from it on (IDR, BLA without leading pictures, closed GOP).
 * - `open-gop`: everything from its own presentation time on. Leading pictures, which are decoded after it and shown
 *   before it, may need what came before (I with recovery point, CRA, open GOP); a decoder drops them.
 * - `gradual`: a whole picture only after some more, `refreshPictures` by the stream's own word (intra refresh).
 */
export type RandomAccess = 'closed' | 'open-gop' | 'gradual';

/** What the parameter sets or sequence header say about the pictures. */
export interface VideoParameters {
  /** RFC 6381. */
  codec: string;
  /** Of the cropped picture, luma samples. */
  width: number;
  height: number;
  /**
   * Frames a second (two fields are one frame) by the stream's own word, absent where it says nothing. It may be wrong:
   * x264 marks every stream as of variable frame rate, and some encoders count fields.
   */
  frameRate?: number;
}

/**
 * Looks at the first access unit that begins in a PES, as far as it takes to know whether a player can start there. What
 * random_access_indicator says plays no part: encoders set it wrongly and leave it out.
 *
 * One object serves one track, `reset` before each PES.
 */
export interface PictureHead {
  /** Of the last sequence parameter set (sequence header) seen whole, relative to the start of the PES payload; −1: none. */
  readonly spsFrom: number;
  readonly spsTo: number;
  /** After `key`: what a player that joins there sees. */
  readonly access: RandomAccess;
  /** After `key`: the parameter sets that its decoder needs stand before the picture, in its own access unit. */
  readonly complete: boolean;
  /** After `key` with `gradual`: pictures until all is right (H.264: frames, HEVC: difference of picture order count). */
  readonly refreshPictures: number;
  reset(): void;
  /**
   * Never throws and never reads outside `[from, to)`. May be called again with more bytes; positions are kept relative
   * to `from`, so the bytes may have moved. How the bytes are divided among calls never changes the verdict.
   *
   * @param bytes the payload of the PES stands at `[from, to)`
   * @param last no more bytes will come: decide; the result is not `open` then
   */
  look(bytes: Uint8Array, from: number, to: number, last: boolean): Picture;
}
