import type { MediaSegment } from '@hls-uplink/hls';
import type { SegmentId } from '@hls-uplink/protocol';
import type { IndexRun } from './event.js';

/** An entry that a recording is to have, as all playlists write it. */
export interface Listed {
  readonly number: number;
  readonly segment: MediaSegment;
  /** Discontinuity sequence number before its own tag. */
  readonly sequence: number;
  /** What it waits for: its bytes, to come here, or to be stored. Absent of what can be listed now. */
  readonly waits?: 'bytes' | 'upload';
  /** Whose final answer waits until it is recorded. */
  readonly id?: SegmentId;
}

/** So many at most; beyond them the oldest are given up: five hours of segments of 6 s. */
export const MOST_ARREARS = 3000;

/**
 * What the live playlist has no more and a recording is still to have, in the order of the timeline; never changed, replaced
 * by another. A class, so that immer takes it as one value. Nothing of a draft may come in.
 */
export class Arrears {
  static readonly empty = new Arrears([]);

  private constructor(readonly all: readonly Listed[]) {}

  get length(): number {
    return this.all.length;
  }

  get first(): Listed | undefined {
    return this.all[0];
  }

  get last(): Listed | undefined {
    return this.all.at(-1);
  }

  /** The first that cannot be listed yet. */
  get firstWaiting(): Listed | undefined {
    return this.all.find(({ waits }) => waits);
  }

  has(number: number): boolean {
    return this.all.some((one) => one.number === number);
  }

  find({ session, index }: SegmentId): Listed | undefined {
    return this.all.find(({ id }) => id?.index === index && id.session === session);
  }

  /** Indexes of a session that have no final answer. @param waits those that wait for this alone */
  runsOf(session: string, waits?: Listed['waits']): IndexRun[] {
    const runs: [number, number][] = [];
    for (const one of this.all) {
      if (one.id?.session !== session || (waits && one.waits !== waits)) continue;
      const { index } = one.id;
      const run = runs.at(-1);
      if (run?.[1] === index - 1) run[1] = index;
      else runs.push([index, index]);
    }
    return runs;
  }

  with(more: readonly Listed[]): Arrears {
    return more.length === 0 ? this : new Arrears([...this.all, ...more]);
  }

  /** With these in place of those of the same numbers. */
  replaced(...those: readonly Listed[]): Arrears {
    if (those.length === 0) return this;
    const byNumber = new Map(those.map((one) => [one.number, one]));
    return new Arrears(this.all.map((one) => byNumber.get(one.number) ?? one));
  }

  filter(stays: (one: Listed) => boolean): Arrears {
    const all = this.all.filter(stays);
    return all.length === this.all.length ? this : new Arrears(all);
  }
}
