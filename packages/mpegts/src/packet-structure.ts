import { NULL_PID, packetPid, PACKET_SIZE, SYNC_BYTE } from './packet.js';

/** Packets with an arrival time before each, as in M2TS. */
export const TIMED_STRIDE = 192;
/** Packets with 16 bytes of Reed-Solomon parity after each (ETSI EN 300 429 §4.4.2). */
export const PARITY_STRIDE = 204;
const STRIDES = [PACKET_SIZE, TIMED_STRIDE, PARITY_STRIDE];

/** Places looked at for each candidate: 0x47 is as common in garbage as any byte. */
const PLACES = 6;
/** Of these, so many need a sync byte. */
const CONFIRMING = 5;
/** Where the structure is known from before, fewer do: only its sync bytes are damaged. */
const CONFIRMING_IN_PHASE = 2;
/** What that is worth against a candidate elsewhere. */
const PHASE_SCORE = 2;
const ADAPTATION_FIELD = 0x20;
const PAYLOAD = 0x10;
/** 182 where payload follows; some muxers don't know that. */
const LARGEST_FIELD = 183;
const NO_PID = -1;

/** Bytes that `findStructure` wants to see, unless the input ends: all places of a candidate anywhere in its first packet. */
export const SEARCH_BYTES = PARITY_STRIDE * (PLACES + 1);
/** Where it finds nothing, no packet begins in so many bytes. */
export const SEARCH_STEP = PACKET_SIZE;

export interface Structure {
  /** The first sync byte. */
  at: number;
  /** From sync byte to sync byte. */
  stride: number;
}

/**
 * Finds where packets begin in the next packet length of `bytes[from, to)`, and how far they are apart. A byte 0x47 at
 * regular distances is no proof: payload may be full of it. So headers are read too, and of all candidates the one wins
 * whose headers are possible and whose continuity counters count.
 *
 * @param to the end of the input when it is less than `SEARCH_BYTES` away: then fewer packets do
 * @param phase a structure lost before would go on so many bytes after `from`; 0: there was none
 * @param phaseStride its stride
 */
export function findStructure(
  bytes: Uint8Array,
  from: number,
  to: number,
  phase: number,
  phaseStride: number,
): Structure | undefined {
  let best: Structure | undefined;
  let bestScore = 0;
  const consider = (at: number, stride: number, needed: number, bonus: number): void => {
    const score = scoreOf(bytes, at, to, stride, needed) + bonus;
    if (score <= bestScore) return;
    bestScore = score;
    best = { at, stride };
  };
  if (phase > 0) consider(from + phase, phaseStride, CONFIRMING_IN_PHASE, PHASE_SCORE);
  for (const stride of STRIDES) {
    const end = Math.min(to, from + stride);
    for (let at = from; at < end; at++) if (bytes[at] === SYNC_BYTE) consider(at, stride, CONFIRMING, 0);
  }
  return best;
}

const pids = new Int16Array(PLACES);
const counters = new Uint8Array(PLACES);

/** How well packets from `at` on explain the bytes; below zero when they don't. */
function scoreOf(bytes: Uint8Array, at: number, to: number, stride: number, needed: number): number {
  const fitting = Math.min(PLACES, Math.floor((to - at - PACKET_SIZE) / stride) + 1);
  // A packet alone is believed only where one was due.
  if (fitting < (needed === CONFIRMING_IN_PHASE ? 1 : 2) || bytes[at] !== SYNC_BYTE) return -Infinity;
  let synced = 0;
  let headers = 0;
  let order = 0;
  for (let place = 0; place < fitting; place++) {
    const header = at + place * stride;
    pids[place] = NO_PID;
    if (bytes[header] !== SYNC_BYTE) continue;
    synced++;
    // A damaged packet says nothing.
    if (bytes[header + 1]! & 0x80) continue;
    if (!isPossible(bytes, header)) {
      headers -= 2;
      continue;
    }
    headers++;
    pids[place] = packetPid(bytes, header);
    counters[place] = bytes[header + 3]! & 0x0f;
    order += counting(bytes[header + 3]!, place);
  }
  // Most of what follows a false sync byte is no header; where the structure is known that need not be asked.
  const plausible = needed === CONFIRMING_IN_PHASE ? 0 : fitting / 2;
  if (synced < Math.min(needed, fitting) || headers < plausible) return -Infinity;
  return synced + headers + order;
}

/** adaptation_field_control and adaptation_field_length as they may be (ISO/IEC 13818-1 §2.4.3.3, §2.4.3.5). */
function isPossible(bytes: Uint8Array, header: number): boolean {
  const control = bytes[header + 3]! & (ADAPTATION_FIELD | PAYLOAD);
  return control === PAYLOAD || (control !== 0 && bytes[header + 4]! <= LARGEST_FIELD);
}

/** 1 when the continuity counter goes on from the packet of this PID before, −1 when it does not, 0 without one. */
function counting(flags: number, place: number): number {
  // Null packets need not count.
  if (pids[place] === NULL_PID) return 0;
  for (let before = place - 1; before >= 0; before--) {
    if (pids[before] !== pids[place]) continue;
    const expected = flags & PAYLOAD ? (counters[before]! + 1) & 0x0f : counters[before];
    return counters[place] === expected ? 1 : -1;
  }
  return 0;
}
