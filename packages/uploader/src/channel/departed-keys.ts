/** A key that has left a long playlist, and is to be deleted. */
export interface DepartedKey {
  readonly key: string;
  /** How long it must stay after its removal was stored, milliseconds (HLS-RULES 10). */
  readonly keepMs: number;
  /** The first versions without it, of its playlist and of the live one; 0 of what an uploader before this one removed. */
  readonly version: number;
  readonly liveVersion: number;
  /** When it had left every stored playlist; absent until then. */
  readonly removedMs?: number;
}

/** Consecutive segments: all up to the index, the index of the first, how many, and how long they stay, milliseconds. */
export type DepartedRun = [stem: string, first: number, count: number, keepMs: number];

/** They stay as long as their playlist lasts, so there may be as many as it has entries. */
export const MOST_DEPARTED = 50_000;
const NAME = /^(.*-)(\d{6,15})\.ts$/;

/** The keys that left a long playlist, oldest first; never changed, replaced by another. A class, so that immer takes it as one value. */
export class DepartedKeys {
  static readonly empty = new DepartedKeys([]);

  private constructor(readonly keys: readonly DepartedKey[]) {}

  /** With more; the oldest beyond `MOST_DEPARTED` are left to the sweep of what nobody names. */
  with(more: readonly DepartedKey[]): DepartedKeys {
    return more.length === 0 ? this : new DepartedKeys([...this.keys, ...more].slice(-MOST_DEPARTED));
  }

  /** What is out of these stored versions is so from now on; and without what is out for long enough, which comes back as well. */
  sorted(
    at: number,
    stored: { version: number; liveVersion: number },
    leastMs: number,
  ): { kept: DepartedKeys; due: string[] } {
    const kept: DepartedKey[] = [];
    const due: string[] = [];
    for (const one of this.keys) {
      const isOut = one.version <= stored.version && one.liveVersion <= stored.liveVersion;
      const removedMs = one.removedMs ?? (isOut ? at : Infinity);
      if (removedMs + Math.max(one.keepMs, leastMs) <= at) due.push(one.key);
      else kept.push(removedMs === (one.removedMs ?? Infinity) ? one : { ...one, removedMs });
    }
    return { kept: new DepartedKeys(kept), due };
  }

  /** For the state line. @param prefix of all keys, left out */
  runs(prefix: string): DepartedRun[] {
    const runs: DepartedRun[] = [];
    for (const { key, keepMs } of this.keys) {
      const [, stem, index] = NAME.exec(key.slice(prefix.length)) ?? [];
      if (stem === undefined) continue;
      const run = runs.at(-1);
      if (run?.[0] === stem && run[1] + run[2] === Number(index)) {
        run[2]++;
        run[3] = Math.max(run[3], keepMs);
      } else runs.push([stem, Number(index), 1, keepMs]);
    }
    return runs;
  }

  static read(prefix: string, runs: readonly DepartedRun[]): DepartedKeys {
    const keys = runs.flatMap(([stem, first, count, keepMs]) =>
      Array.from({ length: count }, (_, i) => ({
        key: `${prefix}${stem}${String(first + i).padStart(6, '0')}.ts`,
        keepMs,
        version: 0,
        liveVersion: 0,
      })),
    );
    return DepartedKeys.empty.with(keys);
  }
}
