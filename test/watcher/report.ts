/** What the watcher hands to a test, and what tests ask of it. */
import { judgeAlignment } from './alignment-rules.js';
import { judgeContinuity } from './continuity-rules.js';
import type { History, Judgement, ObservedSegment, Violation } from './history.js';
import { judgeMultivariant } from './multivariant-rules.js';
import { judgeSegments } from './segment-rules.js';
import { judgeTiming } from './timing-rules.js';

export interface Report extends History {
  /** In order of time, each once. */
  violations: Violation[];
  /** EXT-X-GAP entries of all renditions. */
  gaps: ObservedSegment[];
  /** Entries tagged EXT-X-DISCONTINUITY. */
  discontinuities: ObservedSegment[];
}

export function judge(history: History, judgement: Judgement, url: (uri: string) => string): Report {
  const all = [
    ...history.violations,
    ...judgeSegments(history, judgement),
    ...judgeContinuity(history),
    ...judgeTiming(history, judgement),
    ...judgeAlignment(history, judgement),
    ...judgeMultivariant(history, url),
  ];
  const once = new Map(all.map((one) => [`${one.rule} ${one.rendition ?? ''} ${one.message}`, one]));
  const segments = history.renditions.flatMap((rendition) => rendition.segments);
  return {
    ...history,
    violations: [...once.values()].sort((a, b) => a.at - b.at),
    gaps: segments.filter(({ gap }) => gap),
    discontinuities: segments.filter(({ discontinuity }) => discontinuity),
  };
}

/** @throws Error that lists the violations. */
export function expectNoViolations(report: Report): void {
  if (report.violations.length === 0) return;
  const shown = report.violations.slice(0, 30).map(describeViolation);
  const more = report.violations.length - shown.length;
  throw new Error(
    `${report.violations.length} violations of HLS-RULES:\n${shown.join('\n')}${more > 0 ? `\nand ${more} more` : ''}`,
  );
}

export function describeViolation({ rule, rendition, message, at }: Violation): string {
  return `  ${new Date(at).toISOString()} rule ${rule}${rendition === undefined ? '' : `, ${rendition}`}: ${message}`;
}

/** @throws Error unless each gap is one that the test knows to be truly lost. */
export function expectOnlyGaps(report: Report, allowed: (gap: ObservedSegment) => boolean): void {
  expectOnly('gap', report.gaps, allowed);
}

/** @throws Error unless each discontinuity is one that the test knows to be needed. */
export function expectOnlyDiscontinuities(
  report: Report,
  allowed: (entry: ObservedSegment) => boolean,
): void {
  expectOnly('discontinuity', report.discontinuities, allowed);
}

function expectOnly(
  what: string,
  entries: ObservedSegment[],
  allowed: (one: ObservedSegment) => boolean,
): void {
  const excess = entries.filter((entry) => !allowed(entry));
  if (excess.length === 0) return;
  const lines = excess.map(
    ({ rendition, number, dateMs, durationSeconds }) =>
      `  ${rendition} ${number}, ${durationSeconds} s from ${dateMs === undefined ? '?' : new Date(dateMs).toISOString()}`,
  );
  throw new Error(`a ${what} that need not be, ${excess.length} times:\n${lines.join('\n')}`);
}
