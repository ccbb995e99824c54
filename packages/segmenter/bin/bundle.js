/**
 * Loads what `scripts/build.js` has put into one file, with the byte code that V8 made of it then, by the same flags:
 * compiling it takes an eighth of the start. Of another version of Node.js the byte code is refused, and it is compiled.
 */
require('./v8-flags.js');
const { readFileSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { Script } = require('node:vm');
const { crc32 } = require('node:zlib');

const filename = join(__dirname, '../bundle/index.js');
const cacheFile = `${filename}.cache`;
const CRC_BYTES = 4;

const source = readFileSync(filename, 'utf8');
const script = new Script(source, { filename, cachedData: codeCache() });

/** Behind it stands the CRC-32 of its source: V8 itself compares lengths. */
function codeCache() {
  try {
    const file = readFileSync(cacheFile);
    const end = file.length - CRC_BYTES;
    return file.readUInt32LE(end) === crc32(source) ? file.subarray(0, end) : undefined;
  } catch {
    return undefined;
  }
}

/** Of all that has been called so far. */
function writeCodeCache() {
  const crc = Buffer.alloc(CRC_BYTES);
  crc.writeUInt32LE(crc32(source));
  writeFileSync(cacheFile, Buffer.concat([script.createCachedData(), crc]));
}

const bundle = { exports: {} };
script.runInThisContext()(bundle.exports, createRequire(filename), bundle, pathToFileURL(filename));
module.exports = { ...bundle.exports, writeCodeCache, isCached: script.cachedDataRejected === false };
