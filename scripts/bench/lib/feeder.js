/** Writes a file into FIFOs at a bit rate, in bursts, until it is ended: feeder.js FILE BITS_PER_SECOND BURST_MS FIFO… */
import { Buffer } from 'node:buffer';
import { constants, openSync, readSync, writeSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import process from 'node:process';

const [file, bits, burst, ...fifos] = process.argv.slice(2);
const burstMs = Number(burst);
const bytesPerMs = Number(bits) / 8000;
const input = openSync(file, 'r');
const outputs = fifos.map((path) => openSync(path, constants.O_WRONLY));
const buffer = Buffer.alloc(Math.ceil(bytesPerMs * 1000));
const start = performance.now();
let sent = 0;

function feed() {
  const due = Math.floor((performance.now() - start) * bytesPerMs);
  while (sent < due) {
    const read = readSync(input, buffer, 0, Math.min(buffer.length, due - sent), sent);
    if (read === 0) process.exit();
    for (const output of outputs) for (let at = 0; at < read;) at += writeSync(output, buffer, at, read - at);
    sent += read;
  }
  const next = start + (Math.floor((performance.now() - start) / burstMs) + 1) * burstMs;
  setTimeout(feed, Math.max(1, next - performance.now()));
}
feed();
