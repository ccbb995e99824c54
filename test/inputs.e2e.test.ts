/** Every way a stream reaches the segmenter over a network, from ffmpeg: nothing is lost, whatever carries it. */
import { execFile } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { SEGMENTER, UPLOADER } from './helpers/live.js';
import { freePort, start, until, type StartedProcess } from './helpers/processes.js';
import { CounterGaps, published as readPublished, type Published } from './helpers/published.js';
import { dropPcr, operate, pcrOf } from './helpers/ts-surgery.js';

const run = promisify(execFile);
/** Of the clip: 25 pictures a second, a key picture every second. */
const SECONDS = 5;
const PICTURES = SECONDS * 25;
const TICKS = 3600;
const LIMIT_MS = 40_000;

let folder: string;
let clip: string;
let uploader: StartedProcess;
let port: number;
const processes: StartedProcess[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hls-inputs-'));
  clip = join(folder, 'clip.ts');
  await mkdir(join(folder, 'www'));
  port = await freePort();
  uploader = await start(
    process.execPath,
    [
      UPLOADER,
      ...['--listen', `127.0.0.1:${port}`, '--http', `127.0.0.1:${await freePort()}`],
      ...['--store', `file://${folder}/www`, '--journal', join(folder, 'journal'), '--window', '100'],
      ...['--spool-root', join(folder, 'spool')],
    ],
    { name: 'uploader' },
  );
  await run('ffmpeg', [
    ...`-v error -nostdin -t ${SECONDS} -f lavfi -i testsrc2=s=320x180:r=25`.split(' '),
    ...`-t ${SECONDS} -f lavfi -i sine=r=48000`.split(' '),
    ...'-c:v libx264 -preset ultrafast -bf 0 -g 25 -keyint_min 25 -sc_threshold 0 -c:a aac -f mpegts'.split(
      ' ',
    ),
    clip,
  ]);
  await uploader.waitForLine(/"message":"ready"/, 20_000);
}, LIMIT_MS);

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close();
  await Promise.all(processes.splice(0).map((one) => one.stop()));
});
afterAll(async () => {
  await uploader?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function segment(channel: string, input: string, ...options: string[]): Promise<StartedProcess> {
  // The end of datagrams shows by silence alone.
  const datagrams = /^(udp|rtp):/.test(input);
  const segmenter = await start(
    process.execPath,
    [
      SEGMENTER,
      ...['--uploader', `127.0.0.1:${port}`, '--spool', join(folder, 'spool'), '--channel', channel],
      ...[
        '--renditions',
        'main',
        '--segment-duration',
        '1',
        '--log-level',
        'debug',
        '--input-timeout',
        datagrams ? '1' : '10',
        ...options,
        input,
      ],
    ],
    { name: `segmenter of ${input}` },
  );
  processes.push(segmenter);
  return segmenter;
}

async function send(target: string, format = 'mpegts', ...options: string[]): Promise<StartedProcess> {
  const words = [
    '-v',
    'error',
    '-nostdin',
    '-re',
    '-i',
    clip,
    '-c',
    'copy',
    ...options,
    '-f',
    format,
    target,
  ];
  const ffmpeg = await start('ffmpeg', words, { name: `ffmpeg to ${target}` });
  processes.push(ffmpeg);
  return ffmpeg;
}

/** What the last line with this message says beside it. */
async function said(segmenter: StartedProcess, message: string): Promise<Record<string, unknown>> {
  const [line] = await segmenter.waitForLine(new RegExp(`^.*"message":"${message}.*$`), 20_000);
  return JSON.parse(line) as Record<string, unknown>;
}

const portOf = async (segmenter: StartedProcess, message: string): Promise<number> =>
  Number((await said(segmenter, message))['port']);

const published = (channel: string): Promise<Published> => readPublished(join(folder, 'www'), channel);

/**
 * Waits for the whole clip, so many times, and expects nothing of it to be missing or out of order.
 * @param tail pictures at the end that the sender keeps to itself: ffmpeg's RTP muxer does not send its last packet,
 *   SRT drops what is younger than its latency when the connection ends
 */
async function expectWhole(channel: string, { times = 1, tail = 0 } = {}): Promise<void> {
  const least = times * PICTURES - tail;
  await until(async () => (await published(channel)).pictures.length >= least, {
    what: `${least} pictures of ${channel}`,
    timeoutMs: 30_000,
    intervalMs: 100,
  });
  const { pictures, discontinuities, segments, losses } = await published(channel);
  expect({ channel, discontinuities, losses }).toEqual({ channel, discontinuities: times - 1, losses: 0 });
  expect(pictures.length).toBeLessThanOrEqual(times * PICTURES);
  expect(segments).toBeGreaterThanOrEqual(times * SECONDS);
  for (let n = 0; n < times; n++) expectEven(pictures.slice(n * PICTURES, (n + 1) * PICTURES));
}

function expectEven(pictures: readonly number[]): void {
  const gaps = new Set(pictures.slice(1).map((pts, n) => pts - pictures[n]!));
  expect([...gaps]).toEqual([TICKS]);
}

/** Between ffmpeg and the segmenter: hands datagrams on as it is told. */
async function relay(
  target: number,
  pass: (datagram: Buffer, send: (one: Buffer) => void) => void,
): Promise<number> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.on('message', (datagram) => pass(datagram, (one) => socket.send(one, target, '127.0.0.1')));
  return socket.address().port;
}

describe('from ffmpeg, every picture arrives', () => {
  test(
    'by UDP, RTP, multicast, TCP both ways, HTTP and SRT, all at once',
    async () => {
      const [toTcp, toHttp, toSrt] = [await freePort(), await freePort(), await freePort()];
      const inputs: Record<string, string> = {
        udp4: 'udp://127.0.0.1:0',
        udp6: 'udp://[::1]:0',
        rtp: 'rtp://127.0.0.1:0',
        multicast: 'udp://@239.255.77.1:0?interface=lo',
        'tcp-listen': 'tcp://127.0.0.1:0?listen',
        tcp: `tcp://127.0.0.1:${toTcp}`,
        http: `http://127.0.0.1:${toHttp}/live.ts`,
        srt: `srt://127.0.0.1:${toSrt}?mode=caller`,
      };
      const names = Object.keys(inputs);
      const segmenters = new Map<string, StartedProcess>();
      for (const name of names) segmenters.set(name, await segment(name, inputs[name]!));
      const receiving = (name: string, message = 'receiving'): Promise<number> =>
        portOf(segmenters.get(name)!, message);
      await send(`udp://127.0.0.1:${await receiving('udp4')}?pkt_size=1316`);
      await send(`udp://[::1]:${await receiving('udp6')}?pkt_size=1316`);
      await send(`rtp://127.0.0.1:${await receiving('rtp')}`, 'rtp_mpegts');
      await send(`rtp://239.255.77.1:${await receiving('multicast')}?localaddr=127.0.0.1`, 'rtp_mpegts');
      await send(`tcp://127.0.0.1:${await receiving('tcp-listen', 'listening')}`);
      await send(`tcp://127.0.0.1:${toTcp}?listen`);
      await send(`http://127.0.0.1:${toHttp}/live.ts`, 'mpegts', '-listen', '1');
      await send(`srt://127.0.0.1:${toSrt}?mode=listener`);
      const tails: Record<string, number> = { rtp: 1, multicast: 1, srt: 10 };
      for (const name of names) await expectWhole(name, { tail: tails[name] ?? 0 });
      const exits = await Promise.all([...segmenters.values()].map((one) => one.stop()));
      expect(exits.map(({ code }) => code)).toEqual(names.map(() => 0));
    },
    LIMIT_MS,
  );
});

describe('RTP on a bad way', () => {
  test(
    'out of order: nothing is missing; with losses: each is counted, and the stream goes on',
    async () => {
      const reordered = await segment('reordered', 'udp://127.0.0.1:0');
      const lossy = await segment('lossy', 'udp://127.0.0.1:0');
      let kept: Buffer | undefined;
      let count = 0;
      const swap = await relay(await portOf(reordered, 'receiving'), (datagram, pass) => {
        // Every tenth is overtaken by the next one.
        if (++count % 10 === 0) kept = datagram;
        else {
          pass(datagram);
          if (kept) pass(kept);
          kept = undefined;
        }
      });
      let lost = 0;
      let passed = 0;
      const lose = await relay(await portOf(lossy, 'receiving'), (datagram, pass) => {
        if (passed > 0 && (passed + lost) % 100 === 0) lost++;
        else {
          passed++;
          pass(datagram);
        }
      });
      await send(`rtp://127.0.0.1:${swap}`, 'rtp_mpegts');
      const sender = await send(`rtp://127.0.0.1:${lose}`, 'rtp_mpegts');
      await expectWhole('reordered', { tail: 1 });
      await reordered.stop();
      expect(await said(reordered, 'received')).toMatchObject({ lost: 0, late: 0, restarts: 0 });
      expect(Number((await said(reordered, 'received'))['reordered'])).toBeGreaterThan(5);

      await sender.exited;
      await until(async () => (await published('lossy')).segments >= SECONDS - 1, {
        what: 'most of its segments',
        timeoutMs: 20_000,
        intervalMs: 100,
      });
      await lossy.stop();
      expect(lost).toBeGreaterThan(0);
      expect(await said(lossy, 'received')).toMatchObject({ lost, received: passed, duplicates: 0 });
      expect((await published('lossy')).losses).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );
});

/** Whether a segment alone is decoded to its end, and how many pictures come of it. */
async function decode(file: string): Promise<number> {
  const words = `-v error -nostdin -i ${file} -map 0:v -vsync passthrough -f framecrc -`.split(' ');
  const { stdout } = await run('ffmpeg', words);
  return stdout.split('\n').filter((line) => /^0,/.test(line)).length;
}

test(
  'raw UDP with 1 % loss: the stream goes on, each loss is seen and counted, each segment decodes',
  async () => {
    const lossy = await segment('raw-lossy', 'udp://127.0.0.1:0');
    const arriving = new CounterGaps();
    let datagrams = 0;
    let lost = 0;
    const lose = await relay(await portOf(lossy, 'receiving'), (datagram, pass) => {
      if (++datagrams % 100 === 0) lost++;
      else {
        arriving.take(datagram);
        pass(datagram);
      }
    });
    const sender = await send(`udp://127.0.0.1:${lose}?pkt_size=1316`);
    await sender.exited;
    await lossy.waitForLine(/"message":"input interrupted".*no packets have come for 1 s/, 10_000);
    expect((await lossy.stop()).code).toBe(0);
    expect(lost).toBeGreaterThan(1);
    expect(arriving.count).toBeGreaterThanOrEqual(lost);

    const told = lossy.lines
      .filter(({ text }) => text.includes('the input is damaged'))
      .map(({ text }) => JSON.parse(text) as Record<string, unknown>);
    const counted = told.reduce((sum, { continuityErrors }) => sum + Number(continuityErrors), 0);
    expect(counted).toBe(arriving.count);
    const { files, pictures, discontinuities, losses } = await published('raw-lossy');
    expect({ losses, discontinuities }).toEqual({ losses: arriving.count, discontinuities: 0 });
    // A datagram has the beginnings of so few pictures.
    expect(pictures.length).toBeGreaterThan(PICTURES - 3 * lost);
    expect(pictures.at(-1)! - pictures[0]!).toBeGreaterThan((PICTURES - 4) * TICKS);
    expect(files.length).toBeGreaterThanOrEqual(SECONDS - 1);
    const decoded = await Promise.all(files.map(decode));
    expect(Math.min(...decoded)).toBeGreaterThan(0);
    // What is hit is concealed, or left out where nothing of it can be shown.
    expect(decoded.reduce((sum, count) => sum + count)).toBeGreaterThan(PICTURES - 10 * lost);
  },
  LIMIT_MS,
);

test(
  'a file without any PCR is played at live rate, whole',
  async () => {
    const clockless = join(folder, 'clockless.ts');
    let clocks = 0;
    const bytes = operate(await readFile(clip), ({ packet }) => {
      if (pcrOf(packet) !== undefined) clocks++;
      dropPcr(packet);
      return packet;
    });
    expect(clocks).toBeGreaterThan(SECONDS * 10);
    await writeFile(clockless, bytes);
    const player = await segment('clockless', clockless, '--realtime');
    expect((await player.exited).code).toBe(0);
    await expectWhole('clockless');
    const at = (message: string): number =>
      player.lines.find(({ text }) => text.includes(`"message":"${message}"`))!.at;
    // From the first line of its log to the one about its end: what lies between the first picture and the last one.
    const elapsedMs = at('done') - player.lines[0]!.at;
    expect(elapsedMs).toBeGreaterThan((SECONDS - 2 / 25) * 1000);
    for (const file of (await published('clockless')).files) expect(await decode(file)).toBeGreaterThan(0);
  },
  LIMIT_MS,
);

test(
  'a file in a loop goes on at live rate, at the seams too',
  async () => {
    const began = Date.now();
    const looping = await segment('loop', clip, '--loop');
    await until(async () => (await published('loop')).pictures.length > 2.2 * PICTURES, {
      what: 'the third round',
      timeoutMs: 30_000,
      intervalMs: 100,
    });
    // The last picture that is there cannot have come before its time.
    const { pictures, discontinuities, losses } = await published('loop');
    expect((Date.now() - began) / 1000).toBeGreaterThan(pictures.length / 25 - 1);
    expect({ discontinuities, losses }).toEqual({ discontinuities: 0, losses: 0 });
    expectEven(pictures);
    expect((await looping.stop()).code).toBe(0);
  },
  LIMIT_MS,
);

describe('a sender that goes and comes', () => {
  test(
    'is left and taken up again by the same process, over UDP after silence, over TCP at once',
    async () => {
      const udp = await segment('silent', 'udp://127.0.0.1:0');
      const listener = await segment('peers', 'tcp://127.0.0.1:0?listen');
      const tcpPort = await portOf(listener, 'listening');
      const udpPort = await portOf(udp, 'receiving');
      const senders = [
        await send(`udp://127.0.0.1:${udpPort}?pkt_size=1316`),
        await send(`tcp://127.0.0.1:${tcpPort}`),
      ];
      await Promise.all(senders.map(({ exited }) => exited));
      await udp.waitForLine(/"message":"input interrupted".*no packets have come for 1 s/, 10_000);
      await listener.waitForLine(/"message":"input interrupted".*closed the connection/, 10_000);
      await send(`tcp://127.0.0.1:${tcpPort}`);
      await send(`udp://127.0.0.1:${udpPort}?pkt_size=1316`);
      await expectWhole('silent', { times: 2 });
      await expectWhole('peers', { times: 2 });
      for (const segmenter of [udp, listener]) await segmenter.waitForLine(/"message":"the input is back"/);
    },
    LIMIT_MS,
  );
});
