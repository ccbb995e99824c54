import type { ObjectStore } from '@hls-uplink/store';

/** Age, by the store's own date, from which on a segment that nothing names is deleted, milliseconds. */
export const ORPHAN_AGE_MS = 24 * 60 * 60 * 1000;

const SEGMENT_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*-[0-9a-f]{32}-\d+\.ts$/;

/**
 * The segments of a channel that were left by crashes: keys that look like ours, directly below the channel, named by
 * nothing, and older than a day and what is to stay anyway. The store's newest date stands for its clock, so that ours
 * need not be right; a playlist that was just written makes it current.
 * @throws StoreError
 */
export async function findOrphans(
  store: Pick<ObjectStore, 'list'>,
  channel: string,
  named: ReadonlySet<string>,
  signal: AbortSignal,
  retentionMs = 0,
): Promise<string[]> {
  const prefix = `${channel}/`;
  const candidates: { key: string; modifiedMs: number }[] = [];
  let storeNow = -Infinity;
  for await (const { key, modifiedMs } of store.list(prefix, signal)) {
    storeNow = Math.max(storeNow, modifiedMs);
    if (named.has(key) || !key.startsWith(prefix) || !SEGMENT_NAME.test(key.slice(prefix.length))) continue;
    candidates.push({ key, modifiedMs });
  }
  const oldMs = storeNow - ORPHAN_AGE_MS - retentionMs;
  return candidates.filter(({ modifiedMs }) => modifiedMs < oldMs).map(({ key }) => key);
}
