/** A real player on a stream: hls.js in Debian's Chromium, driven and watched. */
import type { Page } from 'playwright-core';
import { withPage } from './browser.js';
import { pageHtml, sampleMs, type Notes } from './page.js';
import { summarize, type ForcedSwitch, type PlayReport } from './play-report.js';

export interface PlayOptions {
  /** Of a multivariant or media playlist. */
  url: string;
  /** How long to play, counted from the first advance of the playhead. */
  seconds: number;
  /** Switch up and down by `nextLevel`, `loadLevel` and `currentLevel` meanwhile, each once the one before is shown. */
  switchLevels?: boolean;
  /** Where a PNG of the page goes, halfway. */
  screenshot?: string;
  /** Default 30 s. */
  startTimeoutMs?: number;
  /** What browsers do by default; `ignored` plays from stores that allow no other origin. */
  crossOrigin?: 'enforced' | 'ignored';
  /** There are no pictures, and sound is what shows that it plays. */
  soundAlone?: boolean;
  /** Added to hls.js's configuration. */
  config?: Record<string, unknown>;
}

interface PlayerWindow {
  notes: Notes;
  hls: { levels: unknown[]; nextLevel: number; loadLevel: number; currentLevel: number };
}

/** Plays and reports; what goes wrong in the player is in the report. @throws Error when there is no browser. */
export function play(options: PlayOptions): Promise<PlayReport> {
  const { url, config = {}, crossOrigin } = options;
  return withPage({ html: pageHtml, parameters: { url, config }, crossOrigin }, (page) =>
    drive(page, options),
  );
}

async function drive(page: Page, options: PlayOptions): Promise<PlayReport> {
  const forced: ForcedSwitch[] = [];
  const started = await page
    .waitForFunction(
      (soundAlone) => {
        const { notes } = window as unknown as PlayerWindow;
        if (notes.fatalErrors.length > 0) return 'failed';
        const last = notes.samples.at(-1);
        if (!last) return false;
        // hls.js seeks to the live edge first; frames on the screen are the start.
        const plays = soundAlone ? last.decodedSoundBytes > 0 : last.decodedFrames > 2;
        return plays && last.currentTime > 0 ? 'started' : false;
      },
      options.soundAlone ?? false,
      { timeout: options.startTimeoutMs ?? 30_000, polling: sampleMs },
    )
    .then((handle) => handle.jsonValue())
    .catch(() => 'failed');
  if (started === 'started') await steps(page, options, forced);
  const notes = await page.evaluate(() => (window as unknown as PlayerWindow).notes);
  if (options.screenshot !== undefined && started !== 'started')
    await page.screenshot({ path: options.screenshot });
  return summarize(notes, forced, {
    started: started === 'started',
    soundAlone: options.soundAlone ?? false,
  });
}

function unlessTimeout(error: Error): undefined {
  if (error.name !== 'TimeoutError') throw error;
}

type Step = { after: number; do: (page: Page) => Promise<void> };

/** Everything that is done while playing, at its share of the time; an end or a fatal error cuts it short. */
async function steps(page: Page, options: PlayOptions, forced: ForcedSwitch[]): Promise<void> {
  const { seconds, screenshot } = options;
  const plan: Step[] = [];
  if (screenshot !== undefined)
    plan.push({ after: 0.5, do: async (one) => void (await one.screenshot({ path: screenshot })) });
  if (options.switchLevels === true) {
    const ways = [
      'nextLevel',
      'nextLevel',
      'loadLevel',
      'loadLevel',
      'currentLevel',
      'currentLevel',
    ] as const;
    ways.forEach((by, i) =>
      plan.push({ after: (i + 0.5) / (ways.length + 1), do: (one) => force(one, by, i % 2 === 0, forced) }),
    );
  }
  plan.push({ after: 1, do: () => Promise.resolve() });
  const begin = performance.now();
  for (const step of plan.sort((a, b) => a.after - b.after)) {
    const left = begin + step.after * seconds * 1000 - performance.now();
    const over = await page
      .waitForFunction(
        () => {
          const { notes } = window as unknown as PlayerWindow;
          return notes.fatalErrors.length > 0 || notes.samples.at(-1)?.ended === true;
        },
        undefined,
        { timeout: Math.max(1, left), polling: sampleMs },
      )
      .catch(unlessTimeout);
    if (over !== undefined) return;
    await step.do(page);
  }
}

/** By then the player has played out what it had of the other level, also on a busy machine. */
const SHOWN_MS = 10_000;

async function force(page: Page, by: ForcedSwitch['by'], up: boolean, forced: ForcedSwitch[]): Promise<void> {
  const done = await page.evaluate(
    ([how, raise]) => {
      const { hls } = window as unknown as PlayerWindow;
      const level = raise ? hls.levels.length - 1 : 0;
      hls[how] = level;
      return { at: performance.now(), level };
    },
    [by, up] as const,
  );
  forced.push({ by, ...done });
  await page
    .waitForFunction(
      (level) => {
        const { notes } = window as unknown as PlayerWindow;
        const last = notes.samples.at(-1);
        return last?.level === level || last?.ended === true || notes.fatalErrors.length > 0;
      },
      done.level,
      { timeout: SHOWN_MS, polling: sampleMs },
    )
    .catch(unlessTimeout);
}
