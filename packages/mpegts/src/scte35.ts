import { BitReader } from './bit-reader.js';
import { crc32Mpeg } from './crc32-mpeg.js';
import { MediaError } from './errors.js';
import { wrapTimestamp } from './timestamp.js';

/** table_id of a splice_info_section (SCTE 35 §9.6). */
export const SPLICE_INFO_TABLE_ID = 0xfc;

const HEADER_AND_CRC_BYTES = 20;
/** splice_command_length of encoders older than the field: the command tells its own length. */
const UNKNOWN_LENGTH = 0xfff;
const SPLICE_INSERT = 0x05;
const TIME_SIGNAL = 0x06;
const SEGMENTATION_DESCRIPTOR = 0x02;
const CUEI = 0x43554549;

/** splice_command_type (SCTE 35 table 7), as far as anything is made of it. */
export type SpliceCommand = 'splice_insert' | 'time_signal' | 'other' | 'encrypted';

/** One event that a section tells of: a splice_insert, or one segmentation_descriptor of a time_signal. */
export interface SpliceEvent {
  /** splice_event_id or segmentation_event_id, 32 bits. */
  eventId: number;
  /** The event was announced before and does not come. */
  cancel: boolean;
  /** Leaves the network (true), comes back to it (false), or neither. */
  out?: boolean;
  /** break_duration or segmentation_duration, ticks of 90 kHz. */
  durationTicks?: number;
  /** splice_insert */
  uniqueProgramId?: number;
  /** segmentation_type_id (SCTE 35 table 23). */
  segmentationType?: number;
}

/** What a splice_info_section says. */
export interface SpliceInfo {
  command: SpliceCommand;
  /** splice_time and pts_adjustment, 33 bits of 90 kHz; absent for an immediate command: it is for when it arrives. */
  pts90k?: number;
  /** In their order; none for a time_signal without segmentation_descriptor, and for commands that are not read. */
  events: SpliceEvent[];
}

/**
 * Types whose start leaves the network feed and whose end, the number after it, comes back: breaks, advertisements,
 * placement opportunities (not overlays), alternate content, ad blocks. Other types mark programs and chapters.
 */
const SPLICE_OUT_TYPES = new Set([0x22, 0x30, 0x32, 0x34, 0x36, 0x42, 0x44, 0x46]);

/**
 * Reads a splice_info_section (SCTE 35 §9.6). Of an encrypted one nothing but that it is encrypted.
 *
 * @param section whole, with its CRC_32
 * @throws MediaError `bad-section`
 */
export function readSpliceInfo(section: Uint8Array): SpliceInfo {
  if (section[0] !== SPLICE_INFO_TABLE_ID || section.length < HEADER_AND_CRC_BYTES)
    throw new MediaError('bad-section', 'SCTE-35: no splice_info_section, or shorter than its fixed part');
  if (3 + (((section[1]! & 0x0f) << 8) | section[2]!) !== section.length || crc32Mpeg(section) !== 0)
    throw new MediaError('bad-section', 'SCTE-35: its length or its CRC is wrong');
  if (section[3] !== 0) return { command: 'other', events: [] };
  if (section[4]! & 0x80) return { command: 'encrypted', events: [] };
  try {
    return readCommand(section);
  } catch (cause) {
    throw new MediaError('bad-section', 'SCTE-35: a field reaches beyond its section', { cause });
  }
}

function readCommand(section: Uint8Array): SpliceInfo {
  const end = section.length - 4;
  const header = new BitReader(section, 4, end, false);
  header.skip(7);
  const adjustment = header.bits(33);
  header.skip(8 + 12);
  const length = header.bits(12);
  const type = header.bits(8);
  const from = 14;
  const command = new BitReader(section, from, length === UNKNOWN_LENGTH ? end : from + length, false);
  if (type !== SPLICE_INSERT && type !== TIME_SIGNAL) return { command: 'other', events: [] };
  const events: SpliceEvent[] = [];
  let time: number | undefined;
  if (type === SPLICE_INSERT) {
    const insert = readSpliceInsert(command);
    time = insert.time;
    events.push(insert.event);
  } else {
    time = readSpliceTime(command);
    const descriptors = length === UNKNOWN_LENGTH ? end - command.left / 8 : from + length;
    events.push(...readSegmentation(section, descriptors, end));
  }
  return {
    command: type === SPLICE_INSERT ? 'splice_insert' : 'time_signal',
    ...(time !== undefined && { pts90k: wrapTimestamp(time + adjustment) }),
    events,
  };
}

/** splice_time() (SCTE 35 §9.8.1); undefined where the time is not specified. */
function readSpliceTime(bits: BitReader): number | undefined {
  const isSpecified = bits.flag();
  if (!isSpecified) {
    bits.skip(7);
    return undefined;
  }
  bits.skip(6);
  return bits.bits(33);
}

/** splice_insert() (SCTE 35 §9.7.3); the time of component mode is that of its first component. */
function readSpliceInsert(bits: BitReader): { event: SpliceEvent; time: number | undefined } {
  const eventId = bits.bits(32);
  const cancel = bits.flag();
  bits.skip(7);
  if (cancel) return { event: { eventId, cancel }, time: undefined };
  const out = bits.flag();
  const isProgram = bits.flag();
  const hasDuration = bits.flag();
  const isImmediate = bits.flag();
  bits.skip(4);
  let time: number | undefined;
  if (isProgram) time = isImmediate ? undefined : readSpliceTime(bits);
  else {
    const components = bits.bits(8);
    for (let n = 0; n < components; n++) {
      bits.skip(8);
      if (isImmediate) continue;
      const own = readSpliceTime(bits);
      time ??= own;
    }
  }
  let durationTicks: number | undefined;
  if (hasDuration) {
    // auto_return, reserved
    bits.skip(7);
    durationTicks = bits.bits(33);
  }
  const uniqueProgramId = bits.bits(16);
  bits.skip(16);
  const event = { eventId, cancel, out, uniqueProgramId };
  return { event: durationTicks === undefined ? event : { ...event, durationTicks }, time };
}

/** The segmentation_descriptors (SCTE 35 §10.3.3) of the descriptor loop at `at`. */
function readSegmentation(section: Uint8Array, at: number, end: number): SpliceEvent[] {
  const loop = new BitReader(section, at, end, false);
  const to = at + 2 + loop.bits(16);
  if (to > end) throw new MediaError('bad-section', 'SCTE-35: its descriptors reach beyond the section');
  const events: SpliceEvent[] = [];
  for (let next = at + 2; next + 2 <= to;) {
    const from = next + 2;
    const tag = section[next];
    next = from + section[next + 1]!;
    if (next > to) throw new MediaError('bad-section', 'SCTE-35: a descriptor reaches beyond its loop');
    if (tag !== SEGMENTATION_DESCRIPTOR) continue;
    const bits = new BitReader(section, from, next, false);
    if (bits.bits(32) === CUEI) events.push(readSegmentationEvent(bits));
  }
  return events;
}

function readSegmentationEvent(bits: BitReader): SpliceEvent {
  const eventId = bits.bits(32);
  const cancel = bits.flag();
  bits.skip(7);
  if (cancel) return { eventId, cancel };
  const isProgram = bits.flag();
  const hasDuration = bits.flag();
  // Delivery restrictions.
  bits.skip(6);
  if (!isProgram) bits.skip(bits.bits(8) * 48);
  const durationTicks = hasDuration ? bits.bits(40) : undefined;
  // segmentation_upid_type
  bits.skip(8);
  bits.skip(bits.bits(8) * 8);
  const segmentationType = bits.bits(8);
  const isOut = SPLICE_OUT_TYPES.has(segmentationType);
  const isIn = SPLICE_OUT_TYPES.has(segmentationType - 1);
  return {
    eventId,
    cancel,
    segmentationType,
    ...((isOut || isIn) && { out: isOut }),
    ...(durationTicks !== undefined && { durationTicks }),
  };
}
