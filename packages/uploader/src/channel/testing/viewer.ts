/** What a viewer makes of a playlist's text: a parser of its own, so that tests share none with what they test. */
export interface SeenEntry {
  number: number;
  uri: string;
  seconds: number;
  dateMs: number;
  discontinuity: boolean;
  gap: boolean;
  /** URI and vector of the EXT-X-KEY that holds for it. */
  key?: string;
}

export interface SeenPlaylist {
  targetDuration: number;
  version: number;
  mediaSequence: number;
  discontinuitySequence: number;
  independent: boolean;
  /** EXT-X-PLAYLIST-TYPE */
  type?: string;
  endList: boolean;
  entries: SeenEntry[];
  /** EXT-X-DATERANGE tags, wherever they stand. */
  dateRanges: string[];
}

function keyOf(line: string): string {
  const [, uri, iv] = /^#EXT-X-KEY:METHOD=AES-128,URI="([^"]+)",IV=0x([0-9A-F]{32})$/.exec(line) ?? [];
  if (uri === undefined) throw new Error(`no key: ${line}`);
  return `${uri} ${iv}`;
}

export function see(text: string): SeenPlaylist {
  const value = (tag: string): number => {
    const found = new RegExp(`^#EXT-X-${tag}:(\\d+)$`, 'm').exec(text);
    if (!found) throw new Error(`no EXT-X-${tag} in\n${text}`);
    return Number(found[1]);
  };
  const mediaSequence = value('MEDIA-SEQUENCE');
  const entries: SeenEntry[] = [];
  let next = { seconds: NaN, dateMs: NaN, discontinuity: false, gap: false };
  let key: string | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('#EXTINF:')) next.seconds = Number.parseFloat(line.slice(8));
    else if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) next.dateMs = Date.parse(line.slice(25));
    else if (line === '#EXT-X-DISCONTINUITY') next.discontinuity = true;
    else if (line === '#EXT-X-GAP') next.gap = true;
    else if (line === '#EXT-X-KEY:METHOD=NONE') key = undefined;
    else if (line.startsWith('#EXT-X-KEY:')) key = keyOf(line);
    else if (line !== '' && !line.startsWith('#')) {
      const held = key !== undefined && !next.gap && { key };
      entries.push({ ...next, number: mediaSequence + entries.length, uri: line, ...held });
      next = { seconds: NaN, dateMs: NaN, discontinuity: false, gap: false };
    }
  }
  return {
    targetDuration: value('TARGETDURATION'),
    version: value('VERSION'),
    mediaSequence,
    discontinuitySequence: value('DISCONTINUITY-SEQUENCE'),
    independent: text.includes('\n#EXT-X-INDEPENDENT-SEGMENTS'),
    ...(/^#EXT-X-PLAYLIST-TYPE:/m.test(text) && { type: /^#EXT-X-PLAYLIST-TYPE:(.*)$/m.exec(text)![1]! }),
    endList: text.includes('\n#EXT-X-ENDLIST'),
    entries,
    dateRanges: text.split('\n').filter((line) => line.startsWith('#EXT-X-DATERANGE:')),
  };
}

const total = (playlist: SeenPlaylist): number =>
  playlist.entries.reduce((sum, entry) => sum + entry.seconds, 0);

/** What one version breaks by itself, named by HLS-RULES. */
export function faultsOf(now: SeenPlaylist): string[] {
  const faults: string[] = [];
  for (const entry of now.entries) {
    const { number, seconds, dateMs } = entry;
    if (!(Math.round(seconds) <= now.targetDuration)) faults.push(`rule 1: ${number} lasts ${seconds}`);
    if (Number.isNaN(dateMs)) faults.push(`rule 14: ${number} has no date`);
  }
  now.entries.forEach((entry, i) => {
    const before = now.entries[i - 1];
    if (!before || entry.discontinuity) return;
    const off = entry.dateMs - before.dateMs - before.seconds * 1000;
    if (Math.abs(off) > 50) faults.push(`rule 14: ${entry.number} is dated ${off.toFixed(0)} ms off`);
  });
  return faults;
}

/** The discontinuity sequence number of an entry (RFC 8216 §6.2.2). */
function sequenceOf({ discontinuitySequence, entries }: SeenPlaylist, index: number): number {
  return discontinuitySequence + entries.slice(0, index + 1).filter((entry) => entry.discontinuity).length;
}

/** What the change from one version to the next breaks. */
export function faultsBetween(before: SeenPlaylist, now: SeenPlaylist): string[] {
  const faults: string[] = [];
  const newLife = before.endList && !now.endList;
  // Another uploader may write it back as its own.
  if (before.endList && !newLife && JSON.stringify(now) !== JSON.stringify(before))
    faults.push('rule 18: changed after ENDLIST');
  if (now.version !== before.version) faults.push('rule 13: VERSION changed');
  if (!newLife && now.independent && !before.independent)
    faults.push('rule 16: INDEPENDENT-SEGMENTS returned');
  if (!newLife && now.targetDuration !== before.targetDuration) faults.push('rule 2: TARGETDURATION changed');
  const removed = before.entries.filter((entry) => entry.number < now.mediaSequence);
  if (now.mediaSequence < before.mediaSequence) faults.push('rule 8: MEDIA-SEQUENCE went down');
  const tags = removed.filter((entry) => entry.discontinuity).length;
  const skipped = before.entries.length > 0 && now.mediaSequence > before.entries.at(-1)!.number + 1;
  if (
    skipped
      ? now.discontinuitySequence < before.discontinuitySequence + tags
      : !newLife && now.discontinuitySequence !== before.discontinuitySequence + tags
  ) {
    faults.push(
      `rule 11: DISCONTINUITY-SEQUENCE ${before.discontinuitySequence} + ${tags} → ${now.discontinuitySequence}`,
    );
  }
  if (newLife) {
    if (now.mediaSequence <= before.entries.at(-1)!.number)
      faults.push('rule 8: a new life takes old numbers');
    if (sequenceOf(now, 0) <= sequenceOf(before, before.entries.length - 1)) {
      faults.push('rule 7: a new life begins without discontinuity');
    }
    return faults;
  }
  for (const entry of before.entries) {
    if (entry.number < now.mediaSequence) continue;
    const same = now.entries[entry.number - now.mediaSequence];
    if (JSON.stringify(same) !== JSON.stringify(entry)) faults.push(`rule 4: entry ${entry.number} changed`);
  }
  if (skipped && total(now) < 3 * now.targetDuration) {
    faults.push('rule 4: entries were removed that no version listed, and no whole window came for them');
  }
  if (now.mediaSequence > before.mediaSequence && total(now) < 3 * now.targetDuration) {
    faults.push(`rule 9: only ${total(now)} s left`);
  }
  return [...faults, ...faultsOfDateRanges(before, now)];
}

/** A date range stays while it maps to what is listed, and stands there once. */
function faultsOfDateRanges(before: SeenPlaylist, now: SeenPlaylist): string[] {
  const firstMs = now.entries[0]?.dateMs ?? 0;
  const gone = before.dateRanges.filter((tag) => {
    const [, start, seconds] = /START-DATE="([^"]*)".*?DURATION=([\d.]+)/.exec(tag) ?? [];
    return Date.parse(start!) + 1000 * Number(seconds) > firstMs && !now.dateRanges.includes(tag);
  });
  return [
    ...gone.map((tag) => `rule 17: ${tag} is gone`),
    ...(new Set(now.dateRanges).size < now.dateRanges.length ? ['rule 17: a date range twice'] : []),
  ];
}

/** What two renditions of one channel must have in common where both list the same number (HLS-RULES 20). */
export function faultsAcross(a: SeenPlaylist, b: SeenPlaylist): string[] {
  return a.entries.flatMap((entry, i) => {
    const j = b.entries.findIndex((one) => one.number === entry.number);
    const other = b.entries[j];
    if (!other) return [];
    const faults: string[] = [];
    if (sequenceOf(a, i) !== sequenceOf(b, j))
      faults.push(`rule 20: discontinuity sequence of ${entry.number}`);
    if (entry.discontinuity !== other.discontinuity) faults.push(`rule 20: discontinuity of ${entry.number}`);
    const end = (one: SeenEntry): number => one.dateMs + one.seconds * 1000;
    const same = Math.abs(entry.dateMs - other.dateMs) < 50 || Math.abs(end(entry) - end(other)) < 50;
    if (!same) faults.push(`rule 20: ${entry.number} is dated ${entry.dateMs - other.dateMs} ms apart`);
    return faults;
  });
}

/** Partial segments that were listed where a sibling had gone by with more of the slot (DESIGN.md, "Whole and partial"). */
export function partialAmong(fresh: readonly SeenEntry[], { entries }: SeenPlaylist): string[] {
  return fresh.flatMap(({ number, seconds, gap, discontinuity }) => {
    const other = entries.find((one) => one.number === number);
    const next = entries.find((one) => one.number === number + 1);
    if (gap || discontinuity || !other || other.gap || !next || next.discontinuity) return [];
    return seconds < other.seconds - 0.1 ? [`partial: ${number} lasts ${seconds} of ${other.seconds} s`] : [];
  });
}
