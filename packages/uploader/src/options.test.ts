import { describe, expect, test } from '@jest/globals';
import { loadTask, type Settings } from './options.js';

async function settingsOf(...argv: string[]): Promise<Settings> {
  const task = await loadTask([...argv, '--store', 'file:///srv/live'], {}, '0');
  if (task.kind !== 'run') throw new Error(task.kind);
  return task.settings;
}

const refusal = (...argv: string[]): Promise<string> =>
  settingsOf(...argv).then(
    () => 'taken',
    (error: Error) => error.message,
  );

describe('--window', () => {
  test.each([
    [[], { window: 6 }],
    [['--window', '3'], { window: 3 }],
    [['--window', '10000'], { window: 10_000 }],
    [['--window', '90s'], { window: 3, windowSeconds: 90 }],
    [['--window', '1.5m'], { window: 3, windowSeconds: 90 }],
    [['--window', '6h'], { window: 3, windowSeconds: 21_600 }],
  ])('%p', async (argv, expected) => {
    const { window, windowSeconds } = await settingsOf(...argv);
    expect({ window, ...(windowSeconds !== undefined && { windowSeconds }) }).toEqual(expected);
  });

  test.each(['2', '10001', '6.5', '-6', '0s', '7h', '90sec', '1m30s', 's'])(
    '%s is refused with what is expected',
    async (text) => {
      expect(await refusal(`--window=${text}`)).toMatch(/--window .*neither a number .*90s, 15m or 2h/);
    },
  );
});

describe('--dvr and --event', () => {
  test('are not set by default', async () => {
    expect(await settingsOf()).not.toHaveProperty('dvr');
    expect(await settingsOf()).not.toHaveProperty('eventSeconds');
  });

  test.each([
    ['7', { segments: 7, seconds: 0 }],
    ['50000', { segments: 50_000, seconds: 0 }],
    ['30m', { segments: 3, seconds: 1800 }],
    ['7d', { segments: 3, seconds: 604_800 }],
  ])('--dvr %s', async (text, expected) => {
    expect((await settingsOf('--dvr', text)).dvr).toEqual(expected);
  });

  test.each(['2', '50001', '8d', '4', 'day', '0s'])('--dvr %s is refused', async (text) => {
    expect(await refusal(`--dvr=${text}`)).toMatch(
      /--dvr .*(neither a number .*7d|no longer than --window 6)/,
    );
  });

  test('a dvr window that is no longer than the live one is refused where that is known', async () => {
    expect(await refusal('--dvr', '6')).toMatch(/--dvr 6 is no longer than --window 6/);
    expect(await refusal('--dvr', '15m', '--window', '15m')).toMatch(/no longer than --window 15m/);
    expect(await refusal('--dvr', '1m', '--window', '30')).toBe('taken');
  });

  test('--event has a limit', async () => {
    expect((await settingsOf('--event', '12h')).eventSeconds).toBe(43_200);
    for (const text of ['3d', '12', 'yes']) expect(await refusal('--event', text)).toMatch(/--event .*48h/);
  });
});

describe('--retention', () => {
  test.each([
    [[], undefined],
    [['--retention', 'keep'], 'keep'],
    [['--retention', '30m'], 1_800_000],
    [['--retention', '7d'], 604_800_000],
  ])('%p', async (argv, expected) => {
    expect((await settingsOf(...argv)).retention).toBe(expected);
  });

  test.each(['forever', '30', '367d', '-1d'])('%s is refused', async (text) => {
    expect(await refusal(`--retention=${text}`)).toMatch(/--retention .*neither a time up to 366d nor keep/);
  });
});

describe('--away-timeout', () => {
  test('is in seconds, and not set by default', async () => {
    expect((await settingsOf()).awayTimeoutMs).toBeUndefined();
    expect((await settingsOf('--away-timeout', '90')).awayTimeoutMs).toBe(90_000);
    expect(await refusal('--away-timeout', '0')).toMatch(/--away-timeout .*keep waiting/);
  });
});

describe('--start-offset', () => {
  test('may be negative, and is not set by default', async () => {
    expect((await settingsOf()).startOffset).toBeUndefined();
    expect((await settingsOf('--start-offset', '-18.0004')).startOffset).toBe(-18);
    expect((await settingsOf('--start-offset', '0')).startOffset).toBe(0);
    expect((await settingsOf('--start-offset', '-12', '--target-duration', '4')).startOffset).toBe(-12);
  });

  test('is refused where it is known to be too near to the end', async () => {
    expect(await refusal('--start-offset', '-12', '--target-duration', '5')).toMatch(/give -15 or less/);
    expect(await refusal('--start-offset', '-30000')).toMatch(/--start-offset/);
  });
});
