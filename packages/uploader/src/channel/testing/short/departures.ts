import type { ShortPlaylist } from './playlist.js';

interface Shown {
  seconds: number;
  longest: number;
  removedAt?: number;
}

/** What left stays for its duration and that of the longest playlist that listed it (HLS-RULES 10). */
export class Departures {
  readonly #shown = new Map<string, Shown>();

  constructor(
    private readonly world: { readonly now: number },
    private readonly fault: (where: string, fault: string) => void,
  ) {}

  has(uri: string): boolean {
    return this.#shown.has(uri);
  }

  show(before: ShortPlaylist | undefined, now: ShortPlaylist, total: number): void {
    for (const { uri, gap, number } of before?.entries ?? []) {
      if (gap || number >= now.mediaSequence) continue;
      const shown = this.#shown.get(uri);
      if (shown) shown.removedAt ??= this.world.now;
    }
    for (const { uri, seconds, gap } of now.entries) {
      if (gap) continue;
      const shown = this.#shown.get(uri);
      if (!shown) this.#shown.set(uri, { seconds, longest: total });
      else if (shown.longest < total) shown.longest = total;
    }
  }

  removed(uri: string): void {
    const shown = this.#shown.get(uri);
    if (!shown) return;
    const early = (shown.removedAt ?? Infinity) + 1000 * (shown.seconds + shown.longest) - this.world.now;
    if (early > 1) this.fault(uri, `rule 10: deleted ${early.toFixed(0)} ms before it may go`);
  }
}
