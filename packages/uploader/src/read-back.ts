import type { Clock } from '@hls-uplink/runtime';
import type { ObjectStore } from '@hls-uplink/store';
import { derivedKey, isDerived } from './channel/playlist-keys.js';
import { RECORDING_VIEWS } from './channel/recording.js';
import type { ReadBack } from './channel/reopen.js';
import { MAX_PLAYLIST_BYTES } from './playlist-lane.js';
import { timed } from './timed.js';

/** Playlists of one channel that are read at most; what has more is no channel of ours. */
const MOST_PLAYLISTS = 500;
const TIMEOUT_MS = 30_000;

/**
 * The published playlists of a channel as they are in the store: all that lie directly below its name where the store
 * can list, else the multivariant playlist, those it names, those of the renditions known already, and their recordings.
 * @throws StoreError
 */
export async function readBack(
  store: ObjectStore,
  channel: string,
  known: Iterable<string>,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<ReadBack[]> {
  const prefix = `${channel}/`;
  const read = async (key: string): Promise<ReadBack | undefined> => {
    const found = await timed(
      { clock, ms: TIMEOUT_MS, signal, doing: `get ${key} from ${store.name}` },
      (aborted) => store.get(key, { signal: aborted, maxBytes: MAX_PLAYLIST_BYTES }),
    );
    return found && { key, text: found.text, ...(found.etag !== undefined && { etag: found.etag }) };
  };
  const keys = new Set<string>([`${prefix}index.m3u8`]);
  if (store.capabilities.list) {
    for await (const { key } of store.list(prefix, signal)) if (isPlaylistOf(key, prefix)) keys.add(key);
  } else {
    const multivariant = await read(`${prefix}index.m3u8`);
    const named = multivariant?.text.split(/\r?\n/).map((uri) => prefix + uri) ?? [];
    for (const key of [...known, ...named.filter((one) => isPlaylistOf(one, prefix))]) {
      keys.add(key);
      for (const view of RECORDING_VIEWS) keys.add(derivedKey(key, view));
    }
  }
  const playlists: ReadBack[] = [];
  for (const key of [...keys].slice(0, MOST_PLAYLISTS)) {
    const found = await read(key);
    if (found) playlists.push(found);
  }
  return playlists;
}

function isPlaylistOf(key: string, prefix: string): boolean {
  return (
    key.startsWith(prefix) &&
    !isDerived(key) &&
    /^[A-Za-z0-9_][A-Za-z0-9_.-]*\.m3u8$/.test(key.slice(prefix.length))
  );
}
