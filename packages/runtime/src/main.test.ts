import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

/** Runs the compiled module in a process of its own, since exit codes and stacks are what is asked for. */
const dist = new URL('../dist/index.js', import.meta.url).href;

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

function node(body: string): Promise<Ended> {
  const script = `import { runMain, ConfigError } from ${JSON.stringify(dist)};\n${body}`;
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['--input-type=module', '-e', script],
      { cwd: fileURLToPath(new URL('.', import.meta.url)) },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

describe('runMain', () => {
  test.each<[string, string, Ended]>([
    [
      'success',
      `await runMain('x', async () => console.log('done'));`,
      { code: 0, stdout: 'done\n', stderr: '' },
    ],
    ['a code', `await runMain('x', async () => 3);`, { code: 3, stdout: '', stderr: '' }],
    [
      'a mistake of the operator',
      `await runMain('x', async () => { throw new ConfigError('bad-option', '--a "b": no'); });`,
      { code: 2, stdout: '', stderr: 'x: --a "b": no\n' },
    ],
    [
      'an expected error, with its cause',
      `await runMain('x', async () => {
        throw Object.assign(new Error('cannot read a', { cause: new Error('gone') }), { code: 'spool' });
      });`,
      { code: 1, stdout: '', stderr: 'x: cannot read a: gone\n' },
    ],
    [
      'an error of the system, with something left open',
      `setInterval(() => {}, 1e6);
       await runMain('x', async () => (await import('node:fs/promises')).readFile('/nowhere/at/all'));`,
      { code: 1, stdout: '', stderr: "x: ENOENT: no such file or directory, open '/nowhere/at/all'\n" },
    ],
  ])('%s', async (_name, body, ended) => {
    expect(await node(body)).toEqual(ended);
  });

  test.each([
    ['an error without a code', `throw new Error('a defect')`],
    ['a TypeError', `undefined.x`],
    ['wrong use of Node', `(await import('node:fs')).readSync('x')`],
    ['what is no error', `throw { code: 'x' }`],
  ])('%s crashes', async (_name, body) => {
    const { code, stderr } = await node(`await runMain('x', async () => { ${body}; });`);
    expect(code).toBe(1);
    expect(stderr).not.toMatch(/^x: /);
    expect(stderr).toMatch(/at |Node\.js v/);
  });

  test('a reader that went away is no error', async () => {
    const { code, stderr } = await node(`
      import { once } from 'node:events';
      await runMain('x', async () => {
        const error = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
        process.stdout.emit('error', error);
      });`);
    expect([code, stderr]).toEqual([0, '']);
  });
});
