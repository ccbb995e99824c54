import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { openChannel, reduce } from '../../packages/uploader/dist/channel/reduce.js';
import { median } from './lib/table.js';

/** Caches that are missed make some of it. */
const MOST_PER_ENTRY = 4;

const HELP = `scripts/bench/channel [options]

What the channel's reducer takes for one event, while the store is out and three renditions queue their segments, and in
the drain after it: medians in milliseconds, and how often that of the shortest queue. "worst" is the longest single one.
And what it takes when a live version is stored and the dvr playlist of so many entries follows, one rendition alone.

  --queued COUNTS  segments queued for each rendition, with commas, rising (default 50,400,1600,7200)
  --dvr COUNTS     entries of the dvr playlist, with commas, rising (default 10,1000,14400: the last is 24 h of 6 s)
  --events N       events measured at each of them (default 300)
  --most RATIO     exit code 1 when a median is more than so many times that of the shortest queue (default 16)

Exit code 1, too, when an update of the dvr playlist costs more than ${MOST_PER_ENTRY} times as much an entry as with the next shorter one: it
formats one entry and joins the rest, which is linear; what is not grows with the length.`;

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
      dvr: { type: 'string', default: '10,1000,14400' },
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
  const numbers = (name, text) =>
    text
      .split(',')
      .map((one) => number(name, one))
      .sort((a, b) => a - b);
  return {
    help: values.help,
    queued: numbers('queued', values.queued),
    dvr: numbers('dvr', values.dvr),
    events: number('events', values.events),
    most: number('most', values.most),
  };
}

const sessionOf = (rendition) => String(RENDITIONS.indexOf(rendition) + 1).padStart(32, '0');

/** What the channel hears of a put that succeeded. */
function outcome({ type, id, view, rendition, version }) {
  switch (type) {
    case 'put-segment':
      return { type: 'segment-stored', id };
    case 'put-playlist':
      return { type: 'playlist-stored', view, rendition, version, tookMs: 20 };
    case 'put-multivariant':
      return { type: 'multivariant-stored', view, version };
  }
}

/** One channel, its store out until it is drained. */
class Outage {
  at = 1_700_000_000_000;
  count = 0;
  waiting = [];

  constructor(renditions = RENDITIONS, settings = {}) {
    this.renditions = renditions;
    this.state = openChannel({ channel: 'live', window: 6, writer: 'bench', ...settings });
    this.happen({ type: 'opened', playlists: [] });
    for (const rendition of renditions) {
      const session = sessionOf(rendition);
      const facts = { rendition, session, source: 'encoder', target: TARGET_SECONDS, renditions };
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
    this.waiting.push(...effects.filter((effect) => outcome(effect)));
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
    return this.renditions.map((rendition) =>
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
      const playlist = this.waiting.findIndex(({ type }) => type !== 'put-segment');
      const [put] = this.waiting.splice(Math.max(0, playlist), 1);
      took.push(this.happen(outcome(put)));
    }
    return took;
  }
}

function measure(queued, events) {
  // Of more than two windows the live tail skips what is before the last.
  const outage = new Outage(RENDITIONS, { window: Math.max(6, Math.ceil(queued / 2)) });
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

/** What the event takes with which the dvr playlist is made anew, once it is so long. */
function measureDvr(entries, events) {
  const channel = new Outage(['low'], { dvr: { segments: entries, seconds: 0 } });
  const took = [];
  let bytes = 0;
  while (channel.count < entries + events) {
    channel.announce();
    while (channel.waiting.length > 0) {
      const put = channel.waiting.shift();
      const ms = channel.happen(outcome(put));
      if (put.view === 'live' && put.type === 'put-playlist' && channel.count > entries) took.push(ms);
      if (put.view === 'dvr' && put.type === 'put-playlist') bytes = put.text.length;
    }
  }
  const { count } = channel.state.renditions.low.recordings.dvr.entries;
  if (count !== entries) throw new Error(`the dvr playlist has ${count} entries, not ${entries}`);
  return { took, bytes };
}

const milliseconds = (value) => `${value.toFixed(3)} ms`;
const line = (cells) => cells.map((cell) => cell.padStart(12)).join('  ');

function main() {
  const { help, queued, dvr, events, most } = options();
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
  measureDvr(dvr[0], events);
  console.log(line(['dvr', 'update', 'an entry', 'ratio', 'worst', 'bytes']));
  let shorter;
  for (const count of dvr) {
    const { took, bytes } = measureDvr(count, events);
    const nanoseconds = (median(took) * 1e6) / count;
    const ratio = nanoseconds / (shorter ?? nanoseconds);
    const cells = [
      milliseconds(median(took)),
      `${nanoseconds.toFixed(0)} ns`,
      ratio.toFixed(2),
      milliseconds(Math.max(...took)),
      String(bytes),
    ];
    console.log(line([String(count), ...cells]));
    if (ratio > MOST_PER_ENTRY) process.exitCode = 1;
    shorter = nanoseconds;
  }
}

try {
  main();
} catch (error) {
  console.error(`scripts/bench/channel: ${error.message}`);
  process.exitCode = 2;
}
