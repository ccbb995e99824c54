import { renderMediaSegment, type MediaSegment } from '@hls-uplink/hls';

/** Entries whose text is kept as one. */
const CHUNK = 64;

/** What is known of an entry beside its text. */
export interface RecordedEntry {
  readonly number: number;
  /** File name of its segment; absent for a gap. */
  readonly name?: string;
  readonly duration90k: number;
  readonly dateMs: number;
  readonly discontinuity: boolean;
  /** An EXT-X-KEY other than `NONE` holds behind it. */
  readonly isKeyed: boolean;
  /** Of its text. */
  readonly length: number;
}

interface Chunk {
  readonly entries: readonly RecordedEntry[];
  /** Joined by newlines. */
  readonly text: string;
}

interface Contents {
  readonly chunks: readonly Chunk[];
  readonly count: number;
  readonly duration90k: number;
  readonly length: number;
  /** EXT-X-DISCONTINUITY-SEQUENCE, and how many of the entries have the tag. */
  readonly discontinuitySequence: number;
  readonly discontinuities: number;
}

/**
 * The entries of a long playlist, their numbers without a hole; never changed, replaced by another. They are kept as text,
 * in chunks: a version formats the entry that is new, and joins. A class, so that immer takes it as one value.
 */
export class RecordedEntries {
  private constructor(readonly contents: Contents) {}

  /** None yet: the first comes with this discontinuity sequence number before its own tag. */
  static from(discontinuitySequence: number): RecordedEntries {
    return new RecordedEntries({
      chunks: [],
      count: 0,
      duration90k: 0,
      length: 0,
      discontinuitySequence,
      discontinuities: 0,
    });
  }

  static read(mediaSequence: number, sequence: number, segments: readonly MediaSegment[]): RecordedEntries {
    return segments.reduce(
      (entries, segment, i) => entries.with(mediaSequence + i, segment),
      RecordedEntries.from(sequence),
    );
  }

  get count(): number {
    return this.contents.count;
  }

  get duration90k(): number {
    return this.contents.duration90k;
  }

  /** Of the whole text. */
  get length(): number {
    return this.contents.length;
  }

  get first(): RecordedEntry | undefined {
    return this.contents.chunks[0]?.entries[0];
  }

  get last(): RecordedEntry | undefined {
    return this.contents.chunks.at(-1)?.entries.at(-1);
  }

  /** Number of the last; −1: none. */
  get tail(): number {
    return this.last?.number ?? -1;
  }

  /** EXT-X-DISCONTINUITY-SEQUENCE */
  get discontinuitySequence(): number {
    return this.contents.discontinuitySequence;
  }

  /** Discontinuity sequence number of the last. */
  get lastSequence(): number {
    return this.contents.discontinuitySequence + this.contents.discontinuities;
  }

  has(number: number): boolean {
    return this.first !== undefined && number >= this.first.number && number <= this.tail;
  }

  /** The newest that begins at this date, give or take, with its discontinuity sequence number. */
  dated(dateMs: number, toleranceMs: number): (RecordedEntry & { sequence: number }) | undefined {
    let sequence = this.lastSequence;
    for (const { entries } of this.contents.chunks.toReversed()) {
      for (const entry of entries.toReversed()) {
        if (entry.dateMs < dateMs - toleranceMs) return undefined;
        if (entry.dateMs <= dateMs + toleranceMs) return { ...entry, sequence };
        if (entry.discontinuity) sequence--;
      }
    }
    return undefined;
  }

  /** With one more, a clear one behind encrypted ones with `METHOD=NONE`; what date ranges it has are not taken. */
  with(number: number, segment: MediaSegment): RecordedEntries {
    const isKeyed = this.last?.isKeyed ?? false;
    // Those may have left the live playlist before this one came, and nothing of them is said there.
    const key = segment.key ?? (isKeyed && !segment.gap ? ({ method: 'NONE' } as const) : undefined);
    const text = renderMediaSegment({ ...segment, ...(key && { key }), dateRanges: [] });
    const { uri, gap, duration90k, programDateTimeMs: dateMs = 0, discontinuity } = segment;
    const entry: RecordedEntry = {
      number,
      ...(!gap && { name: uri.slice(uri.lastIndexOf('/') + 1) }),
      duration90k,
      dateMs,
      discontinuity,
      isKeyed: key ? key.method !== 'NONE' : isKeyed,
      length: text.length,
    };
    const { chunks, ...sums } = this.contents;
    const last = chunks.at(-1);
    const isFull = !last || last.entries.length >= CHUNK;
    // Joined, the text is flat: concatenated it would be a tree, which every version had to walk.
    const chunk: Chunk = isFull
      ? { entries: [entry], text }
      : { entries: [...last.entries, entry], text: [last.text, text].join('\n') };
    return new RecordedEntries({
      ...sums,
      chunks: isFull ? [...chunks, chunk] : chunks.with(-1, chunk),
      count: sums.count + 1,
      duration90k: sums.duration90k + duration90k,
      length: sums.length + text.length + 1,
      discontinuities: sums.discontinuities + (discontinuity ? 1 : 0),
    });
  }

  /** The same when there is none. */
  withoutFirst(): RecordedEntries {
    const { chunks, ...sums } = this.contents;
    const [chunk, ...others] = chunks;
    const [entry, ...entries] = chunk?.entries ?? [];
    if (!chunk || !entry) return this;
    const tag = entry.discontinuity ? 1 : 0;
    const rest: Chunk = { entries, text: chunk.text.slice(entry.length + 1) };
    return new RecordedEntries({
      chunks: entries.length > 0 ? [rest, ...others] : others,
      count: sums.count - 1,
      duration90k: sums.duration90k - entry.duration90k,
      length: sums.length - entry.length - 1,
      discontinuitySequence: sums.discontinuitySequence + tag,
      discontinuities: sums.discontinuities - tag,
    });
  }

  /** All of them, as texts to be joined by newlines. */
  texts(): string[] {
    return this.contents.chunks.map(({ text }) => text);
  }

  *[Symbol.iterator](): Iterator<RecordedEntry> {
    for (const { entries } of this.contents.chunks) yield* entries;
  }
}
