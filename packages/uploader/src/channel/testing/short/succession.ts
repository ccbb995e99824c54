import type { ShortPlaylist } from './playlist.js';

const WINDOW = 3;

/** What may change between one stored version and the next (HLS-RULES 4, 8, 9, 11, 16, 17, 18). */
export function checkSuccession(
  before: ShortPlaylist,
  now: ShortPlaylist,
  newLife: boolean,
  {
    fault,
    isListed,
    seen,
  }: {
    fault: (text: string) => void;
    /** Any playlist that is out lists the number. */
    isListed: (number: number) => boolean;
    seen: { withdrawn: number; skips: number };
  },
): void {
  const last = before.entries.at(-1)!.number;
  if (before.endList && !newLife && now.mediaSequence <= last && now.entries.at(-1)!.number !== last)
    fault('rule 18: changed after ENDLIST');
  if (now.mediaSequence < before.mediaSequence) fault('rule 8: MEDIA-SEQUENCE went down');
  if (newLife && now.mediaSequence <= last) fault('rule 8: a new life takes old numbers');
  if (now.entries.at(-1)!.number < last) fault('rule 4: an older version after a newer one');
  if (!newLife && now.independent && !before.independent) fault('rule 16: INDEPENDENT-SEGMENTS returned');
  if (before.independent && !now.independent) seen.withdrawn++;
  const removed = now.mediaSequence - before.mediaSequence;
  const skipped = !newLife && now.mediaSequence > last + 1;
  if (skipped) seen.skips++;
  let tags = 0;
  for (let i = 0; i < before.entries.length; i++) {
    const old = before.entries[i]!;
    if (i < removed) tags += +old.discontinuity;
    else if (now.entries[i - removed]?.text !== old.text) fault(`rule 4: entry ${old.number} changed`);
  }
  const expected = before.discontinuitySequence + tags;
  if (newLife || skipped ? now.discontinuitySequence < expected : now.discontinuitySequence !== expected)
    fault(
      `rule 11: DISCONTINUITY-SEQUENCE ${before.discontinuitySequence} + ${tags} → ${now.discontinuitySequence}`,
    );
  const ended = before.discontinuitySequence + before.entries.filter((entry) => entry.discontinuity).length;
  if (newLife && now.discontinuitySequence + +now.entries[0]!.discontinuity <= ended)
    fault('rule 7: a new life begins without discontinuity');
  if (removed > 0 && !newLife && !now.endList) {
    const seconds = now.entries.reduce((sum, entry) => sum + entry.seconds, 0);
    if (seconds < 3 * now.targetDuration) fault(`rule 9: only ${seconds} s left`);
  }
  if (skipped && now.mediaSequence - last - 1 < WINDOW && isListed(last + 1))
    fault(`rule 6: skips ${now.mediaSequence - last - 1} entries only`);
  if (newLife) return;
  const first = now.entries[0]!.dateMs;
  for (const tag of before.dateRanges) {
    const [, start, seconds] = /START-DATE="([^"]*)".*?DURATION=([\d.]+)/.exec(tag) ?? [];
    const isOver = Date.parse(start!) + 1000 * Number(seconds) <= first;
    if (!isOver && !now.dateRanges.includes(tag)) fault(`rule 17: ${tag} is gone`);
  }
  if (new Set(now.dateRanges).size < now.dateRanges.length) fault('rule 17: a date range twice');
}
