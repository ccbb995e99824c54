import type { Came } from './continuity.js';
import type { HeldPackets } from './held-packets.js';
import { HeldPicture } from './held-picture.js';
import {
  endOfRun,
  HEADER_BYTES,
  PACKET_SIZE,
  packetDiscontinuity,
  packetPayload,
  packetPcr,
  packetPid,
  packetStartsUnit,
  PAT_PID,
} from './packet.js';
import { emptyPesHeader, NO_PES, NO_TIMESTAMP, readPesHeader } from './pes.js';
import { AWAITED, FIRST_TRACK, NULL, TABLES } from './pid-roles.js';
import type { ElementaryTrack, Program } from './program.js';
import { ProgramTables, type WaitReason } from './program-tables.js';
import { ReferenceHead } from './reference-head.js';
import { missingSectionBytes } from './section.js';
import { SpliceSections } from './splice-sections.js';
import { Succession } from './succession.js';
import type { Verdict } from './timeline.js';
import { emptyUnit, type Unit } from './unit.js';

/** So many packets of one PID in a row say that they are scrambled; one could be a bit error. */
const SCRAMBLED_ROW = 8;

export interface DemuxerSink {
  /** The program chosen, and each change of its PMT. Its packets follow. */
  program(program: Program): void;
  unit(track: ElementaryTrack, unit: Unit): void;
  /** Packets of the program, without its tables, side by side in `bytes[from, to)`. The bytes are valid until `flush`. */
  packets(bytes: Uint8Array, from: number, to: number, track: ElementaryTrack): void;
  flush(): void;
  /** A PCR of the program, ticks of 90 kHz: it is never scrambled. */
  pcr?(ticks: number): void;
  /** A splice_info_section of the program, its CRC not yet checked; valid during the call. Its last packet follows. */
  splice?(section: Uint8Array): void;
  /** No program is taken, or the one taken does not go on; said once until it is over. */
  waiting?(reason: WaitReason): void;
}

/**
 * Follows one program and marks where each PES of it starts: timestamps, key picture or not. Packets come out in the
 * order they went in; where the first packet of a picture does not yet tell whether it is a key picture, or its
 * timestamp has jumped and may be a single wild one, everything is held until more of it has come.
 *
 * @throws MediaError out of `packet` when the program has tracks that cannot be segmented
 */
export class Demuxer {
  transportErrors = 0;
  nullPackets = 0;
  /** Packets of no PID of the program, or from before its tables. */
  foreignPackets = 0;
  scrambledPackets = 0;
  /** A track is scrambled, or was. */
  isScrambled = false;
  /** Packets of the program sent a second time (ISO/IEC 13818-1 §2.4.3.3); left out. */
  duplicatePackets = 0;
  program: Program | undefined;
  readonly tables: ProgramTables;
  readonly #succession = new Succession();
  readonly #roles = this.#succession.roles.of;
  #tracks: readonly ElementaryTrack[] = [];
  #reference: ElementaryTrack | undefined;
  readonly #head = new ReferenceHead();
  /** Of tracks that are gone. */
  #goneWild = 0;
  readonly #splices = new SpliceSections((section) => this.sink.splice?.(section));
  // Of the other tracks.
  readonly #header = emptyPesHeader();
  readonly #unit = emptyUnit();
  readonly #held = new HeldPicture(this.#head, (held, verdict) => this.#release(held, verdict));

  /** @param wanted program_number of the only program to be followed; where left out one is chosen */
  constructor(
    private readonly sink: DemuxerSink,
    wanted?: number,
  ) {
    this.tables = new ProgramTables(
      {
        pmtPids: (pids) => (this.#succession.pmtPids = pids),
        chosen: (choice) => {
          if (this.#succession.announce(choice) && this.#held.awaits === 'nothing') this.#switch();
        },
        waiting: (reason) => this.sink.waiting?.(reason),
      },
      wanted,
    );
  }

  /** Timestamps that were alone with their opinion, and ignored. */
  get wildTimestamps(): number {
    return this.#tracks.reduce(
      (sum, { clock }) => sum + clock.wild,
      this.#head.timeline.wild + this.#goneWild,
    );
  }

  /** Packets side by side in `bytes[from, to)`. */
  packets(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to;) {
      const role = this.#roles[((bytes[at + 1]! & 0x1f) << 8) | bytes[at + 2]!]!;
      if (role >= FIRST_TRACK && this.#held.awaits === 'nothing') {
        const track = this.#tracks[role - FIRST_TRACK]!;
        const end = this.#run(bytes, at, to, track);
        if (end > at) {
          at = end;
          continue;
        }
      }
      this.packet(bytes, at);
      at += PACKET_SIZE;
    }
  }

  packet(bytes: Uint8Array, at: number): void {
    if (bytes[at + 1]! & 0x80) {
      this.transportErrors++;
      return;
    }
    const role = this.#roles[((bytes[at + 1]! & 0x1f) << 8) | bytes[at + 2]!]!;
    if (role >= FIRST_TRACK) {
      const track = this.#tracks[role - FIRST_TRACK]!;
      if (this.#held.awaits === 'nothing') this.#take(bytes, at, track);
      else this.#hold(bytes, at, track);
    } else if (role === TABLES) {
      const pid = packetPid(bytes, at);
      this.tables.packet(bytes, at, pid);
      if (pid === PAT_PID && this.#succession.isOverdue()) this.#switch();
    } else if (role === NULL) this.nullPackets++;
    else if (role === AWAITED) this.#await(bytes, at);
    else {
      this.foreignPackets++;
      if (!this.program) this.tables.foreign();
    }
  }

  /** The bytes given so far are about to be reused. */
  flush(): void {
    for (const track of this.#tracks) track.continuity.keep();
    this.sink.flush();
  }

  /** The input may go on: what is held is decided with what there is. */
  interrupt(): void {
    this.#held.conclude();
    this.sink.flush();
  }

  /**
   * The input ended: as `interrupt`, and where no program has been chosen for want of tables, one of those there are is.
   *
   * @throws MediaError when it has tracks that cannot be segmented
   */
  end(): void {
    this.interrupt();
    this.tables.end();
    this.sink.flush();
  }

  /** What comes next has nothing to do with what came: no jump, no continuity errors, but the same program. */
  restart(): void {
    this.#switch();
    this.#head.timeline.reset();
    for (const track of this.#tracks) {
      track.continuity.reset();
      track.clock.reset();
      track.counter?.lose();
    }
  }

  /** What the tables announced last is in force. */
  #switch(): void {
    this.#held.conclude();
    const before = this.#tracks;
    const program = this.#succession.succeed();
    if (!program) return;
    this.sink.flush();
    this.program = program;
    this.#tracks = this.#succession.tracks;
    for (const track of before) if (!this.#tracks.includes(track)) this.#goneWild += track.clock.wild;
    this.#splices.follow(this.#tracks);
    if (program.reference !== this.#reference) {
      this.#reference = program.reference;
      this.#head.open(this.#reference);
    }
    this.sink.program(program);
  }

  /** A packet of the PID that is to cut as soon as a PES begins there. */
  #await(bytes: Uint8Array, at: number): void {
    const pid = packetPid(bytes, at);
    if (packetStartsUnit(bytes, at) && bytes[at + 3]! & 0x10) {
      this.#switch();
      this.packet(bytes, at);
      return;
    }
    const track = this.#tracks.find((one) => one.pid === pid);
    if (!track) this.foreignPackets++;
    else if (this.#held.awaits === 'nothing') this.#take(bytes, at, track);
    else this.#hold(bytes, at, track);
  }

  /** Hands on the packets at `at` of which no more needs to be looked at; returns where they end. */
  #run(bytes: Uint8Array, at: number, to: number, track: ElementaryTrack): number {
    if (track.counter || track.hasSplices) return at;
    const end = endOfRun(bytes, at, to, track.continuity.counter);
    if (end === at) return at;
    track.continuity.pass(bytes, end - PACKET_SIZE);
    track.scrambledRow = 0;
    const payloadBytes = ((end - at) / PACKET_SIZE) * (PACKET_SIZE - HEADER_BYTES);
    if (track.missingBytes > 0) track.missingBytes = Math.max(0, track.missingBytes - payloadBytes);
    this.sink.packets(bytes, at, end, track);
    return end;
  }

  /** A packet of a track, nothing being held. */
  #take(bytes: Uint8Array, at: number, track: ElementaryTrack): void {
    if (track.isLeaving && (track.missingBytes <= 0 || packetStartsUnit(bytes, at))) {
      // Whatever stands on its PID is of another one.
      track.missingBytes = 0;
      this.#succession.assign();
      this.packet(bytes, at);
      return;
    }
    if (
      track === this.#reference &&
      bytes[at + 1]! & 0x40 &&
      bytes[at + 3]! & 0x10 &&
      !track.continuity.isDuplicate(bytes, at)
    ) {
      this.#start(bytes, at, track);
      return;
    }
    this.#pass(bytes, at, track);
  }

  /** Hands on a packet that is not the first of a picture. */
  #pass(bytes: Uint8Array, at: number, track: ElementaryTrack): void {
    const flags = bytes[at + 3]!;
    const came = flags & 0x10 ? this.#count(bytes, at, track) : 'next';
    if (came === 'duplicate') {
      this.duplicatePackets++;
      return;
    }
    if (flags & 0x20) this.#lookForClock(bytes, at, track);
    if (flags & 0x10) {
      this.#noteScrambling(flags, track);
      if (bytes[at + 1]! & 0x40 && track.kind !== 'video') this.#startOther(bytes, at, track);
      else {
        const follows = came === 'next' || track.continuity.isStuck;
        this.#payload(bytes, packetPayload(bytes, at), at + PACKET_SIZE, track, follows);
      }
      if (track.hasSplices && (flags & 0xc0) === 0) this.#splices.packet(bytes, at);
    }
    this.sink.packets(bytes, at, at + PACKET_SIZE, track);
  }

  /** Checks the continuity counter. */
  #count(bytes: Uint8Array, at: number, { continuity, counter }: ElementaryTrack): Came {
    const came = continuity.take(bytes, at);
    if (came === 'lost') counter?.lose();
    return came;
  }

  /** transport_scrambling_control */
  #noteScrambling(flags: number, track: ElementaryTrack): void {
    if ((flags & 0xc0) === 0) {
      track.scrambledRow = 0;
      return;
    }
    this.scrambledPackets++;
    if (++track.scrambledRow >= SCRAMBLED_ROW) this.isScrambled = true;
  }

  /** The PCR, and a discontinuity_indicator on its PID: the timestamps behind it may be of another clock. */
  #lookForClock(bytes: Uint8Array, at: number, { pid }: ElementaryTrack): void {
    if (pid !== this.program!.pmt.pcrPid) return;
    if (packetDiscontinuity(bytes, at)) this.#head.timeline.announce();
    const pcr = packetPcr(bytes, at);
    if (pcr !== NO_TIMESTAMP) this.sink.pcr?.(pcr);
  }

  /** @param follows otherwise it may be of another PES, come late, and brings the one in progress no nearer to its end */
  #payload(bytes: Uint8Array, from: number, to: number, track: ElementaryTrack, follows = true): void {
    track.counter?.take(bytes, from, to);
    if (follows && track.missingBytes > 0) track.missingBytes = Math.max(0, track.missingBytes - (to - from));
  }

  /** The first packet of a PES of a track other than video. */
  #startOther(bytes: Uint8Array, at: number, track: ElementaryTrack): void {
    const to = at + PACKET_SIZE;
    const from = packetPayload(bytes, at);
    const payload = readPesHeader(bytes, from, to, this.#header);
    const { counter } = track;
    const isSection = payload === NO_PES && track.kind === 'other' && track.scrambledRow === 0;
    track.missingBytes = isSection ? missingSectionBytes(bytes, from, to) : this.#header.payloadBytes;
    counter?.restart();
    if (payload > 0) this.#payload(bytes, payload, to, track);
    const unit = this.#unit;
    unit.pts = track.kind === 'audio' ? track.clock.take(this.#header.pts) : this.#header.pts;
    unit.dts = this.#header.dts;
    unit.key = true;
    unit.access = 'closed';
    unit.jump = track.clock.jumped;
    unit.changed = counter !== undefined && counter.hasChanged();
    this.#emit(track, unit);
  }

  /** A packet of a track while packets are held. */
  #hold(bytes: Uint8Array, at: number, track: ElementaryTrack): void {
    const isOwn = track === this.#reference && (bytes[at + 3]! & 0x10) !== 0;
    if (!this.#held.take(bytes, at, isOwn)) this.packet(bytes, at);
  }

  #emit(track: ElementaryTrack, unit: Unit): void {
    track.units++;
    track.pts = unit.pts;
    this.sink.unit(track, unit);
  }

  /** The first packet of a PES of the reference track. */
  #start(bytes: Uint8Array, at: number, track: ElementaryTrack): void {
    if (this.#succession.isDue(track)) this.#switch();
    this.#lookForClock(bytes, at, track);
    if (!this.#head.begin(bytes, packetPayload(bytes, at), at + PACKET_SIZE))
      this.#held.begin('head', bytes, at);
    else if (this.#head.continues) this.#pass(bytes, at, track);
    else if (this.#head.isInDoubt()) this.#held.begin('doubt', bytes, at);
    else this.#first(bytes, at, track, this.#head.timeline.believed);
  }

  /** Hands on what was held, in order. */
  #release({ packets, bytes }: HeldPackets, verdict: Verdict): void {
    const track = this.#reference!;
    if (this.#head.continues) this.#pass(packets, 0, track);
    else this.#first(packets, 0, track, verdict);
    for (let at = PACKET_SIZE; at < bytes; at += PACKET_SIZE) this.packet(packets, at);
    this.flush();
  }

  /** The first packet of a picture, about which all is known. */
  #first(bytes: Uint8Array, at: number, track: ElementaryTrack, verdict: Verdict): void {
    this.#count(bytes, at, track);
    this.#noteScrambling(bytes[at + 3]!, track);
    const { unit } = this.#head;
    this.#head.settle(verdict);
    if (unit.jump || verdict === 'silence')
      for (const { clock } of this.#tracks) clock.expect(unit.dts, unit.jump);
    const { counter } = track;
    if (counter) {
      counter.restart(unit.pts !== NO_TIMESTAMP);
      const to = at + PACKET_SIZE;
      const from = readPesHeader(bytes, packetPayload(bytes, at), to, this.#header);
      if (from > 0) {
        // Of what is scrambled nobody can tell.
        unit.key = (bytes[at + 3]! & 0xc0) !== 0 || counter.isAligned(bytes, from, to);
        this.#payload(bytes, from, to, track);
      }
      unit.changed = counter.hasChanged();
    }
    this.#emit(track, unit);
    this.sink.packets(bytes, at, at + PACKET_SIZE, track);
  }
}
