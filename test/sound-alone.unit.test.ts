/** Sound alone, its frames in PES of any kind: cut at the slot, on a frame where one begins a PES in time. */
import { describe, expect, test } from '@jest/globals';
import type { Logger } from '@hls-uplink/runtime';
import fc from 'fast-check';
import { expanded, found } from './helpers/clock-row.js';
import { checkConservation, checkFiles, cut, type Result } from './helpers/cut.js';
import { packSound, soundCodecs, type SoundCodec, type SoundPacking } from './helpers/sound-packing.js';
import { MODULUS, operate, payloadAt, retime } from './helpers/ts-surgery.js';
import { AUDIO_PID, inChunks } from './helpers/ts-generator.js';

const TARGET_SECONDS = 2;
const FIRST = 1.48;
/** How long a PES that begins with a frame is waited for at most. */
const WAIT_SECONDS = 0.25;

interface Row {
  codec: keyof typeof soundCodecs;
  packing: SoundPacking;
  first?: number;
  /** From this PES on all timestamps are another by so many seconds. */
  jump?: readonly [pes: number, seconds: number];
  /** As in `ClockRow`; `~`: the segment begins with the rest of a frame. */
  cuts: string;
  /** Seconds that the log says PES are long. */
  said?: number;
}

// The frames of each codec, and so all times, are worked by hand: frame n has the PTS 1.48 s + n frames.
const rows: Record<string, Row> = {
  'MPEG audio, a frame a PES': {
    codec: 'MPEG audio',
    packing: [192],
    cuts: '1.48+0.528 2.008+1.992 4+2.016 6.016+1.992 8.008+1.992 10+1.464',
  },
  'MPEG audio, 13 frames a PES, as ffmpeg packs them by itself': {
    codec: 'MPEG audio',
    packing: [13 * 192],
    cuts: '1.48+0.624 2.104+2.184 4.288+1.872 6.16+1.872 8.032+2.184 10.216+1.248',
    said: 0.312,
  },
  // Every other PES begins with a frame: 0.072 s apart. Those of 2.032, 8.008 and 10.024 s do not.
  'MPEG audio, a frame and a half a PES': {
    codec: 'MPEG audio',
    packing: [288],
    cuts: '1.48+0.576 2.056+1.944 4+2.016 6.016+2.016 8.032+2.016 10.048+1.416',
  },
  // A frame begins each 24th PES only, 3 s apart: at 1.48, 4.48, 7.48 and 10.48 s.
  'MPEG audio, PES of 1000 bytes: none in time': {
    codec: 'MPEG audio',
    packing: [1000],
    cuts: '1.48+0.648 ~2.128+2.112 ~4.24+1.992 ~6.232+1.896 ~8.128+2.112 ~10.24+1.224',
  },
  // 25 frames in 48 PES: one of them begins each 0.6 s, the one of 2.08 s in time. PES in which none begins have no PTS.
  'MPEG audio, a frame over several PES': {
    codec: 'MPEG audio',
    packing: [100],
    cuts: '1.48+0.6 2.08+2.16 ~4.24+1.992 ~6.232+1.848 8.08+2.16 ~10.24+1.224',
  },
  'MPEG audio, longer PES than are waited for': {
    codec: 'MPEG audio',
    packing: [2500],
    cuts: '1.48+0.648 ~2.128+1.872 ~4+2.184 ~6.184+1.872 ~8.056+2.184 ~10.24+1.224',
    said: 0.336,
  },
  'MPEG audio, a frame and a half a PES, across the wrap': {
    codec: 'MPEG audio',
    packing: [288],
    // The last border of a slot before the wrap is at −1.718 s. Those of −1.704, 0.024, 2.04 and 6 s begin with no frame.
    first: MODULUS / 90_000 - 2.4,
    cuts: '-2.4+0.72 -1.68+1.728 0.048+2.016 2.064+1.944 4.008+2.016 6.024+1.56',
  },
  // PES 41 does not begin with a frame, and becomes that of 0.068 s: nothing is left out for it.
  'MPEG audio, a jump back to where a PES that begins with a frame would be waited for': {
    codec: 'MPEG audio',
    packing: [288],
    jump: [41, -2.9],
    cuts: '1.48+0.576 2.056+0.912 ~!0.068+1.968 2.036+2.016 4.052+2.016 6.068+1.944 8.012+0.552',
  },
  // Two frames and a half, then the other half: every other PES begins with a frame, 0.064 s apart.
  'AAC in LATM, half a frame goes over': {
    codec: 'AAC in LATM',
    packing: [508, 101],
    cuts: '1.48+0.576 2.056+1.984 4.04+1.984 6.024+1.984 8.008+2.048 10.056+0.299',
  },
  'AAC in LATM, a frame a PES': {
    codec: 'AAC in LATM',
    packing: [203],
    cuts: '1.48+0.533 2.013+2.005 4.019+1.984 6.003+2.005 8.008+2.005 10.013+0.341',
  },
  'AAC in ADTS, PES of 500 bytes': {
    codec: 'AAC in ADTS',
    packing: [500],
    cuts: '1.48+0.747 ~2.227+1.963 ~4.189+2.005 ~6.195+2.005 ~8.2+2.048 ~10.248+0.107',
  },
  'AC-3, a frame a PES': {
    codec: 'AC-3',
    packing: [384],
    cuts: '1.48+0.544 2.024+1.984 4.008+2.016 6.024+1.984 8.008+2.016 10.024+1.984 12.008+2.016 14.024+0.768',
  },
  'AC-3, a frame and a half a PES': {
    codec: 'AC-3',
    packing: [576],
    cuts: '1.48+0.576 2.056+2.016 4.072+2.016 6.088+1.92 8.008+2.016 10.024+2.016 12.04+2.016 14.056+0.736',
  },
};

/** The PES of sound, and whether the first bytes of their payload are those of a frame. */
function pesOf(bytes: Uint8Array, { sync }: SoundCodec): { pts: number | undefined; isAligned: boolean }[] {
  const all: { pts: number | undefined; isAligned: boolean }[] = [];
  operate(bytes, ({ packet, pid, starts, pts }) => {
    const at = payloadAt(packet);
    const payload = packet.subarray(at + 9 + packet[at + 8]!);
    const isAligned = sync.every(([byte, mask], n) => (payload[n]! & mask) === byte);
    if (pid === AUDIO_PID && starts) all.push({ pts, isAligned });
    return undefined;
  });
  return all;
}

const marked = (result: Result, codec: SoundCodec): string[] =>
  found(result).map((text, n) => (pesOf(result.segments[n]!.data, codec)[0]!.isAligned ? text : `~${text}`));

const expectedOf = (cuts: string): string[] =>
  cuts
    .split(' ')
    .map((text) => (text.startsWith('~') ? `~${expanded(text.slice(1)).join('')}` : expanded(text).join('')));

describe('sound alone', () => {
  test.each(Object.entries(rows))('%s', async (_, row) => {
    const { codec: name, packing, first = FIRST, jump = [Infinity, 0], cuts, said } = row;
    const codec = soundCodecs[name];
    const bytes = retime(
      packSound(codec, packing, { first: Math.round(first * 90_000) }),
      ({ starts, pes }) => (starts && pes >= jump[0] ? jump[1] * 90_000 : 0),
    );
    const warnings: string[] = [];
    const warn = (message: string): unknown => warnings.push(message);
    const logger = { debug() {}, info() {}, warn, error: warn } as unknown as Logger;
    const options = { targetSeconds: TARGET_SECONDS, logger };
    const told = (cutting: { setTargetDuration(seconds: number): void }): void =>
      cutting.setTargetDuration(TARGET_SECONDS);
    const result = await cut([told, ...inChunks(bytes, [5000])], options);
    const { segments, counters } = result;
    expect(marked(result, codec)).toEqual(expectedOf(cuts));
    expect(segments.map((segment) => [segment.ended, segment.independent])).toEqual(
      segments.map((__, n) => {
        if (n === segments.length - 1) return ['leave', true];
        return [segments[n + 1]!.discontinuity ? 'break' : 'cut', true];
      }),
    );
    expect(counters).toMatchObject({ droppedPackets: 0, continuityErrors: 0, wildTimestamps: 0 });
    const pes = warnings.filter((text) => text.startsWith('the PES of the sound'));
    expect(pes).toEqual(said ? [expect.stringContaining(`are ${said} s long`)] : []);
    checkFiles(segments, [AUDIO_PID]);
    checkConservation(bytes, segments, [AUDIO_PID]);
  });

  test('wherever PES end, and whoever joined later (property)', async () => {
    const seen = { aligned: 0, divided: 0, waited: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.values(soundCodecs)),
        fc.array(fc.integer({ min: 40, max: 1200 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 40 }),
        async (codec, packing, skip) => {
          const bytes = packSound(codec, packing);
          const all = await cut([bytes], { targetSeconds: TARGET_SECONDS });
          checkConservation(bytes, all.segments, [AUDIO_PID]);
          const starts = new Set<number>();
          const places = pesOf(bytes, codec).flatMap(({ pts, isAligned }) =>
            pts === undefined ? [] : { pts, isAligned },
          );
          for (const { startPts } of all.segments.slice(1)) {
            starts.add(startPts);
            const slot = Math.floor(startPts / 90_000 / TARGET_SECONDS) * TARGET_SECONDS * 90_000;
            const before = places.filter(({ pts }) => pts >= slot && pts < startPts);
            expect(before.filter(({ isAligned }) => isAligned)).toEqual([]);
            const { isAligned } = places.find(({ pts }) => pts === startPts)!;
            seen[isAligned ? 'aligned' : 'divided']++;
            if (before.length > 0) seen.waited++;
            if (before.length > 0) expect(startPts - slot).toBeLessThan(1.5 * WAIT_SECONDS * 90_000);
          }
          const slots = places.map(({ pts }) => Math.floor(pts / 90_000 / TARGET_SECONDS));
          expect(starts.size).toBe(new Set(slots).size - 1);
          const late = await cut([packSound(codec, packing, { skip })], { targetSeconds: TARGET_SECONDS });
          for (const { startPts } of late.segments.slice(1)) expect(starts).toContain(startPts);
        },
      ),
      { numRuns: 40 },
    );
    expect(Object.entries(seen).filter(([, times]) => times < 10)).toEqual([]);
  }, 60_000);
});
