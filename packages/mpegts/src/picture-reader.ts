import type { Picture, PictureHead, RandomAccess, VideoParameters } from './access-unit.js';
import { AccessUnitScan } from './access-unit-scan.js';
import { MediaError } from './errors.js';
import type { ElementaryTrack } from './program.js';
import { videoCoding, type VideoCoding } from './video-coding.js';

/** PES of one access unit each, from its beginning on, after which it is believed that they all are like that. */
const PLAIN_AT_FIRST = 3;
/** The same where something has not been like that. */
const PLAIN_AGAIN = 250;
/** Bytes of a payload that tell whether an access unit begins with it. */
const BEGINNING_BYTES = 8;

/**
 * Reads the PES of one video track: what picture starts there, and the parameters it brings along. Where each PES holds
 * one access unit, only the beginning of it is looked at; where several begin in one, or one goes over several, all.
 */
export class PictureReader {
  #track: ElementaryTrack | undefined;
  #coding: VideoCoding | undefined;
  #head: PictureHead | undefined;
  /** Of the parameters in force. */
  #parameterSet = new Uint8Array(0);
  /** Came with a picture that is no key picture. */
  #early: Uint8Array<ArrayBuffer> | undefined;
  #scan: AccessUnitScan | undefined;
  /** PES are looked at as a whole for as long as so many of one access unit each have not come in a row. */
  #plainWanted = PLAIN_AT_FIRST;
  #plain = 0;
  /** Whether an access unit begins with the PES; `undefined`: its beginning has not come. */
  #isAligned: boolean | undefined;

  /** What comes next is of this track. */
  open(track: ElementaryTrack): void {
    this.#track = track;
    this.#coding = videoCoding(track.coding);
    this.#head = this.#coding?.head(track.captions);
    this.#parameterSet = new Uint8Array(0);
    this.#early = undefined;
    const coding = this.#coding;
    this.#scan =
      coding &&
      new AccessUnitScan(
        coding.head(track.captions),
        (bytes, at) => coding.unitKind(bytes, at),
        track.coding !== 'mpeg-video',
      );
    this.#plainWanted = PLAIN_AT_FIRST;
    this.#plain = 0;
  }

  /** A PES begins. */
  begin(): void {
    this.#head?.reset();
    this.#scan?.begin();
    this.#isAligned = undefined;
  }

  /**
   * As `PictureHead.look`, for the first key picture that begins in the PES.
   *
   * @param own where the payload of the PES ends in `bytes`: up to `to` comes that of the next
   * @param isWhole it does not go on behind `own`
   */
  look(bytes: Uint8Array, from: number, own: number, to: number, isWhole: boolean, last: boolean): Picture {
    if (!this.#head || !this.#scan) return 'other';
    if (own - from >= BEGINNING_BYTES) this.#isAligned ??= this.#begins(bytes, from);
    if (this.#isAligned === false && !this.isWhole) this.suspect();
    if (!this.isWhole) return this.#head.look(bytes, from, to, last || isWhole);
    if (!this.#scan.look(bytes, from, own, to, isWhole, last)) return 'open';
    return this.#scan.key >= 0 ? 'key' : 'other';
  }

  /** What began in the PES before does not go on in this one. */
  forget(): void {
    this.#scan?.reset();
  }

  /** Whether PES are looked at as a whole. */
  get isWhole(): boolean {
    return this.#plain < this.#plainWanted;
  }

  /** Not every PES is one access unit, it seems. */
  suspect(): void {
    if (!this.isWhole) this.#scan?.reset();
    this.#plainWanted = PLAIN_AGAIN;
    this.#plain = 0;
  }

  /** The PES that was looked at as a whole is done with; `isOne`: it holds one picture, of one or two access units. */
  tell(isOne: boolean): void {
    if (!isOne || this.#isAligned === false) this.suspect();
    else this.#plain++;
  }

  /** Access units that begin in the PES, and how many of them stand before its first key picture. */
  get begun(): number {
    return this.isWhole ? this.#scan!.pictures : 1;
  }
  get before(): number {
    return this.isWhole ? Math.max(0, this.#scan!.key) : 0;
  }

  /** After `look` said `key`. */
  get access(): RandomAccess {
    return (this.isWhole ? this.#scan : this.#head)?.access ?? 'closed';
  }

  /** Whether what the payload begins with begins an access unit, or where nobody can tell. */
  #begins(bytes: Uint8Array, from: number): boolean {
    let at = from;
    while (at < from + 2 && bytes[at + 2] === 0) at++;
    const isPrefix = bytes[at] === 0 && bytes[at + 1] === 0 && bytes[at + 2] === 1;
    return isPrefix && this.#coding!.unitKind(bytes, at + 3) !== 'more';
  }

  /**
   * Notes the parameter set of the PES, where it has a new one, in the track; true when it replaces one that describes
   * other pictures. One that cannot be read changes nothing. One that comes with a picture which cannot put it into
   * force (ITU-T H.264 §7.4.1.2.1) waits for a key picture without one: that PES is damaged, or the parameters have a PES
   * of their own.
   *
   * @param payload where the payload of the PES stands in `bytes`
   */
  parametersChanged(bytes: Uint8Array, payload: number, key: boolean): boolean {
    const track = this.#track!;
    const { spsFrom = -1, spsTo = -1 } = (this.isWhole ? this.#scan : this.#head) ?? {};
    let set: Uint8Array<ArrayBuffer> | undefined;
    if (spsFrom < 0) set = key ? this.#early : undefined;
    else if (!this.#isInForce(bytes, payload + spsFrom, payload + spsTo))
      set = bytes.slice(payload + spsFrom, payload + spsTo);
    if (key || spsFrom >= 0) this.#early = undefined;
    if (!set) return false;
    if (!key && track.sps) {
      this.#early = set;
      return false;
    }
    try {
      const before = track.sps;
      track.sps = this.#coding!.parameters(set);
      this.#parameterSet = set;
      return before !== undefined && !areAlike(before, track.sps);
    } catch (error) {
      if (error instanceof MediaError) return false;
      throw error;
    }
  }

  #isInForce(bytes: Uint8Array, from: number, to: number): boolean {
    const set = this.#parameterSet;
    if (set.length !== to - from) return false;
    let at = 0;
    while (at < set.length && set[at] === bytes[from + at]) at++;
    return at === set.length;
  }
}

function areAlike(a: VideoParameters, b: VideoParameters): boolean {
  return a.codec === b.codec && a.width === b.width && a.height === b.height && a.frameRate === b.frameRate;
}
