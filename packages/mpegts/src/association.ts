import { MediaError } from './errors.js';
import { readPat, type Pat } from './pat.js';

/**
 * Puts a PAT together: one that names more programs than a section holds comes in several, counted by section_number
 * (ISO/IEC 13818-1 §2.4.4.4).
 */
export class AssociationTable {
  #parts: (Uint8Array | undefined)[] = [];

  /**
   * Takes a section whose CRC is right; returns the table where it is whole and this section has changed it. What tells
   * a change is the bytes: some encoders leave version_number as it was.
   *
   * @throws MediaError `bad-section`
   */
  take(section: Uint8Array): Pat | undefined {
    const pat = readPat(section);
    if (!pat) return undefined;
    const number = section[6]!;
    const count = section[7]! + 1;
    if (number >= count) throw new MediaError('bad-section', 'PAT: section_number is beyond the last');
    if (count !== this.#parts.length || (count > 1 && !this.#isSameVersion(section)))
      this.#parts = Array.from({ length: count }, () => undefined);
    const part = this.#parts[number];
    if (part && Buffer.compare(part, section) === 0) return undefined;
    this.#parts[number] = section.slice();
    if (this.#parts.includes(undefined)) return undefined;
    return { ...pat, programs: this.#parts.flatMap((one) => readPat(one!)!.programs) };
  }

  /** transport_stream_id and version_number are those of the sections that are there. */
  #isSameVersion(section: Uint8Array): boolean {
    const other = this.#parts.find((part) => part !== undefined);
    return other === undefined || [3, 4, 5].every((at) => other[at] === section[at]);
  }
}
