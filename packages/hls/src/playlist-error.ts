export type PlaylistErrorCode =
  /** Longer than allowed for a playlist that is read. */
  | 'too-long'
  /** More entries than allowed. */
  | 'too-many-entries'
  /** Does not begin with EXTM3U. */
  | 'no-playlist'
  /** A media playlist where a multivariant one belongs, or the reverse. */
  | 'wrong-kind'
  /** A tag's value cannot be. */
  | 'bad-value'
  /** A tag that may stand once only. */
  | 'duplicate-tag'
  | 'missing-tag'
  /** A tag that must come before the first segment. */
  | 'late-tag'
  /** EXTINF or EXT-X-STREAM-INF without the URI it is about. */
  | 'missing-uri'
  /** A URI without the tag that must precede it. */
  | 'stray-uri'
  /** A tag that changes what a segment is, and that we cannot write again. */
  | 'unsupported-tag';

/** A text is no playlist that could be gone on from. */
export class PlaylistError extends Error {
  override readonly name = 'PlaylistError';

  /** @param line counted from 1 */
  constructor(
    readonly code: PlaylistErrorCode,
    readonly line: number,
    message: string,
  ) {
    super(`playlist, line ${line}: ${message}`);
  }
}
