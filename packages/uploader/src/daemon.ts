import { isDeepStrictEqual } from 'node:util';
import { createSystemdNotifier, type Clock, type Logger, type SystemdNotifier } from '@hls-uplink/runtime';
import { openStore } from '@hls-uplink/store';
import { channelLogic } from './channel-logic.js';
import { Channels } from './channels.js';
import { HttpServer } from './http-server.js';
import { KeyLane } from './key-lane.js';
import { LegacyFeeds } from './legacy-feeds.js';
import type { Settings } from './options.js';
import { SegmentKeys } from './segment-keys.js';
import type { Encryption } from './segment-lane.js';
import { UploaderServer } from './server.js';
import { SpoolFiles } from './spool-files.js';
import { openStateFolder, type StateFolder } from './state-folder.js';
import { SteadyClock } from './steady-clock.js';
import { StoreHealth } from './store-health.js';
import { storeLanes, type StoreAccess, type StoreLanes } from './store-lanes.js';
import { startWaitingServer } from './waiting-server.js';

export interface DaemonDeps {
  clock: Clock;
  logger: Logger;
  env: NodeJS.ProcessEnv;
  /** Aborted when the process is to stop, perhaps before it could begin. */
  signal?: AbortSignal;
}

export interface Daemon {
  /** Where it listens; for ports that were given as 0. */
  readonly ports: { listen: number; http: number };
  /** Takes nothing new, finishes uploads under way within the drain timeout, closes all. */
  stop(): Promise<void>;
}

/**
 * segmenters → server → sessions (and legacy feeds) → journal → channels → lanes → store; beside it the HTTP server.
 * @throws ConfigError for what cannot work
 */
export async function startDaemon(settings: Settings, deps: DaemonDeps): Promise<Daemon> {
  const { clock, logger, env, signal = new AbortController().signal } = deps;
  // Its watchdog asks whether the process runs: a restart mends no disk.
  const systemd = createSystemdNotifier({ env, logger, clock });
  const opened = await openState(settings, { clock, logger, signal, systemd });
  if (!opened) {
    const ports = { listen: settings.listen.port, http: settings.http.port };
    return { ports, stop: () => systemd.close() };
  }
  const { journal, ownSpool, ownFolder, writer } = opened;
  const files = new SpoolFiles(settings.spoolRoots);

  const encryption = await openEncryption(settings, ownFolder, deps);
  const keyStore = encryption?.lane?.options;
  // What the journal names is read from the own spool, too; what a peer names never is.
  const lanesDeps = { clock, logger, files: new SpoolFiles([...settings.spoolRoots, ownFolder]), encryption };
  const lanesByUrl = new Map<string, StoreLanes>();
  const lanesOf = async (url: string): Promise<StoreLanes> => {
    const lanes = lanesByUrl.get(url) ?? storeLanes(await openStore(url, { env }), lanesDeps);
    lanesByUrl.set(url, lanes);
    return lanes;
  };
  const lanes = await lanesOf(settings.store.url);
  const buckets = new Map<string, StoreLanes>();
  if (settings.store.location.kind === 's3') buckets.set(settings.store.location.bucket, lanes);
  for (const [name, { url }] of settings.buckets) buckets.set(name, await lanesOf(url));

  const {
    window,
    windowSeconds,
    dvr,
    eventSeconds,
    retention,
    iFramePlaylists,
    startOffset,
    targetDuration,
    awayTimeoutMs,
    segmentUrlPrefix,
    token,
    spoolBytes,
  } = settings;
  const channels = new Channels({
    settings: {
      window,
      // A picture cannot be decrypted alone (HLS-RULES 21).
      iFrames: iFramePlaylists && !encryption,
      ...(windowSeconds !== undefined && { windowSeconds }),
      ...(dvr && { dvr }),
      ...(eventSeconds !== undefined && { eventSeconds }),
      ...(retention !== undefined && { retention }),
      ...(startOffset !== undefined && { startOffset }),
      writer,
      ...(targetDuration !== undefined && { targetDuration }),
      ...(awayTimeoutMs !== undefined && { awayTimeoutMs }),
    },
    logic: channelLogic,
    lanes,
    buckets,
    segmentUrlPrefix,
    journal,
    ownSpool,
    clock: new SteadyClock(clock),
    logger,
  });
  const legacy = new LegacyFeeds({ channels, files, ownSpool, spoolBytes, journal, clock, logger });
  await legacy.start();
  const server = new UploaderServer({ channels, files, ownSpool, spoolBytes, token, clock, logger, legacy });
  const stores = [...lanesByUrl.values()];
  const http = new HttpServer({
    channels,
    stores,
    keyStore,
    journal,
    server,
    legacy,
    ownSpool,
    token,
    logger,
    clock,
    ...(settings.store.location.kind === 'directory' && { folder: settings.store.location.path }),
  });

  const accesses: StoreAccess[] = [...stores, ...(keyStore ? [keyStore] : [])];
  for (const { health } of accesses) health.start();
  channels.reopen();
  const stop = async (): Promise<void> => {
    void systemd.stopping();
    const timeout = new AbortController();
    const cancel = clock.after(settings.drainTimeoutMs, () => timeout.abort());
    await server.stop(timeout.signal);
    legacy.stop();
    await Promise.all(stores.map(({ segments }) => segments.drain(timeout.signal)));
    await Promise.all(stores.map(({ playlists }) => playlists.drain(timeout.signal)));
    cancel();
    channels.stop();
    encryption?.lane?.close();
    for (const { health, store } of accesses) {
      health.stop();
      await store.close();
    }
    await http.stop();
    await journal.close();
    await systemd.close();
  };
  try {
    const ports = {
      listen: await server.listen(settings.listen.host, settings.listen.port),
      http: await http.listen(settings.http.host, settings.http.port),
    };
    logger.info('ready', {
      listen: `${settings.listen.host}:${ports.listen}`,
      http: `http://${settings.http.host}:${ports.http}/`,
      store: lanes.store.name,
    });
    void systemd.ready(`publishing to ${lanes.store.name}`);
    return { ports, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A store of their own also where the URL is that of the segments: what holds it up is told as such. */
async function openEncryption(
  { encryption, store }: Settings,
  folder: string,
  { clock, logger, env }: DaemonDeps,
): Promise<Encryption | undefined> {
  if (!encryption) return undefined;
  const { secret, rotation, keyStore, keyUrl } = encryption;
  const keys = new SegmentKeys({ secret, rotation, url: keyUrl });
  if (!keyStore) return { keys, folder };
  const opened = await openStore(keyStore.url, { env });
  if (isDeepStrictEqual(keyStore.location, store.location)) {
    logger.warn('keys go where the segments go: whoever can fetch these can fetch their keys, too', {
      keyStore: opened.name,
    });
  }
  const health = new StoreHealth({ store: opened, clock, logger });
  return { keys, folder, lane: new KeyLane({ store: opened, health, clock, logger }) };
}

/** While the disk is full the process lives, and says so where an operator looks. */
async function openState(
  { journal: folder, http }: Settings,
  deps: { clock: Clock; logger: Logger; signal: AbortSignal; systemd: SystemdNotifier },
): Promise<StateFolder | undefined> {
  const { systemd, ...rest } = deps;
  let stopWaiting: (() => Promise<void>) | undefined;
  try {
    return await openStateFolder({
      folder,
      ...rest,
      waiting: async (problem) => {
        stopWaiting = await startWaitingServer(http, problem);
        void systemd.ready(problem);
      },
    });
  } finally {
    await stopWaiting?.();
  }
}
