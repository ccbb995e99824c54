import type { Entry, LeftKey } from './state.js';
import { TICKS_PER_MS } from './ticks.js';

/** What leaves with these entries, and how long it must stay (HLS-RULES 10). */
export function leaving(entries: readonly Entry[]): LeftKey[] {
  return entries.flatMap(({ key, start, end, longestMs }) =>
    key === undefined ? [] : [{ key, keepMs: Math.ceil((end - start) / TICKS_PER_MS + longestMs) }],
  );
}
