import { packetPid } from './packet.js';
import type { ElementaryTrack } from './program.js';
import { SPLICE_INFO_TABLE_ID } from './scte35.js';
import { SectionAssembler } from './section.js';

/** Puts the splice_info_sections of a program together, those of each PID by themselves. */
export class SpliceSections {
  readonly #assemblers = new Map<number, SectionAssembler>();

  /** @param section gets each whole section, its CRC_32 not checked; the view is valid during the call */
  constructor(private readonly section: (section: Uint8Array) => void) {}

  /** The tracks from now on; a section in progress on a PID that stays goes on. */
  follow(tracks: readonly ElementaryTrack[]): void {
    const pids = new Set(tracks.filter(({ hasSplices }) => hasSplices).map(({ pid }) => pid));
    for (const pid of this.#assemblers.keys()) if (!pids.has(pid)) this.#assemblers.delete(pid);
    for (const pid of pids)
      if (!this.#assemblers.has(pid))
        this.#assemblers.set(pid, new SectionAssembler(this.section, SPLICE_INFO_TABLE_ID));
  }

  packet(bytes: Uint8Array, at: number): void {
    this.#assemblers.get(packetPid(bytes, at))?.packet(bytes, at);
  }
}
