import fc from 'fast-check';
import { crc32Mpeg } from './crc32-mpeg.js';

/** A section as fields, for a writer that shares nothing with the reader. */
export interface WrittenSplice {
  adjustment: number;
  /** splice_command_length is 0xfff. */
  isLegacy: boolean;
  time: number | undefined;
  command:
    | { type: 'cancel'; eventId: number }
    | {
        type: 'insert';
        eventId: number;
        out: boolean;
        components: number;
        durationTicks: number | undefined;
        uniqueProgramId: number;
      }
    | { type: 'signal'; segments: WrittenSegmentation[] };
}

export interface WrittenSegmentation {
  eventId: number;
  cancel: boolean;
  components: number;
  durationTicks: number | undefined;
  upid: number[];
  type: number;
}

/** Bits as text: the simplest writer there is. */
const bits = (value: number, count: number): string => value.toString(2).padStart(count, '0');
const spliceTime = (time: number | undefined): string =>
  time === undefined ? `0${'1'.repeat(7)}` : `1${'1'.repeat(6)}${bits(time, 33)}`;

function segmentation({
  eventId,
  cancel,
  components,
  durationTicks,
  upid,
  type,
}: WrittenSegmentation): string {
  let body = bits(0x43554549, 32) + bits(eventId, 32) + (cancel ? '1' : '0') + '1'.repeat(7);
  if (!cancel) {
    body += (components === 0 ? '1' : '0') + (durationTicks === undefined ? '0' : '1') + '111111';
    if (components > 0) body += bits(components, 8);
    for (let n = 0; n < components; n++) body += bits(n, 8) + '1111111' + bits(n * 1000, 33);
    if (durationTicks !== undefined) body += bits(durationTicks, 40);
    body += bits(8, 8) + bits(upid.length, 8) + upid.map((byte) => bits(byte, 8)).join('');
    body += bits(type, 8) + bits(1, 8) + bits(1, 8);
  }
  return bits(2, 8) + bits(body.length / 8, 8) + body;
}

function insert(written: WrittenSplice): string {
  const { command, time } = written;
  if (command.type === 'cancel') return bits(command.eventId, 32) + '1' + '1'.repeat(7);
  if (command.type === 'signal') return spliceTime(time);
  const { eventId, out, components, durationTicks, uniqueProgramId } = command;
  const flags = [out, components === 0, durationTicks !== undefined, time === undefined];
  let text = bits(eventId, 32) + '0' + '1'.repeat(7) + flags.map(Number).join('') + '1111';
  if (components === 0) text += time === undefined ? '' : spliceTime(time);
  else {
    text += bits(components, 8);
    for (let n = 0; n < components; n++) text += bits(n, 8) + (time === undefined ? '' : spliceTime(time));
  }
  if (durationTicks !== undefined) text += '1' + '1'.repeat(6) + bits(durationTicks, 33);
  return text + bits(uniqueProgramId, 16) + bits(0, 16);
}

export function writeSplice(written: WrittenSplice): Uint8Array {
  const { adjustment, isLegacy, command } = written;
  const body = insert(written);
  const segments = command.type === 'signal' ? command.segments.map(segmentation).join('') : '';
  // An avail_descriptor stands before them: other tags are passed over.
  const descriptors = bits(0, 8) + bits(8, 8) + bits(0x43554549, 32) + bits(1, 32) + segments;
  const text =
    bits(0, 8) +
    bits(0, 7) +
    bits(adjustment, 33) +
    bits(0xff, 8) +
    bits(0xfff, 12) +
    bits(isLegacy ? 0xfff : body.length / 8, 12) +
    bits(command.type === 'signal' ? 6 : 5, 8) +
    body +
    bits(descriptors.length / 8, 16) +
    descriptors;
  return sealed(Uint8Array.from(text.match(/.{8}/g)!, (byte) => Number.parseInt(byte, 2)));
}

/** Table id, length and CRC around what follows the length. */
export function sealed(body: Uint8Array): Uint8Array {
  const section = new Uint8Array(3 + body.length + 4);
  const length = section.length - 3;
  section.set([0xfc, 0x30 | (length >> 8), length & 0xff]);
  section.set(body, 3);
  new DataView(section.buffer).setUint32(3 + body.length, crc32Mpeg(section, 0, 3 + body.length));
  return section;
}

const eventId = fc.nat(0xffff_ffff);
const timestamp = fc.nat({ max: 2 ** 33 - 1 });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });

const segmentations = fc.array(
  fc.record({
    eventId,
    cancel: fc.boolean(),
    components: fc.nat(3),
    durationTicks: optional(fc.nat({ max: 2 ** 40 - 1 })),
    upid: fc.array(fc.nat(255), { maxLength: 12 }),
    type: fc.integer({ min: 0x10, max: 0x51 }),
  }),
  { maxLength: 4 },
);

export const writtenSplice: fc.Arbitrary<WrittenSplice> = fc.record({
  adjustment: timestamp,
  isLegacy: fc.boolean(),
  time: optional(timestamp),
  command: fc.oneof(
    fc.record({ type: fc.constant('cancel' as const), eventId }),
    fc.record({
      type: fc.constant('insert' as const),
      eventId,
      out: fc.boolean(),
      components: fc.nat(3),
      durationTicks: optional(timestamp),
      uniqueProgramId: fc.nat(0xffff),
    }),
    fc.record({ type: fc.constant('signal' as const), segments: segmentations }),
  ),
});
