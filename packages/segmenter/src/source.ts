import { constants, createReadStream, fstatSync, type Stats } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isatty } from 'node:tty';
import { ConfigError, errorCode, errorText, type Clock, type Logger } from '@hls-uplink/runtime';
import { FifoSource } from './fifo-source.js';
import { FilePlayer } from './file-player.js';
import { looksLikeUrl } from './input-url.js';
import { HEADROOM_BYTES, PipeSource } from './pipe-source.js';
import { Presence } from './presence.js';
import { watchSilence } from './silence.js';

/** Where the bytes come from. */
export interface Source {
  /**
   * The bytes in order; each chunk is valid until the next is asked for. Ends at the end of input, or when the signal is aborted.
   * The event loop never waits for input.
   * @throws an error with a code when the input can be read no longer
   */
  read(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export interface InputSource extends Source {
  /** For messages: `stdin`, or the path. */
  readonly name: string;
  /** Its end is the end of the stream unless the operator says otherwise. */
  readonly isRegularFile: boolean;
  /** Bytes before each chunk, in its buffer, that whoever takes the chunk may overwrite; left out: none. */
  readonly headroom?: number;
}

export interface SourceOptions {
  clock: Clock;
  logger: Logger;
  /** It has gone and may come back; called, and waited for, between its last chunk and the next. */
  onLost?: (reason: string) => Promise<void> | void;
  /** After that: its next bytes are there. */
  onBack?: () => void;
  /** Rises whenever what was handed on had data in it; left out: all is data. */
  found?: () => number;
  /** Without data for so long an input that is no file counts as gone; 0: never. Default: 10 s over a network, else never. */
  timeoutMs?: number;
  /** The end of a network connection is the end of the input. */
  endOnEof?: boolean;
  /** A regular file: at the rate of its PCRs, and over and over. */
  realtime?: boolean;
  loop?: boolean;
  /** The program whose length is that of a round, where it is not the one that would be chosen. */
  program?: number;
}

const NETWORK_TIMEOUT_MS = 10_000;
const STDIN = 0;
const READ_BYTES = 256 * 1024;

/**
 * Finds out what the argument INPUT names; nothing is read yet.
 * @throws ConfigError `input-missing`, `input-directory`, `input-unreadable`, `input-terminal`, `input-unsupported`,
 *   `input-url`, `input-srt`, `bad-option`
 */
export async function openSource(input: string, options: SourceOptions): Promise<InputSource> {
  const source = looksLikeUrl(input)
    ? await networkSource(input, options)
    : await localSource(input, options);
  for (const option of ['loop', 'realtime'] as const) {
    if (!options[option] || source instanceof FilePlayer) continue;
    const hint = 'give the path of an MPEG-TS file, or leave it out';
    throw new ConfigError('bad-option', `--${option} is for files, and ${source.name} is none: ${hint}`);
  }
  return source;
}

/** What networks need is loaded where it is needed. */
async function networkSource(input: string, options: SourceOptions): Promise<InputSource> {
  const { openNetworkSource } = await import('./network-source.js');
  const { clock, logger, found, timeoutMs = NETWORK_TIMEOUT_MS, endOnEof = false } = options;
  return openNetworkSource(input, {
    clock,
    logger,
    timeoutMs,
    ...(found && { found }),
    endsWithPeer: endOnEof,
    presence: new Presence(options),
  });
}

async function localSource(input: string, options: SourceOptions): Promise<InputSource> {
  if (input === '-') return stdinSource(options);
  const stats = await statOf(input);
  if (stats.isDirectory()) {
    throw new ConfigError(
      'input-directory',
      `the input ${input} is a directory: name an MPEG-TS file or a FIFO`,
    );
  }
  try {
    await access(input, constants.R_OK);
  } catch (error) {
    const hint = 'give this user the right to read it';
    throw new ConfigError(
      'input-unreadable',
      `cannot read the input ${input}: ${errorText(error)}: ${hint}`,
      {
        cause: error,
      },
    );
  }
  if (stats.isFIFO()) {
    const presence = new Presence(options);
    const fifo = new FifoSource(input, options.clock, presence);
    return watched(
      { name: input, isRegularFile: false, headroom: HEADROOM_BYTES, read: (signal) => fifo.read(signal) },
      options,
      presence,
    );
  }
  if (stats.isSocket() || stats.isBlockDevice()) {
    throw new ConfigError('input-unsupported', `the input ${input} is neither a file nor a FIFO`);
  }
  if (stats.isFile() && (options.realtime || options.loop)) {
    const { clock, logger, realtime = false, loop = false, program } = options;
    return new FilePlayer(input, {
      clock,
      logger,
      realtime,
      loop,
      ...(program !== undefined && { program }),
    });
  }
  return fileSource(input, stats.isFile(), (signal) => createReadStream(input, { signal, ...chunks }));
}

/** A local input from which nothing comes for too long counts as gone, where the operator wants that. */
function watched(source: InputSource, options: SourceOptions, presence = new Presence(options)): InputSource {
  const { clock, found, timeoutMs = 0 } = options;
  if (timeoutMs <= 0) return source;
  const silence = { clock, timeoutMs, ...(found && { found }) };
  const onSilence = (): void =>
    void presence.lost(`${found ? 'no packets have' : 'nothing has'} come for ${timeoutMs / 1000} s`);
  return {
    ...source,
    async *read(signal) {
      for await (const chunk of watchSilence(source.read(signal), { ...silence, onSilence })) {
        const returning = presence.heard();
        if (returning) await returning;
        yield chunk;
      }
    },
  };
}

const chunks = { highWaterMark: READ_BYTES };

function stdinSource(options: SourceOptions): InputSource {
  const name = 'stdin';
  if (isatty(STDIN)) {
    const hint = 'pipe an MPEG-TS into it, as in: ffmpeg … -f mpegts - | hls-segmenter -';
    throw new ConfigError('input-terminal', `stdin is a terminal: ${hint}`);
  }
  const stats = statOfStdin();
  if (stats.isDirectory()) {
    throw new ConfigError('input-directory', 'stdin is a directory: give an MPEG-TS file or a pipe');
  }
  if (stats.isFIFO()) {
    const pipe = PipeSource.reopen(STDIN, options.clock);
    if (pipe) {
      const read = (signal: AbortSignal): AsyncIterable<Uint8Array> => pipe.read(signal);
      return watched({ name, isRegularFile: false, headroom: HEADROOM_BYTES, read }, options);
    }
  }
  // Not opened again by its name: the offset of a file that was given to us may be anywhere.
  if (stats.isFile()) {
    return fileSource(name, true, (signal) =>
      createReadStream('', { fd: STDIN, autoClose: false, signal, ...chunks }),
    );
  }
  const other = fileSource(name, false, (signal) => {
    signal.addEventListener('abort', () => process.stdin.destroy(), { once: true });
    return process.stdin;
  });
  return watched(other, options);
}

function fileSource(
  name: string,
  isRegularFile: boolean,
  open: (signal: AbortSignal) => AsyncIterable<unknown>,
): InputSource {
  return {
    name,
    isRegularFile,
    async *read(signal) {
      if (signal.aborted) return;
      try {
        for await (const chunk of open(signal)) {
          yield chunk as Uint8Array;
          if (signal.aborted) return;
        }
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
    },
  };
}

async function statOf(input: string): Promise<Stats> {
  try {
    return await stat(input);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      throw new ConfigError(
        'input-missing',
        `there is no input ${input}: check the path, or give - for stdin`,
        {
          cause: error,
        },
      );
    }
    throw new ConfigError('input-unreadable', `cannot read the input ${input}: ${errorText(error)}`, {
      cause: error,
    });
  }
}

function statOfStdin(): Stats {
  try {
    return fstatSync(STDIN);
  } catch (error) {
    throw new ConfigError('input-unreadable', `cannot read stdin: ${errorText(error)}`, { cause: error });
  }
}
