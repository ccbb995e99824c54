/** A source of random numbers 0 … 1 that a seed repeats (mulberry32). */
export function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Pending {
  at: number;
  run: () => void;
  /** Of the uploader whose doing it is; 0: nobody's. */
  life: number;
}

/** Simulated time: what is to happen when, in milliseconds since 1970. */
export class Timetable {
  now = 1_700_000_000_000;
  readonly #pending: Pending[] = [];

  at(at: number, run: () => void, life = 0): void {
    this.#pending.push({ at, run, life });
  }

  /** Takes out what an uploader has under way. */
  withdraw(life: number): (() => void)[] {
    const withdrawn = this.#pending.filter((one) => one.life === life);
    for (const one of withdrawn) this.#pending.splice(this.#pending.indexOf(one), 1);
    return withdrawn.map(({ run }) => run);
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      let first: Pending | undefined;
      for (const one of this.#pending) if (!first || one.at < first.at) first = one;
      if (!first || first.at > end) break;
      this.#pending.splice(this.#pending.indexOf(first), 1);
      this.now = Math.max(this.now, first.at);
      first.run();
    }
    this.now = end;
  }
}
