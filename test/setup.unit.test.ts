/** scripts/lib/setup.sh on a machine that lacks something: what it says, and its exit code. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '..');
/** What the script itself needs of a Debian system. */
const TOOLS = 'bash cat cut dirname env head mkdir printf rm sed sleep sort tail tr wc'.split(' ');

describe('scripts/lib/setup.sh', () => {
  let folder: string;
  let bin: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hls-setup-'));
    bin = join(folder, 'bin');
    await mkdir(bin);
    for (const tool of TOOLS) await symlink(await pathOf(tool), join(bin, tool));
    await command('id', 'echo 1000');
    await command('node', 'echo v20.15.0');
    await command('npm', 'echo 10.0.0');
    await command('apt-get', 'echo "apt-get $*" >>calls; [ ! -e apt-fails ]');
    // The log of the steps goes where the script runs.
    await writeFile(join(folder, 'package.json'), await readFile(join(root, 'package.json')));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function pathOf(tool: string): Promise<string> {
    const { stdout } = await promisify(execFile)('sh', ['-c', `command -v ${tool}`]);
    // A builtin of sh has no path.
    return stdout.startsWith('/') ? stdout.trim() : `/usr/bin/${tool}`;
  }

  async function command(name: string, script: string): Promise<void> {
    await rm(join(bin, name), { force: true });
    await writeFile(join(bin, name), `#!${join(bin, 'bash')}\n${script}\n`);
    await chmod(join(bin, name), 0o755);
  }

  /** Runs a script, or lines after those of setup.sh, where nothing but `bin` is found. */
  function run(lines: string): Promise<{ code: number; said: string }> {
    const script = `. '${root}/scripts/lib/setup.sh'\n${lines}`;
    return runFile(join(bin, 'bash'), ['-c', script]);
  }

  function runFile(file: string, args: string[]): Promise<{ code: number; said: string }> {
    return new Promise((resolve) => {
      const options = { cwd: folder, env: { PATH: bin, HOME: folder } };
      execFile(file, args, options, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr }),
      );
    });
  }

  const calls = (): Promise<string> => readFile(join(folder, 'calls'), 'utf8').catch(() => '');

  test('nothing is missing: nothing is said', async () => {
    await command('ffmpeg', 'true');
    expect(await run('need_node; need_packages ffmpeg=ffmpeg sort=coreutils')).toEqual({ code: 0, said: '' });
  });

  test('without root and without ffmpeg the demo says exactly what to install', async () => {
    const { code, said } = await runFile(join(root, 'scripts/demo'), []);
    expect(said).toBe(
      'error: missing: ffmpeg. Install with: sudo apt-get update && sudo apt-get install -y --no-install-recommends ffmpeg\n',
    );
    expect(code).toBe(1);
    expect(await calls()).toBe('');
  });

  test('the tests name each package once', async () => {
    await symlink(await pathOf('perl'), join(bin, 'perl'));
    const { code, said } = await runFile(join(root, 'scripts/test'), []);
    const all =
      'ceph-base ceph-common ceph-mgr ceph-mon ceph-osd chromium ffmpeg netcat-openbsd radosgw srt-tools systemd';
    expect(said).toBe(
      `error: missing: ${all}. Install with: sudo apt-get update && sudo apt-get install -y --no-install-recommends ${all}\n`,
    );
    expect(code).toBe(1);
  });

  test('without apt-get it gives the names of the packages', async () => {
    await rm(join(bin, 'apt-get'));
    await command('id', 'echo 0');
    const { code, said } = await run('need_packages ffmpeg=ffmpeg ffprobe=ffmpeg nc=netcat-openbsd');
    expect(said).toBe(
      'error: missing: ffmpeg netcat-openbsd (names of Debian packages). Install them and start again\n',
    );
    expect(code).toBe(1);
  });

  test('root has them installed', async () => {
    await command('id', 'echo 0');
    const { code, said } = await run('need_packages ffmpeg=ffmpeg ffprobe=ffmpeg');
    expect(said).toMatch(/^Installing ffmpeg …\n✓ Installing ffmpeg \(\d+ s\)\n$/);
    expect(code).toBe(0);
    expect(await calls()).toBe('apt-get update -q\napt-get install -q -y --no-install-recommends ffmpeg\n');
  });

  test('root, but apt-get fails twice', async () => {
    await command('id', 'echo 0');
    await command('sleep', 'true');
    await writeFile(join(folder, 'apt-fails'), '');
    const { code, said } = await run('need_packages ffmpeg=ffmpeg');
    expect(said).toMatch(/✗ Installing ffmpeg: exit code 1\./);
    expect(said).toMatch(
      /error: apt-get could not install ffmpeg\. Check the network and \/etc\/apt\/sources\.list, then start again\n$/,
    );
    expect(code).toBe(1);
    expect(await calls()).toBe('apt-get update -q\n'.repeat(2));
  });

  test.each([
    ['v20.3.0', false],
    ['v20.14.9', false],
    ['v18.20.4', false],
    ['v9.11.2', false],
    ['v20.15.0', true],
    ['v20.15.1', true],
    ['v22.1.0', true],
    ['v100.0.0', true],
  ])('Node.js %s: enough is %s', async (version, isEnough) => {
    const { engines } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      engines: { node: string };
    };
    expect(engines.node).toBe('>=20.15');
    await command('node', `echo ${version}`);
    expect(await run('need_node')).toEqual(
      isEnough
        ? { code: 0, said: '' }
        : {
            code: 1,
            said: `error: Node.js 20.15 or later is needed, this is ${version}. Install it from https://nodejs.org/ or NodeSource, then start again\n`,
          },
    );
  });

  test('no Node.js', async () => {
    await rm(join(bin, 'node'));
    expect(await runFile(join(root, 'scripts/demo'), [])).toEqual({
      code: 1,
      said: 'error: Node.js 20.15 or later with npm is needed. Install it from https://nodejs.org/ or NodeSource, then start again\n',
    });
  });
});
