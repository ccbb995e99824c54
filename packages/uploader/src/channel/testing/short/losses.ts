import type { Facts } from './facts.js';
import type { Fact } from './feed.js';
import type { Line, View } from './view.js';

/** What is known of a short sequence when it is over. */
interface Known {
  views: readonly View[];
  lines: ReadonlyMap<number, Line>;
  /** Each rendition has a second source. */
  spare: boolean;
  facts: Facts;
  fault(where: string, fault: string): void;
}

/** What could be published was published, and gaps stand for what was lost only (DESIGN.md, rule 6). */
export class Losses {
  /** Of the encoder's segments: those that have a number, and since when; and since when some have two, one for each part. */
  readonly #begun = new Map<number, number>();
  readonly #parted = new Map<number, number>();
  readonly #ends: { slot: number; at: number }[] = [];
  /** Dropped because another source had it first, or because too much waited. */
  readonly #passed = new Set<string>();

  constructor(private readonly known: Known) {}

  /** A number stands for (a part of) this one from now on. */
  numbered(slot: number, now: number): void {
    if (this.#begun.has(slot)) this.#parted.set(slot, this.#parted.get(slot) ?? now);
    else this.#begun.set(slot, now);
  }

  /** ENDLIST is decided: what comes of a slot that has a number by now, or of one before it, is late. */
  ended(now: number): void {
    this.#ends.push({ slot: Math.max(-1, ...this.#begun.keys()), at: now });
  }

  pass({ id }: Fact): void {
    this.#passed.add(id);
  }

  check(view: View): void {
    this.#checkMissing(view);
    for (const { number, heard } of view.early) {
      const slot = this.known.lines.get(number)?.slot;
      const isListed = view.entries.some((entry) => entry.number === number && entry.gap);
      if (slot === undefined || heard > slot || !isListed) continue;
      if (this.#beginsAnew(view, slot, view.gaps.get(number)!)) continue;
      const lost = view.facts.some(
        (fact) => fact.slot === slot && (fact.lost || !fact.whole || this.#isStrange(view, fact)),
      );
      if (!lost)
        this.known.fault(view.name, `rule 6 of DESIGN.md: the gap ${number} came before its deadline`);
    }
  }

  #isStrange(view: View, fact: Fact): boolean {
    return this.known.spare && fact.acceptedAt !== undefined && !isCompared(view, fact);
  }

  /** It would need a discontinuity, and others have listed the slot without. */
  #beginsAnew({ facts }: View, slot: number, at: number): boolean {
    return (
      at >= (this.#begun.get(slot) ?? Infinity) && facts.some((fact) => fact.slot === slot - 1 && !fact.whole)
    );
  }

  #checkMissing(view: View): void {
    const had = new Map<number, number>();
    // What two sources had, and one was told to forget, may be lost with the other.
    const passed = new Set(view.facts.filter(({ id }) => this.#passed.has(id)).map(({ slot }) => slot));
    for (const fact of view.facts) {
      const { slot, whole, lost, acceptedAt } = fact;
      if (!whole || lost || acceptedAt === undefined || passed.has(slot)) continue;
      if (this.#isStrange(view, fact)) continue;
      had.set(slot, Math.min(acceptedAt, had.get(slot) ?? Infinity));
    }
    // Several entries may be of one slot: when the first was decided, the others had to follow.
    const decided = new Map<number, number>();
    for (const entry of view.entries) {
      const slot = this.known.lines.get(entry.number)?.slot;
      const at = Math.min(entry.decidedAt, (entry.gap && view.gaps.get(entry.number)) || Infinity);
      if (slot !== undefined && !decided.has(slot)) decided.set(slot, at);
    }
    // From the last entry on: when what stands where a segment should be was decided.
    let until = Infinity;
    let decidedAt = Infinity;
    for (const entry of view.entries.toReversed()) {
      const slot = entry.gap ? this.known.lines.get(entry.number)?.slot : this.known.facts.in(entry)?.slot;
      if (slot === undefined) {
        decidedAt = Math.min(decidedAt, entry.decidedAt, view.gaps.get(entry.number) ?? Infinity);
        continue;
      }
      if (until !== Infinity) this.#needless(view, had, slot + 1, until, decidedAt);
      const at = decided.get(slot) ?? entry.decidedAt;
      if (entry.gap) this.#needless(view, had, slot, slot + 1, at);
      [until, decidedAt] = [slot, at];
    }
  }

  /** When a rendition listed what comes after a slot that has no number: from then on it can have none. */
  #goneBy(slot: number): number {
    if ([...this.known.lines.values()].some((line) => line.slot === slot)) return Infinity;
    const later = this.known.views.flatMap(({ entries }) =>
      entries.filter((entry) => (this.known.lines.get(entry.number)?.slot ?? -1) > slot),
    );
    return Math.min(...later.map(({ decidedAt }) => decidedAt));
  }

  #needless(view: View, had: Map<number, number>, from: number, to: number, decidedAt: number): void {
    for (let slot = from; slot < to; slot++) {
      const acceptedAt = had.get(slot);
      if (acceptedAt === undefined || acceptedAt >= decidedAt || acceptedAt >= this.#goneBy(slot)) continue;
      if (acceptedAt >= (this.#parted.get(slot) ?? Infinity)) continue;
      if (this.#ends.some((end) => slot <= end.slot && acceptedAt >= end.at)) continue;
      if (this.#beginsAnew(view, slot, acceptedAt)) continue;
      this.known.fault(
        view.name,
        `rule 6 of DESIGN.md: segment ${slot} was accepted ${decidedAt - acceptedAt} ms before it was gone by`,
      );
    }
  }
}

/**
 * The uploader can know that both sources of a rendition are the same encode: both had a slot before, on the same clock. Else
 * what the other has is an epoch of its own, for which the whole channel must begin one.
 */
function isCompared({ facts }: View, { source, clock, slot, acceptedAt }: Fact): boolean {
  const before = facts.filter(
    (one) =>
      one.clock === clock && one.slot < slot && one.heardAt! <= acceptedAt! && !one.lost && !one.starts,
  );
  return before.some(
    (one) =>
      one.source === source && before.some((other) => other.source !== source && other.slot === one.slot),
  );
}
