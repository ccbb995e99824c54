/** What playing was like, from what the page noted. */
import { sampleMs, type Notes, type Sample } from './page.js';

export interface Stall {
  /** Milliseconds of the page's clock. */
  at: number;
  ms: number;
  currentTime: number;
  /** It came with this switch by `currentLevel`, which throws the buffer away. */
  immediateSwitch: ForcedSwitch | undefined;
}

/** The playhead went forward faster than time: something was left out. */
export interface Jump {
  at: number;
  /** Seconds of media left out. */
  seconds: number;
  afterImmediateSwitch: boolean;
}

export interface ForcedSwitch {
  at: number;
  by: 'nextLevel' | 'loadLevel' | 'currentLevel';
  level: number;
}

export interface PlayReport extends Notes {
  /** Milliseconds from the page's load to the first advance of the playhead; undefined when it never came. */
  startedAfterMs: number | undefined;
  stalls: Stall[];
  jumps: Jump[];
  /** The picture stood while the playhead went on: no frame was decoded. */
  freezes: Stall[];
  forced: ForcedSwitch[];
  /** Real seconds and media seconds between start and end of the look. */
  realSeconds: number;
  playedSeconds: number;
  decodedFrames: number;
  decodedSoundBytes: number;
  /** It was to have no pictures. */
  soundAlone: boolean;
  ended: boolean;
}

/** What the page noted, from the first picture on, or the first sound. */
export function summarize(
  notes: Notes,
  forced: ForcedSwitch[],
  { started, soundAlone = false }: { started: boolean; soundAlone?: boolean },
): PlayReport {
  const plays = ({ decodedFrames, decodedSoundBytes }: Sample): boolean =>
    soundAlone ? decodedSoundBytes > 0 : decodedFrames > 2;
  const from = started ? notes.samples.findIndex(plays) : -1;
  const played = from < 0 ? [] : notes.samples.slice(from);
  const end = played.findIndex((sample) => sample.ended);
  const looked = end < 0 ? played : played.slice(0, end + 1);
  const [first] = looked;
  const last = looked.at(-1);
  return {
    ...notes,
    startedAfterMs: first?.at,
    stalls: findStalls(looked, forced),
    jumps: findJumps(looked, forced),
    freezes: soundAlone ? [] : findFreezes(looked, forced),
    forced,
    realSeconds: first && last ? (last.at - first.at) / 1000 : 0,
    playedSeconds: first && last ? last.currentTime - first.currentTime : 0,
    decodedFrames: first && last ? last.decodedFrames - first.decodedFrames : 0,
    decodedSoundBytes: first && last ? last.decodedSoundBytes - first.decodedSoundBytes : 0,
    soundAlone,
    ended: end >= 0,
  };
}

/** A viewer notices a picture that stands still for this long. */
const stallMs = 500;
const immediateSwitchMs = 3_000;

function findStalls(samples: readonly Sample[], forced: readonly ForcedSwitch[]): Stall[] {
  const stalls: Stall[] = [];
  let still = samples[0];
  samples.forEach((sample, i) => {
    if (still === undefined || sample.currentTime - still.currentTime > 0.05 || sample.ended) {
      still = sample;
      return;
    }
    const next = samples[i + 1];
    const goesOn = next !== undefined && next.currentTime - still.currentTime <= 0.05 && !next.ended;
    const ms = sample.at - still.at;
    if (goesOn || ms < stallMs) return;
    const { at, currentTime } = still;
    stalls.push({ at, ms, currentTime, immediateSwitch: immediateSwitch(at, forced) });
  });
  return stalls;
}

/** More than timers and the decoder's clock are ever off between two looks. */
const jumpSeconds = 0.4;

function findJumps(samples: readonly Sample[], forced: readonly ForcedSwitch[]): Jump[] {
  return samples.slice(1).flatMap((sample, i) => {
    const before = samples[i] ?? sample;
    const seconds = sample.currentTime - before.currentTime - (sample.at - before.at) / 1000;
    if (seconds <= jumpSeconds) return [];
    return [
      { at: sample.at, seconds, afterImmediateSwitch: immediateSwitch(sample.at, forced) !== undefined },
    ];
  });
}

function findFreezes(samples: readonly Sample[], forced: readonly ForcedSwitch[]): Stall[] {
  const freezes: Stall[] = [];
  let shown = samples[0];
  samples.forEach((sample, i) => {
    if (shown === undefined || sample.decodedFrames > shown.decodedFrames || sample.ended) shown = sample;
    const next = samples[i + 1];
    if (next !== undefined && next.decodedFrames === shown.decodedFrames && !next.ended) return;
    const { at, currentTime } = shown;
    const ms = sample.at - at;
    // Where the playhead stands too it is a stall.
    if (ms < stallMs || sample.currentTime - currentTime < ms / 2000) return;
    freezes.push({ at, ms, currentTime, immediateSwitch: immediateSwitch(at, forced) });
  });
  return freezes;
}

/** The last one by `currentLevel` that was at work then. */
function immediateSwitch(at: number, forced: readonly ForcedSwitch[]): ForcedSwitch | undefined {
  return forced.findLast(
    (one) => one.by === 'currentLevel' && at > one.at - 2 * sampleMs && at < one.at + immediateSwitchMs,
  );
}
