import type { Clock, Logger } from '@hls-uplink/runtime';
import type { ObjectStore } from '@hls-uplink/store';
import { PlaylistLane } from './playlist-lane.js';
import { SegmentLane, type Encryption } from './segment-lane.js';
import type { SpoolFiles } from './spool-files.js';
import { StoreHealth } from './store-health.js';

export interface StoreAccess {
  readonly store: ObjectStore;
  readonly health: StoreHealth;
}

/** One store and the ways into it. */
export interface StoreLanes extends StoreAccess {
  readonly segments: SegmentLane;
  readonly playlists: PlaylistLane;
  /** Of the keys, where they go to a store of their own. */
  readonly keyHealth?: StoreHealth;
}

export interface StoreLanesDeps {
  clock: Clock;
  files: SpoolFiles;
  logger: Logger;
  encryption?: Encryption | undefined;
}

export function storeLanes(store: ObjectStore, deps: StoreLanesDeps): StoreLanes {
  const { clock, files, logger, encryption } = deps;
  const health = new StoreHealth({ store, clock, logger });
  const common = { store, health, clock, logger };
  return {
    store,
    health,
    segments: new SegmentLane({ ...common, files, encryption }),
    playlists: new PlaylistLane(common),
    ...(encryption?.lane && { keyHealth: encryption.lane.options.health }),
  };
}
