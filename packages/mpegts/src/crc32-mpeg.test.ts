import { expect, test } from '@jest/globals';
import { crc32Mpeg } from './crc32-mpeg.js';

test('the check value of CRC-32/MPEG-2', () => {
  expect(crc32Mpeg(Buffer.from('123456789'))).toBe(0x0376e6e7);
});

test('over a part, and over a section with its CRC', () => {
  expect(crc32Mpeg(Buffer.from('--123456789--'), 2, 11)).toBe(0x0376e6e7);
  expect(crc32Mpeg(Buffer.from([...Buffer.from('123456789'), 0x03, 0x76, 0xe6, 0xe7]))).toBe(0);
});
