import { MediaError } from './errors.js';
import { writeSection } from './section-writer.js';

export const PAT_TABLE_ID = 0x00;

/** Program association section (ISO/IEC 13818-1 §2.4.4.3). */
export interface Pat {
  transportStreamId: number;
  version: number;
  /** Without the network PID (program number 0). */
  programs: { programNumber: number; pmtPid: number }[];
}

/** A section whose CRC is right; `undefined` for one that is not yet in force or of another table. */
export function readPat(section: Uint8Array): Pat | undefined {
  if (section[0] !== PAT_TABLE_ID || (section[5]! & 1) === 0) return undefined;
  const end = section.length - 4;
  if ((end - 8) % 4 !== 0) throw new MediaError('bad-section', 'PAT: a program entry is cut off');
  const programs = [];
  for (let at = 8; at < end; at += 4) {
    const programNumber = (section[at]! << 8) | section[at + 1]!;
    const pmtPid = ((section[at + 2]! & 0x1f) << 8) | section[at + 3]!;
    if (programNumber !== 0) programs.push({ programNumber, pmtPid });
  }
  return {
    transportStreamId: (section[3]! << 8) | section[4]!,
    version: (section[5]! >> 1) & 0x1f,
    programs,
  };
}

/** The section of `pat`, with its CRC. */
export function writePat({ transportStreamId, version, programs }: Pat): Uint8Array {
  const body = programs.flatMap(({ programNumber, pmtPid }) => [
    programNumber >> 8,
    programNumber & 0xff,
    0xe0 | (pmtPid >> 8),
    pmtPid & 0xff,
  ]);
  return writeSection(PAT_TABLE_ID, transportStreamId, version, body);
}
