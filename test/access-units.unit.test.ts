/** Several access units in a PES, and access units over several PES: cut as if each had a PES of its own. */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Logger } from '@hls-uplink/runtime';
import { clockBase } from './helpers/clock-surgery.js';
import { checkConservation, checkFiles, cut, newSpool, root, seconds, starts } from './helpers/cut.js';
import { each, repack, sized, type Packing } from './helpers/pes-packing.js';
import { AUDIO_PID, inChunks, VIDEO_PID } from './helpers/ts-generator.js';
import { decodeEach } from './player/decode.js';
import { inspectSegment } from './watcher/index.js';

/** 600 pictures in 24 s, a key picture each second from 1.48 s on, shown two pictures after it is decoded. */
let h264: Uint8Array;
/** 598 pictures, so that the last is a P picture, in open GOPs of 15: key pictures from 1.44 s on. */
let mpeg2: Uint8Array;

beforeAll(() => {
  h264 = clockBase();
  const args =
    '-v error -nostdin -f lavfi -i testsrc2=s=128x72:r=25 -f lavfi -i sine=r=48000 -t 23.92 -pix_fmt yuv420p ' +
    '-c:v mpeg2video -sc_threshold 1000000000 -g 15 -bf 2 -c:a aac -ac 2 -pes_payload_size 0 -f mpegts pipe:1';
  mpeg2 = execFileSync('ffmpeg', args.split(' '), { maxBuffer: 1 << 24 });
}, 30_000);

/** Pictures that begin in a PES of 4000 bytes, at most. */
const MOST_IN_A_PES = 12;

interface Row {
  packing: Packing;
  stream?: 'mpeg2';
  /** Access units in a PES, and in the first, where PES hold whole ones. */
  whole?: [count: number, first: number];
  /** What the watcher cannot see in the first segment. */
  unseen?: { rule: number; message: string };
}

const rows: Record<string, Row> = {
  'two in a PES, so that each second key picture stands behind another picture': {
    packing: each(2),
    whole: [2, 2],
  },
  'two in a PES, the first alone': { packing: each(2, 1), whole: [2, 1] },
  'seven in a PES': { packing: each(7), whole: [7, 7] },
  'PES of 4000 bytes': { packing: sized(4000) },
  'PES of 300 bytes: each access unit over several': {
    packing: sized(300),
    // It looks at the first PES alone, and the settings that x264 writes before its very first picture fill that.
    unseen: { rule: 23, message: 'starts on a picture that is no random access point' },
  },
  'MPEG-2, five in a PES': { packing: each(5), stream: 'mpeg2', whole: [5, 5] },
  'MPEG-2, PES of 2000 bytes': { packing: sized(2000), stream: 'mpeg2' },
};

describe('cut as one access unit a PES', () => {
  test.each(Object.entries(rows))(
    '%s',
    async (_, { packing, stream, whole, unseen }) => {
      const input = repack(stream ? mpeg2 : h264, packing);
      const said: string[] = [];
      const line = (message: string): unknown => said.push(message);
      const logger = { debug() {}, info() {}, warn: line, error: line } as unknown as Logger;
      const options = { targetSeconds: 6, spool: newSpool(), logger };
      const result = await cut(inChunks(input, [30_000]), options, true);
      const { segments } = result;
      const [first, gop, all] = stream ? [1.44, 0.6, 598] : [1.48, 1, 600];
      const keys = Array.from(
        { length: Math.ceil(all / 25 / gop - 1e-9) },
        (__, n) => Math.round((first + n * gop) * 1000) / 1000,
      );
      const cuts = keys.filter((at, n) => n === 0 || Math.floor(at / 6) !== Math.floor(keys[n - 1]! / 6));
      expect(starts(result)).toEqual(cuts);
      // The last picture's PES may end with the stream, and nothing tell how its pictures are shown.
      const ends = segments.map(({ startPts, endPts }) => (endPts - startPts) / 90_000);
      cuts.slice(1).forEach((at, n) => expect(ends[n]).toBeCloseTo(at - cuts[n]!, 5));
      expect(Math.abs(first + all / 25 - cuts.at(-1)! - ends.at(-1)!)).toBeLessThan(0.0801);
      expect(segments.map((s) => [s.independent, s.discontinuity])).toEqual(
        segments.map((__, n) => [true, n === 0 ? 'start' : undefined]),
      );
      expect(result.tracks.at(-1)).toMatchObject({ gop: Math.round(gop * 90_000) });
      expect(result.tracks.at(-1)!.tracks[0]).toMatchObject({ frameRate: 25, width: 128, height: 72 });
      expect(said.filter((text) => !text.includes('not every player'))).toEqual([]);
      expect(result.counters).toMatchObject({ continuityErrors: 0, wildTimestamps: 0, lost: 0 });
      expect(segments.map(seconds).every((duration) => duration < 6.5)).toBe(true);
      const found = segments.flatMap(({ keyPictures }) => keyPictures.map(({ pts }) => pts / 90_000));
      expect(found.map((at) => at.toFixed(3))).toEqual(keys.map((at) => at.toFixed(3)));
      checkFiles(segments, [VIDEO_PID, AUDIO_PID]);
      checkConservation(input, segments, [VIDEO_PID, AUDIO_PID]);
      // Alone, a decoder gives all from the key picture on, less what leads it in an open GOP, up to where the PES of the
      // next one begins; where PES split access units, the last of them is cut off.
      const [count, alone] = whole ?? [1, 1];
      const leading = stream ? 2 : 0;
      const decodedAt = cuts.map((at, n) => Math.round((at - first) * 25) - (n > 0 ? leading : 0));
      const begins = [...decodedAt.map((at) => (at < alone ? 0 : at - ((at - alone) % count))), all];
      const joined = join(root, 'joined.ts');
      writeFileSync(joined, Buffer.concat(segments.map(({ data }) => data)));
      const decoded = await decodeEach([...segments.map(({ partPath }) => partPath), joined]);
      const inARow = decoded.pop()!;
      for (const [n, { frames: pictures }] of decoded.entries()) {
        const wanted = begins[n + 1]! - decodedAt[n]! - (n > 0 ? leading : 0);
        if (whole) expect(pictures).toBe(wanted);
        else expect(Math.abs(pictures - wanted)).toBeLessThanOrEqual(MOST_IN_A_PES);
      }
      expect(segments.map(({ data }) => inspectSegment(data).problems)).toEqual(
        segments.map((__, n) => (n === 0 && unseen ? [unseen] : [])),
      );
      expect(inARow.errors.filter((line) => !/non monoton|repeated/.test(line))).toEqual([]);
      expect(inARow.frames).toBe(all);
      for (const { partPath } of segments) rmSync(partPath);
    },
    30_000,
  );
});
