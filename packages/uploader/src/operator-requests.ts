import type { DateRange } from '@hls-uplink/hls';
import { errorText, type Logger } from '@hls-uplink/runtime';
import { isClosed } from './channel/closed.js';
import { dateRangeRefusal, isDue } from './channel/date-range.js';
import type { ChannelState } from './channel/state.js';
import type { Journal } from './journal.js';
import { requestKey, type JournalRecord, type RequestRecord } from './journal-record.js';

export interface OperatorRequestsOptions {
  /** The channel's identity in the journal. */
  id: string;
  journal: Journal;
  logger: Logger;
  state: () => ChannelState;
  happen: (
    happening: { type: 'end-requested' } | { type: 'date-range-given'; range: DateRange; replayed?: true },
  ) => void;
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
    await this.#promise(record);
    this.#tell(record);
  }

  /**
   * A date range, one after the other. Resolves when it will be listed, whatever comes between.
   * @returns why it cannot be listed, if so
   * @throws JournalError
   */
  dateRange(range: DateRange): Promise<string | undefined> {
    const given = this.#kept.then(() => this.#dateRange(range));
    this.#kept = given.catch(() => undefined);
    return given;
  }

  async #dateRange(range: DateRange): Promise<string | undefined> {
    const { life } = this.options.state();
    const before = this.#refusal(range, life);
    if (before !== undefined) return before;
    const record: RequestRecord = { type: 'date-range', life, range };
    await this.#promise(record);
    const after = this.#refusal(range, life);
    if (after === undefined) this.#tell(record);
    else this.#drop(record);
    return after;
  }

  #refusal(range: DateRange, life: number): string | undefined {
    const state = this.options.state();
    const isOver = state.life !== life || state.phase !== 'live';
    return isOver ? 'the stream has ended meanwhile' : dateRangeRefusal(state, range);
  }

  /**
   * The channel has been opened, and all that was accepted is replayed: that belongs to the life that ends.
   * @param isForeign another uploader has gone on with the channel since, and knows nothing of what was asked here
   */
  replay(records: readonly JournalRecord[], isForeign: boolean): void {
    for (const record of records) {
      const isOfLife = 'life' in record && record.life === this.options.state().life;
      if (record.type === 'date-range') {
        if (isOfLife) this.#sayIfRefused(record.range);
        this.#tell(record, { replayed: true });
      } else if (record.type === 'end') {
        if (isOfLife && record.asked && isForeign) this.#refuseEnd(record);
        else this.#tell(record);
      }
    }
  }

  #sayIfRefused(range: DateRange): void {
    const why = dateRangeRefusal(this.options.state(), range);
    if (why !== undefined)
      this.options.logger.warn('a date range that was given is not listed after all', { id: range.id, why });
  }

  #refuseEnd(record: RequestRecord): void {
    this.options.logger.warn(
      'the stream does not end as it was asked to, for another uploader has published it since: ask again',
    );
    this.#drop(record);
  }

  /** To be called after each event. */
  update(): void {
    const state = this.options.state();
    for (const record of this.#open.values()) if (isDone(state, record)) this.#drop(record);
    const end: RequestRecord = { type: 'end', life: state.life, asked: false };
    if (state.phase !== 'ended' || isClosed(state) || this.#open.has(this.#keyOf(end))) return;
    this.#open.set(this.#keyOf(end), end);
    this.#keep(end).catch((error: unknown) => {
      // It is tried again with the next event.
      this.#open.delete(this.#keyOf(end));
      this.#failed(error);
    });
  }

  /** Of the life that it is about, and no other. */
  #tell(record: RequestRecord, how: { replayed?: true } = {}): void {
    const { state, happen } = this.options;
    this.#open.set(this.#keyOf(record), record);
    if (record.life === state().life) {
      if (record.type === 'date-range')
        return happen({ type: 'date-range-given', range: record.range, ...how });
      if (record.asked) return happen({ type: 'end-requested' });
    }
    this.update();
  }

  #keep(record: RequestRecord): Promise<void> {
    const kept = this.options.journal.append(this.options.id, record);
    this.#kept = Promise.allSettled([this.#kept, kept]);
    return kept;
  }

  /** What fails may be on disk nonetheless, and was not promised. */
  async #promise(record: RequestRecord): Promise<void> {
    try {
      await this.#keep(record);
    } catch (error) {
      this.#drop(record);
      throw error;
    }
  }

  #drop(record: RequestRecord): void {
    this.#open.delete(this.#keyOf(record));
    this.options.journal
      .forgetRequest(this.options.id, record)
      .catch((error: unknown) => this.#failed(error));
  }

  /** Of what is done a replay changes nothing. */
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
function isDone(state: ChannelState, record: RequestRecord): boolean {
  if (record.life !== state.life) return true;
  if (record.type === 'date-range') return !isDue(state, record.range);
  return state.phase === 'ended' ? isClosed(state) : !state.endRequested;
}
