/** What an audio frame's header says. */
export interface AudioParameters {
  /** RFC 6381, as it stands in CODECS: `mp4a.40.` and the audio object type (ISO/IEC 14496-3 table 1.17), `ac-3`, `ec-3`. */
  codec: string;
  /** With the low-frequency one; absent where only the coded data tells. */
  channels?: number;
  /** As played: with spectral band replication, where it is signalled, twice the rate of the core. */
  sampleRate: number;
}

/**
 * How the frames of an audio codec follow one another. It may keep what earlier frames said, so each track has its own.
 *
 * For each frame, in order: `frameBytes` with `headerBytes` there; then, with as much as `lookBytes` of the frame there,
 * `frameTicks`, then `signature`, each once; then `parameters` if they are wanted. None of them throws, and none reads
 * outside `[at, to)`.
 */
export interface AudioFraming {
  /** Bytes of the header that tell how long the frame is, and at the least what else it is. */
  headerBytes: number;
  /**
   * Bytes from the beginning of the frame that tell all, where that is more than `headerBytes`; a frame may be shorter.
   * May become less, never more.
   */
  readonly lookBytes?: number;
  /** Bytes of the frame whose header stands at `at`; 0: no header. */
  frameBytes(bytes: Uint8Array, at: number): number;
  /**
   * Duration of that frame, 90 kHz ticks, not rounded; 0 for one that is played together with another, or before which
   * the stream has not said how long it is.
   *
   * @param to how far the frame is there; `at + headerBytes` for lack of it
   */
  frameTicks(bytes: Uint8Array, at: number, to?: number): number;
  /**
   * Bits of the header that tell the parameters; equal means the same parameters. Negative: this frame says nothing about
   * them, and neither confirms nor contradicts its neighbours.
   */
  signature(bytes: Uint8Array, at: number, to?: number): number;
  parameters(bytes: Uint8Array, at: number, to?: number): AudioParameters;
  /** No frame begins where the one before ended, or packets are missing: what only that one said may be chance. */
  lost?(): void;
}
