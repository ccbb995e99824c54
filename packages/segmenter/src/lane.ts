import { NO_TIMESTAMP, PACKET_SIZE, type ElementaryTrack } from '@hls-uplink/mpegts';
import type { PartFile } from './part-file.js';

/** The way of one track's packets into the segment files. */
export class Lane {
  /** Where the PES in progress goes; none: its packets are dropped. */
  file: PartFile | undefined;
  /** What a file that has ended still waits for: sound up to the cut, or the end of the PES in progress, which is in `file`. */
  expected: 'nothing' | 'cut' | 'end' = 'nothing';
  /** Sound: it came when it was waited for last. */
  continuous = false;
  /** Sound ahead of the picture. */
  aside: Aside | undefined;
  /** Kept for the next time: with some muxers that is each PES. */
  #spare: Aside | undefined;

  /** @param firstSegment number of the first file whose tables name the track */
  constructor(
    readonly track: ElementaryTrack,
    readonly firstSegment: number,
  ) {}

  /** A PES begins that is to be put aside, behind those that are. */
  putAside(pts: number): void {
    this.aside ??= this.#spare ?? new Aside();
    this.aside.begin(pts);
  }

  /** All that was aside has found its place. */
  clearAside(): void {
    this.#spare = this.aside ?? this.#spare;
    this.#spare?.clear();
    this.aside = undefined;
  }

  /** The segment ends: of the PES in progress the rest is expected. */
  end(): void {
    this.clearAside();
    if (this.track.missingBytes <= 0) this.file = undefined;
    this.expected = this.file ? 'end' : 'nothing';
  }

  /** No PES is in progress, nothing is expected. */
  settle(): void {
    this.file = undefined;
    this.expected = 'nothing';
    this.clearAside();
  }
}

/** Whole PES, and one in progress, that wait for their place. */
export class Aside {
  bytes = 0;
  #packets = new Uint8Array(16 * PACKET_SIZE);
  readonly #units: { pts: number; from: number }[] = [];

  /** PTS of the oldest PES. */
  get firstPts(): number {
    return this.#units[0]?.pts ?? NO_TIMESTAMP;
  }

  get empty(): boolean {
    return this.#units.length === 0;
  }

  clear(): void {
    this.bytes = 0;
    this.#units.length = 0;
  }

  /** A PES begins with the next packet; one without PTS goes where the one before it goes. */
  begin(pts: number): void {
    if (pts === NO_TIMESTAMP && !this.empty) return;
    this.#units.push({ pts, from: this.bytes });
  }

  /** Takes the packets in `bytes[from, to)`. */
  add(bytes: Uint8Array, from: number, to: number): void {
    const wanted = this.bytes + to - from;
    if (wanted > this.#packets.length) {
      const larger = new Uint8Array(Math.max(wanted, this.#packets.length * 2));
      larger.set(this.#packets);
      this.#packets = larger;
    }
    for (let at = from; at < to; at++) this.#packets[this.bytes++] = bytes[at]!;
  }

  /** Moves the oldest PES into `file`, if there is one; returns the packets that had none. */
  takeFirst(file: PartFile | undefined): number {
    const first = this.#units.shift();
    if (!first) return 0;
    const to = this.#units[0]?.from ?? this.bytes;
    file?.append(this.#packets, first.from, to);
    return file ? 0 : (to - first.from) / PACKET_SIZE;
  }
}
