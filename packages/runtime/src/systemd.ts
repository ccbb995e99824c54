import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { systemClock, type Clock } from './clock.js';
import { errorText } from './errors.js';
import type { Logger } from './logger.js';

/** Tells systemd how the service is (sd_notify(3)). Every call is safe, and does nothing, outside of systemd. */
export interface SystemdNotifier {
  /** READY=1: the service does its work from now on. Starts the watchdog. */
  ready(status?: string): Promise<void>;
  /** STOPPING=1. The watchdog goes on, since draining can hang as well. */
  stopping(status?: string): Promise<void>;
  /** STATUS=…, the line `systemctl status` shows; said again only when it changed. */
  status(text: string): Promise<void>;
  /** Ends the watchdog; resolves when all that was said has gone out. */
  close(): Promise<void>;
}

export interface SystemdOptions {
  /** NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are read from it. */
  env: NodeJS.ProcessEnv;
  logger: Logger;
  /** Asked twice in each watchdog period; while it says no, systemd hears nothing, and restarts the service in the end. */
  healthy?: () => boolean;
  clock?: Clock;
  /** How one notification is sent; default the command `systemd-notify`. */
  send?: (assignments: readonly string[], env: NodeJS.ProcessEnv) => Promise<void>;
}

/**
 * Node has no datagram sockets of the Unix kind, so the command systemd-notify sends for us: the unit needs
 * `NotifyAccess=all`. What cannot be sent is logged once.
 */
export function createSystemdNotifier(options: SystemdOptions): SystemdNotifier {
  return options.env['NOTIFY_SOCKET'] ? new Notifier(options) : nobody;
}

const nobody: SystemdNotifier = {
  ready: () => Promise.resolve(),
  stopping: () => Promise.resolve(),
  status: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

class Notifier implements SystemdNotifier {
  readonly #options: Required<SystemdOptions>;
  readonly #watchdogMs: number | undefined;
  #last: Promise<void> = Promise.resolve();
  #lastStatus: string | undefined;
  #failed = false;
  #cancelWatchdog: (() => void) | undefined;

  constructor(options: SystemdOptions) {
    this.#options = { healthy: () => true, clock: systemClock, send: systemdNotify, ...options };
    this.#watchdogMs = watchdogPeriodMs(options.env);
  }

  ready(status?: string): Promise<void> {
    if (this.#watchdogMs !== undefined) this.#watch(this.#watchdogMs / 2);
    return this.#notify(['READY=1', ...this.#statusLine(status)]);
  }

  stopping(status?: string): Promise<void> {
    return this.#notify(['STOPPING=1', ...this.#statusLine(status)]);
  }

  status(text: string): Promise<void> {
    if (oneLine(text) === this.#lastStatus) return this.#last;
    return this.#notify(this.#statusLine(text));
  }

  async close(): Promise<void> {
    this.#cancelWatchdog?.();
    this.#cancelWatchdog = undefined;
    await this.#last;
  }

  #statusLine(text: string | undefined): string[] {
    if (text === undefined) return [];
    this.#lastStatus = oneLine(text);
    return [`STATUS=${this.#lastStatus}`];
  }

  #watch(everyMs: number): void {
    this.#cancelWatchdog?.();
    const tick = (): void => {
      this.#cancelWatchdog = this.#options.clock.after(everyMs, tick);
      if (this.#options.healthy()) void this.#notify(['WATCHDOG=1']);
    };
    this.#cancelWatchdog = this.#options.clock.after(everyMs, tick);
  }

  /** One after the other, so that systemd hears them in order. */
  #notify(assignments: string[]): Promise<void> {
    this.#last = this.#last.then(async () => {
      try {
        await this.#options.send(assignments, this.#options.env);
      } catch (error) {
        if (!this.#failed) {
          this.#options.logger.warn(
            'cannot tell systemd how this service is; install systemd-notify (package systemd)',
            {
              error: errorText(error),
            },
          );
        }
        this.#failed = true;
      }
    });
    return this.#last;
  }
}

const oneLine = (text: string): string => text.replaceAll(/\s*\n\s*/g, ' ');

/** WATCHDOG_USEC in milliseconds, if it is meant for this process (sd_watchdog_enabled(3)). */
function watchdogPeriodMs(env: NodeJS.ProcessEnv): number | undefined {
  const microseconds = Number(env['WATCHDOG_USEC']);
  const pid = env['WATCHDOG_PID'];
  if (!(microseconds > 0) || (pid !== undefined && Number(pid) !== process.pid)) return undefined;
  return microseconds / 1000;
}

async function systemdNotify(assignments: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  await promisify(execFile)('systemd-notify', [...assignments], { env, timeout: 5000 });
}
