/** What tests ask of a play report. */
import type { ForcedSwitch, PlayReport, Stall } from './play-report.js';

export interface Expectations {
  /** Non-fatal errors that may occur, by hls.js's `details`. */
  allowErrors?: readonly string[];
  /** How long a switch by `currentLevel`, which empties the buffer, may hold the picture; default 1500 ms. */
  immediateSwitchMs?: number;
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

/**
 * A switch by `currentLevel` may freeze the picture once while sound goes on: hls.js shows the next segment's key
 * picture next, so for a segment at most, and what it takes to load it.
 */
const LOADING_MS = 1_000;

/** How long the picture stood in all, milliseconds. */
export const frozenMs = ({ freezes }: Pick<PlayReport, 'freezes'>): number =>
  freezes.reduce((sum, { ms }) => sum + ms, 0);

/** One for each such switch. */
function excusedFreezes({ freezes, targetDuration }: PlayReport): Stall[] {
  const excused = new Map<ForcedSwitch, Stall>();
  for (const freeze of freezes) {
    const { ms, immediateSwitch } = freeze;
    if (immediateSwitch && ms <= targetDuration * 1000 + LOADING_MS && !excused.has(immediateSwitch))
      excused.set(immediateSwitch, freeze);
  }
  return [...excused.values()];
}

/**
 * A broadcast with holes in it goes on whatever the level, lowest and highest among them: no fatal error, and the playhead
 * stands still no longer than a hole in the level that is forced takes.
 * @throws Error with everything that was wrong
 */
export function expectPlayedOn(report: PlayReport, leastShare = 0.8): void {
  const { fatalErrors, startedAfterMs, playedSeconds, realSeconds, levels, samples } = report;
  const wrong = fatalErrors.map(({ details, reason }) => `fatal error ${details}: ${reason}`);
  if (startedAfterMs === undefined) wrong.push('never started');
  else if (playedSeconds < leastShare * realSeconds)
    wrong.push(`${playedSeconds.toFixed(1)} s played in ${realSeconds.toFixed(1)} s`);
  const shown = new Set(samples.map(({ level }) => level));
  for (const level of [0, levels.length - 1])
    if (!shown.has(level)) wrong.push(`level ${level} was never shown`);
  if (wrong.length === 0) return;
  const errors = report.errors.map(({ details, reason }) => `${details} ${reason}`);
  const stalls = report.stalls.map(({ at, ms }) => `${ms.toFixed(0)} ms at ${at.toFixed(0)}`);
  throw new Error(
    `did not play on:\n  ${wrong.join('\n  ')}\n  other errors: ${errors.join('; ') || 'none'}\n  stood still: ${stalls.join('; ') || 'never'}`,
  );
}

function* failures(report: PlayReport, expectations: Expectations): Generator<string> {
  const { allowErrors, immediateSwitchMs = 1_500, allLevels = report.forced.length > 0 } = expectations;
  for (const { details, reason } of report.fatalErrors) yield `fatal error ${details}: ${reason}`;
  if (report.startedAfterMs === undefined) {
    yield 'never started';
    return;
  }
  for (const stall of report.stalls) {
    if (stall.immediateSwitch && stall.ms <= immediateSwitchMs) continue;
    yield `stood still for ${stall.ms.toFixed(0)} ms at ${stall.currentTime.toFixed(2)} s`;
  }
  const excused = excusedFreezes(report);
  for (const freeze of report.freezes)
    if (!excused.includes(freeze))
      yield `picture frozen for ${freeze.ms.toFixed(0)} ms at ${freeze.currentTime.toFixed(2)} s`;
  for (const jump of report.jumps)
    if (!jump.afterImmediateSwitch) yield `left out ${jump.seconds.toFixed(2)} s at ${jump.at.toFixed(0)} ms`;
  if (allowErrors !== undefined)
    for (const { details, reason } of report.errors)
      if (!allowErrors.includes(details)) yield `error ${details}: ${reason}`;

  const ratio = report.playedSeconds / report.realSeconds;
  if (report.realSeconds < 1) yield `looked at for ${report.realSeconds.toFixed(1)} s only`;
  else if (ratio < 0.93 || ratio > 1.07)
    yield `${report.playedSeconds.toFixed(2)} s played in ${report.realSeconds.toFixed(2)} s`;
  if (report.decodedSoundBytes <= 0) yield 'no sound was decoded';
  if (report.soundAlone) return;
  const frameRate = Math.max(0, ...report.levels.map((level) => level.frameRate));
  const leastFrames = 0.85 * (frameRate || 10) * (report.realSeconds - frozenMs({ freezes: excused }) / 1000);
  if (report.decodedFrames < leastFrames)
    yield `${report.decodedFrames} frames decoded in ${report.realSeconds.toFixed(1)} s at ${frameRate || '?'} frames a second`;
  if (allLevels) {
    const shown = new Set(report.samples.map(({ level }) => level));
    for (const level of report.levels.keys())
      if ((level === 0 || level === report.levels.length - 1) && !shown.has(level))
        yield `level ${level} was never shown`;
  }
}
