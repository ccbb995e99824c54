import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { audioCodings } from './audio-coding.js';
import { elementaryStream, encode, probe, walk } from './elementary-stream.test.helper.js';
import { streamKind } from './stream-type.js';
import { TICKS_PER_SECOND } from './timestamp.js';

type AudioCodingName = keyof typeof audioCodings;

const tone = (rate: number, layout = 'stereo', seconds = 1): string =>
  `-f lavfi -i aevalsrc=sin(440*t):s=${rate}:c=${layout} -t ${seconds}`;

interface Row {
  name: string;
  make: string;
  coding: AudioCodingName;
  codec: string;
  /** Where it is not the usual number. */
  samples?: number;
}

const rows: Row[] = [
  ...[48000, 44100, 22050, 16000].map((rate): Row => ({
    name: `AAC, ${rate} Hz`,
    make: `${tone(rate, 'stereo', 3)} -c:a aac`,
    coding: 'aac',
    codec: 'mp4a.40.2',
  })),
  { name: 'AAC, 5.1', make: `${tone(48000, '5.1')} -c:a aac`, coding: 'aac', codec: 'mp4a.40.2' },
  ...[48000, 44100].map((rate): Row => ({
    name: `AAC in LATM, ${rate} Hz`,
    make: `${tone(rate)} -c:a aac -mpegts_flags latm`,
    coding: 'aac-latm',
    codec: 'mp4a.40.2',
  })),
  {
    name: 'AAC in LATM, mono',
    make: `${tone(32000, 'mono')} -c:a aac -mpegts_flags latm`,
    coding: 'aac-latm',
    codec: 'mp4a.40.2',
  },
  ...[48000, 44100, 32000].map((rate): Row => ({
    name: `AC-3, ${rate} Hz`,
    make: `${tone(rate)} -c:a ac3`,
    coding: 'ac-3',
    codec: 'ac-3',
  })),
  ...['mono', '3.0', 'quad', '5.0', '5.1'].map((layout): Row => ({
    name: `AC-3, ${layout}`,
    make: `${tone(48000, layout)} -c:a ac3 -b:a 448k`,
    coding: 'ac-3',
    codec: 'ac-3',
  })),
  ...[48000, 44100, 32000].map((rate): Row => ({
    name: `E-AC-3, ${rate} Hz`,
    make: `${tone(rate)} -c:a eac3`,
    coding: 'e-ac-3',
    codec: 'ec-3',
  })),
  { name: 'E-AC-3, 5.1', make: `${tone(48000, '5.1')} -c:a eac3`, coding: 'e-ac-3', codec: 'ec-3' },
  {
    name: 'E-AC-3, a high bit rate',
    make: `${tone(48000)} -c:a eac3 -b:a 3000k`,
    coding: 'e-ac-3',
    codec: 'ec-3',
    samples: 512,
  },
  { name: 'layer II', make: `${tone(48000)} -c:a mp2`, coding: 'mpeg-audio', codec: 'mp4a.40.33' },
  {
    name: 'layer II, 44.1 kHz, mono',
    make: `${tone(44100, 'mono')} -c:a mp2`,
    coding: 'mpeg-audio',
    codec: 'mp4a.40.33',
  },
  {
    name: 'layer II of MPEG-2',
    make: `${tone(24000)} -c:a mp2 -b:a 64k`,
    coding: 'mpeg-audio',
    codec: 'mp4a.40.33',
  },
  { name: 'layer III', make: `${tone(44100)} -c:a libmp3lame`, coding: 'mpeg-audio', codec: 'mp4a.40.34' },
  {
    name: 'layer III of MPEG-2, variable bit rate',
    make: `${tone(22050)} -c:a libmp3lame -q:a 5`,
    coding: 'mpeg-audio',
    codec: 'mp4a.40.34',
  },
];

describe('streams of real encoders, against ffprobe', () => {
  test.each(rows)('$name', ({ make, coding, codec, samples }) => {
    const ts = encode(make);
    const { stream, units } = elementaryStream(ts);
    expect(streamKind(stream).coding).toBe(coding);
    const seen = probe(ts);
    const { ticks, frames, skipped, parameters } = walk(
      audioCodings[coding](),
      Buffer.concat(units.map(({ payload }) => payload)),
    );
    expect(skipped).toBe(0);
    expect(frames).toBe(seen.packets.length);
    expect(parameters).toEqual([{ codec, channels: seen.channels, sampleRate: Number(seen.sample_rate) }]);
    // The PTS of the last PES, and its frames.
    const last = walk(audioCodings[coding](), Buffer.concat(units.slice(-1).map(({ payload }) => payload)));
    const before = units.at(-1)!.pts - units[0]!.pts;
    if (coding !== 'aac-latm') expect(Math.abs(before + last.ticks - ticks)).toBeLessThan(2);
    const usual = { 'mp4a.40.2': 1024, 'mp4a.40.33': 1152, 'ac-3': 1536, 'ec-3': 1536 }[codec];
    const layer3 = Number(seen.sample_rate) <= 24_000 ? 576 : 1152;
    const seconds = (frames * (samples ?? usual ?? layer3)) / Number(seen.sample_rate);
    expect(ticks / TICKS_PER_SECOND).toBeCloseTo(seconds, 6);
  });
});

describe.each(Object.keys(audioCodings) as AudioCodingName[])('%s', (coding) => {
  test('any bytes are walked, whatever stands around what is there (property)', () => {
    const starts: Record<AudioCodingName, number[]> = {
      aac: [0xff, 0xf1, 0x50, 0x80, 0x02],
      'aac-latm': [0x56, 0xe0, 24, 0x20],
      'mpeg-audio': [0xff, 0xe3, 0x18],
      'ac-3': [0x0b, 0x77, 0, 0, 0, 0x40],
      'e-ac-3': [0x0b, 0x77, 0x40, 7, 0, 0x80],
    };
    const bytes = fc
      .array(fc.tuple(fc.constantFrom(starts[coding], []), fc.uint8Array({ maxLength: 150, size: 'max' })), {
        maxLength: 12,
      })
      .map((parts) => Uint8Array.from(parts.flatMap(([start, some]) => [...start, ...some])));
    let frames = 0;
    fc.assert(
      fc.property(bytes, (any) => {
        const walked = walk(audioCodings[coding](), any);
        expect(walk(audioCodings[coding](), any, 0xff)).toEqual(walked);
        expect(walked.ticks).toBeGreaterThanOrEqual(0);
        expect(Number.isFinite(walked.ticks)).toBe(true);
        for (const { codec, channels = 1, sampleRate } of walked.parameters) {
          expect(codec).toMatch(/^(mp4a\.40\.\d+|ac-3|ec-3)$/);
          expect(channels).toBeGreaterThan(0);
          expect(sampleRate).toBeGreaterThanOrEqual(1000);
        }
        frames += walked.frames;
      }),
      { numRuns: 1000 },
    );
    expect(frames).toBeGreaterThan(100);
  });
});
