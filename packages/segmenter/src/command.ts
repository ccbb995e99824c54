import { readFile } from 'node:fs/promises';
import { MediaError } from '@hls-uplink/mpegts';
import { ConfigError, errorText, runMain, systemClock } from '@hls-uplink/runtime';
import { loadSettings, type Command } from './options.js';
import { runSegmenter } from './segmenter.js';

/** The input is not what it should be, as the operator reads it. */
class InputRefused extends Error {
  override readonly name = 'InputRefused';

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(`${message} (${code})`);
  }
}

/** The whole of a process: exit code 0, or 1 (input refused or lost) and 2 (usage, configuration) with one line. */
export async function runCommand(command: Command): Promise<void> {
  await runMain('hls-segmenter', async () => {
    try {
      const settings = await loadSettings(command, process.argv.slice(2), process.env, await version());
      if ('print' in settings) {
        process.stdout.write(`${settings.print}\n`);
        return 0;
      }
      await runSegmenter(settings, { clock: systemClock, env: process.env, stderr: process.stderr });
      return 0;
    } catch (error) {
      if (error instanceof MediaError) throw new InputRefused(error.code, errorText(error));
      if (error instanceof ConfigError)
        throw new ConfigError(error.code, `${errorText(error)} (${error.code})`);
      throw error;
    }
  });
}

async function version(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
