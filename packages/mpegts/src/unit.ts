import type { RandomAccess } from './access-unit.js';
import { NO_TIMESTAMP } from './pes.js';

/** The PES that starts with the next packet of its track. One object, overwritten for each. */
export interface Unit {
  /** 90 kHz ticks of 33 bits; `NO_TIMESTAMP` where there is none, or none that can be believed. */
  pts: number;
  dts: number;
  /** A player can start here. Audio: always. */
  key: boolean;
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
  return { pts: NO_TIMESTAMP, dts: NO_TIMESTAMP, key: false, access: 'closed', jump: false, changed: false };
}
