import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, silentLogger, type Clock, type Logger } from '@hls-uplink/runtime';
import type { ChannelSettings } from './channel/state.js';
import type { ChannelLogic } from './channel-logic.js';
import { Channels } from './channels.js';
import { fakeLogic } from './fake-logic.test.helper.js';
import { FakeStore } from './fake-store.test.helper.js';
import { Journal } from './journal.js';
import { LegacyFeeds } from './legacy-feeds.js';
import { LineBudget } from './line-budget.js';
import { OwnSpool } from './own-spool.js';
import { UploaderServer } from './server.js';
import { SpoolFiles } from './spool-files.js';
import { SteadyClock } from './steady-clock.js';
import { storeLanes, type StoreLanes } from './store-lanes.js';

export interface TestUploader {
  folder: string;
  /** The one spool root. */
  spool: string;
  store: FakeStore;
  lanes: StoreLanes;
  journal: Journal;
  ownSpool: OwnSpool;
  channels: Channels;
  legacy: LegacyFeeds;
  server: UploaderServer;
  port: number;
  /** As a killed process leaves it: nothing is drained, the folder stays. */
  stop(): Promise<void>;
  remove(): Promise<void>;
}

export interface TestUploaderOptions {
  logic?: ChannelLogic;
  store?: FakeStore;
  folder?: string;
  token?: string;
  clock?: Clock;
  logger?: Logger;
  spoolBytes?: number;
  lineBudget?: LineBudget;
  settings?: Partial<ChannelSettings>;
}

/** All of the uploader but its HTTP server, with a store in memory and a simple reducer. */
export async function startUploader(options: TestUploaderOptions = {}): Promise<TestUploader> {
  const {
    store = new FakeStore(),
    logic = fakeLogic(),
    clock = systemClock,
    logger = silentLogger,
  } = options;
  const { spoolBytes = 1e9, token, lineBudget = new LineBudget() } = options;
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'uploader-')));
  const spool = join(folder, 'spool');
  const ownFolder = join(folder, 'journal', 'spool');
  await mkdir(spool, { recursive: true });
  const journal = await Journal.open({ folder: join(folder, 'journal'), logger });
  const ownSpool = await OwnSpool.open(ownFolder, (id) => journal.has(id));
  const files = new SpoolFiles([spool]);
  const lanes = storeLanes(store, { clock, logger, files: new SpoolFiles([spool, ownFolder]) });
  const channels = new Channels({
    settings: { window: 6, iFrames: true, writer: 'test', ...options.settings },
    logic,
    lanes,
    buckets: new Map([['bucket', lanes]]),
    journal,
    ownSpool,
    clock: new SteadyClock(clock),
    logger,
  });
  const legacy = new LegacyFeeds({ channels, files, ownSpool, spoolBytes, journal, clock, logger });
  const server = new UploaderServer({
    channels,
    files,
    ownSpool,
    spoolBytes,
    token,
    clock,
    logger,
    legacy,
    lineBudget,
  });
  channels.reopen();
  const port = await server.listen('127.0.0.1', 0);
  const stop = async (): Promise<void> => {
    await server.stop(AbortSignal.timeout(1000));
    legacy.stop();
    lanes.segments.close();
    lanes.playlists.close();
    lanes.health.stop();
    channels.stop();
    await journal.close();
  };
  return {
    folder,
    spool,
    store,
    lanes,
    journal,
    ownSpool,
    channels,
    legacy,
    server,
    port,
    stop,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
