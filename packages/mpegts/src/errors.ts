/** Why an input cannot be segmented, or why a part of it was left out. */
export type MediaErrorCode =
  /** Nothing arrived. */
  | 'empty'
  /** No packet structure. */
  | 'no-sync'
  /** Packets, but no PAT and PMT with a right CRC. */
  | 'no-tables'
  /** The program asked for is not in the PAT, or its PMT never came. */
  | 'no-program'
  /** The tables name no video and no audio, or nothing of it arrived. */
  | 'no-media'
  /** The track that is to cut is scrambled. */
  | 'scrambled'
  /** The track that is to cut has no PTS. */
  | 'no-timestamps'
  /** Video, but no picture that a player could start at. */
  | 'no-key-picture'
  | 'unsupported-video'
  /** A table or header that contradicts its own lengths. */
  | 'bad-section'
  | 'bad-parameter-set';

/** The input is not what it should be: counted and gone on from, or, where nothing can come of it, the end. */
export class MediaError extends Error {
  override readonly name = 'MediaError';
  /**
   * @param code stable, for scripts and tests
   * @param message what is wrong with which part of the input, and what to do about it
   */
  constructor(
    readonly code: MediaErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
