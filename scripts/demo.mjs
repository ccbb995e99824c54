import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { canDrawText, describeInput, InputError, testPicture } from './lib/encoder.js';
import { CHANNEL, Pipeline, RENDITION_NAMES } from './lib/pipeline.js';
import { Published } from './lib/published.js';
import { clockText, StatusLine } from './lib/terminal.js';

const HELP = `usage: ./scripts/demo [options] [FILE-OR-URL]

Installs what is missing, builds, and shows a live stream on this machine: ffmpeg's moving test picture with clock and
tone, or any input that ffmpeg can read, encoded at three bitrates in real time; one hls-segmenter each; one
hls-uploader into a directory, which also serves a page with a player. Ctrl-C ends the stream.

  --http-port PORT   of the page and the playlists (8080)
  --port PORT        of the uploader, where the segmenters announce (10234)
  --host HOST        address the page is served on (127.0.0.1); 0.0.0.0 lets other machines see it
  --dir DIR          where spools, journal, logs and published files live (artifacts/demo)
  --uploader H:PORT  feed an uploader that runs elsewhere instead of starting one
`;
const LIVE_MS = 60_000;

/** What the operator can mend: said in one line, exit code 1. */
class DemoError extends Error {}

const line = new StatusLine();

function readOptions() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        'http-port': { type: 'string', default: '8080' },
        port: { type: 'string', default: '10234' },
        host: { type: 'string', default: '127.0.0.1' },
        dir: { type: 'string' },
        uploader: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new DemoError(`${error.message.split('. ')[0]}. --help shows the usage`, { cause: error });
  }
  const { values, positionals } = parsed;
  if (positionals.length > 1) throw new DemoError('one input at most. --help shows the usage');
  const caller = process.env.DEMO_CALLER_DIRECTORY ?? process.cwd();
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  return {
    help: values.help,
    input: positionals[0] === undefined ? undefined : inputAddress(positionals[0], caller),
    httpPort: portNumber('http-port', values['http-port']),
    port: portNumber('port', values.port),
    host: values.host,
    dir: values.dir === undefined ? join(root, 'artifacts/demo') : resolve(caller, values.dir),
    uploader: values.uploader,
  };
}

function portNumber(option, text) {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value < 65536) return value;
  throw new DemoError(`--${option} ${JSON.stringify(text)}: a port is a number from 1 to 65535`);
}

/** What is no file, seen from where the operator stands, must be an address with a scheme. */
function inputAddress(text, caller) {
  const file = resolve(caller, text);
  if (existsSync(file)) return `file:${file}`;
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return text;
  throw new DemoError(`there is no file ${file}`);
}

async function checkPort(option, host, port) {
  const server = createServer();
  try {
    await new Promise((done, failed) => {
      server.once('error', failed).listen(port, host, done);
    });
  } catch (error) {
    const taken = error.code === 'EADDRINUSE';
    const what = taken ? 'is taken, perhaps by another demo' : `cannot be used (${error.message})`;
    const remedy = `./scripts/demo --${option} ${port < 65535 ? port + 1 : port - 1}`;
    throw new DemoError(`port ${port} on ${host} ${what}. Free it, or choose another: ${remedy}`, {
      cause: error,
    });
  }
  await new Promise((done) => server.close(done));
}

async function chooseInput(address) {
  if (address === undefined) return testPicture;
  try {
    return await describeInput(address);
  } catch (error) {
    if (error instanceof InputError) throw new DemoError(error.message, { cause: error });
    throw error;
  }
}

/** How a browser on this machine writes a host that something listens on. */
function visible(host) {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

/** Shows the stream until a process ends or the operator wants to stop. @returns whether it was seen live */
async function watch(pipeline, published, site, isOver, over) {
  const began = Date.now();
  while (!isOver() && !(await published.live())) {
    line.show(
      `Starting: ${pipeline.progress.seconds.toFixed(0)} s encoded, the first segments are on their way …`,
    );
    if (Date.now() - began > LIVE_MS) {
      line.say(
        `✗ nothing is published after ${LIVE_MS / 1000} s. The logs are in ${dirname(pipeline.uploader.logFile)}`,
      );
      return false;
    }
    await Promise.race([over, sleep(250)]);
  }
  if (isOver()) return false;
  line.say('\nThe stream is live.');
  line.say(`  page:      ${site}/`);
  line.say(`  playlist:  ${published.multivariantUrl}`);
  line.say(`  files:     ${pipeline.folder}`);
  line.say('Ctrl-C ends the stream.\n');
  while (!isOver()) {
    const facts = await published.media();
    const renditions = facts.map(
      (of, at) =>
        `${RENDITION_NAMES[at]} ${of ? `#${of.last}${of.gaps > 0 ? ` (${of.gaps} gaps)` : ''}` : '–'}`,
    );
    const seconds = (Date.now() - began) / 1000;
    line.show(
      ['live', clockText(seconds), ...renditions, `encoder ${pipeline.progress.speed || '–'}x`].join('  '),
    );
    await Promise.race([over, sleep(1000)]);
  }
  return true;
}

/**
 * Stops at the source and follows the stream downward, so that everything that was encoded is published.
 * @param seen whether the stream was live: then its playlists must be closed in the end
 */
async function close(pipeline, stopping, seen) {
  // Whoever ends by itself may only be the encoder, at the end of its input.
  const culprits = pipeline.children.filter((child) => child.ended && !child.succeeded);
  const inputOver = culprits.length === 0 && pipeline.encoder.succeeded;
  for (const child of culprits) line.say(`✗ ${child.report()}`);
  if (!inputOver) line.say('Stopping the encoder, then waiting for the last segments …');
  let clean = await pipeline.stopEncoder();
  clean = (await pipeline.drainSegmenters()) && clean;
  if (inputOver && clean && pipeline.uploader) {
    line.say('The input is over and the stream closed. The page stays until Ctrl-C.');
    await Promise.race([stopping, pipeline.uploader.exited]);
  }
  clean = (await pipeline.stopUploader()) && clean;
  for (const child of [...pipeline.segmenters, pipeline.uploader]) {
    if (child && !child.succeeded && !culprits.includes(child)) line.say(`✗ ${child.report()}`);
  }
  const open = seen ? pipeline.openPlaylists() : [];
  if (open.length > 0) line.say(`✗ not closed, without ENDLIST: ${open.join(', ')}`);
  else if (clean) line.say('The stream is closed. Started again, it begins a new life.');
  return clean && culprits.length === 0 && open.length === 0;
}

async function demo(options, pipelineMade, stopping) {
  const address = options.uploader ?? `127.0.0.1:${options.port}`;
  if (!options.uploader) {
    await checkPort('port', '127.0.0.1', options.port);
    await checkPort('http-port', options.host, options.httpPort);
  }
  const [input, drawText] = await Promise.all([chooseInput(options.input), canDrawText()]);
  const pipeline = new Pipeline(options.dir, address);
  pipelineMade(pipeline);
  const site = `http://${visible(options.host)}:${options.httpPort}`;
  if (!options.uploader) {
    const http = `${options.host.includes(':') ? `[${options.host}]` : options.host}:${options.httpPort}`;
    const trouble = await pipeline.startUploader(http, `${site}/readyz`);
    if (trouble !== undefined) throw new DemoError(trouble);
  }
  pipeline.startStream(input, drawText);
  line.say(`Input: ${input.description}`);

  let isOver = false;
  const over = Promise.race([stopping, ...pipeline.children.map((child) => child.exited)]).then(
    () => (isOver = true),
  );
  let seen = false;
  if (options.uploader) {
    line.say(`Feeding the uploader at ${address}, channel ${CHANNEL}.`);
    await over;
  } else {
    const published = new Published(`${site}/live/${CHANNEL}/`, RENDITION_NAMES);
    seen = await watch(pipeline, published, site, () => isOver, over);
  }
  return (await close(pipeline, stopping, seen)) && isOver ? 0 : 1;
}

async function main() {
  const options = readOptions();
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  let pipeline;
  let signals = 0;
  const stopping = new Promise((stop) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(name, () => {
        stop(name);
        if (++signals === 1 && pipeline) return;
        pipeline?.kill('SIGKILL');
        line.say('\nstopped at once');
        process.exit(130);
      });
    }
  });
  try {
    return await demo(options, (made) => (pipeline = made), stopping);
  } finally {
    pipeline?.kill('SIGKILL');
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof DemoError)) throw error;
  line.say(`✗ ${error.message}`);
  process.exitCode = 1;
}
