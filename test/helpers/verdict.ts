/** How every watched run ends: the rules, other people's parsers on every playlist, ffmpeg on every segment ever listed. */
import { expect } from '@jest/globals';
import { complaintsOfParsers, decodeAll, expectDecoded } from '../player/index.js';
import {
  expectNoViolations,
  isCutOff,
  type ObservedSegment,
  type Report,
  type Watcher,
} from '../watcher/index.js';

/** Stops a watcher that keeps what it fetches. @throws Error that says which judge found what */
export async function faultless(watcher: Watcher): Promise<Report> {
  const report = await watcher.stop();
  expectNoViolations(report);
  expectParsed(report);
  const segments = report.renditions.flatMap((rendition) => rendition.segments);
  const silent = new Set(segments.filter(isCutOff).map(fileOf));
  for (const epoch of epochsOf(report)) expectDecoded(await decodeAll(epoch, silent));
  return report;
}

function expectParsed({ multivariant, renditions }: Report): void {
  const playlists = [...multivariant, ...renditions.flatMap(({ versions }) => versions)];
  const complaints = playlists.flatMap(({ text }) =>
    complaintsOfParsers(text).map((complaint) => `${complaint} in\n${text}`),
  );
  expect(complaints).toEqual([]);
}

/** The kept files of each rendition, apart where a discontinuity or a skip lies between: there no decoder need run on. */
function epochsOf({ renditions }: Report): string[][] {
  return renditions.flatMap(({ segments }) => {
    const epochs: string[][] = [];
    let before: ObservedSegment | undefined;
    for (const segment of segments) {
      const { life, discontinuitySequence, number } = segment;
      const goesOn =
        before?.life === life &&
        before.discontinuitySequence === discontinuitySequence &&
        before.number + 1 === number;
      if (!goesOn) epochs.push([]);
      if (!segment.gap) epochs.at(-1)!.push(fileOf(segment));
      before = segment;
    }
    return epochs.filter((files) => files.length > 0);
  });
}

function fileOf({ file, url }: ObservedSegment): string {
  if (file === undefined) throw new Error(`${url} was not kept: is the watcher told where to?`);
  return file;
}
