import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ManualClock, systemClock, type Clock } from '@hls-uplink/runtime';
import { FilePlayer } from './file-player.js';
import { LogBook, TempFolder } from './spool.test.helper.js';

const run = promisify(execFile);
const PACKET = 188;
const MODULUS = 2 ** 33;

let folder: TempFolder;
beforeAll(async () => {
  folder = await TempFolder.make();
});
afterAll(() => folder[Symbol.asyncDispose]());

/** A clip of ffmpeg: 25 pictures a second in DTS 3600 apart, or sound alone. */
async function clip(name: string, options: string): Promise<string> {
  const path = `${folder.path}/${name}.ts`;
  await run('ffmpeg', [...'-v error -y -nostdin'.split(' '), ...options.split(' '), path]);
  return path;
}

interface Stamp {
  pid: number;
  pts: number;
  dts: number;
}

/** What a stream says, read by other means than the code's: whole timestamps by text of bits. */
function read(stream: Buffer): { stamps: Stamp[]; clocks: number[]; losses: number } {
  const stamps: Stamp[] = [];
  const clocks: number[] = [];
  const counters = new Map<number, number>();
  let losses = 0;
  for (let at = 0; at < stream.length; at += PACKET) {
    if (stream[at] !== 0x47) throw new Error(`no packet at ${at}`);
    const pid = stream.readUInt16BE(at + 1) & 0x1fff;
    const control = stream[at + 3]! >> 4;
    if (pid === 0x1fff) continue;
    const counter = stream[at + 3]! & 15;
    const before = counters.get(pid);
    if (before !== undefined && counter !== (control & 1 ? (before + 1) & 15 : before)) losses++;
    counters.set(pid, counter);
    const bits = (from: number, count: number): string =>
      [...stream.subarray(from, from + count)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
    if (control & 2 && stream[at + 4]! > 0 && stream[at + 5]! & 0x10)
      clocks.push(parseInt(bits(at + 6, 5).slice(0, 33), 2));
    const payload = control & 2 ? at + 5 + stream[at + 4]! : at + 4;
    const isStart = stream[at + 1]! & 0x40 && control & 1;
    if (!isStart || payload + 9 > at + PACKET || stream.readUIntBE(payload, 3) !== 1) continue;
    const stamp = (from: number): number => {
      const b = bits(from, 5);
      return parseInt(b.slice(4, 7) + b.slice(8, 23) + b.slice(24, 39), 2);
    };
    const pts = stamp(payload + 9);
    stamps.push({ pid, pts, dts: stream[payload + 7]! & 0x40 ? stamp(payload + 14) : pts });
  }
  return { stamps, clocks, losses };
}

/** The stream of so many rounds. */
async function play(
  path: string,
  { rounds, clock = systemClock }: { rounds: number; clock?: Clock },
): Promise<Buffer> {
  const { size } = { size: (await readFile(path)).length };
  const stop = new AbortController();
  const player = new FilePlayer(path, { clock, logger: new LogBook(), realtime: false, loop: true });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of player.read(stop.signal)) {
    chunks.push(Buffer.from(chunk));
    bytes += chunk.length;
    if (bytes >= rounds * size) stop.abort();
  }
  return Buffer.concat(chunks).subarray(0, rounds * size);
}

const gaps = (values: readonly number[]): number[] =>
  values.slice(1).map((value, n) => (value - values[n]! + MODULUS) % MODULUS);

describe('a loop', () => {
  const h264 = '-c:v libx264 -preset ultrafast -bf 2 -g 25';
  const picture = '-f lavfi -i testsrc=s=160x90:r=25:d=2';
  const video = `${picture} ${h264}`;
  const both = `${picture} -f lavfi -i sine=r=48000:d=2 ${h264} -c:a aac -f mpegts`;
  const sound = '-f lavfi -i sine=r=48000:d=2 -c:a aac';
  const wrapping = '-output_ts_offset 95442.5 -muxdelay 0';

  test.each<[string, string, number, number]>([
    ['pictures', `${video} -f mpegts`, 256, 3600],
    ['pictures and sound', both, 256, 3600],
    ['pictures whose timestamps wrap in the middle', `${video} ${wrapping} -f mpegts`, 256, 3600],
    ['sound', `${sound} -pes_payload_size 0 -f mpegts`, 256, 1920],
  ])('of %s goes on at the seam', async (name, options, pid, ticks) => {
    const path = await clip(name.replaceAll(' ', '-'), options);
    const { stamps, clocks, losses } = read(await play(path, { rounds: 4 }));
    expect(losses).toBe(0);
    const own = stamps.filter((stamp) => stamp.pid === pid);
    expect(own.length).toBeGreaterThan(150);
    expect(new Set(gaps(own.map(({ dts }) => dts)))).toEqual(new Set([ticks]));
    // A clock is read by its receiver every 100 ms at most, also over the seam.
    expect(Math.max(...gaps(clocks))).toBeLessThanOrEqual(9000);
    // The same pictures are shown, none twice.
    const pts = own.map((stamp) => stamp.pts).sort((a, b) => a - b);
    expect(new Set(pts).size).toBe(pts.length);
  });

  test('of sound in large PES: the last one is as long as its frames', async () => {
    const path = await clip('large-pes', `${sound} -f mpegts`);
    const original = read(await readFile(path)).stamps;
    const { stamps, losses } = read(await play(path, { rounds: 3 }));
    expect(losses).toBe(0);
    const rounds = [0, 1, 2].map((round) => stamps[round * original.length]!.pts);
    const frames = Number(
      (
        await run('ffprobe', [
          ...'-v error -count_packets -show_entries stream=nb_read_packets -of csv=p=0'.split(' '),
          path,
        ])
      ).stdout
        .trim()
        .split('\n')[0],
    );
    expect(gaps(rounds)).toEqual([frames * 1920, frames * 1920]);
  });

  // Of a length that is a whole number of pictures and of AAC frames (one more than it has samples for): else the
  // sound overlaps by a part of a frame.
  test('is decoded by ffmpeg without a complaint', async () => {
    const path = await clip('decoded', both.replace('d=2', 'd=1.92').replace('d=2', 'd=1.8986'));
    const looped = `${folder.path}/looped.ts`;
    await writeFile(looped, await play(path, { rounds: 3 }));
    const { stderr } = await run('ffmpeg', [
      ...'-v warning -nostdin -i'.split(' '),
      looped,
      '-f',
      'null',
      '-',
    ]);
    expect(stderr).toBe('');
    const { stdout } = await run('ffprobe', [
      ...'-v error -select_streams v -count_frames -show_entries stream=nb_read_frames -of csv=p=0'.split(
        ' ',
      ),
      looped,
    ]);
    expect(Number.parseInt(stdout)).toBe(3 * 48);
  });

  test('of a file that is no transport stream ends, as does an empty one', async () => {
    for (const content of ['', 'no packets at all']) {
      const path = `${folder.path}/none.ts`;
      await writeFile(path, content);
      expect(await play(path, { rounds: 1 })).toHaveLength(0);
    }
  });
});

describe('at live rate', () => {
  /** PCR of PID 256 every 40 ms, two packets after each. */
  function stream(clocks: number): Buffer {
    const packets: Buffer[] = [];
    for (let n = 0; n < clocks; n++) {
      const base = n * 3600;
      const clock = Buffer.alloc(PACKET, 0xff);
      clock.set([0x47, 1, 0, 0x20, 183, 0x10, 0, base >>> 17, (base >>> 9) & 255, (base >>> 1) & 255]);
      clock.set([((base & 1) << 7) | 0x7e, 0], 10);
      packets.push(clock);
      for (let more = 0; more < 2; more++) {
        const other = Buffer.alloc(PACKET, 0xff);
        other.set([0x47, 1, 1, 0x10 | ((2 * n + more) & 15)]);
        packets.push(other);
      }
    }
    return Buffer.concat(packets);
  }

  async function player(clock: Clock, signal: AbortSignal): Promise<AsyncGenerator<Uint8Array>> {
    const path = `${folder.path}/rate.ts`;
    await writeFile(path, stream(100));
    return new FilePlayer(path, { clock, logger: new LogBook(), realtime: true, loop: false }).read(signal);
  }

  test('nothing comes before its time, all in the end', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    let bytes = 0;
    let isDone = false;
    const reading = (async () => {
      for await (const chunk of await player(clock, stop.signal)) {
        bytes += chunk.length;
        const seconds = bytes / (3 * PACKET) / 25;
        expect(seconds).toBeLessThanOrEqual(clock.monotonic() / 1000 + 0.041);
        // Nor much later.
        expect(seconds).toBeGreaterThan(clock.monotonic() / 1000 - 0.061);
      }
      isDone = true;
    })();
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      if (clock.pending > 0) clock.advance(5);
    }
    await reading;
    expect(bytes).toBe(300 * PACKET);
    expect(clock.monotonic()).toBeGreaterThan(3900);
    expect(clock.monotonic()).toBeLessThan(4100);
  });

  test('is left at once when asked to stop', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const chunks = await player(clock, stop.signal);
    expect((await chunks.next()).value).toHaveLength(3 * PACKET);
    const next = chunks.next();
    stop.abort();
    expect((await next).done).toBe(true);
    expect(clock.pending).toBe(0);
  });
});
