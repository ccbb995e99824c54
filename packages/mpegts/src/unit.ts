import type { RandomAccess } from './access-unit.js';
import { NO_TIMESTAMP } from './pes.js';

/** The PES that starts with the next packet of its track. One object, overwritten for each. */
export interface Unit {
  /**
   * 90 kHz ticks of 33 bits; `NO_TIMESTAMP` where there is none, or none that can be believed. Of the first key picture
   * that begins in the PES, else of the first picture.
   */
  pts: number;
  /** Of the first picture that begins in the PES. */
  dts: number;
  /** A player can start here. Audio that cuts: a frame begins with the PES, or nobody can tell. */
  key: boolean;
  /** Pictures that begin in the PES, as far as is known: 1 where it is not looked at as a whole. */
  pictures: number;
  /** PTS where the last of them is shown, in a stream that goes on as it is: `pts` where there is but one. */
  lastPts: number;
  /** Video, where `key`: what a player that joins there sees. */
  access: RandomAccess;
  /**
   * The timestamps have jumped between the PES before and this one. Sound: to where those of the reference track have
   * jumped before.
   */
  jump: boolean;
  /** The codec's parameters differ from those before. */
  changed: boolean;
}

export function emptyUnit(): Unit {
  return {
    pts: NO_TIMESTAMP,
    dts: NO_TIMESTAMP,
    key: false,
    pictures: 1,
    lastPts: NO_TIMESTAMP,
    access: 'closed',
    jump: false,
    changed: false,
  };
}
