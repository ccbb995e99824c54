import { MediaError } from './errors.js';
import { writeSection } from './section-writer.js';

export const PMT_TABLE_ID = 0x02;

export interface Descriptor {
  tag: number;
  data: Uint8Array;
}

export interface PmtStream {
  streamType: number;
  pid: number;
  descriptors: Descriptor[];
}

/** Program map section (ISO/IEC 13818-1 §2.4.4.8). */
export interface Pmt {
  programNumber: number;
  version: number;
  pcrPid: number;
  descriptors: Descriptor[];
  streams: PmtStream[];
}

/** A section whose CRC is right; `undefined` for one that is not yet in force or of another table. */
export function readPmt(section: Uint8Array): Pmt | undefined {
  if (section[0] !== PMT_TABLE_ID || (section[5]! & 1) === 0) return undefined;
  const end = section.length - 4;
  if (end < 12) throw new MediaError('bad-section', 'PMT: shorter than its fixed part');
  const programInfo = 12 + length12(section, 10);
  const descriptors = readDescriptors(section, 12, programInfo, end);
  const streams: PmtStream[] = [];
  for (let at = programInfo; at < end;) {
    if (at + 5 > end) throw new MediaError('bad-section', 'PMT: a stream entry is cut off');
    const next = at + 5 + length12(section, at + 3);
    streams.push({
      streamType: section[at]!,
      pid: ((section[at + 1]! & 0x1f) << 8) | section[at + 2]!,
      descriptors: readDescriptors(section, at + 5, next, end),
    });
    at = next;
  }
  return {
    programNumber: (section[3]! << 8) | section[4]!,
    version: (section[5]! >> 1) & 0x1f,
    pcrPid: ((section[8]! & 0x1f) << 8) | section[9]!,
    descriptors,
    streams,
  };
}

/** The section of `pmt`, with its CRC. */
export function writePmt({ programNumber, version, pcrPid, descriptors, streams }: Pmt): Uint8Array {
  const body = [0xe0 | (pcrPid >> 8), pcrPid & 0xff, ...writeDescriptors(descriptors)];
  for (const stream of streams) {
    body.push(stream.streamType, 0xe0 | (stream.pid >> 8), stream.pid & 0xff);
    body.push(...writeDescriptors(stream.descriptors));
  }
  return writeSection(PMT_TABLE_ID, programNumber, version, body);
}

function length12(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! & 0x0f) << 8) | bytes[at + 1]!;
}

function readDescriptors(section: Uint8Array, from: number, to: number, end: number): Descriptor[] {
  if (to > end) throw new MediaError('bad-section', 'PMT: descriptors reach beyond the section');
  const descriptors = [];
  for (let at = from; at + 2 <= to;) {
    const next = at + 2 + section[at + 1]!;
    if (next > to) throw new MediaError('bad-section', 'PMT: a descriptor reaches beyond its loop');
    descriptors.push({ tag: section[at]!, data: section.slice(at + 2, next) });
    at = next;
  }
  return descriptors;
}

function writeDescriptors(descriptors: readonly Descriptor[]): number[] {
  const bytes = descriptors.flatMap(({ tag, data }) => [tag, data.length, ...data]);
  return [0xf0 | (bytes.length >> 8), bytes.length & 0xff, ...bytes];
}
