import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { ConfigError, errorText } from '@hls-uplink/runtime';
import { withoutSecrets, type SrtInput } from './input-url.js';
import type { Feed } from './live-source.js';
import type { FeedOptions } from './udp-feed.js';

const COMMAND = 'srt-live-transmit';
/** Kept for the reason why it ended. */
const MOST_STDERR = 2000;
const KILL_AFTER_MS = 2000;

/** A transport stream over SRT: srt-live-transmit receives it, and writes it to its stdout. */
export class SrtFeed implements Feed {
  readonly name: string;
  readonly listens: boolean;

  private constructor(
    private readonly input: SrtInput & { name: string },
    private readonly options: FeedOptions,
    private readonly command: readonly string[],
  ) {
    this.name = input.name;
    this.listens = input.listens;
  }

  /** @throws ConfigError `input-srt` where the command is not installed */
  static async open(
    input: SrtInput & { name: string },
    options: FeedOptions,
    path = process.env['PATH'],
  ): Promise<SrtFeed> {
    const command = await find(COMMAND, path);
    if (command === undefined) {
      const remedy = 'apt-get install srt-tools (Debian, Ubuntu)';
      throw new ConfigError(
        'input-srt',
        `cannot read ${input.name}: srt:// needs the command ${COMMAND}: ${remedy}`,
      );
    }
    // So it is gone, and its port free, even when this process is killed and cannot end it.
    const setpriv = await find('setpriv', path);
    const prefix = setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'TERM'];
    return new SrtFeed(input, options, [...prefix, command]);
  }

  async *connect(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const [program = COMMAND, ...prefix] = this.command;
    // It would connect again by itself, but not tell.
    const args = [...prefix, '-a:no', '-ll:error', this.input.url, 'file://con'];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const exited = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(errorText(error)));
      child.once('close', (code, killedBy) => resolve(killedBy ?? `exit code ${code}`));
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-MOST_STDERR)));
    let cancelKill: (() => void) | undefined;
    const stop = (): void => {
      child.kill('SIGTERM');
      cancelKill ??= this.options.clock.after(KILL_AFTER_MS, () => child.kill('SIGKILL'));
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    let gaveData = false;
    try {
      for await (const chunk of child.stdout) {
        if (!gaveData) this.options.logger.info('connected', { input: this.name });
        gaveData = true;
        yield chunk as Uint8Array;
      }
      const how = await exited;
      if (gaveData || signal.aborted) return;
      throw new Error(`${COMMAND} gave nothing and ended (${how})${lastWords(said)}`);
    } finally {
      signal.removeEventListener('abort', stop);
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) stop();
      child.stdout.destroy();
      await exited;
      cancelKill?.();
    }
  }
}

/** The last line that says something; it repeats the URL with its passphrase. */
function lastWords(said: string): string {
  const last = said
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('Media path:'))
    .at(-1);
  return last === undefined ? '' : `: ${withoutSecrets(last)}`;
}

async function find(command: string, path = ''): Promise<string | undefined> {
  for (const folder of path.split(delimiter).filter((one) => one !== '')) {
    const file = join(folder, command);
    try {
      await access(file, constants.X_OK);
      return file;
    } catch {
      // Not in this one.
    }
  }
  return undefined;
}
