import type { Clock, LogFields } from '@hls-uplink/runtime';

/** What does not change is said again so often, milliseconds. */
const AGAIN_MS = 60_000;

interface Said {
  state: string;
  at: number;
  since: number;
}

/** Decides which lines are worth a log: changes of a state at once, what goes on once a minute. */
export class LogLimit {
  readonly #said = new Map<string, Said>();

  constructor(private readonly clock: Clock) {}

  /**
   * Logs when the state of `subject` is another than before, or has been the same for a minute.
   * @param log is given how many lines were left out (`repeats`), if any
   */
  change(subject: string, state: string, log: (fields: LogFields) => void): void {
    const now = this.clock.monotonic();
    const said = this.#said.get(subject);
    if (said?.state === state && now - said.at < AGAIN_MS) {
      said.since++;
      return;
    }
    const repeats = said?.state === state ? said.since : 0;
    this.#said.set(subject, { state, at: now, since: 0 });
    log(repeats > 0 ? { repeats } : {});
  }

  /** Logs events of one kind at most once a minute. */
  say(kind: string, log: (fields: LogFields) => void): void {
    this.change(`event ${kind}`, 'said', log);
  }
}
