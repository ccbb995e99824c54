import { hasIFrames, iFrameCount } from './i-frame.js';
import type { Listed } from './arrears.js';
import { isOwed, owed } from './catch-up.js';
import { isRecorded } from './recording.js';
import type { ChannelState, Entry, LeftKey, RenditionState, Turn } from './state.js';
import { TICKS_PER_MS } from './ticks.js';

/** Keys beyond these, oldest first, are left to the sweep of what nobody names. */
export const MOST_LEFT_KEYS = 300;

/**
 * The first entries leave with the next version, and how long their keys must stay (HLS-RULES 10); those of what is recorded
 * leave with the last recording that has them, and what a recording is still to have stays until it has it.
 */
export function leave(state: ChannelState, rendition: RenditionState, count: number): Entry[] {
  const removed = rendition.entries.splice(0, count);
  const due: Listed[] = [];
  for (const entry of removed) {
    // Who fetched it by this playlist plays it as long as by a recording that it leaves later.
    const { dvr } = rendition.recordings;
    if (dvr) dvr.longestMs = Math.max(dvr.longestMs, entry.longestMs);
    if (isOwed(state, rendition, entry.number)) due.push(owed(entry, rendition.discontinuitySequence));
    else if (!isRecorded(rendition, state.life, entry.number)) remove(rendition, leftKey(entry));
    if (entry.discontinuity) rendition.discontinuitySequence++;
  }
  rendition.arrears = rendition.arrears.with(due);
  rendition.iFrames.sequence += removed.reduce((sum, entry) => sum + iFrameCount(entry), 0);
  return removed;
}

/** These keys leave with the next version. */
export function remove({ previous }: RenditionState, keys: readonly LeftKey[]): void {
  previous.push(...keys);
  previous.splice(0, Math.max(0, previous.length - MOST_LEFT_KEYS));
}

function leftKey({ key, start, end, longestMs }: Entry): LeftKey[] {
  return key === undefined ? [] : [{ key, keepMs: Math.ceil((end - start) / TICKS_PER_MS + longestMs) }];
}

/** All entries leave with the next version; what it lists begins anew. */
export function emptyWindow(state: ChannelState, rendition: RenditionState): void {
  leave(state, rendition, rendition.entries.length);
  delete rendition.adopted;
}

/** The numbers up to this one count as listed and removed. */
export function jumpTo(rendition: RenditionState, number: number): void {
  rendition.iFrames.sequence += number - rendition.tail;
  rendition.tail = number;
}

/** What has left every stored playlist long enough ago is deleted. */
export function deleteDue({ state, at, effects }: Turn, rendition: RenditionState): void {
  const { left, storedVersion, iFrames } = rendition;
  const without = hasIFrames(state, rendition)
    ? Math.min(storedVersion, iFrames.storedVersion)
    : storedVersion;
  for (const one of left) if ((one.version ?? 0) <= without) one.removedMs ??= at;
  const { retention = 0 } = state.settings;
  if (retention === 'keep') return;
  const due = left.filter(
    ({ deleting, removedMs = Infinity, keepMs }) =>
      !deleting && removedMs + Math.max(keepMs, retention) <= at,
  );
  for (const one of due) one.deleting = true;
  if (due.length > 0) effects.push({ type: 'delete', keys: due.map(({ key }) => key) });
}
