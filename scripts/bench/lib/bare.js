/**
 * The least that a segmenter in Node.js can take: reads stdin in large pieces, sums the CRC-32 that announcements carry,
 * writes the bytes to files in memory, each again after a few others, as hls-segmenter does. No packet is looked at.
 * bare.js FOLDER BYTES_PER_FILE
 */
import { Buffer } from 'node:buffer';
import { closeSync, constants, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { crc32 } from 'node:zlib';

const FILES = 4;
const [folder, size] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
// Opened anew, so that reading waits instead of telling EAGAIN.
const input = openSync('/proc/self/fd/0', constants.O_RDONLY);
const buffer = Buffer.allocUnsafeSlow(256 * 1024);
let output;
let left = 0;
let crc = 0;
for (let file = 0; ;) {
  const read = readSync(input, buffer, 0, buffer.length, null);
  if (read === 0) break;
  if (left <= 0) {
    if (output !== undefined) closeSync(output);
    output = openSync(join(folder, `${file++ % FILES}.ts`), constants.O_WRONLY | constants.O_CREAT, 0o644);
    left = Number(size);
    crc = 0;
  }
  crc = crc32(buffer.subarray(0, read), crc);
  for (let at = 0; at < read;) at += writeSync(output, buffer, at, read - at);
  left -= read;
}
console.error(`done: the last file has ${crc}`);
