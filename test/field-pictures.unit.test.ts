/** Pictures coded as pairs of fields, all or some of them (PAFF), in whatever PES: cut as frames are, in the same times. */
import { describe, expect, test } from '@jest/globals';
import type { Logger } from '@hls-uplink/runtime';
import { checkConservation, checkFiles, cut, PACKET, seconds } from './helpers/cut.js';
import type { SpsOptions } from './helpers/es-generator.js';
import {
  AUDIO_PID,
  generateStream,
  inChunks,
  VIDEO_PID,
  type StreamOptions,
} from './helpers/ts-generator.js';
import { inspectSegment } from './watcher/index.js';

const PICTURES = 400;
const TICKS = 3600;
const FIRST_PTS = 133_200;
const GOP = 50;
/** A key picture every 2 s, each in another slot than the one before. */
const TARGET = 2;
const keys = Array.from({ length: PICTURES / GOP }, (_, n) => FIRST_PTS + n * GOP * TICKS);

const stated: SpsOptions = { fields: true, timing: [1, 50] };
const unstated: SpsOptions = { fields: true };

const inTurn = (n: number): boolean => n % 2 === 1;
const rows: Record<string, StreamOptions> = {
  'pairs in one PES': { fields: 'one PES' },
  'pairs in one PES, B pictures': { fields: 'one PES', bPictures: 2 },
  'each field in a PES of its own': { fields: 'two PES' },
  'each field in a PES of its own, B pictures, no AUD': { fields: 'two PES', bPictures: 2, aud: false },
  'each field in a PES of its own, the second without times': { fields: 'second untimed' },
  'the same with B pictures': { fields: 'second untimed', bPictures: 2 },
  'frames and pairs in turn, pairs in one PES': { fields: 'one PES', isFrame: inTurn },
  'frames and pairs in turn, pairs in two PES': { fields: 'two PES', isFrame: inTurn },
  'frames alone for a second, then pairs in two PES': {
    fields: 'two PES',
    isFrame: (n) => Math.floor(n / 25) % 2 === 0,
  },
  'pairs among frames here and there, in two PES, a frame the last': {
    fields: 'two PES',
    isFrame: (n) => n % 7 > 0,
  },
  'frames and pairs in turn, the second field without times': {
    fields: 'second untimed',
    isFrame: inTurn,
    bPictures: 2,
  },
  'recovery points, several slices': { fields: 'one PES', key: 'recovery', slices: 3 },
  'recovery points, each field in a PES of its own': { fields: 'two PES', key: 'recovery', slices: 3 },
};

describe('pictures of fields', () => {
  const table = Object.entries(rows).flatMap(([name, stream]) => [
    [name, { ...stream, sps: stated }] as const,
    [`${name}; no frame rate is stated`, { ...stream, sps: unstated }] as const,
  ]);
  test.each(table)(
    '%s',
    async (_, stream) => {
      const isStated = stream.sps === stated;
      const bytes = generateStream({ pictures: PICTURES, gop: GOP, ...stream });
      const said: string[] = [];
      const line = (message: string): unknown => said.push(message);
      const logger = { debug() {}, info() {}, warn: line, error: line } as unknown as Logger;
      const result = await cut(inChunks(bytes, [PACKET * 40]), { targetSeconds: TARGET, logger });
      const { segments } = result;
      expect(segments.map(({ startPts }) => startPts)).toEqual(keys);
      const durations = segments.map(seconds);
      if (isStated) expect(durations).toEqual(keys.map(() => TARGET));
      else {
        // A field may have been the last, or a frame: who does not know how long either is can be wrong by half a frame.
        expect(durations.slice(0, -1)).toEqual(keys.slice(1).map(() => TARGET));
        expect(Math.abs(durations.at(-1)! - TARGET)).toBeLessThan(0.0201);
      }
      expect(segments.map(({ discontinuity }) => discontinuity)).toEqual(
        keys.map((__, n) => (n === 0 ? 'start' : undefined)),
      );
      expect(segments.map(({ independent, ended }) => ({ independent, ended }))).toEqual(
        keys.map((__, n) => ({ independent: true, ended: n < keys.length - 1 ? 'cut' : 'leave' })),
      );
      expect(segments.flatMap(({ keyPictures }) => keyPictures.map(({ pts }) => pts))).toEqual(keys);
      const described = result.tracks.map(({ tracks }) => tracks[0]!);
      for (const one of described) expect(one).toMatchObject({ kind: 'video', width: 320, height: 180 });
      const rates = described.map(({ frameRate }) => frameRate!);
      if (isStated) expect(rates).toEqual([25]);
      else {
        // Fields are not told from frames.
        expect(Math.min(...rates)).toBeGreaterThanOrEqual(25);
        expect(Math.max(...rates)).toBeLessThanOrEqual(50);
      }
      expect(result.tracks.map(({ gop }) => gop)).toEqual(rates.map(() => GOP * TICKS));
      expect(said).toEqual([]);
      expect(result.counters).toMatchObject({ wildTimestamps: 0, continuityErrors: 0, droppedPackets: 0 });
      checkFiles(segments, [VIDEO_PID, AUDIO_PID]);
      checkConservation(bytes, segments, [VIDEO_PID, AUDIO_PID]);
      for (const { data } of segments) expect(inspectSegment(data).problems).toEqual([]);
    },
    30_000,
  );
});
