/** What an audio frame's header says. */
export interface AudioParameters {
  /** RFC 6381: `mp4a.40.` and the audio object type (ISO/IEC 14496-3 table 1.17). */
  codec: string;
  channels?: number;
  sampleRate: number;
}

/** How the frames of an audio codec follow one another. */
export interface AudioFraming {
  /** Bytes of the header that `frame` needs. */
  headerBytes: number;
  /** Bytes of the frame whose header stands at `at`; 0: no header. */
  frameBytes(bytes: Uint8Array, at: number): number;
  /** Duration of that frame, 90 kHz ticks, not rounded. */
  frameTicks(bytes: Uint8Array, at: number): number;
  /** Bits of the header that tell the parameters; equal means the same parameters. */
  signature(bytes: Uint8Array, at: number): number;
  parameters(bytes: Uint8Array, at: number): AudioParameters;
}
