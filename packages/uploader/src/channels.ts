import type { RefusedCode } from '@hls-uplink/protocol';
import type { Logger } from '@hls-uplink/runtime';
import type { ChannelSettings } from './channel/state.js';
import type { ChannelLogic } from './channel-logic.js';
import { ChannelWorker } from './channel-worker.js';
import type { Journal } from './journal.js';
import type { OwnSpool } from './own-spool.js';
import type { SteadyClock } from './steady-clock.js';
import type { StoreLanes } from './store-lanes.js';

/** Channels of one daemon at most: each holds memory, and peers name them. */
const MOST_CHANNELS = 1000;

export interface ChannelsOptions {
  settings: Omit<ChannelSettings, 'channel'>;
  logic: ChannelLogic;
  /** Where channels go that name no bucket. */
  lanes: StoreLanes;
  /** By the bucket names that peers may give; those of the default store lead to `lanes`. */
  buckets: ReadonlyMap<string, StoreLanes>;
  /** Where viewers find what `lanes` has; ends with a slash. */
  segmentUrlPrefix?: string | undefined;
  journal: Journal;
  ownSpool: OwnSpool;
  clock: SteadyClock;
  logger: Logger;
}

export type ChannelLookup =
  { ok: true; worker: ChannelWorker } | { ok: false; code: RefusedCode; reason: string };

/** The channels of this daemon, made when they are first named. */
export class Channels {
  readonly #workers = new Map<string, ChannelWorker>();

  constructor(readonly options: ChannelsOptions) {}

  [Symbol.iterator](): Iterator<ChannelWorker> {
    return this.#workers.values();
  }

  get(id: string): ChannelWorker | undefined {
    return this.#workers.get(id);
  }

  /** The channel of this name in this bucket, or why a peer cannot have it. */
  find(channel: string, bucket?: string): ChannelLookup {
    const { lanes: standard, buckets } = this.options;
    const lanes = bucket === undefined ? standard : buckets.get(bucket);
    if (!lanes) {
      const reason = `no bucket ${JSON.stringify(bucket)} is configured: start hls-uploader with --bucket ${bucket}=URL`;
      return { ok: false, code: 'bucket', reason };
    }
    const id = lanes === standard ? channel : `${bucket}:${channel}`;
    const found = this.#workers.get(id);
    if (found) return { ok: true, worker: found };
    if (this.#workers.size >= MOST_CHANNELS) {
      return { ok: false, code: 'channel', reason: `this uploader has ${MOST_CHANNELS} channels already` };
    }
    return { ok: true, worker: this.#make(id, channel, lanes) };
  }

  /** Opens the channels that the journal has anything of, and those that end when nobody delivers. */
  reopen(): void {
    const { journal, settings } = this.options;
    const live = settings.awayTimeoutMs === undefined ? [] : journal.live;
    for (const id of new Set([...journal.channels, ...live])) {
      const colon = id.indexOf(':');
      const found = colon < 0 ? this.find(id) : this.find(id.slice(colon + 1), id.slice(0, colon));
      if (found.ok) void found.worker.open();
      else
        this.options.logger.warn('what the journal has of a channel must wait', {
          channel: id,
          reason: found.reason,
        });
    }
  }

  stop(): void {
    for (const worker of this) worker.stop();
  }

  /** The channel is read again from the store by a new worker; its sources come again. */
  #overtaken(worker: ChannelWorker, channel: string, lanes: StoreLanes): void {
    const { id } = worker;
    const reason = `channel ${id} was written by somebody else: it is read again`;
    this.options.logger.warn(
      'the store has a playlist that this uploader did not write; the channel is read again',
      {
        channel: id,
      },
    );
    worker.stop();
    for (const link of worker.links()) link.refuse('superseded', reason);
    void this.#make(id, channel, lanes, worker.settled()).open();
  }

  #make(id: string, channel: string, lanes: StoreLanes, after?: Promise<unknown>): ChannelWorker {
    const { settings, logic, journal, ownSpool, clock, logger, segmentUrlPrefix } = this.options;
    const isPrefixed = segmentUrlPrefix !== undefined && lanes === this.options.lanes;
    const worker = new ChannelWorker({
      id,
      settings: { ...settings, channel },
      urlPrefix: isPrefixed ? `${segmentUrlPrefix}${channel}/` : '',
      logic,
      lanes,
      journal,
      ownSpool,
      clock,
      logger,
      ...(after && { after }),
      overtaken: (one) => this.#overtaken(one, channel, lanes),
    });
    this.#workers.set(id, worker);
    return worker;
  }
}
