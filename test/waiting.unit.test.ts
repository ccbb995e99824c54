/** Streams of which nothing can start: the log says while they come, and the refusal when they end, which condition is missing. */
import { describe, expect, test } from '@jest/globals';
import { ManualClock, type LogFields, type Logger } from '@hls-uplink/runtime';
import { cut, type Result } from './helpers/cut.js';
import { AUDIO_PID, generateStream, PMT_PID, VIDEO_PID } from './helpers/ts-generator.js';
import { dropTimes, operate, payloadAt, type Piece } from './helpers/ts-surgery.js';

type Line = LogFields & { text: string };

/** `bytes` in `seconds` pieces, one a second. */
async function play(
  bytes: Uint8Array,
  seconds: number,
  program?: number,
): Promise<Result & { said: Line[] }> {
  const clock = new ManualClock();
  const said: Line[] = [];
  const warn = (text: string, fields: LogFields = {}): number => said.push({ text, ...fields });
  const logger = { debug() {}, info() {}, error() {}, warn } as unknown as Logger;
  const size = Math.ceil(bytes.length / seconds);
  const steps = Array.from({ length: seconds }, (_, n) => [
    bytes.subarray(n * size, (n + 1) * size),
    () => clock.advance(1000),
  ]).flat();
  const result = await cut(steps, { clock, logger, ...(program !== undefined && { program }) });
  return { ...result, said: said.filter(({ text }) => text === 'no segment can start; waiting') };
}

const scramble = ({ packet, pid }: Piece): Uint8Array => {
  if (pid !== VIDEO_PID && pid !== AUDIO_PID) return packet;
  packet[3]! |= 0x80;
  for (let at = payloadAt(packet); at < packet.length; at++) packet[at]! ^= 0x5a;
  return packet;
};
const timeless = (piece: Piece): Uint8Array => {
  if (piece.starts && piece.pid === VIDEO_PID) dropTimes(piece, 'both');
  return piece.packet;
};
const without =
  (...pids: number[]) =>
  ({ packet, pid }: Piece): Uint8Array | undefined =>
    pids.includes(pid) ? undefined : packet;

describe('what is missing is said after 5 s, once a minute, and at the end:', () => {
  test.each<[string, string, RegExp, (piece: Piece) => Uint8Array | undefined]>([
    ['the PAT', 'no-tables', /^the input has packets, but no PAT$/, without(0, PMT_PID)],
    ['the PMT', 'no-tables', /^the PAT lists 1, but no PMT of them comes$/, without(PMT_PID)],
    [
      'the video',
      'no-media',
      /^program 1 names video PID 0x0100 to cut by, but nothing of it arrives$/,
      without(VIDEO_PID),
    ],
    ['PTS', 'no-timestamps', /^video PID 0x0100 comes without a PTS/, timeless],
    ['the key to it', 'scrambled', /^video PID 0x0100 is scrambled/, scramble],
  ])('%s', async (_, code, missing, change) => {
    const bytes = operate(generateStream({ pictures: 25 * 66 }), change);
    const { said, refused, message, segments } = await play(bytes, 66);
    expect(said).toHaveLength(2);
    expect(said[0]).toMatchObject({ missing: expect.stringMatching(missing), seconds: 5 });
    expect(said[1]).toMatchObject({ missing: expect.stringMatching(missing), seconds: 65, repeats: 59 });
    expect(refused).toBe(code);
    expect(message).toMatch(missing);
    expect(segments).toEqual([]);
  });
});

test('key pictures may be 15 s apart before they are missed', async () => {
  const { said, refused } = await play(generateStream({ pictures: 25 * 17, key: 'P' }), 17);
  expect(said).toMatchObject([
    { missing: expect.stringMatching(/^no picture that a player could start at/), seconds: 15 },
  ]);
  expect(refused).toBe('no-key-picture');
});

test('counters tell what does come', async () => {
  const bytes = operate(generateStream({ pictures: 25 * 10, audio: 'none' }), timeless);
  const { said } = await play(bytes, 10);
  // Read by then: six pieces of ten.
  const packets = Math.floor((0.6 * bytes.length) / 188);
  expect(said).toMatchObject([{ packets, pes: expect.any(Number), timestamps: 0 }]);
  expect(Math.abs((said[0]!['pes'] as number) - 150)).toBeLessThanOrEqual(1);
});

test('a wait within the patience is not worth a line', async () => {
  const bytes = operate(generateStream({ pictures: 25 * 8, firstPts: 0 }), ({ packet, pid, pts = 0 }) =>
    pid === VIDEO_PID && pts < 4.5 * 90_000 ? undefined : packet,
  );
  const { said, segments } = await play(bytes, 8);
  expect(said).toEqual([]);
  expect(segments.map(({ startPts }) => startPts / 90_000)).toEqual([6]);
});
