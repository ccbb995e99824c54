import { errorText, type Logger } from '@hls-uplink/runtime';
import { isClosed } from './channel/closed.js';
import type { ChannelState } from './channel/state.js';
import type { Journal } from './journal.js';
import { requestKey, type JournalRecord, type RequestRecord } from './journal-record.js';

export interface OperatorRequestsOptions {
  /** The channel's identity in the journal. */
  id: string;
  journal: Journal;
  logger: Logger;
  state: () => ChannelState;
  happen: (happening: { type: 'end-requested' }) => void;
}

/**
 * What an operator asked of one channel and has been promised: in the journal until the store shows it, for nobody says it
 * again. So is an end that is decided, whoever ended: after a crash the channel is opened though no source ever comes, and
 * the playlists that lack their ENDLIST get it.
 */
export class OperatorRequests {
  /** Those that the channel knows of, by key. */
  readonly #open = new Map<string, RequestRecord>();
  #kept: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: OperatorRequestsOptions) {}

  /** Resolves when what it was doing to the journal is done. */
  get settled(): Promise<unknown> {
    return this.#kept;
  }

  /**
   * `hls-uploader end`. Resolves when nothing can keep the life from ending any more, a crash included.
   * @throws JournalError
   */
  async end(): Promise<void> {
    const record: RequestRecord = { type: 'end', life: this.options.state().life, asked: true };
    await this.#keep(record);
    this.#tell(record);
  }

  /**
   * The channel has been opened, and all that was accepted is replayed: that belongs to the life that ends.
   * @param isForeign another uploader has gone on with the channel since, and knows nothing of what was asked here
   */
  replay(records: readonly JournalRecord[], isForeign: boolean): void {
    for (const record of records) {
      if (record.type !== 'end') continue;
      const { type, life, asked } = record;
      const request = { type, life, asked };
      if (!(isForeign && asked)) {
        this.#tell(request);
        continue;
      }
      this.options.logger.warn(
        'the stream does not end as it was asked to, for another uploader has published it since: ask again',
      );
      this.#drop(request);
    }
  }

  /** To be called after each event. */
  update(): void {
    const state = this.options.state();
    for (const record of this.#open.values()) if (isDone(state, record)) this.#drop(record);
    const end: RequestRecord = { type: 'end', life: state.life, asked: false };
    if (state.phase !== 'ended' || isClosed(state) || this.#open.has(this.#keyOf(end))) return;
    this.#open.set(this.#keyOf(end), end);
    this.#keep(end).catch((error: unknown) => this.#failed(error));
  }

  /** Of the life that it is about, and no other. */
  #tell(record: RequestRecord): void {
    this.#open.set(this.#keyOf(record), record);
    if (record.asked && record.life === this.options.state().life)
      this.options.happen({ type: 'end-requested' });
    else this.update();
  }

  #keep(record: RequestRecord): Promise<void> {
    const kept = this.options.journal.append(this.options.id, record);
    this.#kept = Promise.allSettled([this.#kept, kept]);
    return kept;
  }

  #drop(record: RequestRecord): void {
    this.#open.delete(this.#keyOf(record));
    this.options.journal
      .forgetRequest(this.options.id, record)
      .catch((error: unknown) => this.#failed(error));
  }

  /** Of what is done a replay changes nothing, and an end that is decided the store soon shows. */
  #failed(error: unknown): void {
    this.options.logger.debug('the journal does not say yet what is still to be done', {
      error: errorText(error),
    });
  }

  #keyOf(record: RequestRecord): string {
    return requestKey(this.options.id, record);
  }
}

/** The store shows it, or it means nothing any more. */
function isDone(state: ChannelState, { life }: RequestRecord): boolean {
  if (life !== state.life) return true;
  return state.phase === 'ended' ? isClosed(state) : !state.endRequested;
}
