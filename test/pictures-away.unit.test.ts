/** Pictures that stay away for long while sound goes on. */
import { describe, expect, test } from '@jest/globals';
import type { Logger } from '@hls-uplink/runtime';
import { checkFiles, cut, packetsOf, seconds, starts, startsUnit } from './helpers/cut.js';
import { AUDIO_PID, generateStream, inChunks, VIDEO_PID } from './helpers/ts-generator.js';
import { dropTimes, operate, payloadAt, type Piece } from './helpers/ts-surgery.js';

const SECOND = 90_000;
const FRAME = 1024 / 48_000;

const all = generateStream({ pictures: 25 * 69, firstPts: 500 * SECOND });
const pictures = (from: number, to: number): Uint8Array =>
  operate(all, ({ packet, pid, pts = 0 }) =>
    pid !== VIDEO_PID || (pts >= from * SECOND && pts < to * SECOND) ? packet : undefined,
  );
const part = (bytes: Uint8Array, from: number, to: number): Uint8Array => {
  let at = 0;
  return operate(bytes, ({ packet, pid, pts }) => {
    if (pid === AUDIO_PID && pts !== undefined) at = pts / SECOND;
    return at >= from && at < to ? packet : undefined;
  });
};

test('do not keep their segment open: it is closed after 15 s of sound, and the next has a discontinuity', async () => {
  // Sound from 500 s to 569 s; pictures to 509 s, and again from 560 s on, in GOPs of 2 s.
  const first = part(pictures(500, 509), 0, 559.9);
  const second = part(pictures(560, 569), 559.9, 600);
  const said: string[] = [];
  const logger = { debug() {}, info() {}, error() {}, warn: (text: string) => said.push(text) };
  const segmentsSoFar: number[] = [];
  const result = await cut(
    [
      ...inChunks(first, [65_536]),
      (cutting) => void cutting.handedOn().then(() => segmentsSoFar.push(cutting.counters.segments)),
      ...inChunks(second, [65_536]),
    ],
    { logger: logger as unknown as Logger },
  );
  expect(starts(result)).toEqual([500, 504, 560, 564]);
  expect(result.segments.map(seconds)).toEqual([4, 5, 4, 5]);
  expect(result.segments.map(({ ended }) => ended)).toEqual(['cut', 'break', 'cut', 'leave']);
  expect(result.segments.map(({ discontinuity }) => discontinuity)).toEqual([
    'start',
    undefined,
    'timestamps',
    undefined,
  ]);
  expect(segmentsSoFar).toEqual([2]);
  expect(
    said.filter((text) => text.includes('no picture with a PTS has come for 15 s by the ')),
  ).toHaveLength(1);

  checkFiles(result.segments, [VIDEO_PID, AUDIO_PID]);
  const soundSeconds = result.segments.map(
    ({ data }) =>
      packetsOf(AUDIO_PID, data).filter((packet) => startsUnit(Buffer.from(packet, 'base64'), 0)).length *
      FRAME,
  );
  // The second has that of its pictures and 15 s more, which could have been but a pause.
  [4, 5 + 15, 4, 5].forEach((expected, n) =>
    expect(Math.abs(soundSeconds[n]! - expected)).toBeLessThan(3 * FRAME),
  );
  expect(result.counters.droppedPackets).toBeGreaterThan(0);
});

test('for less than that come back into their place', async () => {
  const result = await cut(
    inChunks(
      operate(all, ({ packet, pid, pts = 0 }) =>
        pid === VIDEO_PID && pts >= 509 * SECOND && pts < 512 * SECOND ? undefined : packet,
      ),
      [65_536],
    ),
  );
  expect(result.counters.droppedPackets).toBe(0);
  expect(result.segments.filter(({ discontinuity }) => discontinuity === 'timestamps')).toEqual([]);
});

/** As a scrambler leaves it: all but header and adaptation field changed. */
function scramble({ packet, pid }: Piece): Uint8Array {
  if (pid !== VIDEO_PID && pid !== AUDIO_PID) return packet;
  packet[3]! |= 0x80;
  for (let at = payloadAt(packet); at < packet.length; at++) packet[at]! ^= 0x5a;
  return packet;
}

function timeless(piece: Piece): Uint8Array {
  if (piece.starts) dropTimes(piece, 'both');
  return piece.packet;
}

describe('what comes instead of pictures from 509 s on does not keep the segment open either:', () => {
  const noTime = (pids: number[]) => (piece: Piece) =>
    pids.includes(piece.pid) ? timeless(piece) : piece.packet;
  test.each<[string, (piece: Piece) => Uint8Array]>([
    ['all is scrambled', scramble],
    ['pictures have no PTS', noTime([VIDEO_PID])],
    ['nothing has a PTS', noTime([VIDEO_PID, AUDIO_PID])],
  ])('%s', async (_, change) => {
    let at = 0;
    const damaged = operate(all, (piece) => {
      if (piece.pid === VIDEO_PID && piece.pts !== undefined) at = piece.pts / SECOND;
      return at >= 509 && at < 560 ? change(piece) : piece.packet;
    });
    const segmentsSoFar: number[] = [];
    const said: string[] = [];
    const logger = { debug() {}, info() {}, error() {}, warn: (text: string) => said.push(text) };
    const bytesUntil = (damaged.length * (509 + 25 - 500)) / 69;
    const result = await cut(
      [
        ...inChunks(damaged.subarray(0, bytesUntil), [65_536]),
        (cutting) => void cutting.handedOn().then(() => segmentsSoFar.push(cutting.counters.segments)),
        ...inChunks(damaged.subarray(bytesUntil), [65_536]),
      ],
      { logger: logger as unknown as Logger },
    );
    expect(segmentsSoFar).toEqual([2]);
    expect(starts(result)).toEqual([500, 504, 560, 564]);
    expect(result.segments.map(seconds)).toEqual([4, 5, 4, 5]);
    expect(result.segments.map(({ discontinuity }) => discontinuity)).toEqual([
      'start',
      undefined,
      'timestamps',
      undefined,
    ]);
    expect(said.filter((text) => text.includes('no picture with a PTS has come for 15 s'))).toHaveLength(1);
  });
});
