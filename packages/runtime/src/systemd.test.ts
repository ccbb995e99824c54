import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { silentLogger, type Logger } from './logger.js';
import { ManualClock } from './manual-clock.js';
import { createSystemdNotifier, type SystemdOptions } from './systemd.js';

/** Perl's core can do what Node cannot: it receives datagrams on a Unix socket and prints each on a line. */
const RECEIVER = `
  use Socket; $| = 1;
  socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
  bind($s, sockaddr_un($ARGV[0])) or die "bind: $!";
  print "bound\\n";
  while (defined recv($s, my $d, 65536, 0)) { next if $d =~ /^BARRIER=/; $d =~ s/\\n/;/g; print "$d\\n"; }
`;

describe('over a real socket', () => {
  let dir: string;
  let receiver: ChildProcess;
  let lines: Interface;
  let received: AsyncIterator<string>;
  const next = async (): Promise<string> => String((await received.next()).value).replace(/;$/, '');

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'systemd-'));
    receiver = spawn('perl', ['-e', RECEIVER, join(dir, 'notify')], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (!receiver.stdout) throw new Error('no output of perl');
    lines = createInterface(receiver.stdout);
    received = lines[Symbol.asyncIterator]();
    expect(await next()).toBe('bound');
  });

  afterEach(async () => {
    const exited = once(receiver, 'exit');
    receiver.kill();
    await exited;
    lines.close();
    await rm(dir, { recursive: true });
  });

  test('the service manager hears what is said, in order', async () => {
    const clock = new ManualClock();
    const env = { ...process.env, NOTIFY_SOCKET: join(dir, 'notify'), WATCHDOG_USEC: '10000000' };
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (message: string) => warnings.push(message) };
    const notifier = createSystemdNotifier({ env, logger, clock });
    void notifier.ready('3 channels');
    void notifier.status('4 channels\n1 lost');
    expect(await next()).toMatch(/^READY=1;STATUS=3 channels(;|$)/);
    expect(await next()).toMatch(/^STATUS=4 channels 1 lost(;|$)/);
    clock.advance(5000);
    expect(await next()).toMatch(/^WATCHDOG=1(;|$)/);
    await notifier.stopping();
    expect(await next()).toMatch(/^STOPPING=1(;|$)/);
    await notifier.close();
    expect(warnings).toEqual([]);
  });
});

describe('createSystemdNotifier', () => {
  function make(options: Partial<SystemdOptions> = {}) {
    const sent: string[] = [];
    const warnings: string[] = [];
    const clock = new ManualClock();
    const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
    const notifier = createSystemdNotifier({
      env: { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '2000000' },
      logger,
      clock,
      send: (assignments) => Promise.resolve(void sent.push(assignments.join(' '))),
      ...options,
    });
    return { notifier, sent, warnings, clock };
  }

  test('does nothing without NOTIFY_SOCKET', async () => {
    const { notifier, sent, clock } = make({ env: { WATCHDOG_USEC: '2000000' } });
    await notifier.ready();
    clock.advance(10_000);
    await notifier.status('x');
    await notifier.stopping();
    await notifier.close();
    expect(sent).toEqual([]);
  });

  test('the watchdog is fed twice a period, from ready to close, while healthy', async () => {
    let healthy = true;
    const { notifier, sent, clock } = make({ healthy: () => healthy });
    clock.advance(5000);
    await notifier.ready();
    clock.advance(3000);
    healthy = false;
    clock.advance(3000);
    healthy = true;
    clock.advance(1000);
    await notifier.stopping('draining');
    clock.advance(1000);
    await notifier.close();
    clock.advance(5000);
    const fed = 'WATCHDOG=1';
    expect(sent).toEqual(['READY=1', fed, fed, fed, fed, 'STOPPING=1 STATUS=draining', fed]);
    expect(clock.pending).toBe(0);
  });

  test.each([
    ['no watchdog', {}],
    ['the watchdog of another process', { WATCHDOG_USEC: '2000000', WATCHDOG_PID: String(process.pid + 1) }],
    ['nonsense', { WATCHDOG_USEC: 'soon' }],
  ])('%s', async (_name, env) => {
    const { notifier, sent, clock } = make({ env: { NOTIFY_SOCKET: '/run/notify', ...env } });
    await notifier.ready();
    clock.advance(10_000);
    await notifier.close();
    expect(sent).toEqual(['READY=1']);
  });

  test('the watchdog of this process', async () => {
    const env = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '2000000', WATCHDOG_PID: String(process.pid) };
    const { notifier, sent, clock } = make({ env });
    await notifier.ready();
    clock.advance(1000);
    await notifier.close();
    expect(sent).toEqual(['READY=1', 'WATCHDOG=1']);
  });

  test('a status is said again only when it changed', async () => {
    const { notifier, sent } = make();
    await notifier.status('a');
    await notifier.status('a');
    await notifier.status('b');
    expect(sent).toEqual(['STATUS=a', 'STATUS=b']);
  });

  test('what cannot be sent is logged once, and nothing fails', async () => {
    const { notifier, warnings } = make({
      send: () => Promise.reject(new Error('spawn systemd-notify ENOENT')),
    });
    await notifier.ready();
    await notifier.status('a');
    await notifier.close();
    expect(warnings).toHaveLength(1);
  });
});
