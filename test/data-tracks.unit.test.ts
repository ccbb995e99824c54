/** Tracks that nobody cuts by, SCTE-35, DVB subtitles, teletext and ID3: named, passed on as they are, waited for by nothing. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { Logger } from '@hls-uplink/runtime';
import {
  checkConservation,
  checkFiles,
  cut,
  newSpool,
  PACKET,
  type Result,
  type Step,
} from './helpers/cut.js';
import { cueSection, id3Pes, subtitlePes, teletextPes } from './helpers/data-units.js';
import { FIRST_PTS, Mux, PICTURE_TICKS, PICTURES } from './helpers/film.js';
import { both, film } from './helpers/tables.js';
import { AUDIO_PID, patSection, PMT_PID, pmtSection, VIDEO_PID } from './helpers/ts-generator.js';
import { decodeEach, expectDecoded } from './player/decode.js';
import { inspectSegment } from './watcher/index.js';

const DATA_PID = 0x102;
const TARGET = 4;
/** Of the film, key pictures of another slot of 4 s than the one before. */
const CUTS = [0, 100, 200];
const CUEI = [0x05, 4, ...Buffer.from('CUEI')];
/** metadata_descriptor and metadata_pointer_descriptor name it so (Timed Metadata for HTTP Live Streaming §2). */
const ID3 = [0x26, 13, 0xff, 0xff, ...Buffer.from('ID3 '), 0xff, ...Buffer.from('ID3 '), 0, 0x0f];

interface Row {
  type: number;
  descriptors?: number[];
  /** In the loop of the program. */
  registered?: number[];
  /** What comes with a picture. */
  unit: (picture: number, pts: number) => { section: number[] } | { pes: number[] } | undefined;
  /** As the log names it. */
  name: string;
  language?: string;
  /** As ffprobe names it, an independent reader. */
  probed: string;
}

const subtitling = [0x59, 8, ...Buffer.from('swe'), 0x10, 0, 1, 0, 1];
const teletext = [0x56, 5, ...Buffer.from('nor'), 0x11, 0];

const rows: Record<string, Row> = {
  'SCTE-35, a cue each second': {
    type: 0x86,
    registered: CUEI,
    unit: (picture, pts) =>
      picture % 25 === 0 ? { section: cueSection(picture, pts + 180_000) } : undefined,
    name: 'SCTE-35 0x0102',
    probed: 'scte_35',
  },
  'SCTE-35, one cue and no more': {
    type: 0x86,
    registered: CUEI,
    unit: (picture, pts) => (picture === 30 ? { section: cueSection(picture, pts) } : undefined),
    name: 'SCTE-35 0x0102',
    probed: 'scte_35',
  },
  'SCTE-35, registered with the track, sections of two packets around each cut': {
    type: 0x86,
    descriptors: CUEI,
    unit: (picture, pts) => (picture % 25 === 0 ? { section: cueSection(picture, pts, 20) } : undefined),
    name: 'SCTE-35 0x0102',
    // It looks for the registration in the loop of the program alone.
    probed: 'unknown',
  },
  'DVB subtitles, now and then': {
    type: 0x06,
    descriptors: subtitling,
    unit: (picture, pts) => (picture % 70 === 10 ? { pes: subtitlePes(pts) } : undefined),
    name: 'DVB subtitles 0x0102 swe',
    language: 'swe',
    probed: 'dvb_subtitle',
  },
  'DVB subtitles, PES of several packets around each cut': {
    type: 0x06,
    descriptors: subtitling,
    unit: (picture, pts) => (picture % 25 === 0 ? { pes: subtitlePes(pts, 600) } : undefined),
    name: 'DVB subtitles 0x0102 swe',
    language: 'swe',
    probed: 'dvb_subtitle',
  },
  'teletext with each picture': {
    type: 0x06,
    descriptors: teletext,
    unit: (_, pts) => ({ pes: teletextPes(pts, 7) }),
    name: 'teletext 0x0102 nor',
    language: 'nor',
    probed: 'dvb_teletext',
  },
  'ID3 timed metadata': {
    type: 0x15,
    descriptors: ID3,
    unit: (picture, pts) => (picture % 25 === 0 ? { pes: id3Pes(pts, 300) } : undefined),
    name: 'ID3 timed metadata 0x0102',
    probed: 'timed_id3',
  },
};

interface Muxed {
  bytes: Uint8Array;
  /** Where each picture begins in it. */
  begins: number[];
  units: number;
}

/** The film with the row's track in between, each unit beginning before its picture and ending behind its first packets. */
function muxed({ type, descriptors = [], registered = [], unit }: Row, hasData = true): Muxed {
  const mux = new Mux(film);
  mux.tables = () => {
    mux.out.section(0, patSection([[1, PMT_PID]]));
    const entries = [
      { type: 0x1b, pid: VIDEO_PID },
      { type: 0x0f, pid: AUDIO_PID },
      { type, pid: DATA_PID, descriptors },
    ];
    mux.out.section(PMT_PID, pmtSection(1, VIDEO_PID, entries, 0, registered));
  };
  const { packets } = mux.out;
  const begins: number[] = [];
  let units = 0;
  for (let n = 0; n < PICTURES; n++) {
    if (n % 25 === 0) mux.tables();
    const made = hasData ? unit(n, FIRST_PTS + n * PICTURE_TICKS) : undefined;
    const before = packets.length;
    if (made && 'section' in made) mux.out.section(DATA_PID, made.section);
    else if (made) mux.out.unit(DATA_PID, made.pes);
    if (made) units++;
    const rest = packets.splice(before + 1);
    begins.push(packets.length);
    mux.picture(n, both);
    packets.splice(begins[n]! + 1, 0, ...rest);
  }
  return { bytes: mux.bytes(), begins, units };
}

/** The stream picture by picture, and with which of them each segment came out. */
async function run({ bytes, begins }: Muxed, logger: Logger): Promise<{ result: Result; out: number[] }> {
  const out: number[] = [];
  const steps: Step[] = begins.flatMap((from, n) => [
    bytes.subarray(n === 0 ? 0 : from * PACKET, (begins[n + 1] ?? bytes.length / PACKET) * PACKET),
    async (cutting): Promise<void> => {
      await cutting.handedOn();
      while (out.length < cutting.counters.segments) out.push(n);
    },
  ]);
  const result = await cut(steps, { targetSeconds: TARGET, spool: newSpool(), logger }, true);
  return { result, out };
}

describe('tracks that nobody cuts by', () => {
  test.each(Object.entries(rows))(
    '%s',
    async (_, row) => {
      const stream = muxed(row);
      const said: { message: string; tracks: unknown }[] = [];
      const line = (message: string, fields: { tracks?: unknown } = {}): unknown =>
        said.push({ message, tracks: fields.tracks });
      const logger = { debug() {}, info: line, warn: line, error: line } as unknown as Logger;
      const { result, out } = await run(stream, logger);
      const { segments } = result;

      expect(said).toEqual([
        { message: 'program 1 is segmented', tracks: `H.264 0x0100, AAC 0x0101, ${row.name}` },
      ]);
      expect(result.tracks.at(-1)!.tracks).toEqual([
        expect.objectContaining({ kind: 'video', pid: VIDEO_PID }),
        expect.objectContaining({ kind: 'audio', pid: AUDIO_PID }),
        { kind: 'other', pid: DATA_PID, ...(row.language !== undefined && { language: row.language }) },
      ]);
      expect(segments.map(({ startPts }) => startPts)).toEqual(
        CUTS.map((picture) => FIRST_PTS + picture * PICTURE_TICKS),
      );
      expect(segments.map(({ discontinuity }) => discontinuity)).toEqual(['start', undefined, undefined]);

      checkFiles(segments, [VIDEO_PID, AUDIO_PID, DATA_PID]);
      checkConservation(stream.bytes, segments, [VIDEO_PID, AUDIO_PID, DATA_PID]);
      expectDecoded(await decodeEach(segments.map(({ partPath }) => partPath)));
      for (const { data, partPath } of segments) {
        expect(inspectSegment(data).problems).toEqual([]);
        for (const loop of [row.descriptors ?? [], row.registered ?? []])
          expect(Buffer.from(data.subarray(PACKET, 2 * PACKET)).includes(Buffer.from(loop))).toBe(true);
        const probe = ['-v', 'error', '-show_entries', 'stream=codec_name', '-of', 'csv=p=0', partPath];
        const names = spawnSync('ffprobe', probe)
          .stdout.toString()
          .trim()
          .split(/[\n,]+/);
        expect(new Set(names)).toEqual(new Set(['h264', 'aac', row.probed]));
        rmSync(partPath);
      }
      expect(result.counters).toMatchObject({
        continuityErrors: 0,
        crcErrors: 0,
        badSections: 0,
        wildTimestamps: 0,
        duplicatePackets: 0,
      });
      expect(stream.units).toBeGreaterThan(0);

      // Each segment is there with the same picture as where nothing of the track ever comes.
      const without = await run(muxed(row, false), logger);
      expect(out).toEqual(without.out);
      expect(out.map((n, s) => n - CUTS[s + 1]!)).toEqual([0, 0]);
      for (const { partPath } of without.result.segments) rmSync(partPath);
    },
    30_000,
  );
});
