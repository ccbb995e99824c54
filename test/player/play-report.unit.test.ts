import { describe, expect, test } from '@jest/globals';
import { expectPlayedInRealTime, expectPlayedOn } from './expectations.js';
import type { Notes, Sample } from './page.js';
import { summarize, type ForcedSwitch } from './play-report.js';

/** Ten seconds at 25 frames a second on two levels; `currentTime` as the test says. */
function notes(currentTime: (seconds: number) => number, change: Partial<Sample> = {}): Notes {
  const samples = Array.from({ length: 51 }, (_, i) => {
    const time = currentTime(i / 5);
    const [level, decodedFrames] = [i < 25 ? 0 : 1, 3 + Math.round((time - currentTime(0)) * 25)];
    const rest = { droppedFrames: 0, decodedSoundBytes: decodedFrames * 100, bufferedAhead: 4, ended: false };
    return { at: 1_000 + i * 200, currentTime: time, decodedFrames, level, ...rest, ...change };
  });
  const level = { height: 180, bitrate: 1, frameRate: 25, codecs: '' };
  return {
    supported: true,
    samples,
    errors: [],
    fatalErrors: [],
    levels: [level, level],
    switches: [],
    holes: [],
    targetDuration: 2,
  };
}

const stallAt = (from: number, long: number) => (t: number) => 30 + (t < from ? t : Math.max(from, t - long));
const immediate = (at: number): ForcedSwitch => ({ at, by: 'currentLevel', level: 1 });

describe('a report', () => {
  test('of real time has nothing to say', () => {
    const report = summarize(
      notes((t) => 30 + t),
      [],
      { started: true },
    );
    expect(report).toMatchObject({
      stalls: [],
      jumps: [],
      playedSeconds: 10,
      realSeconds: 10,
      decodedFrames: 250,
    });
    expectPlayedInRealTime(report, { allLevels: true, allowErrors: [] });
  });

  test('has the stall, when and how long', () => {
    const report = summarize(notes(stallAt(4, 1.2)), [], { started: true });
    expect(report.stalls).toEqual([{ at: 5_000, ms: 1_200, currentTime: 34, immediateSwitch: undefined }]);
    expect(() => expectPlayedInRealTime(report)).toThrow(/stood still for 1200 ms at 34.00 s/);
    expect(summarize(notes(stallAt(4, 0.4)), [], { started: true }).stalls).toEqual([]);
  });

  test('has a stall that never ends', () => {
    expect(summarize(notes(stallAt(8, 9)), [], { started: true }).stalls).toMatchObject([
      { ms: 2_000, currentTime: 38 },
    ]);
  });

  test('excuses a short stall with an immediate switch only', () => {
    const excused = summarize(notes(stallAt(4, 0.6)), [immediate(4_900)], { started: true });
    expect(excused.stalls).toMatchObject([{ immediateSwitch: { at: 4_900 } }]);
    expectPlayedInRealTime(excused, { allLevels: false });
    expect(() => expectPlayedInRealTime(excused, { immediateSwitchMs: 500 })).toThrow(/stood still/);
    const next = summarize(notes(stallAt(4, 0.6)), [{ at: 4_900, by: 'nextLevel', level: 1 }], {
      started: true,
    });
    expect(() => expectPlayedInRealTime(next)).toThrow(/stood still for 600 ms/);
  });

  /** Pictures stand from one look to another, five looks a second. */
  const frozen = (...looks: [from: number, to: number][]): Notes => {
    const seen = notes((t) => 30 + t);
    for (const [from, to] of looks) {
      const still = seen.samples[from]?.decodedFrames ?? 0;
      for (const sample of seen.samples.slice(from, to + 1)) sample.decodedFrames = still;
    }
    return seen;
  };

  test('has a picture that freezes while time goes on', () => {
    const report = summarize(frozen([20, 30]), [], { started: true });
    expect(report.freezes).toEqual([{ at: 5_000, ms: 2_000, currentTime: 34, immediateSwitch: undefined }]);
    expect(() => expectPlayedInRealTime(report)).toThrow(/picture frozen for 2000 ms at 34.00 s/);
    expectPlayedInRealTime(summarize(frozen([20, 30]), [immediate(4_900)], { started: true }), {
      allLevels: false,
    });
  });

  test('excuses one freeze for each immediate switch, a target duration and a second long', () => {
    const long = summarize(frozen([20, 36]), [immediate(4_900)], { started: true });
    expect(() => expectPlayedInRealTime(long)).toThrow(/picture frozen for 3200 ms at 34.00 s/);
    const twice = summarize(frozen([20, 25], [27, 32]), [immediate(4_900)], { started: true });
    expect(() => expectPlayedInRealTime(twice)).toThrow(/picture frozen for 1000 ms at 35.40 s/);
    const switches = [immediate(4_900), immediate(6_300)];
    expectPlayedInRealTime(summarize(frozen([20, 25], [27, 32]), switches, { started: true }), {
      allLevels: false,
    });
  });

  test('has what was jumped over', () => {
    const report = summarize(
      notes((t) => 30 + t + (t > 4 ? 0.5 : 0)),
      [],
      { started: true },
    );
    expect(report.jumps).toMatchObject([{ at: 5_200, afterImmediateSwitch: false }]);
    expect(() => expectPlayedInRealTime(report)).toThrow(/left out 0.50 s/);
  });

  test.each<[string, Notes, RegExp]>([
    [
      'a picture that stands while time goes on',
      notes((t) => 30 + t, { decodedFrames: 3 }),
      /0 frames decoded in 10.0 s/,
    ],
    ['slow motion', notes((t) => 30 + t * 0.9), /9.00 s played in 10.00 s/],
    ['a level never shown', notes((t) => 30 + t, { level: 0 }), /level 1 was never shown/],
    [
      'an error not allowed',
      { ...notes((t) => 30 + t), errors: [{ at: 1, type: 'x', details: 'fragGap', reason: '' }] },
      /error fragGap/,
    ],
    [
      'a fatal one',
      { ...notes((t) => 30 + t), fatalErrors: [{ at: 1, type: 'x', details: 'levelLoad', reason: '' }] },
      /fatal error levelLoad/,
    ],
  ])('does not pass %s', (_, seen, message) => {
    const report = summarize(seen, [], { started: true });
    expect(() => expectPlayedInRealTime(report, { allLevels: true, allowErrors: [] })).toThrow(message);
  });

  test('of what never started', () => {
    const report = summarize(
      notes(() => 0),
      [],
      { started: false },
    );
    expect(report).toMatchObject({ startedAfterMs: undefined, realSeconds: 0, stalls: [] });
    expect(() => expectPlayedInRealTime(report)).toThrow(/never started/);
  });

  test('of sound alone has no frames to look for, but sound', () => {
    const sound = notes((t) => 30 + t, { decodedFrames: 0 });
    const report = summarize(sound, [], { started: true, soundAlone: true });
    expect(report.freezes).toEqual([]);
    expectPlayedInRealTime({ ...report, decodedSoundBytes: 1 });
    expect(() => expectPlayedInRealTime({ ...report, decodedSoundBytes: 0 })).toThrow(/no sound was decoded/);
  });

  test('of what has holes need not be in real time, but go on, on each level', () => {
    expectPlayedOn(summarize(notes(stallAt(4, 1.2)), [], { started: true }));
    expect(() => expectPlayedOn(summarize(notes(stallAt(4, 3)), [], { started: true }))).toThrow(
      /7.0 s played in 10.0 s[^]*stood still: 3000 ms/,
    );
    const low = summarize(
      notes((t) => 30 + t, { level: 0 }),
      [],
      { started: true },
    );
    expect(() => expectPlayedOn(low)).toThrow(/level 1 was never shown/);
    const fatalErrors = [{ at: 1, type: 'x', details: 'levelLoad', reason: 'gone' }];
    expect(() => expectPlayedOn({ ...low, fatalErrors })).toThrow(/fatal error levelLoad: gone/);
    expect(() =>
      expectPlayedOn(
        summarize(
          notes(() => 0),
          [],
          { started: false },
        ),
      ),
    ).toThrow(/never started/);
  });
});
