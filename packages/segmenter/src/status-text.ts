/** What the status line tells. */
export interface StatusFacts {
  /** Cut so far. */
  segments: number;
  bitsPerSecond: number;
  /** Announcements without a final answer, and the bytes of their files. */
  backlog: number;
  backlogBytes: number;
  /** How long the oldest of them has waited. */
  lagMs: number;
  lost: number;
  uploader: string;
}

/** `12 segments · 4.91 Mbit/s · backlog 2 (7.4 MB) · lag 0.8 s · uploader connected` */
export function statusText(facts: StatusFacts): string {
  const { segments, bitsPerSecond, backlog, backlogBytes, lagMs, lost, uploader } = facts;
  return [
    `${segments} ${segments === 1 ? 'segment' : 'segments'}`,
    `${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`,
    `backlog ${backlog}${backlog > 0 ? ` (${(backlogBytes / 1e6).toFixed(1)} MB)` : ''}`,
    `lag ${(lagMs / 1000).toFixed(1)} s`,
    ...(lost > 0 ? [`${lost} lost`] : []),
    `uploader ${uploader}`,
  ].join(' · ');
}
