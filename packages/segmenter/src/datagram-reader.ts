import { PACKET_SIZE, SYNC_BYTE } from '@hls-uplink/mpegts';
import { emptyRtpHeader, FIRST_DYNAMIC_PAYLOAD_TYPE, PAYLOAD_TYPE_MP2T, readRtpHeader } from './rtp.js';
import { RtpSequence, type RtpCounters, type RtpSink } from './rtp-sequence.js';

/** So many datagrams in a row of the other kind show that the sender has changed its ways. */
const CONVINCING = 8;

/**
 * Tells RTP from raw transport packets, and brings RTP into order. The kind is kept once it is known: payload of
 * scattered packets may look like an RTP header by chance.
 */
export class DatagramReader {
  #kind: 'unknown' | 'raw' | 'rtp' = 'unknown';
  /** Of the RTP packets that were believed. */
  #payloadType = -1;
  #contrary = 0;
  #foreign = 0;
  readonly #header = emptyRtpHeader();
  readonly #sequence: RtpSequence;

  constructor(private readonly sink: RtpSink) {
    this.#sequence = new RtpSequence(sink);
  }

  get counters(): { rtp: RtpCounters; foreign: number } {
    return { rtp: this.#sequence.counters, foreign: this.#foreign };
  }

  /** Datagrams that wait for others before them. */
  get held(): number {
    return this.#sequence.held;
  }

  /** Takes a datagram, which must stay as it is. */
  take(datagram: Uint8Array): void {
    const seen = this.#look(datagram);
    if (seen === 'unknown' || seen === this.#kind) {
      if (seen !== 'unknown') this.#contrary = 0;
    } else if (this.#kind === 'unknown' || ++this.#contrary >= CONVINCING) {
      this.flush();
      this.#kind = seen;
      this.#contrary = 0;
    }
    if (this.#kind === 'rtp') {
      if (seen !== 'rtp') {
        this.#foreign++;
        return;
      }
      const { ssrc, sequence, from, to } = this.#header;
      this.#sequence.push(ssrc, sequence, datagram, from, to);
    } else this.sink(datagram, 0, datagram.length);
  }

  /** The RTP number that is waited for while datagrams are held. */
  get expected(): number {
    return this.#sequence.expected;
  }

  /** Gives up what is missing before the first datagram that is held. */
  skip(): void {
    this.#sequence.skip();
  }

  /** Gives up all that is missing before what is held. */
  flush(): void {
    this.#sequence.flush();
  }

  /** The next datagrams come from a new socket. */
  restart(): void {
    this.flush();
    this.#kind = 'unknown';
    this.#contrary = 0;
  }

  /** The first bytes differ: a sync byte has the bits of RTP version 1. */
  #look(datagram: Uint8Array): 'unknown' | 'raw' | 'rtp' {
    if (isTransport(datagram, 0, datagram.length)) return 'raw';
    const header = this.#header;
    if (!readRtpHeader(datagram, header)) return 'unknown';
    const { payloadType, from, to } = header;
    // What is known to be the stream need not prove it again: a damaged packet is the demuxer's business.
    if (this.#kind === 'rtp' && payloadType === this.#payloadType) return 'rtp';
    const isPossible = payloadType === PAYLOAD_TYPE_MP2T || payloadType >= FIRST_DYNAMIC_PAYLOAD_TYPE;
    if (!isPossible || !isTransport(datagram, from, to)) return 'unknown';
    this.#payloadType = payloadType;
    return 'rtp';
  }
}

/** Whole packets, or at least one that the next one follows. RFC 2250 §2: an integral number of them. */
function isTransport(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < PACKET_SIZE || bytes[from] !== SYNC_BYTE) return false;
  return to - from === PACKET_SIZE || bytes[from + PACKET_SIZE] === SYNC_BYTE;
}
