import { NULL_PID, PAT_PID } from './packet.js';
import type { ElementaryTrack } from './program.js';

/** What the packets of a PID are for. From `FIRST_TRACK` on: a track of the program, by its index. */
const UNUSED = 0;
export const TABLES = 1;
export const NULL = 2;
/** The track that will cut, once the tables that name it are in force. */
export const AWAITED = 3;
export const FIRST_TRACK = 4;
/** PID numbers have 13 bits. */
const PIDS = 0x2000;

/** Looks up what a PID is for without a search. */
export class PidRoles {
  readonly of = new Uint8Array(PIDS);

  assign(
    tracks: readonly ElementaryTrack[],
    pmtPids: readonly number[],
    awaited: ElementaryTrack | undefined,
  ): void {
    const { of } = this;
    of.fill(UNUSED);
    of[NULL_PID] = NULL;
    tracks.forEach(({ pid, isLeaving, missingBytes }, index) => {
      if (!isLeaving || missingBytes > 0) of[pid] = FIRST_TRACK + index;
    });
    if (awaited) of[awaited.pid] = AWAITED;
    for (const pid of pmtPids) of[pid] = TABLES;
    of[PAT_PID] = TABLES;
  }
}
