import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const COMMAND = join(
  dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url))))),
  'packages/segmenter/bin/hls-segmenter.js',
);
const SEGMENT_SECONDS = 6;
/** Long enough for whatever waits. */
const DRAIN_SECONDS = 120;

/** The shipped command, as an operator starts it: reads stdin, announces to the peer, writes its log to stderr. */
export function segmenter(address) {
  return {
    name: 'hls-segmenter',
    command: (folder, name = 'main') => [
      COMMAND,
      ...['--uploader', address, '--spool', folder, '--rendition', name],
      ...['--segment-duration', `${SEGMENT_SECONDS}`, '--drain-timeout', `${DRAIN_SECONDS}`, '-'],
    ],
    /** @throws Error when it did not do its work */
    check(log) {
      const done = log
        .split('\n')
        .filter((line) => line.includes('"message":"done"'))
        .map((line) => JSON.parse(line))[0];
      if (!done || done.lost > 0 || done.segments === 0 || done.published < done.segments)
        throw new Error(`hls-segmenter did not do its work:\n${log.slice(-2000)}`);
    },
  };
}

/** Bare Node.js that reads, sums and writes, and does nothing else: below it no segmenter in Node.js comes. */
export function bare(bitsPerSecond) {
  return {
    name: 'bare Node.js',
    command: (folder) => [
      ...[process.execPath, join(import.meta.dirname, 'bare.js'), folder],
      `${(bitsPerSecond / 8) * SEGMENT_SECONDS}`,
    ],
    check(log) {
      if (!log.includes('done')) throw new Error(`bare.js did not do its work:\n${log.slice(-2000)}`);
    },
  };
}

export function ffmpeg() {
  return {
    name: 'ffmpeg -f hls',
    command(folder, name = 'main') {
      mkdirSync(folder, { recursive: true });
      return [
        ...['ffmpeg', '-nostdin', '-nostats', '-hide_banner', '-i', 'pipe:0', '-c', 'copy'],
        ...['-f', 'hls', '-hls_time', `${SEGMENT_SECONDS}`, join(folder, `${name}.m3u8`)],
      ];
    },
    check(log) {
      if (!log.includes('video:')) throw new Error(`ffmpeg did not do its work:\n${log.slice(-2000)}`);
    },
  };
}
