/** Conservation: whatever is done to a stream, what of it is good comes out, and nothing else happens. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { conserved } from './helpers/conservation.js';
import { cut, type Result } from './helpers/cut.js';
import { endless } from './helpers/endless-streams.js';
import { bases, type Base } from './helpers/mutation-bases.js';
import { bytesOf, costs, framings, isFramed, kinds, mutate, wrap, type Kind } from './helpers/mutations.js';
import { Random } from './helpers/random.js';
import { Tally } from './helpers/tally.js';
import { inChunks } from './helpers/ts-generator.js';

const PACKET = 188;
const TARGET_SECONDS = 1;
/** What CI runs; `scripts/fuzz` asks for other numbers. */
const CI_STREAMS = 10_000;
const STREAMS = Number(process.env['MUTATION_STREAMS'] ?? CI_STREAMS);
const MINUTES = Number(process.env['MUTATION_MINUTES'] ?? Infinity);
/** Of the first stream; the one after it has the next, so that each can be run alone. */
const SEED = Number(process.env['MUTATION_SEED'] ?? Number(process.env['FC_SEED'] ?? 1) * 1_000_000);
const FAULTS_SHOWN = 20;
/** Bytes that the heap may have grown by over all streams: what the tests themselves keep is less. */
const GROWTH = 16 << 20;
/** Nothing a stream does may hold more: 8 MB of pictures in doubt, 1 MB of each sound, and their doubling. */
const LARGEST_HELD = 40 << 20;
const ENDLESS = LARGEST_HELD + (8 << 20);

/** Nothing that a player or a cut could notice. */
const harmless: readonly Kind[] = ['flip in payload', 'continuity', 'foreign', 'duplicate'];
const damagesFraming: readonly Kind[] = [
  'garbage',
  'split',
  'hole',
  'truncation',
  'flip of sync',
  'overwritten',
];

let spool = '';
beforeAll(() => {
  spool = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'mutations-'));
});
afterAll(() => rmSync(spool, { recursive: true, force: true }));

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heldBytes(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function run(input: Uint8Array, sizes: readonly number[]): Promise<Result> {
  return cut([(cutting) => cutting.setTargetDuration(TARGET_SECONDS), ...inChunks(input, sizes)], {
    targetSeconds: TARGET_SECONDS,
    spool,
    inMemory: true,
  });
}

/** What was cut, without names and wall clock. */
const cuts = ({ segments, refused, counters }: Result): string =>
  JSON.stringify([
    segments.map(({ startPts, endPts, discontinuity, independent, keyPictures, crc32 }) => [
      startPts,
      endPts,
      discontinuity,
      independent,
      keyPictures,
      crc32,
    ]),
    refused,
    counters,
  ]);
const times = ({ segments }: Result): string =>
  JSON.stringify(segments.map(({ startPts, endPts, discontinuity }) => [startPts, endPts, discontinuity]));

const untouched = new Map<Base, Promise<string>>();

function untouchedTimes(base: Base): Promise<string> {
  const known = untouched.get(base) ?? run(bytesOf(wrap(base, 188)), [4096]).then(times);
  untouched.set(base, known);
  return known;
}

const chunkings = {
  'of a byte': [1],
  'of a packet': [PACKET],
  mixed: [7, 500, 2000, 1],
  'of a datagram': [1316],
  whole: [Infinity],
};

/** All about a stream follows from its seed. */
async function one(seed: number, tally: Tally): Promise<string | undefined> {
  const random = new Random(seed);
  const base = random.of(bases);
  const framing = random.of([...framings, 188] as const);
  const chosen = Array.from({ length: random.of([1, 1, 2, 3, 6]) }, () => random.of(kinds));
  const pieces = mutate(base, framing, chosen, random);
  const input = bytesOf(pieces);
  const names = Object.keys(chunkings) as (keyof typeof chunkings)[];
  const chunks = random.once(30) ? 'of a byte' : random.of(names.slice(1));
  const result = await run(input, chunkings[chunks]);
  const { counters, segments } = result;
  const told = conserved(
    base,
    pieces,
    input,
    segments.map(({ data }) => data),
  );
  const faults = [...told.faults];

  const costly = new Set(chosen.flatMap((kind) => costs[kind]));
  for (const why of told.excused.keys())
    if (why !== 'begun before' && !costly.has(why)) faults.push(`packets are lost: ${why}`);

  // Each packet went somewhere and was counted.
  const written = segments.reduce((sum, { bytes }) => sum + bytes / PACKET - 2, 0);
  const { packets, transportErrors, nullPackets, foreignPackets } = counters;
  const { droppedPackets, duplicatePackets } = counters;
  const others = transportErrors + nullPackets + foreignPackets + droppedPackets + duplicatePackets;
  const tables = packets - written - others;
  const isWhole = pieces.every(isFramed);
  if (tables < 0 || (isWhole && tables > told.tables))
    faults.push(`${tables} packets would be tables, of ${told.tables}`);
  if (counters.bytes !== input.length) faults.push('bytes are not counted');
  // Where few packets are left at the end, they may seem longer than they are.
  const isEndWhole = packets > 2 && pieces.slice(-6).every(isFramed);
  if (framing === 188 && isEndWhole && packets * PACKET + counters.skippedBytes !== input.length)
    faults.push(`${packets} packets and ${counters.skippedBytes} skipped bytes of ${input.length}`);
  // The structure is found by headers, not by sync bytes alone.
  const isFound = pieces.length > 1 && !pieces.slice(0, 6).some(({ damaged }) => damaged);
  if (isWhole && isFound && packets !== pieces.length) faults.push(`${packets} packets of ${pieces.length}`);
  if (readdirSync(spool).length > 0) faults.push('files are left');

  if (chosen.every((kind) => harmless.includes(kind))) {
    tally.add('harmless');
    if (times(result) !== (await untouchedTimes(base))) faults.push('what is harmless has changed the cuts');
  }
  if (random.once(8)) {
    tally.add('cut twice');
    const again = await run(input, [random.between(1, 3000), random.between(1, 500)]);
    if (cuts(again) !== cuts(result)) faults.push('other chunks, other segments');
  }

  tally.add('streams');
  tally.add(`base: ${base.name}`);
  tally.add(`framing: ${framing}`);
  tally.add(`chunks: ${chunks}`);
  for (const kind of chosen) tally.add(`kind: ${kind}`);
  if (chosen.some((kind) => damagesFraming.includes(kind))) tally.add('framing damaged');
  if (told.excused.size === 0) tally.add('nothing lost');
  for (const [why, count] of told.excused) tally.add(`lost: ${why}`, count);
  tally.add('packets conserved', told.out);
  tally.add('taken for packets', told.strangers);
  tally.add('sent twice', told.twice);
  for (const [name, count] of Object.entries(counters)) if (count > 0) tally.add(`counted: ${name}`);
  if (result.refused) tally.add(`refused: ${result.refused}`);
  for (const { discontinuity, ended } of segments) {
    tally.add(`ended: ${ended}`);
    if (discontinuity) tally.add(`discontinuity: ${discontinuity}`);
  }
  if (faults.length === 0) return undefined;
  const what = [base.name, framing, chosen.join(' + '), `chunks ${chunks}`].join(', ');
  return `scripts/fuzz --seed ${seed} --streams 1: ${what}: ${faults.slice(0, 3).join('; ')}`;
}

/** Streams in which it must have occurred, of 10,000. */
const expected: Record<string, number> = {
  harmless: 300,
  'cut twice': 1000,
  'framing damaged': 3000,
  'nothing lost': 8000,
  'sent twice': 300,
  'taken for packets': 500,
  'lost: begun before': 20,
  'lost: headless PES': 5,
  'lost: false sync': 100,
  'lost: between damages': 5,
  'lost: clock': 1000,
  'counted: skippedBytes': 3000,
  'counted: resyncs': 3000,
  'counted: continuityErrors': 3000,
  'counted: transportErrors': 500,
  'counted: nullPackets': 500,
  'counted: foreignPackets': 2000,
  'counted: scrambledPackets': 500,
  'counted: crcErrors': 500,
  'counted: wildTimestamps': 200,
  'counted: droppedPackets': 500,
  'counted: duplicatePackets': 400,
  'discontinuity: timestamps': 300,
  'ended: cut': 5000,
  'ended: forced': 20,
  'refused: no-key-picture': 20,
  'refused: no-tables': 10,
  'refused: no-sync': 10,
};

test(
  'property: what is good in a damaged stream comes out as it went in',
  async () => {
    const tally = new Tally();
    const faults: string[] = [];
    const end = MINUTES === Infinity ? Infinity : performance.now() + MINUTES * 60_000;
    const settled = Math.min(2000, Math.floor(STREAMS / 2));
    let before = Infinity;
    for (let n = 0; n < STREAMS && performance.now() < end; n++) {
      if (n >= settled && before === Infinity) before = heldBytes();
      const fault = await one(SEED + n, tally);
      if (fault !== undefined) faults.push(fault);
    }
    const growth = heldBytes() - before;
    process.stdout.write(
      `mutations from seed ${SEED} on:\n${tally.toString()}\n  heap growth: ${growth} bytes\n`,
    );
    expect(faults.slice(0, FAULTS_SHOWN)).toEqual([]);
    expect(growth).toBeLessThan(GROWTH);
    if (STREAMS < CI_STREAMS || MINUTES < Infinity) return;
    const scale = STREAMS / CI_STREAMS;
    for (const kind of kinds) expect([kind, tally.of(`kind: ${kind}`) >= 500 * scale]).toEqual([kind, true]);
    for (const { name } of bases)
      expect([name, tally.of(`base: ${name}`) >= 800 * scale]).toEqual([name, true]);
    for (const framing of framings) expect(tally.of(`framing: ${framing}`)).toBeGreaterThan(2000 * scale);
    for (const chunks of Object.keys(chunkings))
      expect(tally.of(`chunks: ${chunks}`)).toBeGreaterThan(200 * scale);
    for (const [what, least] of Object.entries(expected))
      expect([what, tally.of(what), tally.of(what) >= least * scale]).toEqual([what, tally.of(what), true]);
  },
  24 * 3_600_000,
);

test.each(endless)('$name: what is held is bounded', async ({ packets }) => {
  const before = heldBytes();
  let most = 0;
  const steps = function* (): Generator<Uint8Array> {
    let n = 0;
    for (const chunk of packets(ENDLESS)) {
      if (++n % 32 === 0) most = Math.max(most, heldBytes() - before);
      yield chunk;
    }
  };
  const { counters } = await cut(steps(), { targetSeconds: TARGET_SECONDS, spool, inMemory: true });
  expect(counters.bytes).toBeGreaterThan(ENDLESS);
  if (most > LARGEST_HELD) throw new Error(`rule broken: ${most} bytes are held`);
});
