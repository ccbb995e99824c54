import {
  crc32Mpeg,
  NULL_PID,
  PACKET_SIZE,
  packetPayload,
  packetPid,
  packetStartsUnit,
  readTimestamp,
  wrapTimestamp,
} from '@hls-uplink/mpegts';

const PIDS = 0x2000;
/** splice_info_section (ANSI/SCTE 35 §9.6). */
const SPLICE_TABLE_ID = 0xfc;

/**
 * Makes a stream that is played again and again look like one that goes on: from round to round all timestamps move on
 * by the stream's length, and the continuity counters count on (ISO/IEC 13818-1 §2.4.3.3). Packets are changed in place.
 */
export class Loop {
  /** PES headers divided between packets, whose timestamps stayed as they were. */
  unreachable = 0;
  /** Added to timestamps, ticks of 90 kHz in 33 bits. */
  #offset = 0;
  #round = 0;
  /** By PID: the last counter handed on, −1 none yet; what is added to those of this round; whether one was seen in it. */
  readonly #last = new Int8Array(PIDS).fill(-1);
  readonly #shift = new Uint8Array(PIDS);
  readonly #begun = new Uint8Array(PIDS);
  /** By PID: units start in it; one has started in this round. */
  readonly #hasUnits = new Uint8Array(PIDS);
  readonly #started = new Uint8Array(PIDS);

  /** The next packet is the first one again, `ticks` later than the round before began. */
  next(ticks: number): void {
    this.#offset = wrapTimestamp(this.#offset + ticks);
    this.#round++;
    this.#begun.fill(0);
    this.#started.fill(0);
  }

  /** Changes the packet at `at`; false when it is the rest of what the beginning of the stream cut off. */
  packet(bytes: Uint8Array, at: number): boolean {
    const pid = packetPid(bytes, at);
    // Its counter means nothing (§2.4.3.3); the error indicator says that nothing in it can be trusted.
    if (pid === NULL_PID || bytes[at + 1]! & 0x80) return true;
    const hasPayload = (bytes[at + 3]! & 0x10) !== 0;
    if (hasPayload && packetStartsUnit(bytes, at)) {
      this.#hasUnits[pid] = 1;
      this.#started[pid] = 1;
    } else if (hasPayload && this.#round > 0 && this.#hasUnits[pid] && !this.#started[pid]) {
      // It would be taken for a part of the last unit of the round before.
      return false;
    }
    this.#count(bytes, at, pid, hasPayload);
    if (this.#offset !== 0) this.#shiftClock(bytes, at);
    if (hasPayload && packetStartsUnit(bytes, at)) this.#shiftUnit(bytes, at);
    return true;
  }

  #count(bytes: Uint8Array, at: number, pid: number, hasPayload: boolean): void {
    const counter = bytes[at + 3]! & 0x0f;
    if (!this.#begun[pid]) {
      this.#begun[pid] = 1;
      const last = this.#last[pid]!;
      if (last >= 0) this.#shift[pid] = last + (hasPayload ? 1 : 0) - counter + 32;
    }
    const shifted = (counter + this.#shift[pid]!) & 0x0f;
    this.#last[pid] = shifted;
    bytes[at + 3] = (bytes[at + 3]! & 0xf0) | shifted;
  }

  /** PCR and OPCR: 33 bits of 90 kHz, 6 reserved, 9 bits of 27 MHz (§2.4.3.5). */
  #shiftClock(bytes: Uint8Array, at: number): void {
    if (!(bytes[at + 3]! & 0x20) || bytes[at + 4]! === 0) return;
    const flags = bytes[at + 5]!;
    let field = at + 6;
    const end = Math.min(at + 5 + bytes[at + 4]!, at + PACKET_SIZE);
    for (const flag of CLOCK_FLAGS) {
      if (!(flags & flag) || field + 6 > end) continue;
      writeClockBase(bytes, field, wrapTimestamp(readClockBase(bytes, field) + this.#offset));
      field += 6;
    }
  }

  #shiftUnit(bytes: Uint8Array, at: number): void {
    if (bytes[at + 3]! & 0xc0) return;
    const from = packetPayload(bytes, at);
    const end = at + PACKET_SIZE;
    if (from + 9 > end) {
      this.unreachable++;
      return;
    }
    if (bytes[from] === 0 && bytes[from + 1] === 0 && bytes[from + 2] === 1) this.#shiftPes(bytes, from, end);
    else if (this.#offset !== 0) this.#shiftSplice(bytes, from + 1 + bytes[from]!, end);
  }

  /** PTS and DTS (§2.4.3.6). */
  #shiftPes(bytes: Uint8Array, from: number, end: number): void {
    if ((bytes[from + 6]! & 0xc0) !== 0x80) return;
    const flags = bytes[from + 7]! >> 6;
    const length = bytes[from + 8]!;
    const stamps = flags === 3 && length >= 10 ? 2 : flags >= 2 && length >= 5 ? 1 : 0;
    if (from + 9 + 5 * stamps > end) {
      this.unreachable++;
      return;
    }
    if (this.#offset === 0) return;
    for (let n = 0; n < stamps; n++) {
      const field = from + 9 + 5 * n;
      writeTimestamp(bytes, field, wrapTimestamp(readTimestamp(bytes, field) + this.#offset));
    }
  }

  /** pts_adjustment moves all times of the section, those that are encrypted, too (ANSI/SCTE 35 §9.6.1). */
  #shiftSplice(bytes: Uint8Array, section: number, end: number): void {
    if (section + 20 > end || bytes[section] !== SPLICE_TABLE_ID) return;
    const to = section + 3 + (((bytes[section + 1]! & 0x0f) << 8) | bytes[section + 2]!);
    // Whole and right: so it is no chance either.
    if (to > end || to < section + 20 || crc32Mpeg(bytes, section, to) !== 0) return;
    const field = section + 4;
    const before =
      (bytes[field]! & 1) * 2 ** 32 +
      bytes[field + 1]! * 2 ** 24 +
      ((bytes[field + 2]! << 16) | (bytes[field + 3]! << 8) | bytes[field + 4]!);
    const after = wrapTimestamp(before + this.#offset);
    bytes[field] = (bytes[field]! & 0xfe) | Math.floor(after / 2 ** 32);
    writeUint32(bytes, field + 1, after % 2 ** 32);
    writeUint32(bytes, to - 4, crc32Mpeg(bytes, section, to - 4));
  }
}

/** PCR_flag, OPCR_flag. */
const CLOCK_FLAGS = [0x10, 0x08];

/** program_clock_reference_base at `at`: 90 kHz ticks. */
export function readClockBase(bytes: Uint8Array, at: number): number {
  return (
    bytes[at]! * 2 ** 25 +
    ((bytes[at + 1]! << 17) | (bytes[at + 2]! << 9) | (bytes[at + 3]! << 1) | (bytes[at + 4]! >> 7))
  );
}

function writeClockBase(bytes: Uint8Array, at: number, ticks: number): void {
  writeUint32(bytes, at, Math.floor(ticks / 2));
  bytes[at + 4] = (bytes[at + 4]! & 0x7f) | ((ticks % 2) << 7);
}

/** 3, 15 and 15 bits, each followed by a marker bit; the four bits before them stay. */
function writeTimestamp(bytes: Uint8Array, at: number, ticks: number): void {
  const low = ticks % 2 ** 30;
  bytes[at] = (bytes[at]! & 0xf0) | (Math.floor(ticks / 2 ** 30) << 1) | 1;
  bytes[at + 1] = low >> 22;
  bytes[at + 2] = ((low >> 15) << 1) | 1;
  bytes[at + 3] = low >> 7;
  bytes[at + 4] = (low << 1) | 1;
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
