import { ConfigError, errorCode, errorText } from './errors.js';

/** How long what is still open after a failed start may keep the process, milliseconds. */
const LINGER_MS = 2000;

/** Node marks wrong use of its own API with a code too, but by these classes. */
const isProgrammerError = (error: unknown): boolean =>
  !(error instanceof Error) ||
  error instanceof TypeError ||
  error instanceof RangeError ||
  error instanceof ReferenceError ||
  error instanceof SyntaxError ||
  (!(error instanceof ConfigError) && errorCode(error) === undefined);

/**
 * Runs a command and sets the exit code: what `main` returns, 2 for a `ConfigError`, 1 for any other error that has a
 * code, each said in one line `name: message` on stderr. An error without a code is a defect of ours: it is thrown on,
 * and Node ends with its stack.
 */
export async function runMain(name: string, main: () => Promise<number | void>): Promise<void> {
  // Whoever reads our output may go (`--help | head`, a closed terminal); the stream goes on.
  for (const output of [process.stdout, process.stderr]) output.on('error', ignoreClosedPipe);
  try {
    process.exitCode = (await main()) ?? process.exitCode ?? 0;
  } catch (error) {
    if (isProgrammerError(error)) throw error;
    process.stderr.write(`${name}: ${errorText(error)}\n`);
    process.exitCode = error instanceof ConfigError ? 2 : 1;
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

function ignoreClosedPipe(error: Error): void {
  const code = errorCode(error);
  if (code !== 'EPIPE' && code !== 'EIO') throw error;
}
