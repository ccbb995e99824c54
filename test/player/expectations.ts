/** What tests ask of a play report. */
import type { PlayReport } from './play-report.js';

export interface Expectations {
  /** Non-fatal errors that may occur, by hls.js's `details`. */
  allowErrors?: readonly string[];
  /** How long a switch by `currentLevel`, which empties the buffer, may hold the picture; default 1500 ms. */
  immediateSwitchMs?: number;
  /**
   * How long such a switch may freeze the picture while sound goes on; default 7000 ms: hls.js goes on with the next
   * segment's key picture, so that this is a segment of 6 s.
   */
  immediateFreezeMs?: number;
  /** Each level must have been on the screen; default: whenever the test switched levels. */
  allLevels?: boolean;
}

/**
 * Played like television: started, no fatal error, no stall, playhead and decoded frames in real time.
 * @throws Error with everything that was wrong.
 */
export function expectPlayedInRealTime(report: PlayReport, expectations: Expectations = {}): void {
  const wrong = [...failures(report, expectations)];
  if (wrong.length === 0) return;
  const errors = report.errors.map(({ details, reason }) => `${details} ${reason}`);
  throw new Error(
    `did not play in real time:\n  ${wrong.join('\n  ')}\n  other errors: ${errors.join('; ') || 'none'}`,
  );
}

function* failures(report: PlayReport, expectations: Expectations): Generator<string> {
  const {
    allowErrors,
    immediateSwitchMs = 1_500,
    immediateFreezeMs = 7_000,
    allLevels = report.forced.length > 0,
  } = expectations;
  for (const { details, reason } of report.fatalErrors) yield `fatal error ${details}: ${reason}`;
  if (report.startedAfterMs === undefined) {
    yield 'never started';
    return;
  }
  for (const stall of report.stalls) {
    if (stall.afterImmediateSwitch && stall.ms <= immediateSwitchMs) continue;
    yield `stood still for ${stall.ms.toFixed(0)} ms at ${stall.currentTime.toFixed(2)} s`;
  }
  let frozenSeconds = 0;
  for (const freeze of report.freezes) {
    if (freeze.afterImmediateSwitch && freeze.ms <= immediateFreezeMs) frozenSeconds += freeze.ms / 1000;
    else yield `picture frozen for ${freeze.ms.toFixed(0)} ms at ${freeze.currentTime.toFixed(2)} s`;
  }
  for (const jump of report.jumps)
    if (!jump.afterImmediateSwitch) yield `left out ${jump.seconds.toFixed(2)} s at ${jump.at.toFixed(0)} ms`;
  if (allowErrors !== undefined)
    for (const { details, reason } of report.errors)
      if (!allowErrors.includes(details)) yield `error ${details}: ${reason}`;

  const ratio = report.playedSeconds / report.realSeconds;
  if (report.realSeconds < 1) yield `looked at for ${report.realSeconds.toFixed(1)} s only`;
  else if (ratio < 0.93 || ratio > 1.07)
    yield `${report.playedSeconds.toFixed(2)} s played in ${report.realSeconds.toFixed(2)} s`;
  const frameRate = Math.max(0, ...report.levels.map((level) => level.frameRate));
  const leastFrames = 0.85 * (frameRate || 10) * (report.realSeconds - frozenSeconds);
  if (report.decodedFrames < leastFrames)
    yield `${report.decodedFrames} frames decoded in ${report.realSeconds.toFixed(1)} s at ${frameRate || '?'} frames a second`;
  if (allLevels) {
    const shown = new Set(report.samples.map(({ level }) => level));
    for (const level of report.levels.keys())
      if ((level === 0 || level === report.levels.length - 1) && !shown.has(level))
        yield `level ${level} was never shown`;
  }
}
