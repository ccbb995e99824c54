import type { SourceOptions } from './source.js';

/** Whether bytes are coming: tells it once when they stop, and once when they come again. */
export class Presence {
  #state: 'never' | 'there' | 'away' = 'never';
  #leaving: Promise<void> | undefined;

  constructor(private readonly told: Pick<SourceOptions, 'onLost' | 'onBack'>) {}

  get isThere(): boolean {
    return this.#state === 'there';
  }

  /** The input has gone, and may come back. May be repeated. */
  async lost(reason: string): Promise<void> {
    if (this.#state === 'there') {
      this.#state = 'away';
      this.#leaving = Promise.resolve(this.told.onLost?.(reason));
    }
    await this.#leaving;
  }

  /** Bytes are there. @returns a promise while the leave from before is still on its way: to be waited for */
  heard(): Promise<void> | undefined {
    if (this.#state === 'there') return undefined;
    const leaving = this.#leaving;
    const wasAway = this.#state === 'away';
    this.#state = 'there';
    this.#leaving = undefined;
    if (!wasAway) return undefined;
    return Promise.resolve(leaving).then(() => this.told.onBack?.());
  }
}
