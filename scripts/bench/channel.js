import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { openChannel, reduce } from '../../packages/uploader/dist/channel/reduce.js';
import { median } from './lib/table.js';

const HELP = `scripts/bench/channel [options]

What the channel's reducer takes for one event, while the store is out and three renditions queue their segments, and in
the drain after it: medians in milliseconds, and how often that of the shortest queue. "worst" is the longest single one.

  --queued COUNTS  segments queued for each rendition, with commas, rising (default 50,400,1600,7200)
  --events N       events measured at each of them (default 300)
  --most RATIO     exit code 1 when a median is more than so many times that of the shortest queue (default 16)`;

const RENDITIONS = ['low', 'mid', 'high'];
const TARGET_SECONDS = 6;
const SEGMENT_90K = TARGET_SECONDS * 90_000;
const GOP_90K = SEGMENT_90K / 3;
const PTS_WRAP = 2 ** 33;
const FIRST_PTS = 133_200;

function options() {
  const { values } = parseArgs({
    options: {
      queued: { type: 'string', default: '50,400,1600,7200' },
      events: { type: 'string', default: '300' },
      most: { type: 'string', default: '16' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const number = (name, text) => {
    const value = Number(text);
    if (!(value > 0)) throw new RangeError(`--${name} ${text}: a number above 0`);
    return value;
  };
  const queued = values.queued.split(',').map((text) => number('queued', text));
  return {
    help: values.help,
    queued: queued.sort((a, b) => a - b),
    events: number('events', values.events),
    most: number('most', values.most),
  };
}

const sessionOf = (rendition) => String(RENDITIONS.indexOf(rendition) + 1).padStart(32, '0');

/** One channel, its store out from the beginning. */
class Outage {
  at = 1_700_000_000_000;
  count = 0;
  state = openChannel({ channel: 'live', window: 6, writer: 'bench' });
  waiting = [];

  constructor() {
    this.happen({ type: 'opened', playlists: [] });
    for (const rendition of RENDITIONS) {
      const session = sessionOf(rendition);
      const facts = { rendition, session, source: 'encoder', target: TARGET_SECONDS, renditions: RENDITIONS };
      this.happen({ type: 'connected', facts });
      const video = { kind: 'video', pid: 256, codec: 'avc1.64001f', width: 640, height: 360, frameRate: 25 };
      this.happen({ type: 'tracks', tracks: { type: 'tracks', session, index: 0, tracks: [video] } });
    }
  }

  /** Milliseconds it took. */
  happen(event) {
    const before = performance.now();
    const { state, effects } = reduce(this.state, { ...event, at: this.at });
    const took = performance.now() - before;
    this.state = state;
    this.waiting.push(...effects.filter(({ type }) => type === 'put-segment' || type === 'put-playlist'));
    return took;
  }

  /** One more segment of each rendition. */
  announce() {
    this.at += TARGET_SECONDS * 1000;
    const index = this.count++;
    const start = FIRST_PTS + index * SEGMENT_90K;
    const keys = [0, 1, 2].map((n) => ({
      offset: n * 1000,
      bytes: 500,
      pts: (start + n * GOP_90K) % PTS_WRAP,
    }));
    return RENDITIONS.map((rendition) =>
      this.happen({
        type: 'accepted',
        announcement: {
          type: 'segment',
          session: sessionOf(rendition),
          index,
          path: `/spool/${rendition}/${index}.ts`,
          bytes: 100_000,
          crc32: index,
          startPts: start % PTS_WRAP,
          endPts: (start + SEGMENT_90K) % PTS_WRAP,
          wallClock: new Date(this.at - TARGET_SECONDS * 1000).toISOString(),
          ended: 'cut',
          independent: true,
          keyPictures: keys,
          markers: [],
          ...(index === 0 && { discontinuity: 'start' }),
        },
      }),
    );
  }

  /** The store takes writes again: the outcome of that many of them, playlists first, segments in order. */
  drain(events) {
    const took = [];
    this.happen({ type: 'store-recovered' });
    while (took.length < events && this.waiting.length > 0) {
      this.at += 20;
      const playlist = this.waiting.findIndex(({ type }) => type === 'put-playlist');
      const [put] = this.waiting.splice(Math.max(0, playlist), 1);
      took.push(
        this.happen(
          put.type === 'put-segment'
            ? { type: 'segment-stored', id: put.id }
            : { type: 'playlist-stored', rendition: put.rendition, version: put.version, tookMs: 20 },
        ),
      );
    }
    return took;
  }
}

function measure(queued, events) {
  const outage = new Outage();
  const queueing = [];
  while (outage.count < queued) {
    const took = outage.announce();
    if ((queued - outage.count) * RENDITIONS.length < events) queueing.push(...took);
  }
  for (const rendition of RENDITIONS) {
    const { length } = outage.state.renditions[rendition].queue;
    if (length !== queued) throw new Error(`${rendition} has ${length} segments queued, not ${queued}`);
  }
  const draining = outage.drain(events);
  if (!RENDITIONS.every((one) => outage.state.renditions[one].counts.published > 0))
    throw new Error('the drain published nothing');
  return { queued, queueing, draining };
}

const milliseconds = (value) => `${value.toFixed(3)} ms`;
const line = (cells) => cells.map((cell) => cell.padStart(12)).join('  ');

function main() {
  const { help, queued, events, most } = options();
  if (help) return console.log(HELP);
  // What runs for days is compiled.
  measure(queued[0], events);
  measure(queued[0], events);
  console.log(line(['queued', 'accept', 'ratio', 'worst', 'drain', 'ratio', 'worst']));
  let first;
  for (const count of queued) {
    const { queueing, draining } = measure(count, events);
    const now = [median(queueing), median(draining)];
    first ??= now;
    const ratios = now.map((value, i) => value / first[i]);
    const cells = [queueing, draining].flatMap((times, i) => [
      milliseconds(now[i]),
      ratios[i].toFixed(2),
      milliseconds(Math.max(...times)),
    ]);
    console.log(line([String(count), ...cells]));
    if (ratios.some((ratio) => ratio > most)) process.exitCode = 1;
  }
}

try {
  main();
} catch (error) {
  console.error(`scripts/bench/channel: ${error.message}`);
  process.exitCode = 2;
}
