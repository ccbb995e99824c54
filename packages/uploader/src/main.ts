import { readFileSync } from 'node:fs';
import { createLogger, onShutdown, runMain, systemClock } from '@hls-uplink/runtime';
import { startDaemon } from './daemon.js';
import { requestEnd } from './end-request.js';
import { loadTask } from './options.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** The command `hls-uploader`. Sets the exit code. */
export function runCommand(
  argv: readonly string[] = process.argv.slice(2),
  env = process.env,
): Promise<void> {
  return runMain('hls-uploader', () => main(argv, env));
}

async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const task = await loadTask(argv, env, version);
  if (task.kind === 'print') {
    process.stdout.write(`${task.text}\n`);
    return 0;
  }
  if (task.kind === 'end') {
    process.stdout.write(`${await requestEnd(task)}\n`);
    return 0;
  }
  const { settings } = task;
  const logger = createLogger({ level: settings.logLevel });
  for (const warning of settings.warnings) logger.warn(warning);
  const shutdown = onShutdown();
  const { signal } = shutdown;
  const daemon = await startDaemon(settings, { clock: systemClock, logger, env, signal });
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  logger.info('stopping: uploads under way are finished first', { seconds: settings.drainTimeoutMs / 1000 });
  await daemon.stop();
  shutdown.dispose();
  return 0;
}
