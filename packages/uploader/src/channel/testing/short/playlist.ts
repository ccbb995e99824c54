import { PICTURE_MS } from './plan.js';

/** An entry as a viewer reads it; the same object in all versions in which its text is the same. */
export interface ShortEntry {
  number: number;
  text: string;
  uri: string;
  seconds: number;
  dateMs: number;
  discontinuity: boolean;
  gap: boolean;
  /** When it was first in a text that was to be put. */
  decidedAt: number;
}

/** Milliseconds since 1970. */
export const endOf = ({ dateMs, seconds }: ShortEntry): number => dateMs + 1000 * seconds;

export interface ShortPlaylist {
  version: number;
  targetDuration: number;
  mediaSequence: number;
  discontinuitySequence: number;
  independent: boolean;
  endList: boolean;
  entries: ShortEntry[];
  /** EXT-X-DATERANGE tags: of the playlist as a whole, wherever they stand. */
  dateRanges: string[];
  /** Lines that have no business in a live playlist. */
  strange: string[];
}

/** What is wrong in a version by itself (HLS-RULES 3, 14). @param visit gets each entry and its discontinuity sequence number */
export function checkEntries(
  { discontinuitySequence, entries }: ShortPlaylist,
  { isThere, fault }: { isThere: (uri: string) => boolean; fault: (text: string) => void },
  visit: (entry: ShortEntry, sequence: number) => void,
): void {
  let sequence = discontinuitySequence;
  let dueMs = NaN;
  for (const entry of entries) {
    if (entry.discontinuity) sequence++;
    else if (Math.abs(entry.dateMs - dueMs) > PICTURE_MS)
      fault(`rule 14: ${entry.number} is dated ${entry.dateMs - dueMs} ms off`);
    dueMs = endOf(entry);
    if (!entry.gap && !isThere(entry.uri)) fault(`rule 3: ${entry.uri} is not there`);
    visit(entry, sequence);
  }
}

const DATE_RANGE = '#EXT-X-DATERANGE:';

/** A parser of its own that reads only what `before` has not: most versions differ from it by one entry. */
export function read(whole: string, before: ShortPlaylist | undefined, now: number): ShortPlaylist {
  const dateRanges: string[] = [];
  const text = whole.includes(DATE_RANGE) ? withoutDateRanges(whole, dateRanges) : whole;
  const playlist: ShortPlaylist = {
    version: NaN,
    targetDuration: NaN,
    mediaSequence: NaN,
    discontinuitySequence: NaN,
    independent: false,
    endList: false,
    entries: [],
    dateRanges,
    strange: [],
  };
  let at = readHead(text, playlist);
  const known = before?.entries ?? [];
  let number = playlist.mediaSequence;
  const first = known.length > 0 ? known[0]!.number : 0;
  while (at < text.length) {
    const old = known[number - first];
    if (old && text.startsWith(old.text, at)) {
      playlist.entries.push(old);
      at += old.text.length;
      number++;
    } else if (text.startsWith('#EXT-X-ENDLIST\n', at)) {
      playlist.endList = true;
      at += 15;
    } else {
      const entry = readEntry(text, at, number++, now);
      playlist.entries.push(entry);
      at += entry.text.length;
    }
  }
  return playlist;
}

function withoutDateRanges(whole: string, found: string[]): string {
  return whole
    .split('\n')
    .filter((line) => {
      if (!line.startsWith(DATE_RANGE)) return true;
      found.push(line);
      return false;
    })
    .join('\n');
}

/** Where the first entry begins. */
function readHead(text: string, playlist: ShortPlaylist): number {
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end);
    if (line.startsWith('#EXT-X-MEDIA-SEQUENCE:')) playlist.mediaSequence = Number(line.slice(22));
    else if (line.startsWith('#EXT-X-DISCONTINUITY-SEQUENCE:'))
      playlist.discontinuitySequence = Number(line.slice(30));
    else if (line.startsWith('#EXT-X-TARGETDURATION:')) playlist.targetDuration = Number(line.slice(22));
    else if (line.startsWith('#EXT-X-VERSION:')) playlist.version = Number(line.slice(15));
    else if (line === '#EXT-X-INDEPENDENT-SEGMENTS') playlist.independent = true;
    else if (line === '#EXT-X-DISCONTINUITY' || line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) return at;
    else if (line.startsWith('#EXT-X-') || !line.startsWith('#')) playlist.strange.push(line);
    at = end + 1;
  }
  return text.length;
}

function readEntry(text: string, from: number, number: number, decidedAt: number): ShortEntry {
  const entry = {
    number,
    text: '',
    uri: '',
    seconds: NaN,
    dateMs: NaN,
    discontinuity: false,
    gap: false,
    decidedAt,
  };
  for (let at = from; at < text.length;) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end);
    at = end + 1;
    if (line.startsWith('#EXTINF:')) entry.seconds = Number.parseFloat(line.slice(8));
    else if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) entry.dateMs = Date.parse(line.slice(25));
    else if (line === '#EXT-X-DISCONTINUITY') entry.discontinuity = true;
    else if (line === '#EXT-X-GAP') entry.gap = true;
    else if (!line.startsWith('#')) {
      entry.uri = line;
      entry.text = text.slice(from, at);
      return entry;
    }
  }
  throw new Error(`the text ends within an entry:\n${text}`);
}
