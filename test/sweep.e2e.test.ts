/** What left the window (HLS-RULES 10) at real time: it stays as long as players may fetch it, and then it goes. */
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Rendition } from './helpers/encoder.js';
import { until } from './helpers/processes.js';
import { begin, end, listedMore } from './helpers/stage.js';
import { expectOnlyGaps, type ObservedSegment } from './watcher/index.js';

const TARGET_SECONDS = 2;
const WINDOW = 3;
const RENDITIONS: readonly Rendition[] = [
  { name: 'low', picture: { width: 256, height: 144, kilobits: 150 } },
  { name: 'high', picture: { width: 384, height: 216, kilobits: 300 } },
];
/** Of each rendition, seen to go one after the other. */
const GONE = 4;
/** Between a change and its being seen, by the watcher and by the list. */
const LOOK_MS = 500;
/** What is due goes right after the next playlist (DESIGN.md, rule 8), and that comes in time (HLS-RULES 5). */
const SWEEP_MS = 1.5 * TARGET_SECONDS * 1000 + LOOK_MS;

const HOUR_MS = 60 * 60 * 1000;
/** What crashes left, by how old it is: the session and index of each are nobody's. */
const orphan = (hours: number): string => `low-${String(hours).padStart(32, '0')}-000000.ts`;
const [KEPT_HOURS, SWEPT_HOURS] = [23, 25];

async function leaveOrphans(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const hours of [KEPT_HOURS, SWEPT_HOURS]) {
    const path = join(folder, orphan(hours));
    const at = new Date(Date.now() - hours * HOUR_MS);
    await writeFile(path, 'left by a crash');
    await utimes(path, at, at);
  }
}

/** When it may go, by its removal, its duration and the longest playlist that listed it. */
const dueAt = ({ removedAt, durationSeconds, longestListing }: ObservedSegment): number =>
  removedAt! + (durationSeconds + longestListing) * 1000;

test('keys that left the window are deleted when they are due, what nobody names after a day, and nothing before', async () => {
  const stage = await begin(
    {
      renditions: RENDITIONS,
      target: TARGET_SECONDS,
      gop: TARGET_SECONDS,
      endOnEof: true,
      uploaderArguments: ['--window', String(WINDOW)],
    },
    ({ folder }) => leaveOrphans(join(folder, 'www/live')),
    { minimumSegments: WINDOW },
  );
  const { live, watcher } = stage;
  const stored = async (): Promise<Set<string>> => new Set(await readdir(join(live.folder, 'www/live')));
  await until(async () => !(await stored()).has(orphan(SWEPT_HOURS)), {
    what: `what nobody names to go after ${SWEPT_HOURS} hours`,
  });
  const goneAt = new Map<ObservedSegment, number>();
  /** Segments of one rendition that the store no longer lists. */
  const gone = (name: string): ObservedSegment[] =>
    [...goneAt.keys()].filter(({ rendition }) => rendition === name);
  const look = async (): Promise<boolean> => {
    const at = Date.now();
    const there = await stored();
    for (const { segments } of watcher.report().renditions)
      for (const segment of segments)
        if (!there.has(segment.uri) && !goneAt.has(segment)) goneAt.set(segment, at);
    return live.names.every((name) => gone(name).length >= GONE);
  };
  await until(look, { what: `${GONE} keys of each rendition to go`, timeoutMs: 60_000, intervalMs: 200 });
  await listedMore(stage, 1);
  for (const { name, versions } of watcher.report().renditions) {
    const longest = Math.max(...versions.map(({ playlist }) => playlist.segments.length));
    // --window segments, and 3 × target duration plus two segments.
    expect([name, longest]).toEqual([name, Math.max(WINDOW, 3 + 2)]);
  }

  expect([...(await stored())].filter((name) => name === orphan(KEPT_HOURS))).toEqual([orphan(KEPT_HOURS)]);

  const report = await end(stage);
  expectOnlyGaps(report, () => false);
  for (const { name, segments } of report.renditions) {
    // In the order in which they were listed, without one forgotten.
    expect(gone(name).map(({ uri }) => uri)).toEqual(
      segments.slice(0, gone(name).length).map(({ uri }) => uri),
    );
    for (const segment of gone(name)) {
      const lateMs = goneAt.get(segment)! - dueAt(segment);
      expect(lateMs).toBeGreaterThan(-LOOK_MS);
      expect(lateMs).toBeLessThan(SWEEP_MS);
      // The watcher asked for it meanwhile, as a slow player would.
      expect(segment.probes.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(2);
    }
  }
}, 120_000);
