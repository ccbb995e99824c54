import type { Clock, Logger } from '@hls-uplink/runtime';
import type { ObjectStore } from '@hls-uplink/store';
import { PlaylistLane } from './playlist-lane.js';
import { SegmentLane } from './segment-lane.js';
import type { SpoolFiles } from './spool-files.js';
import { StoreHealth } from './store-health.js';

/** One store and the ways into it. */
export interface StoreLanes {
  readonly store: ObjectStore;
  readonly health: StoreHealth;
  readonly segments: SegmentLane;
  readonly playlists: PlaylistLane;
}

export function storeLanes(
  store: ObjectStore,
  { clock, files, logger }: { clock: Clock; files: SpoolFiles; logger: Logger },
): StoreLanes {
  const health = new StoreHealth({ store, clock, logger });
  const common = { store, health, clock, logger };
  return {
    store,
    health,
    segments: new SegmentLane({ ...common, files }),
    playlists: new PlaylistLane(common),
  };
}
