import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { MediaError } from '@hls-uplink/mpegts';
import { systemClock } from '@hls-uplink/runtime';
import { Cutting } from '../packages/segmenter/src/cutting.js';

/**
 * Transport streams that others have published, kept beside the repository and never inside it, with the facts an
 * independent analyser found. Every file has a row here: it is segmented, or refused with that code.
 */
const corpus = join(import.meta.dirname, '../../shared/corpus');
const there = existsSync(join(corpus, 'facts.jsonl'));

interface Row {
  refused?: string;
  /** Key pictures differ from the facts: which are missing here, which are added (PTS), and why. */
  keys?: { missing?: number[]; added?: number[]; because: string };
}

const segmented: Row = {};

const table: Record<string, Row> = {
  'Ant-Media-Server__JOIN_test_0p0045-49.ts': segmented,
  'Ant-Media-Server__test_with_scte35.ts': segmented,
  'caption-inspector__BigBuckBunny_256x144-24fps.ts': segmented,
  'catalyst-api__JOIN_seg_0-2.ts': segmented,
  'http-streaming__id3.ts': segmented,
  'http-streaming__videoMaxOffset.ts': segmented,
  'lpms__bad-cuvid.ts': segmented,
  'lpms__kryp-2.ts': {
    keys: {
      added: [3374024940],
      because: 'an I picture with its SPS but without recovery point SEI; hls.js starts there too',
    },
  },
  'lpms__missing-sei-and-pes.ts': segmented,
  'lpms__skip_1.ts': segmented,
  'lpms__zero-frame.ts': { refused: 'no-media' },
  'media__bbb_2500ms.ts': segmented,
  'media__sample_ac3.ts': segmented,
  'media__sample_dts.ts': segmented,
  'media__sample_eac3.ts': segmented,
  'media__sample_h262_mpeg_audio.ts': segmented,
  'media__sample_h264.ts': segmented,
  'media__sample_h264_iframes_only.ts': segmented,
  'media__sample_h264_no_access_unit_delimiters.ts': segmented,
  'media__sample_h265.ts': segmented,
  'media__sample_latm.ts': segmented,
  'media__sample_scte35.ts': segmented,
  // Of the picture that its PMT names nothing arrives.
  'media__sample_with_sdt.ts': { refused: 'no-media' },
  'membrane_mpeg_ts_plugin__avsync.ts': segmented,
  'membrane_mpeg_ts_plugin__rollover.ts': segmented,
  'membrane_mpeg_ts_plugin__scte35.ts': segmented,
  'mp2ts-tools__obs_hevc_aac.ts': segmented,
  'mpeg-ts-analyzer__sample_188byte_video_mpeg2_320x240_25fps_audio_mp2_48000Hz.ts': segmented,
  'mux.js__sintel-captions.ts': segmented,
  'mux.js__test-middle-pat-pmt.ts': { refused: 'no-key-picture' },
  'mux.js__test-segment.ts': segmented,
  'shaka-player__JOIN_hls-text-offset_069-073.ts': segmented,
  'shaka-player__JOIN_hls-ts-ec3_0-5.ts': segmented,
  'shaka-player__JOIN_hls-ts-h264_0-5.ts': segmented,
  'shaka-player__JOIN_hls-ts-mp3_0-3.ts': segmented,
  'shaka-player__JOIN_hls-ts-muxed-aac-h264_n0-3.ts': segmented,
  'shaka-player__JOIN_hls-ts-muxed-aac-h265_0-1.ts': segmented,
  'shaka-player__JOIN_hls-ts-muxed-ac3-h264_s0-2.ts': segmented,
  'shaka-player__hls-multivideo_red_1.ts': segmented,
  'shaka-player__hls-multivideo_red_2.ts': segmented,
  'shaka-player__hls-ts-b-frames_1.ts': segmented,
  'shaka-player__hls-ts-h265_0.ts': segmented,
  'shaka-player__hls-ts-muxed-opus-h264_file1.ts': {
    keys: { missing: [767892], because: 'it stands before the first PAT' },
  },
  'shaka-player__id3-metadata.ts': segmented,
  'subtitleedit__sample_TS_dvbsub_at_video_start.ts': segmented,
  'xgplayer__ts-hevc_index.ts': segmented,
};

/** As the facts name them. */
const videoNames = new Set(['h264', 'hevc', 'mpeg2v']);

interface Facts {
  file: string;
  es: Record<string, { nm: string; keys?: [pts: number, packet: number, kind: string][] }>;
}

interface Outcome {
  refused?: string;
  keys: number[];
  segments: number;
  /** A segment without the length its times claim, or whose times don't go on from the one before unsaid. */
  faults: string[];
}

async function segment(file: string): Promise<Outcome> {
  const spool = mkdtempSync(join(tmpdir(), 'corpus-'));
  const outcome: Outcome = { keys: [], segments: 0, faults: [] };
  let end: number | undefined;
  const cutting = new Cutting({
    targetSeconds: 2,
    spool,
    clock: systemClock,
    sink: {
      tracks() {},
      segment(cut) {
        outcome.segments++;
        outcome.keys.push(...cut.keyPictures.map(({ pts }) => pts));
        if (end !== undefined && end !== cut.startPts && !cut.discontinuity)
          outcome.faults.push(`${cut.startPts} does not follow ${end}`);
        if (cut.bytes % 188 !== 0) outcome.faults.push(`${cut.bytes} bytes`);
        end = cut.endPts;
      },
      lost: ({ reason }) => outcome.faults.push(reason),
    },
  });
  try {
    const bytes = readFileSync(join(corpus, 'files', file));
    for (let from = 0; from < bytes.length; from += 40_000)
      await cutting.push(bytes.subarray(from, from + 40_000));
    await cutting.finish();
  } catch (error) {
    if (!(error instanceof MediaError)) throw error;
    outcome.refused = error.code;
    await cutting.finish().catch(() => undefined);
  } finally {
    rmSync(spool, { recursive: true, force: true });
  }
  return outcome;
}

if (there) {
  const facts = readFileSync(join(corpus, 'facts.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Facts);

  describe('streams of others', () => {
    test('every file has its row, and every row its file', () => {
      expect(Object.keys(table).sort()).toEqual(readdirSync(join(corpus, 'files')).sort());
      expect(facts.map(({ file }) => file).sort()).toEqual(Object.keys(table).sort());
    });

    test.each(facts.map((fact) => [fact.file, fact] as const))('%s', async (file, fact) => {
      const row = table[file]!;
      const outcome = await segment(file);
      expect(outcome.refused).toBe(row.refused);
      expect(outcome.faults).toEqual([]);
      if (row.refused !== undefined) {
        expect(outcome.segments).toBe(0);
        return;
      }
      expect(outcome.segments).toBeGreaterThan(0);
      const video = Object.values(fact.es).find(({ nm }) => videoNames.has(nm));
      const expected = new Set((video?.keys ?? []).map(([pts]) => pts));
      const found = new Set(outcome.keys);
      const missing = [...expected].filter((pts) => !found.has(pts));
      const added = [...found].filter((pts) => !expected.has(pts));
      expect({ missing, added }).toEqual({ missing: row.keys?.missing ?? [], added: row.keys?.added ?? [] });
    });
  });
} else {
  test('the corpus is not on this machine: its table has nothing to be held against', () => {
    expect(Object.keys(table).length).toBeGreaterThan(40);
  });
}
