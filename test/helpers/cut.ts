import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { MediaError } from '@hls-uplink/mpegts';
import { systemClock } from '@hls-uplink/runtime';
import type { CutSegment, CutTracks, LostSegment } from '../../packages/segmenter/src/cut-segment.js';
import { Cutting, type CuttingCounters, type CuttingOptions } from '../../packages/segmenter/src/cutting.js';
import { PMT_PID, VIDEO_PID, crcMpeg, generateStream, inChunks, type StreamOptions } from './ts-generator.js';

export const PACKET = 188;
/** For the spools of one test file. */
export let root = '';
let spools = 0;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'cutting-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

export function newSpool(): string {
  const spool = join(root, String(++spools));
  mkdirSync(spool);
  return spool;
}

export interface Result {
  events: ('tracks' | 'segment' | 'lost')[];
  segments: (CutSegment & { data: Uint8Array })[];
  lost: LostSegment[];
  tracks: CutTracks[];
  counters: CuttingCounters;
  /** Code of the MediaError thrown, and its text. */
  refused?: string;
  message?: string;
}

/** Bytes, or something to be done between them, and awaited where it is a promise. */
export type Step = Uint8Array | ((cutting: Cutting) => unknown);

/** Bytes before a chunk that may be overwritten: none, too few, and enough for the beginning of a packet. */
const HEADROOMS = [0, 256, 256, 100];
const LARGEST_HEADROOM = Math.max(...HEADROOMS);

export async function cut(
  input: Iterable<Step>,
  options: Partial<CuttingOptions> = {},
  keep = false,
): Promise<Result> {
  const spool = options.spool ?? newSpool();
  const result: Omit<Result, 'counters'> = { events: [], segments: [], lost: [], tracks: [] };
  const cutting = new Cutting({
    targetSeconds: 6,
    spool,
    clock: systemClock,
    sink: {
      tracks(tracks) {
        result.events.push('tracks');
        result.tracks.push(tracks);
      },
      segment(segment) {
        result.events.push('segment');
        result.segments.push({ ...segment, data: readFileSync(segment.partPath) });
      },
      lost(segment) {
        result.events.push('lost');
        result.lost.push(segment);
      },
    },
    ...options,
  });
  const refuse = (error: unknown): void => {
    if (!(error instanceof MediaError)) throw error;
    result.refused = error.code;
    result.message = error.message;
  };
  let chunks = 0;
  let buffer = new Uint8Array(0);
  try {
    for (const step of input) {
      if (typeof step === 'function') {
        await step(cutting);
        continue;
      }
      const end = LARGEST_HEADROOM + step.length;
      if (buffer.length < end) buffer = new Uint8Array(end);
      buffer.set(step, LARGEST_HEADROOM);
      await cutting.push(buffer.subarray(LARGEST_HEADROOM, end), HEADROOMS[chunks++ % HEADROOMS.length]);
      // Whoever still reads there finds nothing.
      buffer.fill(0, 0, end);
    }
  } catch (error) {
    refuse(error);
  }
  await cutting.finish().catch(refuse);
  if (!keep) for (const { partPath } of result.segments) rmSync(partPath, { force: true });
  return { ...result, counters: cutting.counters };
}

export const of = (options: StreamOptions): Iterable<Uint8Array> =>
  inChunks(generateStream(options), [65_536]);
export const seconds = ({ startPts, endPts }: { startPts: number; endPts: number }): number =>
  Math.round((((endPts - startPts + 2 ** 33) % 2 ** 33) / 90_000) * 1e6) / 1e6;
export const starts = ({ segments }: Result): number[] =>
  segments.map(({ startPts }) => Math.round(startPts / 90) / 1000);

export const pidOf = (data: Uint8Array, at: number): number => ((data[at + 1]! & 0x1f) << 8) | data[at + 2]!;
export const startsUnit = (data: Uint8Array, at: number): boolean => (data[at + 1]! & 0x40) !== 0;

/** The packets of a PID, as text, in order. */
export function packetsOf(pid: number, ...files: Uint8Array[]): string[] {
  const packets: string[] = [];
  for (const data of files)
    for (let at = 0; at < data.length; at += PACKET)
      if (pidOf(data, at) === pid)
        packets.push(Buffer.from(data.subarray(at, at + PACKET)).toString('base64'));
  return packets;
}

/** Rules 22, 24 and 25 of HLS, and what a segment says about its file. */
export function checkFiles(segments: Result['segments'], pids: number[]): void {
  const psi = new Map<number, number>();
  for (const { data, bytes, crc32: crc, keyPictures, independent, startPts, discontinuity } of segments) {
    // They are counted by the slot, which jumps as the timestamps do.
    if (discontinuity) psi.clear();
    expect(data.length).toBe(bytes);
    expect(crc32(data)).toBe(crc);
    expect(data.length % PACKET).toBe(0);
    expect([pidOf(data, 0), pidOf(data, PACKET)]).toEqual([0, PMT_PID]);
    const seen = new Set<number>();
    for (let at = 0; at < data.length; at += PACKET) {
      expect(data[at]).toBe(0x47);
      const pid = pidOf(data, at);
      if (pid === 0 || pid === PMT_PID) {
        expect(at).toBeLessThan(2 * PACKET);
        const length = ((data[at + 6]! & 0x0f) << 8) | data[at + 7]!;
        expect(crcMpeg([...data.subarray(at + 5, at + 8 + length)])).toBe(0);
        const continuity = data[at + 3]! & 0x0f;
        if (psi.has(pid)) expect(continuity).toBe((psi.get(pid)! + 1) & 0x0f);
        psi.set(pid, continuity);
      } else {
        expect(pids).toContain(pid);
        // PCR alone is no part of any unit.
        if ((data[at + 3]! & 0x10) === 0) continue;
        if (!seen.has(pid)) expect(startsUnit(data, at)).toBe(true);
        seen.add(pid);
      }
    }
    if (independent && pids.includes(VIDEO_PID)) {
      expect(keyPictures[0]).toMatchObject({ offset: 2 * PACKET, pts: startPts });
      for (const { offset, bytes: size } of keyPictures) {
        expect(pidOf(data, offset)).toBe(VIDEO_PID);
        expect(startsUnit(data, offset)).toBe(true);
        expect(pidOf(data, offset + size - PACKET)).toBe(VIDEO_PID);
        // Behind it comes the next picture, if any.
        for (let at = offset + size; at < data.length; at += PACKET) {
          if (pidOf(data, at) !== VIDEO_PID) continue;
          expect(startsUnit(data, at)).toBe(true);
          break;
        }
      }
    }
  }
}

/** For each PID, all segments in a row are the input from its first PES after the first key picture on. */
export function checkConservation(input: Uint8Array, segments: Result['segments'], pids: number[]): void {
  const files = segments.map(({ data }) => data);
  const firstKey = packetsOf(VIDEO_PID, files[0]!)[0]!;
  let keyAt = 0;
  const hasVideo = firstKey !== undefined;
  while (hasVideo && Buffer.from(input.subarray(keyAt, keyAt + PACKET)).toString('base64') !== firstKey)
    keyAt += PACKET;
  for (const pid of pids) {
    let from = keyAt;
    while (from < input.length && !(pidOf(input, from) === pid && startsUnit(input, from))) from += PACKET;
    expect(packetsOf(pid, ...files)).toEqual(packetsOf(pid, input.subarray(from)));
  }
}
