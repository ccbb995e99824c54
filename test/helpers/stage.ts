/** A live channel under the eyes of a viewer that forgives nothing: how end-to-end tests begin, and how they end. */
import { expect } from '@jest/globals';
import { join } from 'node:path';
import { ended, watch, type Report, type Watcher, type WatchOptions } from '../watcher/index.js';
import { cleanUps } from './clean-ups.js';
import { Live, type LiveOptions } from './live.js';
import { expectNoStackTrace } from './speech.js';
import { faultless } from './verdict.js';

export interface Stage {
  live: Live;
  watcher: Watcher;
}

/**
 * Starts everything and resolves when it is published and watched.
 * @param prepare before anything runs
 * @param watching what the watcher is told besides
 */
export async function begin(
  options: LiveOptions = {},
  prepare?: (live: Live) => Promise<void>,
  watching: Partial<WatchOptions> = {},
): Promise<Stage> {
  const live = await Live.open(options);
  cleanUps.push(() => live.close());
  await prepare?.(live);
  await live.startAll();
  await live.published();
  // Sound alone is cut at its own frames (HLS-RULES 20).
  const aligned = live.renditions.filter(({ picture }) => picture);
  const watcher = watch({
    url: live.url,
    renditionsSharingClock: aligned.map(({ name }) => name),
    keep: join(live.folder, 'seen'),
    ...watching,
  });
  // A test that failed before its end must not be looked at for ever.
  cleanUps.push(() => watcher.stop().catch(() => undefined));
  return { live, watcher };
}

/** Every rendition lists that many more entries. */
export async function listedMore({ live, watcher }: Stage, count: number): Promise<void> {
  const before = new Map(watcher.report().renditions.map(({ name, segments }) => [name, segments.length]));
  await watcher.until(
    ({ renditions }) =>
      renditions.length === live.names.length &&
      renditions.every(({ name, segments }) => segments.length >= (before.get(name) ?? 0) + count),
    { what: `${count} more entries in every rendition`, timeoutMs: 30_000 },
  );
}

/** The end of the input ends the stream (`endOnEof`), and nothing that was ever published was at fault. */
export async function end({ live, watcher }: Stage): Promise<Report> {
  const exits = await live.endInput();
  expect(exits).toEqual(live.names.map(() => ({ code: 0, signal: null })));
  await watcher.until(
    ({ renditions }) => renditions.length === live.names.length && renditions.every(ended),
    { what: 'ENDLIST in all playlists', timeoutMs: 30_000 },
  );
  const report = await faultless(watcher);
  expectNoStackTrace(live.uploader!, ...live.segmenters.values());
  return report;
}
