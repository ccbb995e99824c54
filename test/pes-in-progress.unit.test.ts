/** Where a segment ends without a successor, a PES of sound may be in progress: the rest of it is not lost. */
import { expect, test } from '@jest/globals';
import { systemClock } from '@hls-uplink/runtime';
import type { CutSegment } from '../packages/segmenter/src/cut-segment.js';
import { Cutting } from '../packages/segmenter/src/cutting.js';
import { cut, newSpool, PACKET, packetsOf } from './helpers/cut.js';
import {
  AUDIO_PID,
  generateStream,
  PacketWriter,
  PMT_PID,
  pmtSection,
  VIDEO_PID,
  type StreamOptions,
} from './helpers/ts-generator.js';
import { operate } from './helpers/ts-surgery.js';

const HOUR = 3600 * 90_000;
const OTHER_PID = 0x102;
/** Four or five packets each. */
const sound: StreamOptions = { pictures: 400, audioFramesPerPes: 4 };

/** The last packets of each PES of sound stand behind the beginning of the next picture, as where packets are interleaved. */
function interleaved(bytes: Uint8Array): Uint8Array {
  const sizes = sizesOf(bytes);
  let held: Uint8Array[] = [];
  let count = 0;
  return operate(bytes, ({ packet, pid, pes, starts }) => {
    if (pid === AUDIO_PID) {
      count = starts ? 1 : count + 1;
      if (count <= sizes[pes]! - 2) return packet;
      held.push(packet);
      return undefined;
    }
    if (pid !== VIDEO_PID || !starts) return packet;
    const out = [packet, ...held];
    held = [];
    return out;
  });
}

/** Packets of each PES of sound. */
function sizesOf(bytes: Uint8Array): number[] {
  const sizes: number[] = [];
  operate(bytes, ({ pid, pes }) => {
    if (pid === AUDIO_PID && pes >= 0) sizes[pes] = (sizes[pes] ?? 0) + 1;
    return undefined;
  });
  return sizes;
}

/** From picture `from` on the pictures have another PID, as the tables say right before it. */
function onAnotherPid(bytes: Uint8Array, from: number): Uint8Array {
  const out = new PacketWriter();
  const entries = [
    { type: 0x1b, pid: OTHER_PID },
    { type: 0x0f, pid: AUDIO_PID },
  ];
  out.section(PMT_PID, pmtSection(1, OTHER_PID, entries, 1));
  const pmt = out.bytes();
  let isOther = false;
  return operate(bytes, ({ packet, pid, pes, starts }) => {
    if (pid === PMT_PID) return isOther ? pmt : packet;
    if (pid !== VIDEO_PID) return packet;
    const isFirst = starts && pes === from;
    isOther ||= isFirst;
    if (isOther) packet.set([(packet[1]! & 0xe0) | (OTHER_PID >> 8), OTHER_PID & 0xff], 1);
    return isFirst ? [pmt, packet] : packet;
  });
}

/** The packets of a PES of sound. */
function packetsOfPes(bytes: Uint8Array, number: number): string[] {
  const packets: string[] = [];
  operate(bytes, ({ packet, pid, pes }) => {
    if (pid === AUDIO_PID && pes === number) packets.push(Buffer.from(packet).toString('base64'));
    return undefined;
  });
  return packets;
}

/** Before picture `picture` the second packet of PES `number` of the sound comes once more. */
function withLateCopy(bytes: Uint8Array, number: number, picture: number): Uint8Array {
  const copy = Buffer.from(packetsOfPes(bytes, number)[1]!, 'base64');
  return operate(bytes, ({ packet, pid, pes, starts }) =>
    pid === VIDEO_PID && starts && pes === picture ? [copy, packet] : packet,
  );
}

/** The clock jumps at picture 111. */
const jumped = (): Uint8Array =>
  interleaved(generateStream({ ...sound, shift: (n) => (n >= 111 ? HOUR : 0) }));

interface Row {
  bytes: () => Uint8Array;
  /** The PES of sound that is in progress at the break. */
  pes: number;
  /** Its segment, counted from the one that the break ends. */
  before: 0 | 1;
}

// Picture n begins 0.04 n s behind the first, PES n of sound 0.0853 n s: number 52 between pictures 110 and 111.
const rows: Record<string, Row> = {
  'a jump amid a GOP': {
    bytes: jumped,
    pes: 52,
    before: 0,
  },
  // 0.3 s later number 45 comes between pictures 103 and 104; it is heard before picture 100, which cuts.
  'a jump right behind a cut, while sound still goes to the segment before it': {
    bytes: () =>
      interleaved(generateStream({ ...sound, audioLag: 27_000, shift: (n) => (n >= 104 ? HOUR : 0) })),
    pes: 45,
    before: 1,
  },
  'a jump behind a late copy of a packet of the PES before': {
    bytes: () => withLateCopy(jumped(), 51, 111),
    pes: 52,
    before: 0,
  },
  'another track cuts': {
    bytes: () => onAnotherPid(interleaved(generateStream(sound)), 111),
    pes: 52,
    before: 0,
  },
};

test.each(Object.entries(rows))('%s: the PES in progress comes as a whole', async (_, row) => {
  const input = row.bytes();
  const { segments } = await cut([input], { targetSeconds: 2 });
  const at = segments.findIndex(({ ended }) => ended === 'break') - row.before;
  const packets = packetsOfPes(input, row.pes);
  expect(packets.length).toBeGreaterThan(3);
  expect(packetsOf(AUDIO_PID, segments[at]!.data).slice(-packets.length)).toEqual(packets);
  expect(segments.map(({ startPts }) => startPts).slice(0, 3)).toEqual([133_200, 313_200, 493_200]);
});

test('two cuts while a PES is in progress', async () => {
  // The sound stands 1.2 s behind the pictures: what goes to the segment before the last cut may be amid the next one.
  const input = interleaved(generateStream({ ...sound, pictures: 150, gop: 25, audioLag: 108_000 }));
  const { segments, counters } = await cut([input], { targetSeconds: 1, audioWaitSeconds: 3 });
  const places = segments.map(({ data }) => new Set(packetsOf(AUDIO_PID, data)));
  for (let n = 0; n < sizesOf(input).length; n++) {
    const packets = packetsOfPes(input, n);
    const parts = places.map((place) => packets.filter((packet) => place.has(packet)).length);
    expect([n, Math.max(...parts)]).toEqual([n, packets.length]);
  }
  expect(counters.droppedPackets).toBe(0);
});

/** How many segments there are when so many pictures have come. */
async function segmentsAt(input: Uint8Array, wanted: readonly number[]): Promise<number[]> {
  const segments: CutSegment[] = [];
  const cutting = new Cutting({
    targetSeconds: 2,
    spool: newSpool(),
    clock: systemClock,
    inMemory: true,
    audioWaitSeconds: 1,
    sink: { tracks() {}, segment: (segment) => segments.push(segment), lost() {} },
  });
  let pictures = 0;
  const had: number[] = [];
  for (let at = 0; at < input.length; at += PACKET) {
    const packet = input.subarray(at, at + PACKET);
    await cutting.push(packet);
    if (((packet[1]! & 0x1f) << 8) + packet[2]! !== VIDEO_PID || (packet[1]! & 0x40) === 0) continue;
    pictures++;
    if (wanted.includes(pictures)) {
      await cutting.handedOn();
      had.push(segments.length);
    }
  }
  await cutting.finish();
  return had;
}

test('what never comes is not waited for', async () => {
  let isGone = false;
  const input = operate(jumped(), ({ packet, pid, pes }) => {
    isGone ||= pid === VIDEO_PID && pes === 111;
    return isGone && pid === AUDIO_PID ? undefined : packet;
  });
  // The jump comes with the 112th picture, and 25 are a second.
  expect(await segmentsAt(input, [125, 140])).toEqual([2, 3]);
});

test('of a muxer that does not count, too, what has come is not waited for', async () => {
  const input = operate(jumped(), ({ packet, pid, pes }) => {
    if (pid !== AUDIO_PID) return packet;
    packet[3]! &= 0xf0;
    return pes > 52 ? undefined : packet;
  });
  expect(await segmentsAt(input, [125, 140])).toEqual([3, 3]);
});
