import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PACKET_SIZE } from './packet.js';
import { Packetizer } from './packetizer.js';

/** A packet with its number in it, and false sync bytes all over. */
function packet(number: number): Uint8Array {
  const bytes = new Uint8Array(PACKET_SIZE).fill(0x47);
  bytes.set([0x47, 0, 0x11, 0x10 | (number & 0x0f), number >> 8, number & 0xff]);
  return bytes;
}

function stream(count: number): Uint8Array {
  return Buffer.concat(Array.from({ length: count }, (_, n) => packet(n)));
}

function read(chunks: Iterable<Uint8Array>, headroom = 0): { numbers: number[]; packetizer: Packetizer } {
  const numbers: number[] = [];
  const packetizer = new Packetizer({
    packet: (bytes, at) => numbers.push((bytes[at + 4]! << 8) | bytes[at + 5]!),
    flush() {},
  });
  for (const chunk of chunks) {
    // What was pushed may be overwritten at once.
    const buffer = new Uint8Array(headroom + chunk.length);
    buffer.set(chunk, headroom);
    packetizer.push(buffer.subarray(headroom), headroom);
    buffer.fill(0);
  }
  packetizer.end();
  return { numbers, packetizer };
}

function* pieces(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

const count = (n: number): number[] => Array.from({ length: n }, (_, index) => index);

describe('packetizer', () => {
  test.each([1, 7, 187, 188, 189, 376, 5000])('chunks of %i bytes', (size) => {
    const { numbers, packetizer } = read(pieces(stream(30), size));
    expect(numbers).toEqual(count(30));
    expect(packetizer).toMatchObject({ packets: 30, skippedBytes: 0, resyncs: 0 });
  });

  test('with headroom packets that chunk borders divide are handed on with those that follow', () => {
    const runs: number[] = [];
    const packetizer = new Packetizer({
      packet() {},
      packets: (_, from, to) => runs.push((to - from) / PACKET_SIZE),
      flush() {},
    });
    const bytes = stream(30);
    const border = 20 * PACKET_SIZE + 100;
    packetizer.push(bytes.subarray(0, border));
    packetizer.push(bytes.subarray(border), PACKET_SIZE);
    expect(runs).toEqual([20, 10]);
  });

  test('garbage before, in between and a cut-off tail are skipped and counted', () => {
    const garbage = new Uint8Array(777).fill(0x46);
    const bytes = Buffer.concat([
      garbage,
      stream(10),
      garbage.subarray(0, 100),
      stream(10),
      packet(0).subarray(0, 50),
    ]);
    const { numbers, packetizer } = read(pieces(bytes, 333));
    expect(numbers).toEqual([...count(10), ...count(10)]);
    expect(packetizer).toMatchObject({ packets: 20, skippedBytes: 777 + 100 + 50, resyncs: 1 });
  });

  test('a broken sync byte costs one packet', () => {
    const bytes = stream(12);
    bytes[4 * PACKET_SIZE] = 0x46;
    // Inside, so that nothing false lines up.
    bytes.fill(0, 4 * PACKET_SIZE + 1, 5 * PACKET_SIZE);
    const { numbers, packetizer } = read([bytes]);
    expect(numbers).toEqual(count(12).filter((n) => n !== 4));
    expect(packetizer).toMatchObject({ skippedBytes: PACKET_SIZE, resyncs: 1 });
  });

  test('no packet is seen where none is', () => {
    expect(
      read([Buffer.from('G'.padEnd(PACKET_SIZE, '-').repeat(3).replaceAll('-G', '-H'))]).numbers,
    ).toEqual([]);
    expect(read([new Uint8Array(0)]).packetizer.found).toBe(false);
  });

  test('chunks don’t matter, nor does what is between the packets (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.uint8Array({ maxLength: 500 })), {
          maxLength: 8,
        }),
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ max: 300, min: 0 }),
        (parts, size, headroom) => {
          const bytes = Buffer.concat(parts.map((part) => (typeof part === 'number' ? stream(part) : part)));
          const whole = read([bytes]);
          const cut = read(pieces(bytes, size), headroom);
          expect(cut.numbers).toEqual(whole.numbers);
          expect(cut.packetizer.skippedBytes).toBe(whole.packetizer.skippedBytes);
          // Of a packet or two among so many false sync bytes, some are taken for longer ones.
          const { packets, skippedBytes } = whole.packetizer;
          const extra = bytes.length - packets * PACKET_SIZE - skippedBytes;
          expect(extra).toBeGreaterThanOrEqual(0);
          expect(extra).toBeLessThanOrEqual(16 * packets);
        },
      ),
    );
  });
});
