/**
 * A real S3 server for tests: Ceph's RADOS Gateway on one node, its storage in memory, everything on 127.0.0.1.
 * Needs Debian's packages radosgw, ceph-mon, ceph-osd and ceph-common.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { access, constants, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { cephConfig, type CephPorts } from './ceph-config.js';
import { warmUp } from './bucket.js';
import { freePort, start, until, type StartedProcess } from './processes.js';

const run = promisify(execFile);

const INSTALL =
  'install it as root: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common';
/** For each command that sets the cluster up, milliseconds; they take 1–4 s on a quiet machine. */
const STEP_MS = 120_000;

/** Where an S3 server is, and with whose keys. */
export interface S3Server {
  endpoint: string;
  accessKey: string;
  secretKey: string;
}

export interface Ceph extends S3Server {
  /** Kills what was started, and removes its folder. May be repeated. */
  stop(): Promise<void>;
}

/**
 * The gateway that the test run shares (`HLS_TEST_S3_ENDPOINT`, `…_ACCESS_KEY`, `…_SECRET_KEY`, as `ceph-setup.ts`
 * sets them), else one of its own; `stop` leaves a shared one alone.
 */
export async function useCeph(env: NodeJS.ProcessEnv = process.env): Promise<Ceph> {
  const { HLS_TEST_S3_ENDPOINT: endpoint, HLS_TEST_S3_ACCESS_KEY, HLS_TEST_S3_SECRET_KEY } = env;
  if (!endpoint) return startCeph();
  if (!HLS_TEST_S3_ACCESS_KEY || !HLS_TEST_S3_SECRET_KEY) {
    throw new Error(
      'HLS_TEST_S3_ENDPOINT is set; set HLS_TEST_S3_ACCESS_KEY and HLS_TEST_S3_SECRET_KEY, too',
    );
  }
  return {
    endpoint,
    accessKey: HLS_TEST_S3_ACCESS_KEY,
    secretKey: HLS_TEST_S3_SECRET_KEY,
    stop: () => Promise.resolve(),
  };
}

/**
 * Starts a gateway and resolves when it stores objects at full speed, after about 12 s. Nothing of it is left when
 * that fails, nor when this process dies.
 * @param parent where its folder is made; default: the system's temporary folder
 */
export async function startCeph(parent = tmpdir()): Promise<Ceph> {
  await requireCommands();
  const folder = await mkdtemp(join(parent, 'ceph-'));
  const cluster = new Cluster(folder);
  try {
    return await cluster.start();
  } catch (cause) {
    await cluster.stop();
    throw new Error(`Ceph's S3 gateway does not start: ${(cause as Error).message}`, { cause });
  }
}

async function requireCommands(): Promise<void> {
  const commands = [
    'ceph-mon',
    'ceph-osd',
    'radosgw',
    'radosgw-admin',
    'ceph',
    'ceph-authtool',
    'monmaptool',
  ];
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const command of commands) {
    const found = folders.map((folder) => access(join(folder, command), constants.X_OK));
    await Promise.any(found).catch((cause: unknown) => {
      throw new Error(`Ceph's S3 gateway is needed for this test, and there is no ${command}: ${INSTALL}`, {
        cause,
      });
    });
  }
}

class Cluster {
  readonly #daemons: StartedProcess[] = [];
  readonly #config: string;

  constructor(private readonly folder: string) {
    this.#config = join(folder, 'ceph.conf');
  }

  async start(): Promise<Ceph> {
    const ports = { monV1: await freePort(), monV2: await freePort(), gateway: await freePort() };
    const fsid = randomUUID();
    for (const name of ['mon', 'osd/0', 'log']) await mkdir(join(this.folder, name), { recursive: true });
    await writeFile(this.#config, cephConfig(this.folder, fsid, ports));

    await this.#startMonitor(fsid, ports);
    await this.#startStorage();
    await this.#daemon('radosgw', ['-f', '-n', 'client.rgw']);
    const endpoint = `http://127.0.0.1:${ports.gateway}`;
    const user = await this.#run('radosgw-admin', ['user', 'create', '--uid=test', '--display-name=test']);
    const { access_key: accessKey, secret_key: secretKey } = keysOf(user);
    await until(() => this.#answers(endpoint), {
      what: `an answer of the gateway at ${endpoint}`,
      timeoutMs: STEP_MS,
    });

    const server = { endpoint, accessKey, secretKey };
    await warmUp(server);
    return { ...server, stop: () => this.stop() };
  }

  /** Kills at once: all of it is in memory, there is nothing to save. */
  async stop(): Promise<void> {
    for (const daemon of this.#daemons) daemon.kill('SIGKILL');
    await Promise.all(this.#daemons.map((daemon) => daemon.exited));
    await rm(this.folder, { recursive: true, force: true });
  }

  async #startMonitor(fsid: string, { monV1, monV2 }: CephPorts): Promise<void> {
    const [map, admin, keys] = ['monmap', 'keyring.client.admin', 'keyring.mon'].map((name) =>
      join(this.folder, name),
    ) as [string, string, string];
    const addresses = `[v2:127.0.0.1:${monV2},v1:127.0.0.1:${monV1}]`;
    const all = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *'];
    await this.#run('monmaptool', ['--create', '--fsid', fsid, '--addv', 'a', addresses, map]);
    await this.#run('ceph-authtool', ['-C', admin, '--gen-key', '-n', 'client.admin', ...all]);
    await this.#run('ceph-authtool', ['-C', keys, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *']);
    await this.#run('ceph-authtool', [keys, '--import-keyring', admin]);
    await copyFile(keys, `${keys}.a`);
    const data = join(this.folder, 'mon', 'a');
    await this.#run('ceph-mon', [
      '--mkfs',
      '-i',
      'a',
      '--keyring',
      keys,
      '--monmap',
      map,
      '--mon-data',
      data,
    ]);
    await this.#daemon('ceph-mon', ['-f', '-i', 'a']);
  }

  async #startStorage(): Promise<void> {
    const uuid = randomUUID();
    // Waits for the monitor to be up.
    await this.#run('ceph', ['osd', 'new', uuid]);
    for (const [user, monitor] of [
      ['osd.0', 'allow profile osd'] as const,
      ['client.rgw', 'allow *'] as const,
    ]) {
      const keyring = await this.#run('ceph', [
        'auth',
        'get-or-create',
        user,
        'mon',
        monitor,
        'osd',
        'allow *',
      ]);
      await writeFile(join(this.folder, `keyring.${user}`), keyring);
    }
    await this.#run('ceph-osd', ['-i', '0', '--mkfs', '--osd-uuid', uuid]);
    await this.#daemon('ceph-osd', ['-f', '-i', '0']);
  }

  /** One of the commands that set up; while it runs, a daemon that ends is the reason why it never will. */
  async #run(command: string, args: readonly string[]): Promise<string> {
    const env = { ...process.env, CEPH_CONF: this.#config };
    const stop = new AbortController();
    const done = run(command, args, { env, timeout: STEP_MS, signal: stop.signal }).then(
      ({ stdout }) => stdout,
    );
    try {
      return await Promise.race([done, ...this.#daemons.map((daemon) => ended(daemon))]);
    } catch (cause) {
      done.catch(() => undefined);
      stop.abort();
      const said = (cause as { stderr?: string }).stderr?.trim().split('\n').slice(-5).join(' | ');
      throw new Error(`${command} ${args.join(' ')}: ${said || (cause as Error).message}`, { cause });
    }
  }

  async #daemon(command: string, args: readonly string[]): Promise<void> {
    // Also gone when this process is killed and cannot clean up.
    const daemon = await start('setpriv', ['--pdeathsig', 'KILL', command, '-c', this.#config, ...args], {
      name: command,
    });
    this.#daemons.push(daemon);
  }

  async #answers(endpoint: string): Promise<boolean> {
    const gone = this.#daemons.find((daemon) => !daemon.running);
    if (gone) await ended(gone);
    return (await fetch(endpoint)).ok;
  }
}

async function ended(daemon: StartedProcess): Promise<never> {
  const { code, signal } = await daemon.exited;
  const said = daemon.lines.slice(-5).map(({ text }) => text);
  throw new Error(
    `${daemon.name} ended (${signal ?? `exit code ${code}`}): ${said.join(' | ') || 'it said nothing'}`,
  );
}

function keysOf(user: string): { access_key: string; secret_key: string } {
  const { keys } = JSON.parse(user) as { keys: { access_key: string; secret_key: string }[] };
  const [first] = keys;
  if (!first) throw new Error('radosgw-admin made a user without keys');
  return first;
}
