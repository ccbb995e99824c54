/** What the journal has on disk of one session. */
export interface SessionIndex {
  channel: string;
  /** Whether a connection may still add to it: then its facts and tracks stay. */
  held: boolean;
  /** Appends under way: what they add needs its facts and tracks, too. */
  writing: number;
  /** Sequence of its facts. */
  session?: number;
  /** Sequences by index, in order of index. */
  tracks: Map<number, number>;
  /** In order of index. */
  accepted: Set<number>;
}

export const newSessionIndex = (channel: string): SessionIndex => ({
  channel,
  held: false,
  writing: 0,
  tracks: new Map(),
  accepted: new Set(),
});
