import { PACKET_SIZE } from '@hls-uplink/mpegts';
import type { Logger } from '@hls-uplink/runtime';

/** Tells the operator what is unusual about the packets of the input, each once. */
export class InputRemarks {
  #stride = PACKET_SIZE;
  #isScrambled = false;

  constructor(private readonly logger: Logger) {}

  /**
   * @param stride from sync byte to sync byte; 0: not yet known
   * @param scrambledPackets so far
   */
  look(stride: number, scrambledPackets: number): void {
    if (stride > 0 && stride !== this.#stride) {
      this.#stride = stride;
      this.logger.info(`packets of ${stride} bytes; they go out as ${PACKET_SIZE}`);
    }
    if (scrambledPackets > 0 && !this.#isScrambled) {
      this.#isScrambled = true;
      this.logger.warn(
        'packets are scrambled; they are passed on as they are: descramble the stream before, or players see nothing',
      );
    }
  }
}
