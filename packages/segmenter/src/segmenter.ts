import {
  createLogger,
  createSystemdNotifier,
  errorText,
  onShutdown,
  shutdownSignalOf,
  type Clock,
  type Logger,
  type Shutdown,
  type SystemdNotifier,
} from '@hls-uplink/runtime';
import { MediaError } from '@hls-uplink/mpegts';
import { BitRate } from './bit-rate.js';
import type { CutSink } from './cut-segment.js';
import { Cutting } from './cutting.js';
import { isInMemory } from './disk.js';
import type { Settings } from './options.js';
import { Outbox } from './outbox.js';
import { openSource, type InputSource } from './source.js';
import { SpareFiles } from './spare-files.js';
import { Spool } from './spool.js';
import { StatusLine, type Terminal } from './status-line.js';
import { statusText } from './status-text.js';
import { UploaderClient, type UploaderClientOptions } from './uploader-client.js';

/** An input from which nothing comes is said after so long, milliseconds. */
const PATIENCE_MS = 5000;

export interface Surroundings {
  clock: Clock;
  env: NodeJS.ProcessEnv;
  stderr: Terminal;
}

/**
 * The segmenter: source → cutting → outbox → uploader, until the input ends or the process is asked to stop; then the
 * last segment is closed, `leave` or `end` announced, and final answers are waited for. What is not answered by then
 * stays in the spool for the next start.
 * @throws ConfigError before the start; MediaError when the input is refused; an errno error when it is lost
 */
export async function runSegmenter(settings: Settings, { clock, env, stderr }: Surroundings): Promise<void> {
  const statusLine = new StatusLine(stderr, clock);
  const { channel, rendition, logLevel: level, drainTimeoutMs: waitMs, spoolFolder: folder } = settings;
  const logger = createLogger({ level, stream: statusLine.stream }).child({ channel, rendition });
  for (const warning of settings.warnings) logger.warn(warning);
  const shutdown = onShutdown();
  const systemd = createSystemdNotifier({ env, logger, clock });
  let spool: Spool | undefined;
  try {
    const { inputTimeoutMs: timeoutMs, endOnEof, realtime, loop } = settings;
    const source = await openSource(settings.input, {
      clock,
      logger,
      onLost: (reason) => segmenter?.inputLost(reason),
      found: () => segmenter?.packetsFound ?? 0,
      onBack: () => logger.info('the input is back', { input: source.name }),
      realtime,
      loop,
      ...(settings.program !== undefined && { program: settings.program }),
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(endOnEof !== undefined && { endOnEof }),
    });
    spool = await Spool.open({ folder, waitMs, clock, logger, signal: shutdown.signal });
    const spares = isInMemory(spool.folder) ? new SpareFiles(spool.folder) : undefined;
    const outbox = await Outbox.open({ spool, clock, logger, ...(spares && { spares }) });
    const segmenter: Segmenter | undefined = new Segmenter(settings, {
      source,
      spool,
      spares,
      outbox,
      clock,
      logger,
      statusLine,
    });
    statusLine.start(() => segmenter.status);
    await segmenter.run(shutdown, systemd, stderr.isTTY === true);
  } catch (error) {
    // Asked to stop while it waited for the spool: there was nothing to leave yet.
    if (spool || !shutdown.signal.aborted) throw error;
  } finally {
    statusLine.stop();
    await spool?.close();
    await systemd.close();
    shutdown.dispose();
  }
}

interface Parts {
  source: InputSource;
  spool: Spool;
  spares: SpareFiles | undefined;
  outbox: Outbox;
  clock: Clock;
  logger: Logger;
  statusLine: StatusLine;
}

class Segmenter {
  readonly #settings: Settings;
  readonly #parts: Parts;
  readonly #client: UploaderClient;
  readonly #cutting: Cutting;
  readonly #rate: BitRate;
  #segments = 0;
  /** Segments or gaps were announced since the last `leave`. */
  #isThere = false;
  /** The input was found to be good. */
  #speaks = false;

  constructor(settings: Settings, parts: Parts) {
    const { spool, spares, outbox, clock, logger } = parts;
    this.#settings = settings;
    this.#parts = parts;
    this.#rate = new BitRate(clock);
    this.#client = new UploaderClient({
      addresses: settings.uploaders,
      hello: helloOf(settings),
      outbox,
      clock,
      logger,
      onTargetDuration: (seconds) => this.#cutting.setTargetDuration(seconds),
    });
    this.#cutting = new Cutting({
      targetSeconds: settings.segmentDuration,
      spool: spool.folder,
      sink: this.#sink(),
      clock,
      logger,
      ...(spares && { spares }),
      ...(settings.program !== undefined && { program: settings.program }),
      ...(settings.audioWaitSeconds !== undefined && { audioWaitSeconds: settings.audioWaitSeconds }),
    });
  }

  /** Found in the input so far. */
  get packetsFound(): number {
    return this.#cutting.packetsFound;
  }

  get status(): string {
    const { outbox, clock } = this.#parts;
    const { oldest } = outbox;
    return statusText({
      segments: this.#segments,
      bitsPerSecond: this.#rate.bitsPerSecond,
      backlog: outbox.size,
      backlogBytes: outbox.bytes,
      lagMs: oldest ? Math.max(0, clock.now() - oldest.since) : 0,
      lost: outbox.counters.lost,
      uploader: this.#client.state,
    });
  }

  async run(shutdown: Shutdown, systemd: SystemdNotifier, isOnTerminal: boolean): Promise<void> {
    const { source, outbox, logger } = this.#parts;
    // What an earlier run left need not wait for this one's input.
    if (outbox.size > 0) this.#client.start();
    const cancelPatience = this.#sayIfNothingComes();
    await systemd.ready(`reading ${source.name}`);
    let failure: unknown;
    try {
      await this.#read(shutdown.signal);
    } catch (error) {
      failure = error;
    }
    cancelPatience();
    const signalName = shutdownSignalOf(shutdown.signal);
    void systemd.stopping('waiting for the uploader');
    try {
      await this.#cutting.finish();
    } catch (error) {
      failure ??= error;
    }
    const isEnd = signalName
      ? signalName === 'SIGINT' && isOnTerminal
      : failure === undefined && (this.#settings.endOnEof ?? source.isRegularFile);
    const reason = signalName ? `stopped by ${signalName}` : failure ? errorText(failure) : 'the input ended';
    if (!isEnd) this.#leave(reason);
    else if (this.#speaks) outbox.end();
    if (outbox.size > 0 || this.#speaks) {
      logger.info(isEnd ? 'the stream ends' : 'leaving', { reason, segments: this.#segments });
    }
    await this.#drain();
    if (failure !== undefined && !signalName) throw inputError(source.name, failure);
  }

  /** The input has gone and may come back: what is there of the segment is closed. */
  async inputLost(reason: string): Promise<void> {
    this.#cutting.break(reason);
    await this.#cutting.handedOn();
    this.#leave(reason);
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { source } = this.#parts;
    for await (const chunk of source.read(signal)) {
      this.#rate.add(chunk.length);
      const taken = this.#cutting.push(chunk, source.headroom);
      if (taken) await taken;
      if (this.#cutting.position !== undefined) this.#speak();
    }
  }

  #leave(reason: string): void {
    if (this.#isThere) this.#parts.outbox.leave(reason);
    this.#isThere = false;
  }

  async #drain(): Promise<void> {
    const { outbox, logger, spool, statusLine } = this.#parts;
    await outbox.entered();
    if (outbox.size > 0) this.#client.start();
    const { drainTimeoutMs } = this.#settings;
    if (!(await this.#client.answered(drainTimeoutMs))) {
      logger.warn('left without all answers; the spool keeps the rest for the next start', {
        waiting: outbox.size,
        bytes: outbox.bytes,
        spool: spool.folder,
        seconds: drainTimeoutMs / 1000,
      });
    }
    // It leaves what held while there was a connection; `done` stands below it.
    statusLine.stop();
    await this.#client.close();
    await outbox.close();
    this.#parts.spares?.clear();
    if (this.#speaks)
      logger.info('done', {
        segments: this.#segments,
        bytesRead: this.#rate.bytes,
        droppedPackets: this.#cutting.counters.droppedPackets,
        ...outbox.counters,
      });
  }

  #sink(): CutSink {
    const { outbox } = this.#parts;
    return {
      tracks: (tracks) => {
        this.#speak();
        outbox.tracks(tracks);
      },
      segment: (segment) => {
        this.#segments++;
        this.#isThere = true;
        outbox.segment(segment);
      },
      lost: (segment) => {
        this.#isThere = true;
        outbox.lost(segment);
      },
    };
  }

  /** Not before something came of the input: one that is refused is no reason to speak to anyone. */
  #speak(): void {
    if (this.#speaks) return;
    this.#speaks = true;
    const { source, outbox, spool, logger } = this.#parts;
    logger.info('segmenting', { input: source.name, session: outbox.session, spool: spool.folder });
    this.#client.start();
  }

  #sayIfNothingComes(): () => void {
    const { source, clock, logger } = this.#parts;
    return clock.after(PATIENCE_MS, () => {
      if (this.#rate.bytes === 0)
        logger.warn('nothing has come from the input yet; waiting', { input: source.name });
    });
  }
}

const hints: Partial<Record<MediaError['code'], string>> = {
  empty: 'see whether the encoder runs and writes to it',
  'no-sync': 'give an MPEG transport stream, as ffmpeg writes with -f mpegts',
  'no-tables': 'see whether the whole stream arrives, PAT and PMT included',
  'no-program': 'name one that is there with --program',
  scrambled: 'segment it behind the receiver that descrambles',
  'no-timestamps': 'see whether the muxer writes PTS',
  'no-media': 'see whether the encoder sends the tracks that its PMT names',
};

function inputError(input: string, error: unknown): unknown {
  if (!(error instanceof MediaError)) return error;
  const hint = hints[error.code];
  return new MediaError(error.code, `cannot segment ${input}: ${error.message}${hint ? `: ${hint}` : ''}`, {
    cause: error,
  });
}

function helloOf(settings: Settings): UploaderClientOptions['hello'] {
  const {
    channel,
    rendition,
    source,
    segmentDuration: target,
    token,
    renditions,
    bandwidth,
    names,
  } = settings;
  return {
    channel,
    rendition,
    source,
    target,
    ...(token !== undefined && { token }),
    ...(renditions && { renditions }),
    ...(bandwidth !== undefined && { bandwidth }),
    ...(names && { names }),
  };
}
