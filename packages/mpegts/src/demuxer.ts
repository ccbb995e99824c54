import type { Picture } from './access-unit.js';
import { HeldPackets } from './held-packets.js';
import {
  endOfRun,
  HEADER_BYTES,
  NULL_PID,
  PACKET_SIZE,
  PAT_PID,
  packetDiscontinuity,
  packetPayload,
  packetPid,
  packetStartsUnit,
} from './packet.js';
import { emptyPesHeader, NO_TIMESTAMP, readPesHeader } from './pes.js';
import { PictureReader } from './picture-reader.js';
import { ElementaryTrack, openProgram, type Program } from './program.js';
import { ProgramTables } from './program-tables.js';
import { Timeline } from './timeline.js';
import { emptyUnit, type Unit } from './unit.js';

/** What the packets of a PID are for. From `FIRST_TRACK` on: a track of the program. */
const UNUSED = 0;
const TABLES = 1;
const NULL = 2;
const FIRST_TRACK = 3;
/** PID numbers have 13 bits. */
const PIDS = 0x2000;
/** An access unit whose slice header has not come by then is no key picture. */
const LARGEST_HEAD = 1 << 20;
/** A picture of a jumped timestamp is waited for up to here; then the jump is believed. */
const LARGEST_DOUBT = 8 << 20;

export interface DemuxerSink {
  /** The program chosen, and each change of its PMT. Its packets follow. */
  program(program: Program): void;
  unit(track: ElementaryTrack, unit: Unit): void;
  /** Packets of the program, without its tables, side by side in `bytes[from, to)`. The bytes are valid until `flush`. */
  packets(bytes: Uint8Array, from: number, to: number, track: ElementaryTrack): void;
  flush(): void;
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
  program: Program | undefined;
  readonly tables: ProgramTables;
  readonly #roles = new Uint8Array(PIDS);
  #tracks: ElementaryTrack[] = [];
  #reference: ElementaryTrack | undefined;
  #pmtPids: number[] = [];
  readonly #timeline = new Timeline();
  readonly #header = emptyPesHeader();
  readonly #pictures = new PictureReader();
  readonly #unit = emptyUnit();
  #held = new HeldPackets();
  #spare = new HeldPackets();
  #holding: 'no' | 'head' | 'doubt' = 'no';
  #parametersSeen = new WeakMap<ElementaryTrack, number>();

  constructor(private readonly sink: DemuxerSink) {
    this.tables = new ProgramTables(
      (pids) => {
        this.#pmtPids = pids;
        this.#assignPids();
      },
      ({ transportStreamId, pmtPid, pmt }) => this.#open(openProgram(transportStreamId, pmtPid, pmt)),
    );
    this.#assignPids();
  }

  /** Timestamps that were alone with their opinion, and ignored. */
  get wildTimestamps(): number {
    return this.#timeline.wild;
  }

  /** Packets side by side in `bytes[from, to)`. */
  packets(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to;) {
      const role = this.#roles[((bytes[at + 1]! & 0x1f) << 8) | bytes[at + 2]!]!;
      if (role >= FIRST_TRACK && this.#holding === 'no') {
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
      if (this.#holding === 'no') this.#take(bytes, at, track);
      else this.#hold(bytes, at, track);
    } else if (role === TABLES) {
      if (this.#holding === 'no') this.tables.packet(bytes, at, packetPid(bytes, at));
      else this.#held.add(bytes, at);
    } else if (role === NULL) this.nullPackets++;
    else this.foreignPackets++;
  }

  /** The bytes given so far are about to be reused. */
  flush(): void {
    this.sink.flush();
  }

  /** The input ended, or is interrupted: what is held is decided with what there is. */
  end(): void {
    if (this.#holding === 'head') this.#decide(true);
    if (this.#holding === 'doubt') this.#release(this.#timeline.resolve(NO_TIMESTAMP));
    this.tables.end();
    this.sink.flush();
  }

  /** What comes next has nothing to do with what came: no jump, no continuity errors, but the same program. */
  restart(): void {
    this.#timeline.reset();
    for (const track of this.#tracks) {
      track.continuity = -1;
      track.counter?.lose();
    }
  }

  #open(program: Program): void {
    this.sink.flush();
    // A track that goes on keeps its counters and what is known of its codec.
    program.tracks = program.tracks.map(
      (track) =>
        this.#tracks.find(
          (t) =>
            t.pid === track.pid &&
            t.coding === track.coding &&
            t.kind === track.kind &&
            t.language === track.language,
        ) ?? track,
    );
    const { pcrPid } = program.pmt;
    const reference = program.tracks.find(({ pid }) => pid === program.reference.pid)!;
    program.reference = reference;
    this.program = program;
    if (reference !== this.#reference) {
      this.#timeline.reset();
      this.#pictures.open(reference);
    }
    this.#reference = reference;
    this.#tracks = [...program.tracks];
    // A PCR on a PID of its own is part of the program all the same (ISO/IEC 13818-1 §2.4.4.9).
    if (pcrPid !== NULL_PID && !this.#tracks.some(({ pid }) => pid === pcrPid))
      this.#tracks.push(new ElementaryTrack(pcrPid, 'other', 'other'));
    this.#tracks.forEach((track, index) => (track.index = index));
    this.#assignPids();
    this.sink.program(program);
  }

  #assignPids(): void {
    this.#roles.fill(UNUSED);
    this.#roles[NULL_PID] = NULL;
    this.#tracks.forEach(({ pid }, index) => (this.#roles[pid] = FIRST_TRACK + index));
    for (const pid of this.#pmtPids) this.#roles[pid] = TABLES;
    this.#roles[PAT_PID] = TABLES;
  }

  /** Hands on the packets at `at` of which no more needs to be looked at; returns where they end. */
  #run(bytes: Uint8Array, at: number, to: number, track: ElementaryTrack): number {
    if (track.counter) return at;
    const end = endOfRun(bytes, at, to, track.continuity);
    if (end === at) return at;
    track.continuity = bytes[end - PACKET_SIZE + 3]! & 0x0f;
    const payloadBytes = ((end - at) / PACKET_SIZE) * (PACKET_SIZE - HEADER_BYTES);
    if (track.missingBytes > 0) track.missingBytes = Math.max(0, track.missingBytes - payloadBytes);
    this.sink.packets(bytes, at, end, track);
    return end;
  }

  /** A packet of a track, nothing being held. */
  #take(bytes: Uint8Array, at: number, track: ElementaryTrack): void {
    if (track === this.#reference && bytes[at + 1]! & 0x40 && bytes[at + 3]! & 0x10) {
      this.#start(bytes, at, track);
      return;
    }
    this.#pass(bytes, at, track);
  }

  /** Hands on a packet that is not the first of a picture. */
  #pass(bytes: Uint8Array, at: number, track: ElementaryTrack): void {
    const flags = bytes[at + 3]!;
    if (flags & 0x10) {
      const fresh = this.#count(bytes, at, track);
      if (flags & 0xc0) this.scrambledPackets++;
      if (bytes[at + 1]! & 0x40 && track.kind !== 'video') this.#startOther(bytes, at, track);
      else if (fresh) this.#payload(bytes, packetPayload(bytes, at), at + PACKET_SIZE, track);
    }
    this.sink.packets(bytes, at, at + PACKET_SIZE, track);
  }

  /** Checks the continuity counter; false for a duplicate packet. */
  #count(bytes: Uint8Array, at: number, track: ElementaryTrack): boolean {
    const continuity = bytes[at + 3]! & 0x0f;
    const before = track.continuity;
    track.continuity = continuity;
    if (before < 0 || continuity === ((before + 1) & 0x0f)) return true;
    if (continuity === before && !packetDiscontinuity(bytes, at)) return false;
    if (!packetDiscontinuity(bytes, at)) track.continuityErrors++;
    track.counter?.lose();
    return true;
  }

  #payload(bytes: Uint8Array, from: number, to: number, track: ElementaryTrack): void {
    track.counter?.take(bytes, from, to);
    if (track.missingBytes > 0) track.missingBytes = Math.max(0, track.missingBytes - (to - from));
  }

  /** The first packet of a PES of a track other than video. */
  #startOther(bytes: Uint8Array, at: number, track: ElementaryTrack): void {
    const to = at + PACKET_SIZE;
    const payload = readPesHeader(bytes, packetPayload(bytes, at), to, this.#header);
    const { counter } = track;
    track.missingBytes = this.#header.payloadBytes;
    counter?.restart();
    if (payload > 0) this.#payload(bytes, payload, to, track);
    const unit = this.#unit;
    unit.pts = this.#header.pts;
    unit.dts = this.#header.dts;
    unit.key = true;
    unit.access = 'closed';
    unit.jump = false;
    unit.changed = counter !== undefined && this.#parametersChanged(track, counter.changes);
    this.#emit(track);
  }

  /** Whether parameters that were known have become others since the PES before. */
  #parametersChanged(track: ElementaryTrack, changes: number): boolean {
    const seen = this.#parametersSeen.get(track) ?? 0;
    if (seen === changes) return false;
    this.#parametersSeen.set(track, changes);
    return seen > 0;
  }

  #emit(track: ElementaryTrack): void {
    track.units++;
    track.pts = this.#unit.pts;
    this.sink.unit(track, this.#unit);
  }

  /** The first packet of a PES of the reference track. */
  #start(bytes: Uint8Array, at: number, track: ElementaryTrack): void {
    const from = packetPayload(bytes, at);
    const to = at + PACKET_SIZE;
    const payload = readPesHeader(bytes, from, to, this.#header);
    let picture: Picture = 'other';
    if (track.kind === 'audio') picture = 'key';
    else {
      this.#pictures.begin();
      // Without a PTS nothing can be cut there, whatever it is.
      if (payload >= 0 && this.#header.pts !== NO_TIMESTAMP)
        picture = this.#pictures.look(bytes, payload, to, false);
      else if (payload === -1) picture = 'open';
    }
    if (picture === 'open' || (track.kind === 'audio' && payload === -1)) {
      this.#begin('head', bytes, at);
      return;
    }
    this.#describe(picture, bytes, payload);
    if (this.#timeline.check(this.#unit.pts, this.#unit.dts) === 'doubt') {
      this.#begin('doubt', bytes, at);
      return;
    }
    this.#first(bytes, at, track, this.#timeline.believed);
  }

  #begin(why: 'head' | 'doubt', bytes: Uint8Array, at: number): void {
    this.#holding = why;
    this.#held.clear();
    this.#held.add(bytes, at);
    this.#held.gather(bytes, packetPayload(bytes, at), at + PACKET_SIZE);
  }

  /** A packet of a track while packets are held. */
  #hold(bytes: Uint8Array, at: number, track: ElementaryTrack): void {
    if (track === this.#reference && bytes[at + 3]! & 0x10) {
      if (packetStartsUnit(bytes, at)) {
        if (this.#holding === 'head') this.#decide(true);
        if (this.#holding === 'doubt') {
          readPesHeader(bytes, packetPayload(bytes, at), at + PACKET_SIZE, this.#header);
          this.#release(this.#timeline.resolve(this.#header.dts));
        }
        this.packet(bytes, at);
        return;
      }
      this.#held.add(bytes, at);
      if (this.#holding === 'head') {
        this.#held.gather(bytes, packetPayload(bytes, at), at + PACKET_SIZE);
        this.#decide(this.#held.gatheredBytes > LARGEST_HEAD);
      }
    } else this.#held.add(bytes, at);
    if (this.#held.bytes > LARGEST_DOUBT) {
      if (this.#holding === 'head') this.#decide(true);
      if (this.#holding === 'doubt') this.#release(this.#timeline.jump());
    }
  }

  /** Looks at the gathered beginning of the picture; releases it when it can be told, or must be. */
  #decide(last: boolean): void {
    const { gathered, gatheredBytes } = this.#held;
    const payload = readPesHeader(gathered, 0, gatheredBytes, this.#header);
    let picture: Picture = 'open';
    if (payload === -2) picture = 'other';
    else if (payload >= 0) {
      if (this.#reference!.kind === 'audio') picture = 'key';
      else picture = this.#pictures.look(gathered, payload, gatheredBytes, last);
    }
    if (picture === 'open') {
      if (!last) return;
      picture = 'other';
    }
    this.#describe(picture, gathered, payload);
    if (this.#timeline.check(this.#unit.pts, this.#unit.dts) === 'doubt') this.#holding = 'doubt';
    else this.#release(this.#timeline.believed);
  }

  /** Fills in the unit from `#header`, `#pictures` and the picture. */
  #describe(picture: Picture, bytes: Uint8Array, payload: number): void {
    const unit = this.#unit;
    unit.pts = this.#header.pts;
    unit.dts = this.#header.dts;
    unit.key = picture === 'key';
    const reference = this.#reference!;
    reference.missingBytes = this.#header.payloadBytes;
    const isVideo = reference.kind === 'video';
    unit.access = isVideo ? this.#pictures.access : 'closed';
    unit.changed = isVideo && this.#pictures.parametersChanged(bytes, payload);
  }

  /** Hands on what is held, in order. */
  #release(verdict: 'good' | 'wild' | 'jump'): void {
    const held = this.#held;
    this.#held = this.#spare;
    this.#spare = held;
    this.#holding = 'no';
    const track = this.#reference!;
    this.#first(held.packets, 0, track, verdict);
    for (let at = PACKET_SIZE; at < held.bytes; at += PACKET_SIZE) this.packet(held.packets, at);
    this.sink.flush();
    held.clear();
  }

  /** The first packet of a picture, about which all is known. */
  #first(bytes: Uint8Array, at: number, track: ElementaryTrack, verdict: 'good' | 'wild' | 'jump'): void {
    const fresh = this.#count(bytes, at, track);
    if (bytes[at + 3]! & 0xc0) this.scrambledPackets++;
    const unit = this.#unit;
    unit.jump = verdict === 'jump';
    if (verdict === 'wild') {
      unit.pts = NO_TIMESTAMP;
      unit.dts = NO_TIMESTAMP;
    }
    const { counter } = track;
    if (counter) {
      counter.restart();
      const from = readPesHeader(bytes, packetPayload(bytes, at), at + PACKET_SIZE, this.#header);
      if (from > 0 && fresh) this.#payload(bytes, from, at + PACKET_SIZE, track);
      unit.changed = this.#parametersChanged(track, counter.changes);
    }
    this.#emit(track);
    this.sink.packets(bytes, at, at + PACKET_SIZE, track);
  }
}
