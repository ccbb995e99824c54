import type { Picture, PictureHead, RandomAccess, VideoParameters } from './access-unit.js';
import { MediaError } from './errors.js';
import type { ElementaryTrack } from './program.js';
import { videoCoding, type VideoCoding } from './video-coding.js';

/** Reads the beginnings of the PES of one video track: what picture starts there, and the parameters it brings along. */
export class PictureReader {
  #track: ElementaryTrack | undefined;
  #coding: VideoCoding | undefined;
  #head: PictureHead | undefined;
  /** Of the parameters in force. */
  #parameterSet = new Uint8Array(0);
  /** Came with a picture that is no key picture. */
  #early: Uint8Array<ArrayBuffer> | undefined;

  /** What comes next is of this track. */
  open(track: ElementaryTrack): void {
    this.#track = track;
    this.#coding = videoCoding(track.coding);
    this.#head = this.#coding?.head();
    this.#parameterSet = new Uint8Array(0);
    this.#early = undefined;
  }

  /** A PES begins. */
  begin(): void {
    this.#head?.reset();
  }

  /** As `PictureHead.look`. */
  look(bytes: Uint8Array, from: number, to: number, last: boolean): Picture {
    return this.#head?.look(bytes, from, to, last) ?? 'other';
  }

  /** After `look` said `key`. */
  get access(): RandomAccess {
    return this.#head?.access ?? 'closed';
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
    const { spsFrom = -1, spsTo = -1 } = this.#head ?? {};
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
