import type { ObjectStore } from '@hls-uplink/store';
import { MAX_PLAYLIST_BYTES } from './playlist-lane.js';

/** Age, by the store's own date, from which on a segment that nothing names is deleted, milliseconds. */
export const ORPHAN_AGE_MS = 24 * 60 * 60 * 1000;

const PLAYLIST_NAME = /^[^/]+\.m3u8$/;
const SEGMENT_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*-[0-9a-f]{32}-\d+\.ts$/;

/**
 * The segments of a channel that were left by crashes: keys that look like ours, directly below the channel, named by
 * nothing, and older than a day and what is to stay anyway. What a playlist of the channel lists stays, whoever wrote that
 * and however long ago, as the VOD of its earlier lives are; they are read only when something else is to go. The store's newest date stands for its clock, so that ours
 * need not be right; a playlist that was just written makes it current.
 * @throws StoreError
 */
export async function findOrphans(
  store: Pick<ObjectStore, 'list' | 'get'>,
  channel: string,
  named: ReadonlySet<string>,
  signal: AbortSignal,
  retentionMs = 0,
): Promise<string[]> {
  const prefix = `${channel}/`;
  const candidates: { key: string; modifiedMs: number }[] = [];
  const playlists: string[] = [];
  let storeNow = -Infinity;
  for await (const { key, modifiedMs } of store.list(prefix, signal)) {
    storeNow = Math.max(storeNow, modifiedMs);
    if (PLAYLIST_NAME.test(key.slice(prefix.length))) playlists.push(key);
    if (named.has(key) || !key.startsWith(prefix) || !SEGMENT_NAME.test(key.slice(prefix.length))) continue;
    candidates.push({ key, modifiedMs });
  }
  const oldMs = storeNow - ORPHAN_AGE_MS - retentionMs;
  const old = candidates.filter(({ modifiedMs }) => modifiedMs < oldMs).map(({ key }) => key);
  const orphans = new Set(old);
  for (const playlist of playlists) {
    if (orphans.size === 0) break;
    const text = (await store.get(playlist, { signal, maxBytes: MAX_PLAYLIST_BYTES }))?.text ?? '';
    for (const line of text.split(/\r?\n/)) orphans.delete(prefix + line.slice(line.lastIndexOf('/') + 1));
  }
  return [...orphans];
}
