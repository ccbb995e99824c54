/** What tracks that nobody cuts by carry, byte by byte: cues, subtitles, pages of teletext, timed metadata. */
import { BitWriter } from './es-generator.js';
import { crcMpeg, pes } from './ts-generator.js';

const PRIVATE_STREAM_1 = 0xbd;
const text = (value: string): number[] => [...Buffer.from(value, 'latin1')];

/** A splice_info_section with a splice_insert (ANSI/SCTE 35 §9.6, §9.7.3), and so many avail descriptors behind it. */
export function cueSection(eventId: number, spliceTicks: number, avails = 0): number[] {
  const insert = new BitWriter()
    .u(32, eventId)
    .u(1, 0) // splice_event_cancel_indicator
    .u(7, 0x7f)
    .u(1, 1) // out_of_network_indicator
    .u(1, 1) // program_splice_flag
    .u(1, 0) // duration_flag
    .u(1, 0) // splice_immediate_flag
    .u(4, 0x0f)
    .u(1, 1) // time_specified_flag
    .u(6, 0x3f)
    .u(33, spliceTicks)
    .u(16, 1) // unique_program_id
    .u(16, 0) // avail_num, avails_expected
    .bytes();
  const descriptors = Array.from({ length: avails }, (_, n) => [0, 8, ...text('CUEI'), 0, 0, 0, n]).flat();
  const body = [
    ...[0, 0, 0, 0, 0, 0], // protocol_version, no encryption, pts_adjustment 0
    0xff,
    ...[0xff, 0xf0 | (insert.length >> 8), insert.length & 0xff, 5, ...insert],
    ...[descriptors.length >> 8, descriptors.length & 0xff, ...descriptors],
  ];
  const length = body.length + 4;
  const bytes = [0xfc, 0x30 | (length >> 8), length & 0xff, ...body];
  const crc = crcMpeg(bytes);
  return [...bytes, crc >>> 24, (crc >>> 16) & 0xff, (crc >>> 8) & 0xff, crc & 0xff];
}

/** A display set of DVB subtitles (ETSI EN 300 743 §7.2): a page without regions, which clears it, and `stuffing` bytes. */
export function subtitlePes(pts: number, stuffing = 0): number[] {
  const segment = (type: number, data: readonly number[]): number[] => [
    ...[0x0f, type, 0, 1, data.length >> 8, data.length & 0xff],
    ...data,
  ];
  const page = segment(0x10, [5, 0x08]);
  const padding = stuffing > 0 ? segment(0xff, Array<number>(stuffing).fill(0)) : [];
  return pes(PRIVATE_STREAM_1, [0x20, 0, ...page, ...padding, ...segment(0x80, []), 0xff], { pts });
}

/** A PES of EBU teletext (ETSI EN 300 472 §4.2): a header of 45 bytes, then so many data units of 46. */
export function teletextPes(pts: number, lines: number): number[] {
  const unit = (n: number): number[] => [
    ...[0x02, 0x2c, 0xe0 | ((7 + n) & 0x1f), 0xe4],
    ...Array.from({ length: 42 }, (_, at) => (at * 5 + n) & 0xff),
  ];
  const payload = [0x10, ...Array.from({ length: lines }, (_, n) => unit(n)).flat()];
  const bytes = pes(PRIVATE_STREAM_1, payload, { pts });
  // PES_header_data_length 0x24: stuffed up to where the data units are in step with packets.
  const stuffing = Array<number>(0x24 - bytes[8]!).fill(0xff);
  const length = ((bytes[4]! << 8) | bytes[5]!) + stuffing.length;
  return [
    ...bytes.slice(0, 4),
    length >> 8,
    length & 0xff,
    ...bytes.slice(6, 8),
    0x24,
    ...bytes.slice(9, 14),
    ...stuffing,
    ...bytes.slice(14),
  ];
}

/** An ID3 tag of a text frame, so many characters long, as Apple's timed metadata carries it. */
export function id3Pes(pts: number, characters: number): number[] {
  const size = (bytes: number): number[] => [0, 0, (bytes >> 7) & 0x7f, bytes & 0x7f];
  const frame = [3, ...Array<number>(characters).fill(0x61)];
  const frames = [...text('TIT2'), ...size(frame.length), 0, 0, ...frame];
  return pes(PRIVATE_STREAM_1, [...text('ID3'), 4, 0, 0, ...size(frames.length), ...frames], { pts });
}
