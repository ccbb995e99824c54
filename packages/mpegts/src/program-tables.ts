import { AssociationTable } from './association.js';
import { MediaError } from './errors.js';
import { PAT_PID } from './packet.js';
import { readPmt, type Pmt } from './pmt.js';
import { ProgramSections } from './program-sections.js';
import { SectionAssembler } from './section.js';

/** How often PAT and PMTs may come round before a program is chosen without those PMTs that have not come. */
const PATIENT_ROUNDS = 10;
/** Packets of no program after which it is chosen without them, where tables come once only. */
const PATIENT_PACKETS = 20_000;

export interface ProgramChoice {
  transportStreamId: number;
  pmtPid: number;
  pmt: Pmt;
}

/**
 * Why no program is taken, or none goes on: the one asked for is not in the PAT, no PMT names video or audio, or the video
 * is now of a coding that is not read.
 */
export type WaitReason = 'no-program' | 'no-media' | 'unsupported-video';

export interface ProgramTablesSink {
  /** The PIDs that carry PMTs, when they change. */
  pmtPids(pids: number[]): void;
  /** The program chosen, and each change of its PMT. */
  chosen(choice: ProgramChoice): void;
  /** Told once, and again when it was over and has come back. */
  waiting(reason: WaitReason): void;
}

/**
 * Follows PAT and PMTs and chooses one program: the one asked for, else the first listed with video, else the first with
 * audio. Once chosen it stays while the PAT lists it, and the one asked for for ever.
 */
export class ProgramTables {
  /** Sections left out because they contradicted their own lengths. */
  badSections = 0;
  #crcErrors = 0;
  readonly #patSections = new SectionAssembler((section) => this.#pat(section));
  readonly #association = new AssociationTable();
  #transportStreamId = 0;
  #listed: ProgramSections[] = [];
  readonly #pmtSections = new Map<number, SectionAssembler>();
  /** program_number of the one chosen. */
  #chosen: number | undefined;
  #packets = 0;
  #foreign = 0;
  #isImpatient = false;
  #waiting: WaitReason | undefined;
  /** A program has been taken; what follows it is waited for, whatever becomes of it. */
  #hasBegun = false;

  /** @param wanted program_number of the only program to be chosen; any where left out */
  constructor(
    private readonly sink: ProgramTablesSink,
    readonly wanted?: number,
  ) {}

  /** What the PAT in force lists, in its order. */
  get programs(): readonly ProgramSections[] {
    return this.#listed;
  }

  get crcErrors(): number {
    let errors = this.#crcErrors + this.#patSections.crcErrors;
    for (const { crcErrors } of this.#pmtSections.values()) errors += crcErrors;
    return errors;
  }

  /** A packet of PID 0 or of one of the PIDs named by `pmtPids`. */
  packet(bytes: Uint8Array, at: number, pid: number): void {
    const assembler = pid === PAT_PID ? this.#patSections : this.#pmtSections.get(pid);
    assembler?.packet(bytes, at);
    if (this.#chosen === undefined && ++this.#packets > PATIENT_ROUNDS * (this.#listed.length + 1))
      this.#hurry();
  }

  /** A packet of no table has passed while no program is chosen. */
  foreign(): void {
    if (++this.#foreign > PATIENT_PACKETS) this.#hurry();
  }

  /**
   * The input ended: of the programs whose PMTs are there one is taken, whatever it is.
   *
   * @throws MediaError what `chosen` throws of it
   */
  end(): void {
    if (this.#chosen !== undefined) return;
    this.#isImpatient = true;
    this.#choose(true);
  }

  #pat(section: Uint8Array): void {
    const pat = this.#read(() => this.#association.take(section));
    if (!pat) return;
    this.#transportStreamId = pat.transportStreamId;
    const before = this.#listed;
    this.#listed = pat.programs.map(
      (program) => before.find((listed) => listed.is(program)) ?? new ProgramSections(program),
    );
    if (this.#listed.length !== before.length || this.#listed.some((listed, n) => listed !== before[n])) {
      this.#foreign = this.#packets = 0;
      this.#isImpatient = false;
      this.#followPids();
    }
    if (this.#chosen !== undefined && this.wanted === undefined && !this.#find(this.#chosen))
      this.#chosen = undefined;
    const wanted = this.wanted ?? this.#chosen;
    if (wanted !== undefined && !this.#find(wanted)) this.#wait('no-program');
    else if (this.#waiting === 'no-program') this.#waiting = undefined;
    if (this.#chosen === undefined) this.#choose(false);
  }

  #followPids(): void {
    const pmtPids = new Set(this.#listed.map(({ pmtPid }) => pmtPid));
    for (const [pid, assembler] of this.#pmtSections) {
      if (pmtPids.has(pid)) continue;
      this.#crcErrors += assembler.crcErrors;
      this.#pmtSections.delete(pid);
    }
    for (const pid of pmtPids) {
      if (!this.#pmtSections.has(pid))
        this.#pmtSections.set(pid, new SectionAssembler((pmt) => this.#pmt(pid, pmt)));
    }
    this.sink.pmtPids([...pmtPids]);
  }

  #pmt(pmtPid: number, section: Uint8Array): void {
    // Several programs may share a PID: the program number tells them apart (ISO/IEC 13818-1 §2.4.4.8).
    const programNumber = (section[3]! << 8) | section[4]!;
    const listed = this.#listed.find((one) => one.is({ pmtPid, programNumber }));
    if (!listed || listed.isRepeated(section)) return;
    const pmt = this.#read(() => readPmt(section));
    if (!pmt) return;
    listed.take(section, pmt);
    if (this.#chosen === undefined) this.#choose(false);
    else if (programNumber === this.#chosen) this.#announce(listed, false);
  }

  #find(programNumber: number): ProgramSections | undefined {
    return this.#listed.find((listed) => listed.programNumber === programNumber);
  }

  #hurry(): void {
    if (this.#isImpatient) return;
    this.#isImpatient = true;
    this.#choose(false);
  }

  #choose(isEnd: boolean): void {
    const candidates =
      this.wanted === undefined
        ? this.#listed
        : this.#listed.filter(({ programNumber }) => programNumber === this.wanted);
    let best: ProgramSections | undefined;
    for (const listed of candidates) {
      if (!listed.pmt && !this.#isImpatient) return;
      if (listed.pmt && (!best || listed.isBetterThan(best))) best = listed;
      if (best?.rank === 'video') break;
    }
    if (best) this.#announce(best, isEnd);
  }

  /** A PMT may come before the encoder knows its tracks: it is no program yet, and does not end one. */
  #announce(listed: ProgramSections, isEnd: boolean): void {
    if (listed.rank === 'nothing' && !isEnd) {
      this.#wait('no-media');
      return;
    }
    if (listed.rank === 'unsupported video' && this.#hasBegun) {
      this.#wait('unsupported-video');
      return;
    }
    this.#waiting = undefined;
    this.#chosen = listed.programNumber;
    this.#hasBegun = true;
    const { pmtPid, pmt } = listed;
    this.sink.chosen({ transportStreamId: this.#transportStreamId, pmtPid, pmt: pmt! });
  }

  #wait(reason: WaitReason): void {
    if (this.#waiting === reason) return;
    this.#waiting = reason;
    this.sink.waiting(reason);
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
