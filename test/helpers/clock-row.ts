/** A row of a table about clocks: a stream and what must come of it, and everything else that holds of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect } from '@jest/globals';
import type { CuttingCounters } from '../../packages/segmenter/src/cutting.js';
import { decodeEach, expectDecoded } from '../player/decode.js';
import { inspectSegment } from '../watcher/index.js';
import { isVideo, type Operation } from './clock-surgery.js';
import { checkConservation, checkFiles, cut, PACKET, pidOf, root, seconds, type Result } from './cut.js';
import { AUDIO_PID, inChunks, VIDEO_PID } from './ts-generator.js';
import { MODULUS, operate, pcrOf, setPcr, setTimes } from './ts-surgery.js';

export interface ClockRow {
  input: Operation[];
  /** Channel's target duration, where it has told. */
  told?: number;
  /** `start+duration` in seconds, `*n` times side by side; `!`: a discontinuity of timestamps before it. */
  cuts: string;
  counters?: Partial<CuttingCounters>;
  /** Segments that the stream's own fault is in, with the number of what the watcher says of it: always rule 24. */
  marked?: Record<number, number> | 'all';
  /** Segments in which something is missing, so that they don't decode without a word. */
  damaged?: number[] | 'all';
  /** Not all packets from the first key picture on come out: something lies between the segments. */
  parted?: true;
}

/** `1.48+1 2.48+2*2` as one line a segment. */
export function expanded(cuts: string): string[] {
  return cuts.split(' ').flatMap((text) => {
    const [, mark, start, duration, times = '1'] = /^(!?)(-?[\d.]+)\+([\d.]+)(?:\*(\d+))?$/.exec(text)!;
    return Array.from({ length: Number(times) }, (_, n) => {
      const at = Number(start) + n * Number(duration);
      return `${n === 0 ? mark : ''}${at.toFixed(3)}+${Number(duration).toFixed(3)}`;
    });
  });
}

export function found({ segments }: Result): string[] {
  return segments.map((segment) => {
    const at = segment.startPts > MODULUS / 2 ? segment.startPts - MODULUS : segment.startPts;
    const mark = segment.discontinuity === 'timestamps' ? '!' : '';
    return `${mark}${(at / 90_000).toFixed(3)}+${seconds(segment).toFixed(3)}`;
  });
}

const noCounters: Omit<
  CuttingCounters,
  'bytes' | 'packets' | 'segments' | 'droppedPackets' | 'duplicatePackets'
> = {
  skippedBytes: 0,
  resyncs: 0,
  transportErrors: 0,
  nullPackets: 0,
  foreignPackets: 0,
  scrambledPackets: 0,
  continuityErrors: 0,
  crcErrors: 0,
  badSections: 0,
  wildTimestamps: 0,
  lost: 0,
};

/** Segments, but for their clocks, that decoded alone without a word, so that no row does it again. */
const decoded = new Set<string>();

async function checkDecode(files: readonly Uint8Array[]): Promise<void> {
  const fresh = new Map(files.map((data) => [timeless(data), data]));
  for (const key of decoded) fresh.delete(key);
  const paths = [...fresh.values()].map((data, n) => {
    const path = join(root, `segment-${n}.ts`);
    writeFileSync(path, data);
    return path;
  });
  const results = await decodeEach(paths, false);
  expectDecoded(results);
  expect(results.map(({ frames }) => frames)).toEqual([...fresh.values()].map(picturesIn));
  for (const key of fresh.keys()) decoded.add(key);
}

function timeless(data: Uint8Array): string {
  const bytes = operate(data, (piece) => {
    if (pcrOf(piece.packet) !== undefined) setPcr(piece.packet, 0);
    if (piece.starts) setTimes(piece, 0, 0);
    return piece.packet;
  });
  return `${data.length} ${crc32(bytes)}`;
}

function picturesIn(data: Uint8Array): number {
  let pictures = 0;
  operate(data, (piece) => {
    if (isVideo(piece) && piece.starts) pictures++;
    return undefined;
  });
  return pictures;
}

const programPids = [VIDEO_PID, AUDIO_PID, 0x1ff0];
const packetsIn = (data: Uint8Array, pids: number[]): number => {
  let count = 0;
  for (let at = 0; at < data.length; at += PACKET) if (pids.includes(pidOf(data, at))) count++;
  return count;
};

/** PIDs that are none of the program: ffmpeg's SDT. */
function foreign(bytes: Uint8Array): Partial<CuttingCounters> {
  return { foreignPackets: packetsIn(bytes, [0x11]) };
}

/** What a receiver takes of packets with payload that are sent twice, each copy with the PCR of its moment: the first. */
function onceEach(bytes: Uint8Array): Uint8Array {
  const before = new Map<number, Uint8Array>();
  return operate(bytes, ({ packet, pid }) => {
    const timeless = packet.slice();
    if (pcrOf(timeless) !== undefined) setPcr(timeless, 0);
    if ((packet[3]! & 0x10) === 0) return packet;
    if (Buffer.from(timeless).equals(before.get(pid) ?? new Uint8Array(0))) return undefined;
    before.set(pid, timeless);
    return packet;
  });
}

export async function checkRow(base: Uint8Array, row: ClockRow): Promise<void> {
  const { input, told, cuts, counters = {}, marked = {}, damaged = [], parted } = row;
  const bytes = input.reduce<Uint8Array>((before, operation) => operation(before), base);
  const result = await cut(
    [(cutting) => told !== undefined && cutting.setTargetDuration(told), ...inChunks(bytes, [30_000])],
    { targetSeconds: 2 },
  );
  expect(found(result).join(' ')).toBe(expanded(cuts).join(' '));
  const { segments } = result;
  expect(segments[0]!.discontinuity).toBe('start');
  expect(segments.map(({ ended }) => ended)).toEqual(
    segments.map((_, n) =>
      n === segments.length - 1 ? 'leave' : segments[n + 1]!.discontinuity ? 'break' : 'cut',
    ),
  );
  expect(segments.every(({ independent }) => independent)).toBe(true);
  // A key picture is one, however often its first packet is sent.
  const keys = segments.flatMap(({ keyPictures }) => keyPictures.map(({ pts }) => pts));
  const twice = keys.filter((pts, n) => pts === keys[n - 1]);
  expect({ 'key pictures counted twice': twice }).toEqual({ 'key pictures counted twice': [] });
  const {
    bytes: read,
    packets,
    segments: count,
    droppedPackets,
    duplicatePackets,
    ...others
  } = result.counters;
  expect(others).toEqual({ ...noCounters, ...foreign(bytes), ...counters });
  expect({ read, packets, count }).toEqual({
    read: bytes.length,
    packets: bytes.length / PACKET,
    count: segments.length,
  });
  // Each packet of the program is in a segment, or counted.
  const kept = segments.map(({ data }) => packetsIn(data, programPids)).reduce((sum, n) => sum + n);
  const once = onceEach(bytes);
  expect(duplicatePackets).toBe(packetsIn(bytes, programPids) - packetsIn(once, programPids));
  expect(kept + droppedPackets).toBe(packetsIn(once, programPids));
  checkFiles(segments, programPids);
  if (!parted) checkConservation(once, segments, [VIDEO_PID, AUDIO_PID]);
  const whole: Uint8Array[] = [];
  segments.forEach(({ data }, n) => {
    if (told !== undefined) expect(Math.round(seconds(segments[n]!))).toBeLessThanOrEqual(told);
    const { problems } = inspectSegment(data);
    if (damaged !== 'all' && !damaged.includes(n)) {
      if (marked !== 'all') expect([n, problems.length, problems]).toEqual([n, marked[n] ?? 0, problems]);
      expect(problems.every(({ rule }) => rule === 24)).toBe(true);
      whole.push(data);
    } else expect(problems.every(({ rule }) => rule === 24 || rule === 25)).toBe(true);
  });
  await checkDecode(whole);
}
