import { expect, test } from '@jest/globals';
import { Continuity } from './continuity.js';

/** A packet with an adaptation field: flags, PCR, then payload. */
function packet(counter: number, content: number, { pcr = 0, flags = 0x10 } = {}): Uint8Array {
  const bytes = new Uint8Array(188).fill(content);
  bytes.set([0x47, 0x01, 0x00, 0x30 | counter, 7, flags, pcr, pcr, pcr, pcr, 0x7e, 0]);
  return bytes;
}

function taken(...packets: Uint8Array[]): { came: string[]; errors: number } {
  const continuity = new Continuity();
  const came = packets.map((bytes) => {
    // What was given before may have been overwritten.
    const buffer = Uint8Array.from(bytes);
    const result = continuity.take(buffer, 0);
    continuity.keep();
    buffer.fill(0);
    return result;
  });
  return { came, errors: continuity.errors };
}

test.each<[string, Uint8Array[], string[], number]>([
  ['counting on, over 15', [packet(14, 1), packet(15, 2), packet(0, 3)], ['next', 'next', 'next'], 0],
  ['twice', [packet(1, 1), packet(1, 1), packet(2, 2)], ['next', 'duplicate', 'next'], 0],
  ['twice, with a PCR of its own', [packet(1, 1), packet(1, 1, { pcr: 9 })], ['next', 'duplicate'], 0],
  ['three times', [packet(1, 1), packet(1, 1), packet(1, 1)], ['next', 'duplicate', 'duplicate'], 1],
  ['the counter again, but another packet', [packet(1, 1), packet(1, 2)], ['next', 'lost'], 1],
  [
    'a counter that stands still: what looks the same is another packet',
    [packet(1, 1), packet(1, 2), packet(1, 2), packet(1, 2)],
    ['next', 'lost', 'lost', 'lost'],
    3,
  ],
  [
    'a counter that stood still and goes on',
    [packet(1, 1), packet(1, 2), packet(2, 3), packet(2, 3)],
    ['next', 'lost', 'next', 'duplicate'],
    1,
  ],
  ['lost', [packet(1, 1), packet(4, 2)], ['next', 'lost'], 1],
  ['lost, and announced', [packet(1, 1), packet(4, 2, { flags: 0x90 })], ['next', 'lost'], 0],
  [
    'announced, twice',
    [packet(1, 1, { flags: 0x90 }), packet(1, 1, { flags: 0x90 })],
    ['next', 'duplicate'],
    0,
  ],
])('%s', (_, packets, came, errors) => {
  expect(taken(...packets)).toEqual({ came, errors });
});

test('after a reset anything follows', () => {
  const continuity = new Continuity();
  continuity.take(packet(1, 1), 0);
  continuity.reset();
  expect([continuity.take(packet(9, 9), 0), continuity.errors]).toEqual(['next', 0]);
});
