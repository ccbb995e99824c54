import type { SourceOptions } from './source.js';

/** Whether data are coming: tells it once when they stop, and once when they come again. */
export class Presence {
  #state: 'never' | 'there' | 'away' = 'never';
  #leaving: Promise<void> | undefined;
  /** What `found` said when they stopped. */
  #before = 0;

  constructor(private readonly told: Pick<SourceOptions, 'onLost' | 'onBack' | 'found'>) {}

  get isThere(): boolean {
    this.#look();
    return this.#state === 'there';
  }

  /** The input has gone, and may come back. May be repeated. */
  async lost(reason: string): Promise<void> {
    if (this.isThere) {
      this.#state = 'away';
      this.#leaving = Promise.resolve(this.told.onLost?.(reason)).finally(() => (this.#leaving = undefined));
      this.#before = this.told.found?.() ?? 0;
    }
    await this.#leaving;
  }

  /**
   * Bytes are there. Where `found` tells data from others, it is known only behind them whether they were.
   *
   * @returns a promise while the leave from before is still on its way: to be waited for
   */
  heard(): Promise<void> | undefined {
    if (this.#state === 'there') return undefined;
    if (this.#leaving) return this.#leaving.then(() => this.heard());
    if (this.told.found) this.#look();
    else this.#come();
    return undefined;
  }

  #look(): void {
    if (this.#state !== 'there' && this.told.found && this.told.found() > this.#before) this.#come();
  }

  #come(): void {
    const wasAway = this.#state === 'away';
    this.#state = 'there';
    if (wasAway) this.told.onBack?.();
  }
}
