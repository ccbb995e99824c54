/**
 * Runs the bundled `hls-segmenter` over some seconds of a stream, with nobody to announce to, and keeps the byte code of
 * all that was called.
 */
import { Buffer } from 'node:buffer';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { PACKET_SIZE, sectionPackets, SYNC_BYTE, writePat, writePmt } from '@hls-uplink/mpegts';

const SECONDS = 20;
const PICTURES_PER_SECOND = 25;
const KEY_DISTANCE = 25;
const TICKS_PER_SECOND = 90_000;
const FRAME_TICKS = 1920;
const FRAMES_PER_PES = 8;
const PMT_PID = 0x1000;
const VIDEO = { pid: 0x100, streamType: 0x1b, streamId: 0xe0, descriptors: [] };
const AUDIO = { pid: 0x101, streamType: 0x0f, streamId: 0xc0, descriptors: [] };

const AUD = [0, 0, 0, 1, 0x09, 0xf0];
const PARAMETER_SETS = [
  0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x47, 0xfe, 0xc8, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80,
];
const IDR_SLICE = [0, 0, 1, 0x65, 0x88];
const P_SLICE = [0, 0, 1, 0x41, 0x9a];
const SLICE_BYTES = 1500;
/** AAC-LC, 48 kHz, stereo, in ADTS. */
const FRAME = [0xff, 0xf1, 0x4c, 0x80, 200 >> 3, 0x1f, 0xfc, ...new Array(193).fill(0x55)];

const counters = new Map();

function packets({ pid, streamId }, pts, payload) {
  const time = [0x21 | ((pts >> 29) & 0x0e), pts >> 22, (pts >> 14) | 1, pts >> 7, (pts << 1) | 1];
  const length = streamId === VIDEO.streamId ? 0 : payload.length + 8;
  const pes = [0, 0, 1, streamId, length >> 8, length, 0x80, 0x80, time.length, ...time, ...payload];
  const all = [];
  for (let from = 0; from < pes.length;) {
    const counter = counters.get(pid) ?? 0;
    counters.set(pid, (counter + 1) & 0x0f);
    const base = pts >> 9;
    const pcr = [0x10, base >> 16, base >> 8, base, (pts >> 1) & 0xff, ((pts & 1) << 7) | 0x7e, 0];
    const field = from === 0 && pid === VIDEO.pid ? pcr : [];
    const room = PACKET_SIZE - 5 - field.length;
    const taken = Math.min(room, pes.length - from);
    const stuffing = new Array(room - taken).fill(0xff);
    if (field.length === 0 && stuffing.length > 0) stuffing[0] = 0;
    all.push(
      SYNC_BYTE,
      (from === 0 ? 0x40 : 0) | (pid >> 8),
      pid,
      0x30 | counter,
      field.length + stuffing.length,
    );
    all.push(...field, ...stuffing, ...pes.slice(from, from + taken));
    from += taken;
  }
  return Buffer.from(all);
}

function stream() {
  const programs = [{ programNumber: 1, pmtPid: PMT_PID }];
  const pat = writePat({ transportStreamId: 1, version: 0, programs });
  const pmt = writePmt({
    programNumber: 1,
    version: 0,
    pcrPid: VIDEO.pid,
    descriptors: [],
    streams: [VIDEO, AUDIO],
  });
  const parts = [];
  let sound = TICKS_PER_SECOND;
  for (let picture = 0; picture < SECONDS * PICTURES_PER_SECOND; picture++) {
    const pts = TICKS_PER_SECOND + (picture * TICKS_PER_SECOND) / PICTURES_PER_SECOND;
    const isKey = picture % KEY_DISTANCE === 0;
    const tables = picture / KEY_DISTANCE;
    if (isKey) parts.push(sectionPackets(pat, 0, tables), sectionPackets(pmt, PMT_PID, tables));
    const head = isKey ? [...AUD, ...PARAMETER_SETS, ...IDR_SLICE] : [...AUD, ...P_SLICE];
    parts.push(packets(VIDEO, pts, [...head, ...new Array(SLICE_BYTES).fill(0x55)]));
    for (; sound <= pts; sound += FRAMES_PER_PES * FRAME_TICKS)
      parts.push(packets(AUDIO, sound, new Array(FRAMES_PER_PES).fill(FRAME).flat()));
  }
  return Buffer.concat(parts);
}

const folder = mkdtempSync(join(tmpdir(), 'hls-rehearsal-'));
try {
  const input = join(folder, 'in.ts');
  writeFileSync(input, stream());
  const nobody = '127.0.0.1:1';
  process.argv.splice(2, Infinity, '--log-level', 'error', '--uploader', nobody, '--drain-timeout', '0');
  process.argv.push('--spool', join(folder, 'spool'), input);
  const { runCommand, writeCodeCache } = createRequire(import.meta.url)(
    '../../packages/segmenter/bin/bundle.js',
  );
  await runCommand('hls-segmenter');
  if (process.exitCode === 0) writeCodeCache();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
