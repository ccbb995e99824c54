import { PidRoles } from './pid-roles.js';
import { keepTracks, leavingTracks, openProgram, type ElementaryTrack, type Program } from './program.js';
import type { ProgramChoice } from './program-tables.js';

/** Copies of the PAT after which a changed PMT is in force, come what may. */
const LONGEST_OVERLAP = 50;

/**
 * One PMT after the other, and what the PIDs are for meanwhile. An encoder announces new tracks early, and a PMT may stand
 * in the middle of a picture: until the track that is to cut begins, what comes is of the tracks before.
 */
export class Succession {
  readonly roles = new PidRoles();
  /** Those whose packets are handed on, by their index: of the program in force, leaving it, and its PCR's. */
  tracks: ElementaryTrack[] = [];
  #reference: ElementaryTrack | undefined;
  #next: Program | undefined;
  #overlap = 0;
  #pmtPids: readonly number[] = [];

  constructor() {
    this.assign();
  }

  set pmtPids(pids: readonly number[]) {
    this.#pmtPids = pids;
    this.assign();
  }

  /**
   * Takes a program, or a new version of its PMT.
   *
   * @returns whether nothing need begin before it is in force
   * @throws MediaError `unsupported-video`, `no-media`
   */
  announce({ transportStreamId, pmtPid, pmt }: ProgramChoice): boolean {
    const program = openProgram(transportStreamId, pmtPid, pmt);
    keepTracks(program, this.tracks);
    this.#next = program;
    this.#overlap = 0;
    this.assign();
    return this.#reference === undefined || program.reference === this.#reference;
  }

  /** Whether a picture of `track` brings what was announced into force. */
  isDue(track: ElementaryTrack): boolean {
    return this.#next?.reference === track;
  }

  /** The PAT has come once more; true when what was announced has been waited for long enough. */
  isOverdue(): boolean {
    return this.#next !== undefined && ++this.#overlap > LONGEST_OVERLAP;
  }

  /** What was announced is in force; nothing where it is already. */
  succeed(): Program | undefined {
    const program = this.#next;
    if (!program) return undefined;
    this.#next = undefined;
    this.#reference = program.reference;
    program.leaving = leavingTracks(program, this.tracks);
    this.tracks = [...program.tracks, ...program.leaving, ...(program.pcrTrack ? [program.pcrTrack] : [])];
    this.tracks.forEach((track, index) => (track.index = index));
    this.assign();
    return program;
  }

  /** Says anew what the PIDs are for: a track that was leaving may be gone. */
  assign(): void {
    const next = this.#next?.reference;
    this.roles.assign(this.tracks, this.#pmtPids, next === this.#reference ? undefined : next);
  }
}
