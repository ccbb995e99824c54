import type { Picture } from './access-unit.js';
import { emptyPesHeader, NO_TIMESTAMP, readPesHeader } from './pes.js';
import { PictureReader } from './picture-reader.js';
import type { ElementaryTrack } from './program.js';
import { Timeline, type Verdict } from './timeline.js';
import { emptyUnit } from './unit.js';

/** Reads how each PES of the track that cuts begins: its timestamps, and what picture starts there. */
export class ReferenceHead {
  /** Of the PES read last. */
  readonly unit = emptyUnit();
  readonly timeline = new Timeline();
  readonly #header = emptyPesHeader();
  readonly #pictures = new PictureReader();
  #track: ElementaryTrack | undefined;

  /** What comes next is of this track. */
  open(track: ElementaryTrack): void {
    this.#track = track;
    this.timeline.reset();
    this.#pictures.open(track);
  }

  /** A PES begins; then as `read`. */
  begin(bytes: Uint8Array, from: number, to: number): boolean {
    this.#pictures.begin();
    return this.read(bytes, from, to, false);
  }

  /**
   * Reads the beginning of the PES, from its start in `bytes[from, to)`.
   *
   * @param last there will be no more of it
   * @returns false when more is needed to tell what it is
   */
  read(bytes: Uint8Array, from: number, to: number, last: boolean): boolean {
    const payload = readPesHeader(bytes, from, to, this.#header);
    let picture: Picture = payload === -1 ? 'open' : 'other';
    if (payload >= 0) picture = this.#look(bytes, payload, to, last);
    if (picture === 'open' && !last) return false;
    const { unit } = this;
    const track = this.#track!;
    const isVideo = track.kind === 'video';
    track.missingBytes = this.#header.payloadBytes;
    unit.pts = this.#header.pts;
    unit.dts = this.#header.dts;
    unit.key = picture === 'key';
    unit.access = isVideo ? this.#pictures.access : 'closed';
    unit.changed = isVideo && this.#pictures.parametersChanged(bytes, payload, unit.key);
    return true;
  }

  /** Whether the next PES has to tell if these timestamps are right. */
  isInDoubt(): boolean {
    const { pts, dts, key } = this.unit;
    return this.timeline.check(pts, dts, key) === 'doubt';
  }

  /** What became of the timestamps. */
  settle(verdict: Verdict): void {
    this.unit.jump = verdict === 'jump';
    if (verdict !== 'wild') return;
    this.unit.pts = this.timeline.pts;
    this.unit.dts = this.timeline.dts;
  }

  #look(bytes: Uint8Array, payload: number, to: number, last: boolean): Picture {
    if (this.#track!.kind === 'audio') return 'key';
    // Without a PTS nothing can be cut there, whatever it is.
    if (this.#header.pts === NO_TIMESTAMP) return 'other';
    return this.#pictures.look(bytes, payload, to, last);
  }
}
