import { constants, createReadStream, fstatSync, type Stats } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isatty } from 'node:tty';
import { ConfigError, errorCode, errorText, type Clock } from '@hls-uplink/runtime';
import { FifoSource } from './fifo-source.js';
import { PipeSource } from './pipe-source.js';

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
}

export interface SourceOptions {
  clock: Clock;
  /** The writer of a FIFO went; called, and waited for, between its last chunk and the first of the next writer. */
  onWriterGone?: () => Promise<void> | void;
  /** After that: the next writer's first bytes are there. */
  onWriterBack?: () => void;
}

const STDIN = 0;
const READ_BYTES = 256 * 1024;

/**
 * Finds out what the argument INPUT names; nothing is read yet.
 * @throws ConfigError `input-missing`, `input-directory`, `input-unreadable`, `input-terminal`, `input-unsupported`
 */
export async function openSource(input: string, options: SourceOptions): Promise<InputSource> {
  if (input === '-') return stdinSource(options.clock);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(input)) {
    const what =
      'this version reads stdin (-), a file or a FIFO: let ffmpeg or another program read it, and pipe';
    throw new ConfigError('input-unsupported', `cannot read ${withoutSecrets(input)}: ${what}`);
  }
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
    return {
      name: input,
      isRegularFile: false,
      read: (signal) => new FifoSource(input, options).read(signal),
    };
  }
  if (stats.isSocket() || stats.isBlockDevice()) {
    throw new ConfigError('input-unsupported', `the input ${input} is neither a file nor a FIFO`);
  }
  return fileSource(input, stats.isFile(), (signal) => createReadStream(input, { signal, ...chunks }));
}

const chunks = { highWaterMark: READ_BYTES };

function stdinSource(clock: Clock): InputSource {
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
    const pipe = PipeSource.reopen(STDIN, clock);
    if (pipe) return { name, isRegularFile: false, read: (signal) => pipe.read(signal) };
  }
  // Not opened again by its name: the offset of a file that was given to us may be anywhere.
  if (stats.isFile()) {
    return fileSource(name, true, (signal) =>
      createReadStream('', { fd: STDIN, autoClose: false, signal, ...chunks }),
    );
  }
  return fileSource(name, false, (signal) => {
    signal.addEventListener('abort', () => process.stdin.destroy(), { once: true });
    return process.stdin;
  });
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

const withoutSecrets = (url: string): string => url.replace(/\/\/[^/@]*@/, '//…@');
