import type { Picture } from './access-unit.js';
import { emptyPesHeader, NO_TIMESTAMP, readPesHeader } from './pes.js';
import { PictureCount } from './picture-count.js';
import { PictureReader } from './picture-reader.js';
import type { ElementaryTrack } from './program.js';
import { Timeline, type Verdict } from './timeline.js';
import { emptyUnit } from './unit.js';

/** What there is of a PES: some of it; all of it, and perhaps of the next; or nothing more will come. */
export type Extent = 'part' | 'whole' | 'last';

/** Reads what each PES of the track that cuts begins with: its timestamps, and what picture starts there. */
export class ReferenceHead {
  /** Of the PES read last. */
  readonly unit = emptyUnit();
  readonly timeline = new Timeline();
  /** The PES goes on with the access unit of the one before: no picture of its own. */
  continues = false;
  readonly #header = emptyPesHeader();
  readonly #pictures = new PictureReader();
  readonly #count = new PictureCount();
  /** PTS in the header of the last PES that was none that goes on. */
  #lastPts = NO_TIMESTAMP;
  #track: ElementaryTrack | undefined;
  /** Access units that begin in the PES, and those before its key picture. */
  #begun = 1;
  #before = 0;
  /** The PES before has no PTS. */
  #isUntimed = false;

  /** What comes next is of this track. */
  open(track: ElementaryTrack): void {
    this.#track = track;
    this.timeline.reset();
    this.#pictures.open(track);
    this.#count.reset();
    this.#lastPts = NO_TIMESTAMP;
    this.#begun = 1;
    this.#before = 0;
    this.#isUntimed = false;
  }

  /** A PES begins; then as `read`. */
  begin(bytes: Uint8Array, from: number, to: number): boolean {
    this.#pictures.begin();
    return this.read(bytes, from, to, to, 'part');
  }

  /**
   * Reads the beginning of the PES, from its start in `bytes[from, to)`.
   *
   * @param own its end, as far as it has come; up to `to` comes the payload of the next
   * @returns false when more is needed to tell what it is
   */
  read(bytes: Uint8Array, from: number, own: number, to: number, extent: Extent): boolean {
    const payload = readPesHeader(bytes, from, own, this.#header);
    let picture: Picture = payload === -1 ? 'open' : 'other';
    if (payload >= 0) picture = this.#look(bytes, payload, own, to, extent);
    if (picture === 'open' && (extent === 'part' || (extent === 'whole' && payload >= 0))) return false;
    const { unit } = this;
    const track = this.#track!;
    const isVideo = track.kind === 'video';
    track.missingBytes = this.#header.payloadBytes;
    unit.pts = this.#header.pts;
    unit.dts = this.#header.dts;
    unit.key = picture === 'key';
    unit.access = isVideo ? this.#pictures.access : 'closed';
    unit.changed = isVideo && this.#pictures.parametersChanged(bytes, payload, unit.key);
    unit.pictures = 1;
    unit.lastPts = unit.pts;
    this.continues = false;
    if (isVideo) this.#tell();
    return true;
  }

  /** Whether the next PES has to tell if these timestamps are right. */
  isInDoubt(): boolean {
    const { pts, dts, key } = this.unit;
    return this.timeline.check(pts, dts, key && this.#before === 0) === 'doubt';
  }

  /** What became of the timestamps. */
  settle(verdict: Verdict): void {
    this.unit.jump = verdict === 'jump';
    const { unit } = this;
    if (verdict === 'wild') {
      unit.pts = this.timeline.pts;
      unit.dts = this.timeline.dts;
    }
    unit.lastPts = unit.pts;
    if (this.#begun <= 1 || unit.pts === NO_TIMESTAMP) return;
    const { frameRate } = this.#track!.sps ?? {};
    const count = this.#count;
    unit.pictures = Math.max(1, Math.round(this.#begun / count.unitsPerPicture(frameRate)));
    if (unit.pictures > 1)
      unit.lastPts = count.shown(count.decoded(unit.dts, this.#begun - 1, frameRate), 'closed');
    if (unit.key && this.#before > 0)
      unit.pts = count.shown(count.decoded(unit.dts, this.#before, frameRate), unit.access);
  }

  /** What the PES shows of how pictures are put into PES. */
  #tell(): void {
    const { unit } = this;
    const pictures = this.#pictures;
    this.#begun = pictures.begun;
    this.#before = pictures.before;
    this.#isUntimed = unit.pts === NO_TIMESTAMP;
    this.continues = this.#begun === 0 && (unit.pts === NO_TIMESTAMP || unit.pts === this.#lastPts);
    if (this.continues) return;
    this.#lastPts = unit.pts;
    const key = unit.key && this.#before === 0 ? unit.access : undefined;
    const { frameRate } = this.#track!.sps ?? {};
    const isOne = this.#count.take(unit.pts, unit.dts, this.#begun, key, frameRate);
    const wasWhole = pictures.isWhole;
    if (wasWhole) pictures.tell(this.#begun === 1 || (isOne && this.#begun === 2));
    else if (!isOne) pictures.suspect();
    if (wasWhole !== pictures.isWhole) this.#count.forget();
  }

  #look(bytes: Uint8Array, payload: number, own: number, to: number, extent: Extent): Picture {
    if (this.#track!.kind === 'audio') return 'key';
    const { pts, payloadBytes } = this.#header;
    const pictures = this.#pictures;
    const isTimed = pts !== NO_TIMESTAMP;
    // Without a PTS nothing can be cut there, whatever it is.
    if (!isTimed && !pictures.isWhole) return 'other';
    // An access unit that begins in a PES without a PTS has none; who has one begins there.
    if (isTimed && this.#isUntimed) pictures.forget();
    this.#isUntimed = false;
    const isWhole =
      extent !== 'part' || (pictures.isWhole && payloadBytes >= 0 && own - payload >= payloadBytes);
    const picture = pictures.look(bytes, payload, own, to, isWhole, extent === 'last');
    return isTimed || picture === 'open' ? picture : 'other';
  }
}
