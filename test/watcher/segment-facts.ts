/** What a viewer finds in one segment. */
import { adtsFrames, mpegAudioFrames, type AudioFrames } from './audio-frame.js';
import { inspectAccessUnit } from './h264.js';
import type { ElementaryStream } from './sections.js';
import {
  isAudio,
  isVideo,
  readTransportStream,
  ticksBetween,
  type Pes,
  type PidEnds,
  type Problem,
} from './transport-stream.js';

export interface VideoFacts {
  codec: string | undefined;
  /** As `1280x720`. */
  resolution: string | undefined;
  /** Of the first picture in decode order, where the segment starts. */
  firstPts: number;
  firstDts: number;
  lastDts: number;
  /** The latest picture's. */
  maxPts: number;
  /** By how much leading pictures of an open GOP come before the first in decode order. */
  leadTicks: number;
  pictures: number;
  /** Median distance of pictures; undefined with less than two. */
  frameTicks: number | undefined;
  /** Mean distance of pictures; undefined with less than two, and where the distances vary by half or more. */
  meanTicks: number | undefined;
  randomAccess: 'idr' | 'recovery' | undefined;
}

export interface AudioFacts {
  pid: number;
  frames: AudioFrames | undefined;
  firstPts: number;
  /** Where the last PES's frames end; undefined where frames cannot be counted. */
  endPts: number | undefined;
}

export interface SegmentFacts {
  bytes: number;
  problems: Problem[];
  streams: ElementaryStream[];
  pids: Map<number, PidEnds>;
  video: VideoFacts | undefined;
  audio: AudioFacts[];
}

export function inspectSegment(bytes: Uint8Array): SegmentFacts {
  const stream = readTransportStream(bytes);
  const problems = [...stream.problems];
  const pesOf = (pid: number): Pes[] => stream.pes.get(pid) ?? [];
  const videoStream = stream.streams.find(isVideo);
  const video = videoStream && videoFacts(videoStream, pesOf(videoStream.pid), problems);
  if (videoStream !== undefined && video === undefined)
    problems.push({ rule: 23, message: `video PID ${videoStream.pid} has no picture with a PTS` });
  const audio = stream.streams
    .filter(isAudio)
    .flatMap((track) => audioFacts(track, pesOf(track.pid), problems));
  return { bytes: bytes.length, problems, streams: stream.streams, pids: stream.pids, video, audio };
}

/** Ticks of 90 kHz at which the segment starts: of its video, else of its sound. */
export function startOf(facts: SegmentFacts): number | undefined {
  return facts.video?.firstPts ?? facts.audio[0]?.firstPts;
}

/** Ticks of one picture, or of one frame of sound where there is no picture. */
export function unitTicks(facts: SegmentFacts): number {
  if (facts.video !== undefined) return facts.video.frameTicks ?? 90_000 / 25;
  const frames = facts.audio[0]?.frames;
  return frames === undefined ? 90_000 / 25 : (frames.samplesPerFrame * 90_000) / frames.sampleRate;
}

function videoFacts(stream: ElementaryStream, all: Pes[], problems: Problem[]): VideoFacts | undefined {
  const timed = all.filter((pes) => pes.pts !== undefined);
  const [first] = timed;
  if (first?.pts === undefined || first.dts === undefined) return undefined;
  const from = first.pts;
  const offsets = timed.map((pes) => ticksBetween(from, pes.pts ?? from)).sort((a, b) => a - b);
  const steps = offsets.slice(1).map((offset, i) => offset - (offsets[i] ?? 0));
  const unit =
    stream.streamType === 0x1b ? inspectAccessUnit(Buffer.concat(all[0]?.payload ?? [])) : undefined;
  if (unit !== undefined) {
    if (unit.randomAccess === undefined)
      problems.push({ rule: 23, message: 'starts on a picture that is no random access point' });
    if (unit.parameters === undefined) problems.push({ rule: 23, message: 'starts without a readable SPS' });
    if (!unit.hasPictureParameters) problems.push({ rule: 23, message: 'starts without a PPS' });
  }
  checkOrder(stream.pid, timed, problems);
  steps.sort((a, b) => a - b);
  const steady = steps.length > 0 && (steps.at(-1) ?? 0) < 1.5 * (steps[0] ?? 0);
  return {
    codec: unit?.parameters?.codec,
    resolution: unit?.parameters && `${unit.parameters.width}x${unit.parameters.height}`,
    firstPts: from,
    firstDts: first.dts,
    lastDts: timed.at(-1)?.dts ?? first.dts,
    maxPts: from + (offsets.at(-1) ?? 0),
    leadTicks: -(offsets[0] ?? 0),
    pictures: timed.length,
    frameTicks: steps[steps.length >> 1],
    meanTicks: steady ? steps.reduce((sum, step) => sum + step, 0) / steps.length : undefined,
    randomAccess: unit?.randomAccess,
  };
}

function checkOrder(pid: number, timed: Pes[], problems: Problem[]): void {
  timed.slice(1).forEach((pes, i) => {
    const step = ticksBetween(timed[i]?.dts ?? 0, pes.dts ?? 0);
    if (step <= 0)
      problems.push({ rule: 24, message: `PID ${pid}: DTS goes back by ${-step} ticks at PES ${i + 1}` });
  });
}

function audioFacts(stream: ElementaryStream, all: Pes[], problems: Problem[]): AudioFacts[] {
  const timed = all.filter((pes) => pes.pts !== undefined);
  const [first] = timed;
  const last = timed.at(-1);
  if (first?.pts === undefined || last?.pts === undefined) return [];
  const count =
    stream.streamType === 0x0f ? adtsFrames : stream.streamType <= 0x04 ? mpegAudioFrames : () => undefined;
  const end = (pes: Pes): number | undefined => {
    const frames = count(Buffer.concat(pes.payload));
    return frames && (pes.pts ?? 0) + (frames.count * frames.samplesPerFrame * 90_000) / frames.sampleRate;
  };
  timed.slice(1).forEach((pes, i) => {
    const before = timed[i];
    const expected = before && end(before);
    const hole = expected === undefined ? 0 : ticksBetween(expected, pes.pts ?? 0);
    if (Math.abs(hole) > audioTolerance90k)
      problems.push({ rule: 24, message: `PID ${stream.pid}: ${audioHole(hole)} before PES ${i + 1}` });
  });
  return [
    { pid: stream.pid, frames: count(Buffer.concat(first.payload)), firstPts: first.pts, endPts: end(last) },
  ];
}

/** Less than half a frame of AAC at 48 kHz (1920 ticks): muxers round PTS, and a lost frame is more. */
export const audioTolerance90k = 900;

export function audioHole(ticks: number): string {
  return `${(Math.abs(ticks) / 90).toFixed(1)} ms of sound ${ticks > 0 ? 'missing' : 'twice'}`;
}
