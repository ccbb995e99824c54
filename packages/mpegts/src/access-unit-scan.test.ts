import { expect, test } from '@jest/globals';
import { AccessUnitScan } from './access-unit-scan.js';
import { H264Head, h264UnitKind } from './h264.js';

const unit = (...bytes: number[]): number[] => [0, 0, 0, 1, ...bytes];
const AUD = unit(0x09, 0xf0);
const SPS = unit(0x67, 0x42, 0xc0, 0x0c, 0xda, 0x02);
const PPS = unit(0x68, 0xce, 0x3c, 0x80);
/** first_mb_in_slice 0, slice_type 7 and 5. */
const IDR = unit(0x65, 0x88, 0x84, 0x21, 0xa0, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19);
const P = unit(0x41, 0x9a, 0x24, 0x6c, 0x41, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59);
const key = [...AUD, ...SPS, ...PPS, ...IDR];
const other = [...AUD, ...P];
const stream = Uint8Array.from([...other, ...other, ...key, ...other, ...other]);
/** First byte of each access unit, and which is the key picture. */
const begins = [0, other.length, 2 * other.length, 2 * other.length + key.length];
begins.push(begins[3]! + other.length);
const KEY = 2;

test('wherever PES are cut, each access unit belongs to the one with its first byte', () => {
  let split = 0;
  for (let a = 1; a < stream.length; a++) {
    for (let b = a + 1; b < stream.length; b += 3) {
      const scan = new AccessUnitScan(new H264Head(), h264UnitKind, true);
      for (const [from, own] of [
        [0, a],
        [a, b],
        [b, stream.length],
      ] as const) {
        const told: boolean[] = [];
        scan.begin();
        // As packets come: the PES byte for byte, and as much of what follows as is asked for.
        let isKnown = false;
        for (let to = from + 1; to <= own; to++) isKnown = scan.look(stream, from, to, to, to === own, false);
        for (let to = own + 1; !isKnown && to <= stream.length; to++) {
          split++;
          isKnown = scan.look(stream, from, own, to, true, false);
        }
        if (!isKnown) isKnown = scan.look(stream, from, own, stream.length, true, true);
        told.push(isKnown);
        const begun = begins.flatMap((at, n) => (at >= from && at < own ? n : []));
        expect([a, b, scan.pictures, scan.key]).toEqual([a, b, begun.length, begun.indexOf(KEY)]);
        expect(told).toEqual([true]);
        if (scan.key >= 0 && begins[KEY]! >= from)
          expect([...stream.subarray(from + scan.spsFrom, from + scan.spsFrom + 3)]).toEqual(SPS.slice(4, 7));
      }
    }
  }
  expect(split).toBeGreaterThan(1000);
});
