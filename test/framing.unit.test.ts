import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Packetizer } from '@hls-uplink/mpegts';
import { AUDIO_PID, generateStream, inChunks, PacketWriter, VIDEO_PID } from './helpers/ts-generator.js';
import { checkConservation, cut, packetsOf, PACKET } from './helpers/cut.js';

/** How a packet of 188 bytes lies in the input: what comes before it and after it. */
interface Framing {
  stride: number;
  before: number;
  after: number;
}
const framings: Framing[] = [
  { stride: 188, before: 0, after: 0 },
  { stride: 192, before: 4, after: 0 },
  { stride: 204, before: 0, after: 16 },
];

/** Each packet ends with its number, so that no two are alike. */
const base = generateStream({ pictures: 60, gop: 25, sliceBytes: 900 });
for (let n = 0; n < base.length / PACKET; n++)
  base.set([0x80 | (n >> 7), 0x80 | (n & 0x7f)], (n + 1) * PACKET - 2);
const packetAt = (n: number): Uint8Array => base.subarray(n * PACKET, (n + 1) * PACKET);
const packetCount = base.length / PACKET;

/** Bytes as random as a seed allows; the same each time. */
function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let n = 0, state = seed; n < length; n++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[n] = state >>> 16;
  }
  return bytes;
}

/** Packets `[from, to)` of the base stream as they lie in the input, each with what belongs to it. */
function framed({ before, after }: Framing, from = 0, to = packetCount): Uint8Array[] {
  return Array.from({ length: to - from }, (_, n) => {
    const extra = noise(before + after, from + n + 77);
    return Buffer.concat([extra.subarray(0, before), packetAt(from + n), extra.subarray(before)]);
  });
}

interface Read {
  /** Number in the base stream; −1: none of its packets. */
  numbers: number[];
  skipped: number;
  resyncs: number;
  stride: number;
}

const numbersByPacket = new Map(
  Array.from({ length: packetCount }, (_, n) => [Buffer.from(packetAt(n)).toString('latin1'), n]),
);

function read(chunks: Iterable<Uint8Array>, runs = false): Read {
  const numbers: number[] = [];
  const packet = (bytes: Uint8Array, at: number): void => {
    expect(bytes[at]).toBe(0x47);
    numbers.push(numbersByPacket.get(Buffer.from(bytes.subarray(at, at + PACKET)).toString('latin1')) ?? -1);
  };
  const packetizer = new Packetizer({
    packet,
    ...(runs && {
      packets(bytes: Uint8Array, from: number, to: number) {
        for (let at = from; at < to; at += PACKET) packet(bytes, at);
      },
    }),
    flush() {},
  });
  for (const chunk of chunks) {
    // What was pushed may be overwritten at once.
    const own = Uint8Array.from(chunk);
    packetizer.push(own);
    own.fill(0);
  }
  packetizer.end();
  expect(packetizer.packets).toBe(numbers.length);
  return {
    numbers,
    skipped: packetizer.skippedBytes,
    resyncs: packetizer.resyncs,
    stride: packetizer.stride,
  };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n);
const all = range(0, packetCount);
const without = (...gone: number[]): number[] => all.filter((n) => !gone.includes(n));

/** `packets` with the sync bytes of some broken. */
function broken(framing: Framing, ...which: number[]): Uint8Array {
  const packets = framed(framing).map((packet) => Uint8Array.from(packet));
  for (const n of which) packets[n]![framing.before] = 0x46;
  return Buffer.concat(packets);
}

interface Case {
  what: string;
  input: (framing: Framing) => Uint8Array;
  numbers: number[] | ((framing: Framing) => number[]);
  skipped: number | ((framing: Framing) => number);
  resyncs: number;
}

/** Of a packet that is lost all is skipped that belongs to it. */
const lost = ({ stride }: Framing): number => stride;

const cases: Case[] = [
  { what: 'whole', input: (f) => Buffer.concat(framed(f)), numbers: all, skipped: 0, resyncs: 0 },
  {
    what: 'after 1000 bytes of garbage',
    input: (f) => Buffer.concat([noise(1000), ...framed(f)]),
    numbers: all,
    skipped: 1000,
    resyncs: 0,
  },
  {
    what: 'joined in the middle of a packet',
    input: (f) => Buffer.concat(framed(f)).subarray(100),
    numbers: without(0),
    skipped: (f) => f.stride - 100,
    resyncs: 0,
  },
  {
    what: 'with 333 bytes of garbage between two packets',
    input: (f) => Buffer.concat([...framed(f, 0, 20), noise(333), ...framed(f, 20)]),
    numbers: all,
    skipped: 333,
    resyncs: 1,
  },
  {
    what: 'with garbage of a whole packet length between two packets',
    input: (f) =>
      Buffer.concat([
        ...framed(f, 0, 20),
        noise(f.stride).map((b) => (b === 0x47 ? 0 : b)),
        ...framed(f, 20),
      ]),
    numbers: all,
    skipped: (f) => f.stride,
    resyncs: 1,
  },
  {
    what: 'with one sync byte broken among good neighbours: that packet only',
    input: (f) => broken(f, 20),
    numbers: without(20),
    skipped: lost,
    resyncs: 1,
  },
  {
    what: 'with two sync bytes broken in a row',
    input: (f) => broken(f, 20, 21),
    numbers: without(20, 21),
    skipped: (f) => 2 * lost(f),
    resyncs: 1,
  },
  {
    what: 'with every third sync byte broken',
    input: (f) => broken(f, 20, 23, 26, 29, 32),
    numbers: without(20, 23, 26, 29, 32),
    skipped: (f) => 5 * lost(f),
    resyncs: 5,
  },
  {
    what: 'with the first sync byte broken',
    input: (f) => broken(f, 0),
    numbers: without(0),
    skipped: (f) => f.stride,
    resyncs: 0,
  },
  {
    what: 'with the last sync byte but one broken',
    input: (f) => broken(f, packetCount - 2),
    numbers: without(packetCount - 2),
    skipped: lost,
    resyncs: 1,
  },
  {
    what: 'cut off in its last packet',
    input: (f) => Buffer.concat(framed(f)).subarray(0, packetCount * f.stride - f.after - 50),
    numbers: without(packetCount - 1),
    skipped: PACKET - 50,
    resyncs: 0,
  },
  {
    what: 'cut off behind its last packet',
    input: (f) => Buffer.concat(framed(f)).subarray(0, packetCount * f.stride - f.after),
    numbers: all,
    skipped: 0,
    resyncs: 0,
  },
  {
    what: 'of two packets',
    input: (f) => Buffer.concat(framed(f, 0, 2)),
    numbers: [0, 1],
    skipped: 0,
    resyncs: 0,
  },
  { what: 'of nothing', input: () => new Uint8Array(0), numbers: [], skipped: 0, resyncs: 0 },
];

describe.each(framings)('packets of $stride bytes', (framing) => {
  const value = <T>(of: T | ((f: Framing) => T)): T =>
    typeof of === 'function' ? (of as (f: Framing) => T)(framing) : of;

  test.each(cases)('$what', ({ input, numbers, skipped, resyncs }) => {
    const bytes = input(framing);
    const expected = { numbers: value(numbers), skipped: value(skipped), resyncs };
    for (const sizes of [[bytes.length], [1], [187, 3, 1000], [65_536]])
      expect(read(inChunks(bytes, sizes))).toMatchObject(expected);
    expect(read([bytes], true)).toMatchObject(expected);
    if (expected.numbers.length > 0) expect(read([bytes]).stride).toBe(framing.stride);
  });

  test('bytes lost in a packet cost it and no other', () => {
    const bytes = Buffer.concat(framed(framing));
    const hole = 20 * framing.stride + framing.before + 60;
    const { numbers, skipped } = read([Buffer.concat([bytes.subarray(0, hole), bytes.subarray(hole + 70)])]);
    // It began as it should: that it is short shows where the next one ought to be.
    expect(numbers.filter((n) => n >= 0)).toEqual(without(20, 21));
    expect(numbers.filter((n) => n < 0)).toHaveLength(1);
    expect(skipped).toBeGreaterThan(0);
    expect(skipped).toBeLessThan(2 * framing.stride);
  });

  test.each(framings.filter((other) => other.stride !== framing.stride))(
    'a false structure of $stride bytes inside does not fool it',
    ({ stride }) => {
      // Wherever payload lies at the false places, it says 0x47, and for good measure what a null packet begins with.
      for (const header of [[0x47], [0x47, 0x1f, 0xff, 0x10]]) {
        for (const first of [30, 77, 130]) {
          const packets = framed(framing).map((packet) => Uint8Array.from(packet));
          const bytes = Buffer.concat(packets);
          for (let at = first; at < bytes.length; at += stride) {
            for (const [n, byte] of header.entries()) {
              const place = (at + n) % framing.stride;
              const isHeader = place >= framing.before && place < framing.before + 12;
              if (!isHeader && at + n < bytes.length) bytes[at + n] = byte;
            }
          }
          const result = read([bytes]);
          expect(result).toMatchObject({ stride: framing.stride, skipped: 0, resyncs: 0 });
          expect(result.numbers).toHaveLength(packetCount);
        }
      }
    },
  );

  test('garbage full of sync bytes is no stream', () => {
    const garbage = noise(100_000, 5).map((byte) => (byte % 16 === 0 ? 0x47 : byte));
    const { numbers, skipped } = read([Buffer.concat([garbage, ...framed(framing)])]);
    expect(numbers).toEqual(all);
    expect(skipped).toBe(100_000);
  });

  test('a stream goes on in another structure', () => {
    for (const other of framings) {
      if (other.stride === framing.stride) continue;
      const bytes = Buffer.concat([...framed(framing, 0, 40), ...framed(other, 40)]);
      const { numbers, resyncs, stride } = read([bytes]);
      // At the seam one more may be taken for extra header or parity.
      expect(numbers.filter((n) => n >= 0).length).toBeGreaterThanOrEqual(packetCount - 1);
      expect({ resyncs, stride }).toEqual({ resyncs: 1, stride: other.stride });
    }
  });

  test('the segments are those of the bare stream', async () => {
    const bare = await cut([base], { targetSeconds: 1 });
    const result = await cut(inChunks(Buffer.concat(framed(framing)), [5000]), { targetSeconds: 1 });
    expect(result.segments.map(({ data }) => Buffer.from(data).toString('base64'))).toEqual(
      bare.segments.map(({ data }) => Buffer.from(data).toString('base64')),
    );
    expect(result.counters).toMatchObject({ packets: packetCount, skippedBytes: 0, resyncs: 0 });
    checkConservation(base, result.segments, [VIDEO_PID, AUDIO_PID]);
  });
});

test('neither the chunks matter nor what is between the packets (property)', () => {
  const seen = { resyncs: 0, packets: 0, skipped: 0, strides: new Set<number>() };
  const part = fc.oneof(
    { weight: 3, arbitrary: fc.record({ packets: fc.integer({ min: 1, max: 30 }), breaks: fc.nat(40) }) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 700 }) },
    { weight: 1, arbitrary: fc.nat(400).map((length) => new Uint8Array(length).fill(0x47)) },
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...framings),
      fc.array(part, { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 }),
      (framing, parts, sizes) => {
        let next = 0;
        const pieces = parts.map((one) => {
          if (one instanceof Uint8Array) return one;
          const packets = framed(framing, next % 60, (next % 60) + one.packets);
          next += one.packets;
          const bytes = Buffer.concat(packets);
          if (one.breaks < one.packets) bytes[one.breaks * framing.stride + framing.before] = 0x11;
          return bytes;
        });
        const bytes = Buffer.concat(pieces);
        const whole = read([bytes]);
        expect(read(inChunks(bytes, sizes))).toEqual(whole);
        expect(read(inChunks(bytes, sizes), true)).toEqual(whole);
        const accounted = whole.numbers.length * PACKET + whole.skipped;
        expect(accounted).toBeLessThanOrEqual(bytes.length);
        expect(accounted).toBeGreaterThanOrEqual(bytes.length - 16 * whole.numbers.length - 16);
        seen.resyncs += whole.resyncs;
        seen.packets += whole.numbers.length;
        seen.skipped += whole.skipped;
        if (whole.stride > 0) seen.strides.add(whole.stride);
      },
    ),
    { numRuns: 300 },
  );
  expect(seen.strides.size).toBe(3);
  expect(seen.resyncs).toBeGreaterThan(100);
  expect(seen.packets).toBeGreaterThan(1000);
  expect(seen.skipped).toBeGreaterThan(1000);
});

test('ten packets in a row among random garbage are found, nine of them at least (property)', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...framings),
      fc.integer({ min: 1, max: 1e9 }),
      fc.array(fc.nat(2000), { minLength: 1, maxLength: 5 }),
      (framing, seed, gaps) => {
        const parts = gaps.flatMap((gap, n) => [
          noise(gap, seed + n),
          ...framed(framing, n * 10, n * 10 + 10),
        ]);
        const { numbers } = read([Buffer.concat([...parts, noise(500, seed)])]);
        for (const [n] of gaps.entries())
          expect(numbers.filter((m) => m >= n * 10 && m < n * 10 + 10).length).toBeGreaterThanOrEqual(9);
        expect(numbers.filter((m) => m < 0).length).toBeLessThanOrEqual(gaps.length);
      },
    ),
    { numRuns: 200 },
  );
});

describe('packets that are not passed on as they are', () => {
  /** The packets of the base stream of a PID, by their place in it. */
  const videoPackets = all.filter((n) => {
    const packet = packetAt(n);
    return (((packet[1]! & 0x1f) << 8) | packet[2]!) === VIDEO_PID;
  });

  test('with transport_error_indicator: dropped and counted', async () => {
    const bytes = Uint8Array.from(base);
    const damaged = [videoPackets[40]!, videoPackets[41]!, videoPackets[80]!];
    for (const n of damaged) bytes[n * PACKET + 1]! |= 0x80;
    const result = await cut([bytes], { targetSeconds: 1 });
    expect(result.counters).toMatchObject({ transportErrors: 3, continuityErrors: 2, skippedBytes: 0 });
    const expected = all.filter((n) => !damaged.includes(n)).map((n) => packetAt(n));
    const files = result.segments.map(({ data }) => data);
    expect(packetsOf(VIDEO_PID, ...files)).toEqual(packetsOf(VIDEO_PID, ...expected));
  });

  test('null packets: dropped and counted', async () => {
    const out = new PacketWriter();
    out.null();
    const bytes = Buffer.concat(
      all.flatMap((n) => (n % 4 === 0 ? [packetAt(n), out.bytes()] : [packetAt(n)])),
    );
    const [bare, stuffed] = [await cut([base]), await cut([bytes])];
    expect(stuffed.counters.nullPackets).toBe(Math.ceil(packetCount / 4));
    expect(stuffed.segments.map(({ crc32, bytes: size }) => [crc32, size])).toEqual(
      bare.segments.map(({ crc32, bytes: size }) => [crc32, size]),
    );
  });

  test('scrambled: passed on, counted and warned about once', async () => {
    const bytes = Uint8Array.from(base);
    const audio = all.filter((n) => {
      const packet = packetAt(n);
      return (((packet[1]! & 0x1f) << 8) | packet[2]!) === AUDIO_PID;
    });
    for (const n of audio) bytes[n * PACKET + 3]! |= 0x80;
    const warnings: string[] = [];
    const logger = {
      error() {},
      warn: (message: string) => void warnings.push(message),
      info() {},
      debug() {},
      child: () => logger,
    };
    const result = await cut(inChunks(bytes, [2000]), { logger });
    expect(result.counters.scrambledPackets).toBe(audio.length);
    expect(warnings).toEqual([expect.stringMatching(/scrambled/)]);
    const files = result.segments.map(({ data }) => data);
    expect(packetsOf(AUDIO_PID, ...files)).toEqual(packetsOf(AUDIO_PID, bytes));
    const flipped = base.map((byte, at) =>
      audio.includes((at - 3) / PACKET) && at % 7 === 0 ? byte | 0x80 : byte,
    );
    const hit = await cut(inChunks(flipped, [2000]), { logger });
    expect([hit.counters.scrambledPackets > 9, warnings.length]).toEqual([true, 1]);
  });
});
