import { Demuxer, NO_TIMESTAMP, timestampDelta, wrapTimestamp, type DemuxerSink } from '@hls-uplink/mpegts';

/** From the first picture of a stream to the end of its last one, by decoding time; without pictures, of its sound. */
export class StreamLength {
  #first = NO_TIMESTAMP;
  #last = NO_TIMESTAMP;
  /** Between the last two, ticks. */
  #step = 0;
  readonly #demuxer: Demuxer;

  /** @param program program_number of the one that counts, where it is not the one that would be chosen */
  constructor(program?: number) {
    const nothing = (): void => undefined;
    const unit: DemuxerSink['unit'] = (track, { dts }) => {
      if (track === this.#demuxer.program?.reference && dts !== NO_TIMESTAMP) this.#unit(dts);
    };
    this.#demuxer = new Demuxer({ program: nothing, packets: nothing, flush: nothing, unit }, program);
  }

  packet(bytes: Uint8Array, at: number): void {
    this.#demuxer.packet(bytes, at);
  }

  /** Ticks of 90 kHz, 33 bits; nothing when the stream has too little to tell. To be asked once, at its end. */
  end(): number | undefined {
    this.#demuxer.end();
    if (this.#first === NO_TIMESTAMP) return undefined;
    const counted = this.#demuxer.program?.reference.counter?.ticks ?? 0;
    const lastTicks = counted > 0 ? Math.round(counted) : this.#step;
    const ticks = wrapTimestamp(this.#last + lastTicks - this.#first);
    return ticks > 0 ? ticks : undefined;
  }

  #unit(dts: number): void {
    if (this.#first === NO_TIMESTAMP) this.#first = dts;
    else this.#step = Math.max(0, timestampDelta(this.#last, dts));
    this.#last = dts;
  }
}
