import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const units = ['hls-uploader.service', 'hls-segmenter@.service', 'hls-encoder@.service'];

/** The value a directive of a unit has in the end. */
function setting(unit: string, key: string): string | undefined {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].at(-1)?.[1];
}

const environment = (unit: string): Record<string, string> =>
  Object.fromEntries(
    [...unit.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );

const seconds = (text: string | undefined): number => Number(/^(\d+)$/.exec(text ?? '')?.[1]);

describe('systemd units', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hls-units-'));
    for (const unit of units) {
      // Node is wherever it is on this machine; a template is verified as one of its instances.
      const text = read(`deploy/systemd/${unit}`).replaceAll('/usr/bin/node ', `${process.execPath} `);
      await writeFile(join(folder, unit.replace('@.', '@news-high.')), text);
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const instance = (unit: string): string => `./${unit.replace('@.', '@news-high.')}`;

  test.each(units)('%s: systemd has nothing to say against it', async (unit) => {
    const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', instance(unit)], {
      cwd: folder,
    });
    expect(stdout + stderr).toBe('');
  });

  test('a misspelled directive would be seen', async () => {
    const text = read('deploy/systemd/hls-uploader.service').replace('UMask=', 'UMsk=');
    await writeFile(
      join(folder, 'misspelled.service'),
      text.replaceAll('/usr/bin/node ', `${process.execPath} `),
    );
    const { stderr } = await run('systemd-analyze', ['verify', '--man=no', './misspelled.service'], {
      cwd: folder,
    });
    expect(stderr).toContain("Unknown key 'UMsk'");
  });

  test.each(units.slice(0, 2))('%s is hardened: exposure at most 2.5 of 10', async (unit) => {
    await run('systemd-analyze', ['security', '--offline=true', '--threshold=25', instance(unit)], {
      cwd: folder,
    });
  });

  test('the users and the folders can be made', async () => {
    const { stdout, stderr } = await run('systemd-sysusers', [
      '--dry-run',
      join(root, 'deploy/systemd/hls-uplink.sysusers.conf'),
    ]);
    expect(stdout + stderr).not.toMatch(/ignoring|invalid|failed/i);
    await run('systemd-tmpfiles', [
      '--create',
      `--root=${await mkdtemp(join(folder, 'root-'))}`,
      '--prefix=/none',
      join(root, 'deploy/systemd/hls-uplink.tmpfiles.conf'),
    ]);
  });

  test('the uploader can open the spools, and only read them', () => {
    const uploader = read('deploy/systemd/hls-uploader.service');
    const segmenter = read('deploy/systemd/hls-segmenter@.service');
    expect(setting(uploader, 'User')).not.toBe(setting(segmenter, 'User'));
    expect(setting(uploader, 'Group')).toBe(setting(segmenter, 'Group'));
    const spoolRoot = environment(uploader)['HLS_UPLOADER_SPOOL_ROOT'];
    expect(environment(segmenter)['HLS_SEGMENTER_SPOOL']).toBe(`${spoolRoot}/%i`);
    expect(`/var/lib/${setting(segmenter, 'StateDirectory')}`).toBe(`${spoolRoot}/%i`);
    expect(setting(uploader, 'ReadOnlyPaths')).toBe(`-${spoolRoot}`);
    const groupBits = (octal: string | undefined): number => (parseInt(octal ?? '', 8) >> 3) & 7;
    expect(groupBits(setting(segmenter, 'StateDirectoryMode'))).toBe(5);
    expect(groupBits(setting(segmenter, 'UMask')) & 5).toBe(0);
    expect(read('deploy/systemd/hls-uplink.tmpfiles.conf')).toMatch(
      new RegExp(`^d ${spoolRoot} +0750 ${setting(segmenter, 'User')} +${setting(segmenter, 'Group')}$`, 'm'),
    );
    // A private /tmp must not hide them.
    expect(spoolRoot).not.toMatch(/^(\/var)?\/tmp/);
  });

  test.each(units.slice(0, 2))('%s: readiness, watchdog, restart, time to drain', (unit) => {
    const text = read(`deploy/systemd/${unit}`);
    expect(setting(text, 'Type')).toBe('notify');
    expect(setting(text, 'NotifyAccess')).toBe('all');
    expect(seconds(setting(text, 'WatchdogSec'))).toBeGreaterThan(0);
    expect(setting(text, 'Restart')).toBe('always');
    expect(setting(text, 'RestartPreventExitStatus')).toBe('2');
    expect(setting(text, 'StartLimitIntervalSec')).toBe('0');
    expect(seconds(setting(text, 'TimeoutStopSec'))).toBeGreaterThan(15);
  });

  /** What systemd would run, with a stand-in for the segmenter that says its arguments and its input. */
  async function execStart(env: Record<string, string>): Promise<{ stdout: string }> {
    const unit = read('deploy/systemd/hls-segmenter@.service');
    const script = /^ExecStart=\/bin\/bash -c '(.*)'$/m.exec(unit)?.[1]?.replaceAll('$$', '$') ?? '';
    const standIn = join(folder, 'stand-in.cjs');
    await writeFile(
      standIn,
      `const [input] = process.argv.slice(2);
       console.log(JSON.stringify({ input, pid: process.pid, read: input === '-' ? require('fs').readFileSync(0, 'latin1') : '' }))`,
    );
    const command = script
      .replace('/usr/bin/node', process.execPath)
      .replace('/opt/hls-uplink/packages/segmenter/bin/hls-segmenter.js', standIn)
      .replaceAll('%i', 'news-high');
    const child = run('/bin/bash', ['--norc', '-c', command], { env: { PATH: process.env['PATH'], ...env } });
    const { stdout } = await child;
    return { stdout: stdout.replace(`"pid":${child.child.pid}`, '"pid":"main"') };
  }

  test('segmenter: INPUT is read by the main process', async () => {
    const { stdout } = await execStart({ INPUT: '/run/hls-uplink/a b.ts' });
    expect(JSON.parse(stdout)).toEqual({ input: '/run/hls-uplink/a b.ts', pid: 'main', read: '' });
  });

  test('segmenter: what SOURCE_COMMAND writes is the stdin of the main process', async () => {
    const { stdout } = await execStart({ SOURCE_COMMAND: `printf '%s|' "two words" x`, INPUT: '/ignored' });
    expect(JSON.parse(stdout)).toEqual({ input: '-', pid: 'main', read: 'two words|x|' });
  });

  test('segmenter: without a source it says what to set', async () => {
    // 2, so that systemd does not try again what cannot work.
    await expect(execStart({})).rejects.toMatchObject({
      code: 2,
      stderr: 'set INPUT or SOURCE_COMMAND in /etc/hls-uplink/segmenter-news-high.env\n',
    });
  });
});

describe('environment files', () => {
  const lines = (file: string): string[] =>
    read(`deploy/systemd/${file}`)
      .split('\n')
      .map((line) => line.replace(/^#(?=[A-Z_]+=)/, ''))
      .filter((line) => line !== '' && !line.startsWith('#'));

  test.each(['uploader.env.example', 'segmenter.env.example'])('%s: one variable a line', (file) => {
    for (const line of lines(file)) expect(line).toMatch(/^[A-Z][A-Z0-9_]*=/);
  });

  test('encoder: every FIFO is an output, and the outputs are equal where cuts depend on it', () => {
    const text = read('deploy/systemd/encoder.env.example').replaceAll('\\\n', '');
    const fifos = (/^FIFOS="(.*)"$/m.exec(text)?.[1] ?? '').split(' ');
    const outputs = (/^FFMPEG="(.*)"$/m.exec(text)?.[1] ?? '').split(/ (?=-map 0:v:0)/).slice(1);
    expect(outputs).toHaveLength(fifos.length);
    const aligned = /-(?:r|g|keyint_min|sc_threshold|bf|c:a|b:a|ar|ac|muxdelay|pes_payload_size) \S+/g;
    for (const [at, output] of outputs.entries()) {
      expect(output.trim().split(' ').at(-1)).toBe(fifos[at]);
      expect(output.match(aligned)).toEqual(outputs[0]?.match(aligned));
      expect(output.match(aligned)).toHaveLength(11);
    }
  });
});

interface Service {
  image?: string;
  build?: { context: string; dockerfile: string; target: string };
  command?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  ports?: string[];
  configs?: { source: string; target: string }[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: unknown;
}

describe('docker-compose.yml', () => {
  const compose = parse(read('docker-compose.yml')) as {
    services: Record<string, Service>;
    volumes: Record<string, unknown>;
    configs: Record<string, { content: string }>;
  };
  const dockerfile = read('deploy/Dockerfile');
  const services = Object.entries(compose.services);

  test('the store, the uploader and the encoder are there', () => {
    expect(Object.keys(compose.services)).toEqual(['seaweedfs', 'bucket', 'uploader', 'encoder']);
  });

  test.each(services)('%s: what it names exists', async (_name, service) => {
    expect(Boolean(service.image) !== Boolean(service.build)).toBe(true);
    if (service.build) {
      expect(service.build.context).toBe('.');
      expect(await readdir(root)).toContain(service.build.dockerfile.split('/')[0]);
      expect(dockerfile).toMatch(new RegExp(`^FROM \\S+ AS ${service.build.target}$`, 'm'));
    } else {
      expect(service.image).toMatch(/^[^:]+:[\d.]+$/);
    }
    for (const volume of service.volumes ?? []) {
      expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
    }
    for (const { source } of service.configs ?? []) expect(Object.keys(compose.configs)).toContain(source);
    for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
      const other = compose.services[needed];
      expect(other).toBeDefined();
      const checked = other?.healthcheck ?? (other?.build && /^HEALTHCHECK/m.test(dockerfile));
      if (condition === 'service_healthy') expect(checked).toBeTruthy();
    }
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  test('the SeaweedFS release is later than those with the defect of conditional writes (4.16)', () => {
    const [major = 0, minor = 0] =
      (compose.services['seaweedfs']?.image ?? '').split(':')[1]?.split('.').map(Number) ?? [];
    expect(major * 1000 + minor).toBeGreaterThan(4018);
  });

  test('uploader and store agree on bucket and credentials; viewers may read', () => {
    const { identities } = JSON.parse(compose.configs['s3']?.content ?? '') as {
      identities: {
        name: string;
        credentials?: { accessKey: string; secretKey: string }[];
        actions: string[];
      }[];
    };
    const uploader = compose.services['uploader']?.environment ?? {};
    const store = new URL(uploader['HLS_UPLOADER_STORE'] ?? '');
    expect(store.protocol).toBe('s3:');
    expect(compose.services['bucket']?.command?.join()).toContain(`-name ${store.host}"`);
    expect(identities[0]?.credentials).toEqual([
      { accessKey: uploader['AWS_ACCESS_KEY_ID'], secretKey: uploader['AWS_SECRET_ACCESS_KEY'] },
    ]);
    expect(identities.find(({ name }) => name === 'anonymous')?.actions).toEqual([`Read:${store.host}`]);
    const endpoint = new URL(store.searchParams.get('endpoint') ?? '');
    expect(Object.keys(compose.services)).toContain(endpoint.hostname);
  });

  test('the uploader sees the spools at the path the encoder announces, and cannot write there', () => {
    const mounted = (name: string): string | undefined =>
      compose.services[name]?.volumes?.find((volume) => volume.startsWith('spool:'));
    expect(mounted('uploader')).toBe(`${mounted('encoder')}:ro`);
    const path = mounted('encoder')?.split(':')[1] ?? '';
    expect(compose.services['encoder']?.command?.join(' ')).toContain(`--dir=${path}`);
    expect(dockerfile).toContain(`HLS_UPLOADER_SPOOL_ROOT=${path} `);
  });
});
