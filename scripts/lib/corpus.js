/**
 * Segments transport-stream files and holds what comes of each against facts that an independent analyser found. What
 * segments is passed in, so that the tests do the same with the sources as the report does with what is built.
 */
import { Buffer } from 'node:buffer';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';

/** Which files may be refused, and which differences to the facts are known: one list, for the test and the report. */
export const LIST = join(import.meta.dirname, '../../test/corpus.json');

const TARGET_SECONDS = 2;
const CHUNK_BYTES = 40_000;
/** Input of that many bytes without a segment, a refusal or the end: it hangs. */
export const HANG_BYTES = 64 << 20;
const PACKET = 188;
const TICKS = 90_000;
const MODULUS = 2 ** 33;
const EXTENSIONS = ['.ts', '.m2ts', '.mts', '.tp', '.trp'];

/** RFC 6381 beginnings by ffprobe's names. */
const CODECS = {
  h264: /^avc[13]\./,
  hevc: /^(hvc1|hev1)\./,
  mpeg2video: /^mp4v\.6[0-5]$/,
  mpeg1video: /^mp4v\.6A$/,
  aac: /^mp4a\.40\.\d+$/,
  aac_latm: /^mp4a\.40\.\d+$/,
  mp2: /^mp4a\.(40\.33|69|6B)$/,
  mp3: /^mp4a\.(40\.34|69|6B)$/,
  ac3: /^ac-3$/,
  eac3: /^ec-3$/,
  opus: /^opus$/i,
  dts: /^dts/,
};
const VIDEO = ['h264', 'hevc', 'mpeg2v'];

export function readList() {
  return JSON.parse(readFileSync(LIST, 'utf8'));
}

/** The transport streams of a folder, or of `files` in it, and what is known of each. */
export function readCorpus(folder) {
  const files = existsSync(join(folder, 'files')) ? join(folder, 'files') : folder;
  const facts = new Map();
  const known = join(folder, 'facts.jsonl');
  if (existsSync(known))
    for (const line of readFileSync(known, 'utf8').split('\n').filter(Boolean)) {
      const fact = JSON.parse(line);
      facts.set(fact.file, fact);
    }
  const names = readdirSync(files).filter((name) => EXTENSIONS.includes(extname(name).toLowerCase()));
  return names.sort().map((name) => ({ name, path: join(files, name), facts: facts.get(name) }));
}

/**
 * What becomes of a file. `faults` is what must never be: an error that is none of the input, a segment that is not what
 * it says it is, a hang.
 *
 * @param parts `{ Cutting, clock }`
 */
export async function segment(path, { Cutting, clock }) {
  const spool = mkdtempSync(join(tmpdir(), 'corpus-'));
  const outcome = { segments: [], tracks: undefined, refused: undefined, faults: [], counters: undefined };
  let since = 0;
  let last;
  const cutting = new Cutting({
    targetSeconds: TARGET_SECONDS,
    spool,
    clock,
    sink: {
      tracks({ tracks }) {
        outcome.tracks = tracks;
      },
      segment(cut) {
        since = 0;
        const { startPts, endPts, discontinuity, independent, keyPictures, bytes } = cut;
        if (last !== undefined && last !== startPts && !discontinuity)
          outcome.faults.push(`segment ${outcome.segments.length} does not go on from the one before`);
        last = endPts;
        const data = readFileSync(cut.partPath);
        if (data.length !== bytes || bytes % PACKET !== 0)
          outcome.faults.push(
            `segment ${outcome.segments.length} has ${data.length} bytes, and says ${bytes}`,
          );
        for (let at = 0; at < data.length; at += PACKET)
          if (data[at] !== 0x47)
            outcome.faults.push(`segment ${outcome.segments.length}: no packet at ${at}`);
        outcome.segments.push({
          startPts,
          seconds: ((endPts - startPts + MODULUS) % MODULUS) / TICKS,
          discontinuity,
          independent,
          keys: keyPictures.map(({ pts }) => pts),
        });
      },
      lost: ({ reason }) => outcome.faults.push(reason),
    },
  });
  const refuse = (error) => {
    if (error?.name !== 'MediaError') throw error;
    outcome.refused = { code: error.code, message: error.message };
  };
  let bytes = 0;
  try {
    const file = openSync(path, 'r');
    try {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      for (let length; (length = readSync(file, chunk, 0, chunk.length, null)) > 0;) {
        bytes += length;
        since += length;
        await cutting.push(chunk.subarray(0, length));
        if (since > HANG_BYTES) {
          outcome.faults.push(`hangs: no segment of ${HANG_BYTES} bytes`);
          break;
        }
      }
    } catch (error) {
      refuse(error);
    } finally {
      closeSync(file);
    }
    await cutting.finish().catch(refuse);
    outcome.counters = cutting.counters;
    if (cutting.counters.bytes !== bytes) outcome.faults.push('not all bytes were taken');
  } catch (error) {
    outcome.faults.push(`crashes: ${error?.stack ?? error}`);
  } finally {
    rmSync(spool, { recursive: true, force: true });
  }
  return outcome;
}

const sum = (numbers) => numbers.reduce((all, number) => all + number, 0);
const rate = (text) => {
  const [numerator, denominator] = text.split('/').map(Number);
  return denominator > 0 ? numerator / denominator : 0;
};

/** What is not as the facts say: `{ what: 'ours, facts: theirs' }`. */
export function differences(outcome, facts) {
  const found = {};
  const compare = (what, ours, theirs) => {
    if (ours !== theirs) found[what] = `${ours}, facts: ${theirs}`;
  };
  if (!facts || !outcome.counters) return found;
  const { counters } = outcome;
  compare('packets', counters.packets, facts.packets);
  compare('skippedBytes', counters.skippedBytes, facts.skipped + facts.trailing);
  compare('transportErrors', counters.transportErrors, facts.tei);
  compare('nullPackets', counters.nullPackets, facts.null);
  if (outcome.refused) return found;
  compare('scrambledPackets', counters.scrambledPackets, facts.scr);
  const pids = Object.keys(Object.values(facts.programs)[0]?.es ?? {});
  compare('continuityErrors', counters.continuityErrors, sum(pids.map((pid) => facts.cc_err[pid] ?? 0)));

  const video = Object.values(facts.es).find(({ nm }) => VIDEO.includes(nm));
  if (video) {
    const theirs = new Set((video.keys ?? []).map(([pts]) => pts));
    const ours = new Set(outcome.segments.flatMap(({ keys }) => keys));
    const missing = [...theirs].filter((pts) => !ours.has(pts));
    const added = [...ours].filter((pts) => !theirs.has(pts));
    if (missing.length > 0) found.keysMissing = missing.join(' ');
    if (added.length > 0) found.keysAdded = added.join(' ');
    const starts = outcome.segments
      .filter((s) => s.independent && !theirs.has(s.startPts))
      .map((s) => s.startPts);
    if (starts.some((pts) => !added.includes(pts))) found.starts = starts.join(' ');
  }
  const reference = video ?? Object.values(facts.es)[0];
  const jumps = outcome.segments.slice(1).filter(({ discontinuity }) => discontinuity).length;
  if (reference) compare('discontinuities', jumps, reference.nback + reference.nfwd);

  for (const stream of facts.probe.streams.filter(
    ({ codec_type: type }) => type === 'video' || type === 'audio',
  )) {
    const track = outcome.tracks?.find(({ pid }) => pid === Number(stream.id));
    const name = `${stream.codec_type} ${stream.id}`;
    if (!track) found[name] = 'none, facts: ' + stream.codec_name;
    if (!track) continue;
    if (!CODECS[stream.codec_name]?.test(track.codec ?? ''))
      compare(`${name} codec`, track.codec, stream.codec_name);
    if (stream.codec_type === 'video') {
      compare(`${name} size`, `${track.width}×${track.height}`, `${stream.width}×${stream.height}`);
      const theirs = rate(stream.avg_frame_rate);
      if (Math.abs((track.frameRate ?? 0) - theirs) > 0.01) compare(`${name} rate`, track.frameRate, theirs);
    } else {
      compare(`${name} channels`, track.channels, stream.channels);
      const language = stream.lang === 'und' ? undefined : (stream.lang ?? undefined);
      compare(`${name} language`, track.language === 'und' ? undefined : track.language, language);
    }
  }
  return found;
}

/** All about one file, as the report has it and the test asserts it. */
export async function examine({ name, path, facts }, parts, list) {
  const outcome = await segment(path, parts);
  const allowed = list[name] ?? {};
  const differs = differences(outcome, facts);
  const faults = [...outcome.faults];
  if (outcome.refused && outcome.refused.code !== allowed.refused)
    faults.push(`refused without being on the list (${outcome.refused.code}): ${outcome.refused.message}`);
  const unexplained = Object.keys(differs).filter((what) => allowed.differs?.[what] !== differs[what]);
  const gone = Object.keys(allowed.differs ?? {}).filter((what) => facts && !(what in differs));
  if (allowed.refused && !outcome.refused) gone.push('refused');
  return { name, ...outcome, differs, unexplained, gone, faults, compared: facts !== undefined };
}
