/**
 * A film under changing tables: what a row of such a test states, and how it is held against what came out. Each segment
 * passes the watcher and decodes alone.
 */
import { expect } from '@jest/globals';
import type { Logger } from '@hls-uplink/runtime';
import type { CuttingCounters } from '../../packages/segmenter/src/cutting.js';
import { decodeEach, expectDecoded } from '../player/decode.js';
import { inspectSegment } from '../watcher/index.js';
import { parsePat, parsePmt } from '../watcher/sections.js';
import { cut, newSpool, PACKET, pidOf, type Result } from './cut.js';
import { makeFilm, Mux, STREAM_TYPES, type Program, type Track } from './film.js';
import { inChunks } from './ts-generator.js';

export const film = makeFilm();
const TARGET = 4;

export const video: Track = { of: 'h264', pid: 0x100 };
export const audio: Track = { of: 'aac', pid: 0x101 };
export const second: Track = { of: 'mp2', pid: 0x102 };
export const both = [video, audio];
export const one: Program = { number: 1, pmtPid: 0x1000, tracks: both };
/** The same film on other PIDs. */
export const twinTracks: Track[] = [
  { of: 'h264', pid: 0x200 },
  { of: 'aac', pid: 0x201 },
];
export const twin: Program = { number: 2, pmtPid: 0x1001, tracks: twinTracks };

export interface Row {
  mux: (mux: Mux) => unknown;
  program?: number;
  /** `start–end, seconds; discontinuity; program@PID of its PMT: PIDs of its tracks and of what else it holds`. */
  segments: string[];
  counts?: Partial<CuttingCounters>;
  /** Counts that depend on how ffmpeg coded the pictures: packets counted by the muxer while it wrote. */
  dropped?: (mux: Mux) => number;
  foreign?: (mux: Mux) => number;
  /** Beginnings of the lines of the log that are not about players. */
  said?: string[];
  refused?: string;
}

/** Marks in the stream between which packets are counted. */
const marks = new WeakMap<Mux, number[]>();
export const mark = (mux: Mux, ...pids: number[]): void => {
  marks.set(mux, [...(marks.get(mux) ?? []), mux.count(...pids)]);
};
/** Packets on the PIDs given between two marks. */
export const marked = (mux: Mux): number => marks.get(mux)![1]! - marks.get(mux)![0]!;

export const whole = [
  '1.48–5.48 start 1@1000: 100 101',
  '5.48–9.48 1@1000: 100 101',
  '9.48–13.48 1@1000: 100 101',
];
export const chosen = 'program 1 is segmented';

/** Each program up to a picture, its tables alone; the PAT has a new version where what it lists has changed. */
export function scenes(...list: readonly (readonly [until: number, program: Program])[]): (mux: Mux) => void {
  return (mux) => {
    let from = 0;
    let patVersion = 0;
    let before = list[0]![1];
    for (const [until, program] of list) {
      if (program.number !== before.number || program.pmtPid !== before.pmtPid) patVersion++;
      mux.programs([program], patVersion);
      mux.play(from, until, program.tracks);
      from = until;
      before = program;
    }
  };
}

/** The packets of the film's first pictures and their sound. */
export function firstPackets({ film: { h264, aac } }: Mux, pictures: number): number {
  const end = h264[0]!.pts + pictures * 3600;
  const lists = [h264.slice(0, pictures), aac.filter(({ pts }) => pts < end)];
  return lists.flat().reduce((sum, { packets }) => sum + packets.length, 0);
}

export function withCrc(section: number[]): number[] {
  let crc = 0xffffffff;
  for (const byte of section.slice(0, -4))
    for (let bit = 7; bit >= 0; bit--) {
      const top = (crc >>> 31) ^ ((byte >> bit) & 1);
      crc = ((crc << 1) ^ (top ? 0x04c11db7 : 0)) >>> 0;
    }
  return [...section.slice(0, -4), crc >>> 24, (crc >>> 16) & 0xff, (crc >>> 8) & 0xff, crc & 0xff];
}

const time = (pts: number): string => String(Math.round(pts / 90) / 1000);
const hex = (pid: number): string => pid.toString(16);

/** As in `Row.segments`. */
function describeSegment({ startPts, endPts, discontinuity, data }: Result['segments'][number]): string {
  const pmtPid = parsePat(data.subarray(4))[0]!;
  const number = (data[4 + 9]! << 8) | data[4 + 10]!;
  const streams = parsePmt(data.subarray(PACKET + 4)).sort((a, b) => a.pid - b.pid);
  const pids = new Set<number>();
  for (let at = 0; at < data.length; at += PACKET) pids.add(pidOf(data, at));
  const usual = [STREAM_TYPES.h264, STREAM_TYPES.aac];
  const tracks = streams.map(({ pid, streamType }) => {
    expect(pids).toContain(pid);
    return `${hex(pid)}${usual.includes(streamType) ? '' : `:${streamType}`}`;
  });
  const known = [0, pmtPid, ...streams.map(({ pid }) => pid)];
  const others = [...pids].filter((pid) => !known.includes(pid)).map((pid) => `+${hex(pid)}`);
  const why = discontinuity ? ` ${discontinuity}` : '';
  return `${time(startPts)}–${time(endPts)}${why} ${number}@${hex(pmtPid)}: ${[...tracks, ...others].join(' ')}`;
}

interface Run {
  mux: Mux;
  result: Result;
  said: string[];
}

async function run(build: Row['mux'], program?: number): Promise<Run> {
  const mux = new Mux(film);
  build(mux);
  const said: string[] = [];
  const line = (message: string, fields = {}): unknown =>
    !message.includes('not every player') && said.push(`${message} ${JSON.stringify(fields)}`);
  const logger = { debug() {}, info: line, warn: line, error: line } as unknown as Logger;
  const options = {
    targetSeconds: TARGET,
    spool: newSpool(),
    logger,
    ...(program !== undefined && { program }),
  };
  const result = await cut(inChunks(mux.bytes(), [60_000]), options, true);
  return { mux, result, said };
}

export async function check({
  mux: build,
  program,
  segments,
  counts = {},
  dropped,
  foreign,
  said,
  refused,
}: Row): Promise<Run> {
  const now = await run(build, program);
  const { mux, result } = now;
  expect(result.refused && `${result.refused}: ${result.message}`).toBe(refused);
  expect(result.segments.map(describeSegment)).toEqual(segments);
  for (const { data } of result.segments) expect(inspectSegment(data).problems).toEqual([]);
  expectDecoded(await decodeEach(result.segments.map(({ partPath }) => partPath)));
  expect(result.counters).toMatchObject({
    continuityErrors: 0,
    crcErrors: 0,
    badSections: 0,
    wildTimestamps: 0,
    ...(!counts.droppedPackets && { droppedPackets: dropped?.(mux) ?? 0 }),
    foreignPackets: foreign?.(mux) ?? 0,
    ...counts,
  });
  if (said) expect(now.said.map((text, n) => text.slice(0, said[n]?.length ?? 1000))).toEqual(said);
  return now;
}
