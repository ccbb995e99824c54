import { MediaError } from './errors.js';
import { readPat, type Pat } from './pat.js';
import { readPmt, type Pmt } from './pmt.js';
import { PAT_PID } from './packet.js';
import { SectionAssembler } from './section.js';
import { streamKind } from './stream-type.js';

/** PSI packets to wait for the PMTs of programs listed earlier, before one with video that is there is taken. */
const PATIENCE = 200;

interface Listed {
  pmtPid: number;
  programNumber: number;
  pmt: Pmt | undefined;
}

export interface ProgramChoice {
  transportStreamId: number;
  pmtPid: number;
  pmt: Pmt;
}

/**
 * Follows PAT and PMTs and chooses one program: the first listed with video, else the first with audio, else the first.
 * Once chosen it stays while the PAT lists it.
 */
export class ProgramTables {
  /** Sections left out because they contradicted their own lengths. */
  badSections = 0;
  #crcErrors = 0;
  readonly #patSections = new SectionAssembler((section) => this.#pat(section));
  #patSection = new Uint8Array(0);
  #current: Pat | undefined;
  #listed: Listed[] = [];
  readonly #pmtSections = new Map<number, SectionAssembler>();
  #chosen: Listed | undefined;
  #seen = 0;

  /**
   * @param pids is called with the PIDs that carry PMTs, when they change
   * @param chosen is called with the program chosen, and with each new version of its PMT
   */
  constructor(
    private readonly pids: (pmtPids: number[]) => void,
    private readonly chosen: (choice: ProgramChoice) => void,
  ) {}

  get crcErrors(): number {
    let errors = this.#crcErrors + this.#patSections.crcErrors;
    for (const { crcErrors } of this.#pmtSections.values()) errors += crcErrors;
    return errors;
  }

  /** A packet of PID 0 or of one of the PIDs named by `pids`. */
  packet(bytes: Uint8Array, at: number, pid: number): void {
    const assembler = pid === PAT_PID ? this.#patSections : this.#pmtSections.get(pid);
    assembler?.packet(bytes, at);
    if (!this.#chosen && ++this.#seen >= PATIENCE) this.#choose(true);
  }

  /** The input ended: whatever PMT is there is taken. */
  end(): void {
    if (!this.#chosen) this.#choose(true);
  }

  #pat(section: Uint8Array): void {
    if (Buffer.compare(section, this.#patSection) === 0) return;
    const pat = this.#read(() => readPat(section));
    if (!pat) return;
    this.#patSection = section.slice();
    this.#current = pat;
    const before = this.#listed;
    this.#listed = pat.programs.map((program) => ({
      ...program,
      pmt: before.find((b) => b.pmtPid === program.pmtPid && b.programNumber === program.programNumber)?.pmt,
    }));
    const was = this.#chosen;
    this.#chosen =
      was && this.#listed.find((l) => l.pmtPid === was.pmtPid && l.programNumber === was.programNumber);
    this.#seen = 0;
    const pmtPids = new Set(pat.programs.map(({ pmtPid }) => pmtPid));
    for (const [pid, assembler] of this.#pmtSections) {
      if (pmtPids.has(pid)) continue;
      this.#crcErrors += assembler.crcErrors;
      this.#pmtSections.delete(pid);
    }
    for (const pid of pmtPids) {
      if (!this.#pmtSections.has(pid))
        this.#pmtSections.set(pid, new SectionAssembler((pmt) => this.#pmt(pid, pmt)));
    }
    this.pids([...pmtPids]);
    if (!this.#chosen) this.#choose(false);
  }

  #pmt(pid: number, section: Uint8Array): void {
    // Several programs may share a PID: the program number tells them apart (ISO/IEC 13818-1 §2.4.4.8).
    const programNumber = (section[3]! << 8) | section[4]!;
    const listed = this.#listed.find((l) => l.pmtPid === pid && l.programNumber === programNumber);
    if (!listed) return;
    const pmt = this.#read(() => readPmt(section));
    if (!pmt || (listed.pmt && samePmt(listed.pmt, section))) return;
    listed.pmt = pmt;
    sections.set(pmt, section.slice());
    if (!this.#chosen) this.#choose(false);
    else if (listed === this.#chosen) this.#announce(listed, pmt);
  }

  #choose(now: boolean): void {
    let best: Listed | undefined;
    for (const listed of this.#listed) {
      if (!listed.pmt) {
        if (!now) return;
      } else if (has(listed.pmt, 'video')) {
        best = listed;
        break;
      } else if (!best || (!has(best.pmt!, 'audio') && has(listed.pmt, 'audio'))) best = listed;
    }
    if (!best?.pmt) return;
    this.#chosen = best;
    this.#announce(best, best.pmt);
  }

  #announce({ pmtPid }: Listed, pmt: Pmt): void {
    this.chosen({ transportStreamId: this.#current!.transportStreamId, pmtPid, pmt });
  }

  #read<T>(read: () => T | undefined): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof MediaError)) throw error;
      this.badSections++;
      return undefined;
    }
  }
}

/** The section a PMT was read from, to tell a repetition from a change. */
const sections = new WeakMap<Pmt, Uint8Array>();

function samePmt(pmt: Pmt, section: Uint8Array): boolean {
  return Buffer.compare(sections.get(pmt)!, section) === 0;
}

function has(pmt: Pmt, kind: 'video' | 'audio'): boolean {
  return pmt.streams.some((stream) => streamKind(stream, pmt).kind === kind);
}
